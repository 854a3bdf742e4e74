package io.github.sharnn.langchain4j;

import ai.djl.Model;
import dev.langchain4j.model.StreamingResponseHandler;
import dev.langchain4j.model.chat.request.ChatRequestParameters;
import dev.langchain4j.model.language.LanguageModel;
import dev.langchain4j.model.language.StreamingLanguageModel;
import dev.langchain4j.model.output.Response;

/**
 * A LangChain4j language model that continues a text:
 *
 * <pre>{@code
 * try (Model model = SHARNN.load(folder)) {
 *   LanguageModel language = SHARNNLanguageModel.builder(model).maxOutputTokens(100).build();
 *   System.out.println(language.generate("The history of ").content());
 * }
 * }</pre>
 *
 * <p>A SHARNN is a base language model: it continues the prompt exactly as it stands, and answers
 * no questions. The prompt may be of any length. The model reads its last {@code memoryLength}
 * tokens.
 *
 * <p>The response has the token usage and the reason of the end. Many threads may share a language
 * model. The streaming methods call their handler on the calling thread and return after the last
 * call. The caller closes the DJL model. Later calls throw an {@link IllegalStateException}, and
 * texts that are open end with it.
 */
public final class SHARNNLanguageModel implements LanguageModel, StreamingLanguageModel {

  private final Completions completions;
  private final ChatRequestParameters parameters;

  private SHARNNLanguageModel(Builder builder) {
    completions = builder.completions();
    parameters = builder.parameters();
  }

  /**
   * {@return a builder of a language model}
   *
   * @param model a model of {@link io.github.sharnn.SHARNN#load} or DJL's {@code Criteria}; the
   *     caller closes it
   */
  public static Builder builder(Model model) {
    return new Builder(model);
  }

  /**
   * Continues a prompt.
   *
   * @param prompt at least one token; not repeated in the response
   * @return the continuation, with token usage and finish reason
   * @throws IllegalArgumentException if the prompt has no token, or a byte that the vocabulary
   *     lacks
   * @throws IllegalStateException if the model is closed
   * @throws java.util.concurrent.CancellationException soon after the thread is interrupted
   */
  @Override
  public Response<String> generate(String prompt) {
    try (Completion completion = completions.start(prompt, parameters)) {
      return response(completion);
    }
  }

  /**
   * Continues a prompt and hands out the text in pieces of whole characters.
   *
   * @param prompt at least one token; not repeated in the response
   * @param handler receives each piece, then the whole response; or an exception, also one of its
   *     own; an {@link Error} is then thrown too
   */
  @Override
  public void generate(String prompt, StreamingResponseHandler<String> handler) {
    try (Completion completion = completions.start(prompt, parameters)) {
      String piece = completion.next();
      while (piece != null) {
        handler.onNext(piece);
        piece = completion.next();
      }
      handler.onComplete(response(completion));
    } catch (RuntimeException e) {
      handler.onError(e);
    } catch (Error e) {
      handler.onError(e);
      throw e;
    }
  }

  private static Response<String> response(Completion completion) {
    return Response.from(completion.finish(), completion.usage(), completion.reason());
  }

  /** A builder of a {@link SHARNNLanguageModel}. */
  public static final class Builder extends ModelBuilder<Builder> {

    private Builder(Model model) {
      super(model);
    }

    @Override
    Builder self() {
      return this;
    }

    /**
     * {@return the language model}
     *
     * @throws IllegalArgumentException if an option breaks its rule, or the model holds no SHARNN
     */
    public SHARNNLanguageModel build() {
      return new SHARNNLanguageModel(this);
    }
  }
}
