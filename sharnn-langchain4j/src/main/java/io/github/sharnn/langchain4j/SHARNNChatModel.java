package io.github.sharnn.langchain4j;

import ai.djl.Model;
import dev.langchain4j.data.message.AiMessage;
import dev.langchain4j.data.message.ChatMessage;
import dev.langchain4j.model.chat.ChatModel;
import dev.langchain4j.model.chat.listener.ChatModelListener;
import dev.langchain4j.model.chat.request.ChatRequest;
import dev.langchain4j.model.chat.request.ChatRequestParameters;
import dev.langchain4j.model.chat.response.ChatResponse;
import dev.langchain4j.model.chat.response.ChatResponseMetadata;
import java.util.List;
import java.util.function.Function;

/**
 * A LangChain4j chat model that continues a text, for code that asks for a {@link ChatModel}:
 *
 * <pre>{@code
 * ChatModel chat = SHARNNChatModel.builder(model).temperature(0.8).maxOutputTokens(100).build();
 * System.out.println(chat.chat("The history of "));
 * }</pre>
 *
 * <p>A SHARNN is a base language model: the text of the one user message is continued exactly as it
 * stands, and no question is answered. {@link Builder#prompt} accepts other messages.
 *
 * <p>A request's {@code maxOutputTokens}, {@code temperature}, {@code topK}, {@code topP} and
 * {@code stopSequences} replace those of the builder. Penalties, tools and JSON are rejected with a
 * {@link dev.langchain4j.exception.UnsupportedFeatureException}.
 *
 * <p>Many threads may share a chat model. The caller closes the DJL model, after which requests
 * throw an {@link IllegalStateException}.
 */
public final class SHARNNChatModel implements ChatModel {

  private final Completions completions;
  private final ChatRequestParameters parameters;
  private final Function<List<ChatMessage>, String> prompt;
  private final List<ChatModelListener> listeners;

  private SHARNNChatModel(Builder builder) {
    completions = builder.completions();
    parameters = builder.parameters();
    prompt = builder.prompt;
    listeners = builder.listeners;
  }

  /**
   * {@return a builder of a chat model}
   *
   * @param model a model of {@link io.github.sharnn.SHARNN#load} or DJL's {@code Criteria}; the
   *     caller closes it
   */
  public static Builder builder(Model model) {
    return new Builder(model);
  }

  /**
   * Continues the text of a request's messages. {@link #chat(ChatRequest)} calls this method.
   *
   * @param request the request, with all parameters
   * @return the continuation, with model name, token usage and finish reason
   * @throws dev.langchain4j.exception.UnsupportedFeatureException if the request asks for what the
   *     model can't do
   * @throws IllegalArgumentException if a parameter breaks its rule, the prompt has no token, or a
   *     byte that the vocabulary lacks
   * @throws IllegalStateException if the model is closed
   * @throws java.util.concurrent.CancellationException soon after the thread is interrupted
   */
  @Override
  public ChatResponse doChat(ChatRequest request) {
    String text = prompt.apply(request.messages());
    try (Completion completion = completions.start(text, request.parameters())) {
      return response(completions.model(), completion);
    }
  }

  /** Generates the rest of a completion and returns all of it. */
  static ChatResponse response(Model model, Completion completion) {
    String text = completion.finish();
    return ChatResponse.builder()
        .aiMessage(AiMessage.from(text))
        .metadata(
            ChatResponseMetadata.builder()
                .modelName(model.getName())
                .tokenUsage(completion.usage())
                .finishReason(completion.reason())
                .build())
        .build();
  }

  /** {@return the parameters of the builder} */
  @Override
  public ChatRequestParameters defaultRequestParameters() {
    return parameters;
  }

  /** {@return the listeners of the builder} */
  @Override
  public List<ChatModelListener> listeners() {
    return listeners;
  }

  /** A builder of a {@link SHARNNChatModel}. */
  public static final class Builder extends ChatBuilder<Builder> {

    private Builder(Model model) {
      super(model);
    }

    @Override
    Builder self() {
      return this;
    }

    /**
     * {@return the chat model}
     *
     * @throws IllegalArgumentException if an option breaks its rule, or the model holds no SHARNN
     */
    public SHARNNChatModel build() {
      return new SHARNNChatModel(this);
    }
  }
}
