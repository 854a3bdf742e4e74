package io.github.sharnn.langchain4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Model;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import dev.langchain4j.agent.tool.ToolSpecification;
import dev.langchain4j.data.message.AiMessage;
import dev.langchain4j.data.message.ChatMessage;
import dev.langchain4j.data.message.SystemMessage;
import dev.langchain4j.data.message.UserMessage;
import dev.langchain4j.exception.UnsupportedFeatureException;
import dev.langchain4j.model.StreamingResponseHandler;
import dev.langchain4j.model.chat.ChatModel;
import dev.langchain4j.model.chat.listener.ChatModelListener;
import dev.langchain4j.model.chat.listener.ChatModelResponseContext;
import dev.langchain4j.model.chat.request.ChatRequest;
import dev.langchain4j.model.chat.request.ResponseFormat;
import dev.langchain4j.model.chat.response.ChatResponse;
import dev.langchain4j.model.chat.response.PartialResponse;
import dev.langchain4j.model.chat.response.PartialResponseContext;
import dev.langchain4j.model.chat.response.StreamingChatResponseHandler;
import dev.langchain4j.model.output.FinishReason;
import dev.langchain4j.model.output.Response;
import dev.langchain4j.model.output.TokenUsage;
import dev.langchain4j.service.AiServices;
import io.github.sharnn.SHARNN;
import io.github.sharnn.generate.SHARNNGenerator;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class LangChainModelsTest {

  private static final String PROMPT = "The caf\u00e9 ";
  private static final TokenUsage USAGE = new TokenUsage(10, 40);

  private Model model;

  /** An AI service of LangChain4j. */
  interface Writer {
    String write(String beginning);
  }

  /** A handler that keeps what it receives. */
  private static class Handler implements StreamingChatResponseHandler {

    final List<String> pieces = new ArrayList<>();
    final List<ChatResponse> responses = new ArrayList<>();
    final List<Throwable> errors = new ArrayList<>();
    final List<Thread> threads = new ArrayList<>();

    @Override
    public void onPartialResponse(PartialResponse piece, PartialResponseContext context) {
      pieces.add(piece.text());
      threads.add(Thread.currentThread());
    }

    @Override
    public void onCompleteResponse(ChatResponse response) {
      responses.add(response);
    }

    @Override
    public void onError(Throwable error) {
      errors.add(error);
    }
  }

  private static Handler handler(Consumer<PartialResponseContext> onPiece) {
    return new Handler() {
      @Override
      public void onPartialResponse(PartialResponse piece, PartialResponseContext context) {
        onPiece.accept(context);
      }
    };
  }

  @BeforeEach
  void create_a_model() {
    model =
        SHARNN
            .builder()
            .embeddingSize(16)
            .boomSize(16)
            .layers(1)
            .memoryLength(16)
            .build()
            .newModel("tiny");
    model.getBlock().initialize(model.getNDManager(), DataType.FLOAT32, new Shape(1, 1));
  }

  @AfterEach
  void close_it() {
    model.close();
  }

  private SHARNNGenerator.Builder generator() {
    return SHARNNGenerator.builder(model).length(40).seed(5);
  }

  private SHARNNChatModel.Builder chat() {
    return SHARNNChatModel.builder(model).maxOutputTokens(40).generator(g -> g.seed(5));
  }

  private SHARNNStreamingChatModel.Builder streaming() {
    return SHARNNStreamingChatModel.builder(model).maxOutputTokens(40).generator(g -> g.seed(5));
  }

  private SHARNNLanguageModel.Builder language() {
    return SHARNNLanguageModel.builder(model).maxOutputTokens(40).generator(g -> g.seed(5));
  }

  private static ChatRequest.Builder request() {
    return ChatRequest.builder().messages(UserMessage.from(PROMPT));
  }

  @Test
  void texts_are_those_of_the_generator() {
    String expected = generator().build().generate(PROMPT);

    Response<String> response = language().build().generate(PROMPT);
    assertThat(response.content()).isEqualTo(expected);
    assertThat(response.tokenUsage()).isEqualTo(USAGE);
    assertThat(response.finishReason()).isEqualTo(FinishReason.LENGTH);

    ChatResponse chat = chat().build().chat(request().build());
    assertThat(chat.aiMessage().text()).isEqualTo(expected);
    assertThat(chat.tokenUsage()).isEqualTo(USAGE);
    assertThat(chat.finishReason()).isEqualTo(FinishReason.LENGTH);
    assertThat(chat.modelName()).isEqualTo("tiny");

    Handler handler = new Handler();
    streaming().build().chat(PROMPT, handler);
    assertThat(handler.pieces).hasSizeGreaterThan(10);
    assertThat(String.join("", handler.pieces)).isEqualTo(expected);
    assertThat(handler.responses).containsExactly(chat);
    assertThat(handler.errors).isEmpty();
    assertThat(handler.threads).containsOnly(Thread.currentThread());

    Writer writer = AiServices.create(Writer.class, chat().build());
    assertThat(writer.write(PROMPT)).isEqualTo(expected);
  }

  @Test
  void a_language_model_streams() {
    StringBuilder text = new StringBuilder();
    List<Response<String>> responses = new ArrayList<>();
    language()
        .build()
        .generate(
            PROMPT,
            new StreamingResponseHandler<String>() {
              @Override
              public void onNext(String piece) {
                text.append(piece);
              }

              @Override
              public void onComplete(Response<String> response) {
                responses.add(response);
              }

              @Override
              public void onError(Throwable error) {
                throw new AssertionError(error);
              }
            });
    assertThat(text.toString()).isEqualTo(generator().build().generate(PROMPT));
    assertThat(responses)
        .containsExactly(Response.from(text.toString(), USAGE, FinishReason.LENGTH));
  }

  static Stream<Arguments> options() {
    return Stream.of(
        option(r -> r.temperature(0.3), g -> g.temperature(0.3f)),
        option(r -> r.temperature(0.0), g -> g.topK(1)),
        option(r -> r.topK(3), g -> g.topK(3)),
        option(r -> r.topP(0.2), g -> g.topP(0.2f)),
        option(r -> r.maxOutputTokens(7), g -> g.length(7)),
        option(r -> r.modelName("tiny"), g -> {}),
        option(r -> r.frequencyPenalty(0.0), g -> {}));
  }

  private static Arguments option(
      Consumer<ChatRequest.Builder> request, Consumer<SHARNNGenerator.Builder> generator) {
    return Arguments.of(request, generator);
  }

  @ParameterizedTest
  @MethodSource("options")
  void a_request_replaces_the_options_of_the_builder(
      Consumer<ChatRequest.Builder> request, Consumer<SHARNNGenerator.Builder> generator) {
    ChatRequest.Builder changed = request();
    request.accept(changed);
    SHARNNGenerator.Builder same = generator();
    generator.accept(same);
    String expected = same.build().generate(PROMPT);
    assertThat(chat().build().chat(changed.build()).aiMessage().text()).isEqualTo(expected);
    Handler handler = new Handler();
    streaming().build().chat(changed.build(), handler);
    assertThat(String.join("", handler.pieces)).isEqualTo(expected);
  }

  @Test
  void the_builder_sets_every_option() {
    String expected =
        generator().length(30).temperature(0.5f).topK(20).topP(0.9f).build().generate(PROMPT);
    String stop = expected.substring(10, 12);
    SHARNNChatModel built =
        chat()
            .maxOutputTokens(30)
            .temperature(0.5)
            .topK(20)
            .topP(0.9)
            .stopSequences(List.of("never", stop))
            .build();
    ChatResponse response = built.chat(request().build());
    String before = expected.substring(0, expected.indexOf(stop));
    assertThat(response.aiMessage().text()).isEqualTo(before);
    assertThat(response.finishReason()).isEqualTo(FinishReason.STOP);
    assertThat(response.tokenUsage().outputTokenCount()).isBetween(1, 29);
    assertThat(built.defaultRequestParameters().topK()).isEqualTo(20);
    ChatRequest other = request().stopSequences(List.of(expected.substring(5, 6))).build();
    assertThat(built.chat(other).aiMessage().text())
        .isEqualTo(expected.substring(0, expected.indexOf(expected.charAt(5))));
  }

  static Stream<Arguments> unsupported() {
    return Stream.of(
        rejected(r -> r.frequencyPenalty(0.5), "frequencyPenalty is not supported, but is 0.5: "),
        rejected(r -> r.presencePenalty(-1.0), "presencePenalty is not supported, but is -1.0: "),
        rejected(
            r -> r.toolSpecifications(ToolSpecification.builder().name("add").build()),
            "tools are not supported: leave them out"),
        rejected(r -> r.responseFormat(ResponseFormat.JSON), "JSON is not supported: ask for text"),
        rejected(
            r -> r.messages(SystemMessage.from("Be kind"), UserMessage.from("Hello")),
            "the request has [SYSTEM, USER]: set prompt(...) in the builder"));
  }

  private static Arguments rejected(Consumer<ChatRequest.Builder> request, String message) {
    return Arguments.of(request, message);
  }

  @ParameterizedTest
  @MethodSource("unsupported")
  void other_features_are_rejected(Consumer<ChatRequest.Builder> request, String message) {
    ChatRequest.Builder changed = request();
    request.accept(changed);
    assertThatThrownBy(() -> chat().build().chat(changed.build()))
        .isInstanceOf(UnsupportedFeatureException.class)
        .hasMessageContaining(message);
    Handler handler = new Handler();
    assertThatThrownBy(() -> streaming().build().chat(changed.build(), handler))
        .isInstanceOf(UnsupportedFeatureException.class)
        .hasMessageContaining(message);
    assertThat(handler.pieces).isEmpty();
  }

  @Test
  void values_that_break_a_rule_are_rejected() {
    assertThatThrownBy(() -> chat().build().chat(request().modelName("gpt").build()))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(
            "modelName must be tiny, the name of the loaded model, but is gpt: leave it out");
    assertThatThrownBy(() -> chat().topP(1.5).build())
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("topP must be");
    assertThatThrownBy(() -> chat().stopSequences(List.of("")).build())
        .hasMessageContaining("stopSequences must not have an empty text");
    assertThatThrownBy(() -> chat().build().chat(request().maxOutputTokens(0).build()))
        .hasMessageContaining("maxOutputTokens must be at least 1, but is 0: leave it out for 400");
    assertThatThrownBy(() -> language().build().generate(""))
        .hasMessageContaining("prompt must have at least one token");
  }

  @Test
  void a_prompt_function_turns_messages_into_text() {
    List<ChatMessage> messages =
        List.of(UserMessage.from("Hi"), AiMessage.from("Ho"), UserMessage.from("Hm"));
    SHARNNChatModel dialogue = chat().prompt(all -> all.size() + ": ").build();
    assertThat(dialogue.chat(messages).aiMessage().text())
        .isEqualTo(generator().build().generate("3: "));
  }

  @Test
  void a_handler_cancels() {
    Handler handler =
        new Handler() {
          @Override
          public void onPartialResponse(PartialResponse piece, PartialResponseContext context) {
            super.onPartialResponse(piece, context);
            if (pieces.size() == 3) {
              context.streamingHandle().cancel();
              assertThat(context.streamingHandle().isCancelled()).isTrue();
            }
          }
        };
    streaming().build().chat(request().build(), handler);
    assertThat(handler.pieces).hasSize(3);
    assertThat(handler.responses).isEmpty();
    assertThat(handler.errors).isEmpty();
  }

  @Test
  void an_exception_of_the_handler_goes_to_on_error() {
    RuntimeException thrown = new RuntimeException("mine");
    Handler handler =
        handler(
            context -> {
              throw thrown;
            });
    streaming().build().chat(request().build(), handler);
    assertThat(handler.errors).containsExactly(thrown);
    assertThat(handler.responses).isEmpty();
  }

  @Test
  void an_error_goes_to_on_error_and_ends_the_thread() {
    AssertionError thrown = new AssertionError("mine");
    Handler handler =
        handler(
            context -> {
              throw thrown;
            });
    assertThatThrownBy(() -> streaming().build().chat(request().build(), handler)).isSameAs(thrown);
    assertThat(handler.errors).containsExactly(thrown);
    assertThat(handler.responses).isEmpty();
  }

  @Test
  void a_cancelled_handler_is_not_called_for_its_own_exception() {
    RuntimeException thrown = new RuntimeException("mine");
    Handler handler =
        handler(
            context -> {
              context.streamingHandle().cancel();
              throw thrown;
            });
    assertThatThrownBy(() -> streaming().build().chat(request().build(), handler)).isSameAs(thrown);
    assertThat(handler.errors).isEmpty();
  }

  @Test
  void an_executor_generates() throws InterruptedException {
    ExecutorService threads = Executors.newSingleThreadExecutor();
    Handler handler = new Handler();
    streaming().executor(threads).build().chat(request().build(), handler);
    threads.shutdown();
    assertThat(threads.awaitTermination(30, TimeUnit.SECONDS)).isTrue();
    assertThat(String.join("", handler.pieces)).isEqualTo(generator().build().generate(PROMPT));
    assertThat(handler.threads).doesNotContain(Thread.currentThread());
  }

  @Test
  void a_closed_model_is_an_error() {
    ChatModel chat = chat().build();
    Handler handler =
        new Handler() {
          @Override
          public void onPartialResponse(PartialResponse piece, PartialResponseContext context) {
            super.onPartialResponse(piece, context);
            model.close();
          }
        };
    streaming().build().chat(request().build(), handler);
    assertThat(handler.pieces).hasSize(1);
    assertThat(handler.responses).isEmpty();
    assertThat(handler.errors).singleElement().isInstanceOf(IllegalStateException.class);
    assertThatThrownBy(() -> chat.chat(PROMPT)).isInstanceOf(IllegalStateException.class);
  }

  @Test
  void listeners_see_the_response() {
    List<TokenUsage> seen = new ArrayList<>();
    ChatModelListener listener =
        new ChatModelListener() {
          @Override
          public void onResponse(ChatModelResponseContext context) {
            seen.add(context.chatResponse().tokenUsage());
          }
        };
    chat().listeners(List.of(listener)).build().chat(request().build());
    streaming().listeners(List.of(listener)).build().chat(request().build(), new Handler());
    assertThat(seen).containsExactly(USAGE, USAGE);
  }
}
