package io.github.sharnn.langchain4j;

import static com.google.common.base.Preconditions.checkNotNull;

import ai.djl.Model;
import dev.langchain4j.data.message.ChatMessage;
import dev.langchain4j.model.chat.StreamingChatModel;
import dev.langchain4j.model.chat.listener.ChatModelListener;
import dev.langchain4j.model.chat.request.ChatRequest;
import dev.langchain4j.model.chat.request.ChatRequestParameters;
import dev.langchain4j.model.chat.response.PartialResponse;
import dev.langchain4j.model.chat.response.PartialResponseContext;
import dev.langchain4j.model.chat.response.StreamingChatResponseHandler;
import dev.langchain4j.model.chat.response.StreamingHandle;
import java.util.List;
import java.util.concurrent.Executor;
import java.util.function.Function;

/**
 * A LangChain4j chat model that continues a text and hands it out piece by piece. Prompts and
 * parameters are those of {@link SHARNNChatModel}.
 *
 * <p>A handler cancels a text through the {@link StreamingHandle} in the context of a piece. After
 * that the handler is not called again. By default the handler is called on the calling thread, and
 * the request returns after the last call. With {@link Builder#executor} a request returns at once.
 *
 * <p>Exceptions go to {@code onError}, also those that the handler throws. An {@link Error} goes
 * there too, and is then thrown on the thread that generates, as is any exception after a cancel.
 * If the DJL model is closed, open texts end with an {@link IllegalStateException}.
 */
public final class SHARNNStreamingChatModel implements StreamingChatModel {

  private final Completions completions;
  private final ChatRequestParameters parameters;
  private final Function<List<ChatMessage>, String> prompt;
  private final List<ChatModelListener> listeners;
  private final Executor executor;

  private SHARNNStreamingChatModel(Builder builder) {
    completions = builder.completions();
    parameters = builder.parameters();
    prompt = builder.prompt;
    listeners = builder.listeners;
    executor = builder.executor;
  }

  /**
   * {@return a builder of a streaming chat model}
   *
   * @param model a model of {@link io.github.sharnn.SHARNN#load} or DJL's {@code Criteria}; the
   *     caller closes it
   */
  public static Builder builder(Model model) {
    return new Builder(model);
  }

  /** A handle whose {@code cancel} any thread may call. */
  private static final class Handle implements StreamingHandle {

    private volatile boolean cancelled;

    @Override
    public void cancel() {
      cancelled = true;
    }

    @Override
    public boolean isCancelled() {
      return cancelled;
    }
  }

  /**
   * Continues the text of a request's messages. {@code chat} calls this method.
   *
   * @param request the request, with all parameters
   * @param handler receives each piece of whole characters, then the whole response
   * @throws dev.langchain4j.exception.UnsupportedFeatureException if the request asks for what the
   *     model can't do
   * @throws IllegalArgumentException if a parameter breaks its rule
   */
  @Override
  public void doChat(ChatRequest request, StreamingChatResponseHandler handler) {
    String text = prompt.apply(request.messages());
    completions.generator(request.parameters()); // checks them on this thread
    executor.execute(() -> run(text, request.parameters(), handler));
  }

  private void run(
      String text, ChatRequestParameters merged, StreamingChatResponseHandler handler) {
    Handle handle = new Handle();
    try (Completion completion = completions.start(text, merged)) {
      PartialResponseContext context = new PartialResponseContext(handle);
      String piece = completion.next();
      while (piece != null && !handle.isCancelled()) {
        handler.onPartialResponse(new PartialResponse(piece), context);
        piece = handle.isCancelled() ? null : completion.next();
      }
      if (!handle.isCancelled()) { // another thread may cancel while a piece is computed
        handler.onCompleteResponse(SHARNNChatModel.response(completions.model(), completion));
      }
    } catch (RuntimeException | Error e) { // on another thread, nobody else would tell the handler
      if (!handle.isCancelled()) {
        handler.onError(e);
      }
      if (handle.isCancelled() || e instanceof Error) {
        throw e;
      }
    }
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

  /** A builder of a {@link SHARNNStreamingChatModel}. */
  public static final class Builder extends ChatBuilder<Builder> {

    private Executor executor = Runnable::run;

    private Builder(Model model) {
      super(model);
    }

    @Override
    Builder self() {
      return this;
    }

    /**
     * Sets the executor that generates, and calls the handler. Default: the calling thread. One
     * text at a time is the fastest on a CPU, so a single thread is a good choice.
     *
     * @param threads the executor, which the caller shuts down
     * @return this builder
     */
    public Builder executor(Executor threads) {
      executor = checkNotNull(threads, "executor must not be null");
      return this;
    }

    /**
     * {@return the streaming chat model}
     *
     * @throws IllegalArgumentException if an option breaks its rule, or the model holds no SHARNN
     */
    public SHARNNStreamingChatModel build() {
      return new SHARNNStreamingChatModel(this);
    }
  }
}
