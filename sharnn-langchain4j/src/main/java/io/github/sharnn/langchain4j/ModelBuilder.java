package io.github.sharnn.langchain4j;

import static com.google.common.base.Preconditions.checkNotNull;

import ai.djl.Model;
import dev.langchain4j.model.chat.request.ChatRequestParameters;
import dev.langchain4j.model.chat.request.DefaultChatRequestParameters;
import io.github.sharnn.generate.SHARNNGenerator;
import java.util.List;
import java.util.function.UnaryOperator;

/**
 * The options that the builders of this package share.
 *
 * @param <B> the builder
 */
abstract class ModelBuilder<B extends ModelBuilder<B>> {

  private final Model model;
  private final DefaultChatRequestParameters.Builder<?> parameters =
      DefaultChatRequestParameters.builder();
  private UnaryOperator<SHARNNGenerator.Builder> generator = UnaryOperator.identity();

  ModelBuilder(Model model) {
    this.model = checkNotNull(model, "model must not be null");
  }

  abstract B self();

  /**
   * Sets the maximum number of tokens to generate: bytes, words or subwords. Default 400.
   *
   * @param tokens at least 1
   * @return this builder
   */
  public B maxOutputTokens(int tokens) {
    parameters.maxOutputTokens(tokens);
    return self();
  }

  /**
   * Sets the temperature, which divides the logits. Default 1.
   *
   * @param divisor at least 0; 0 always takes the most probable token
   * @return this builder
   */
  public B temperature(double divisor) {
    parameters.temperature(divisor);
    return self();
  }

  /**
   * Sets how many of the most probable tokens to sample from. Default all.
   *
   * @param count at least 1
   * @return this builder
   */
  public B topK(int count) {
    parameters.topK(count);
    return self();
  }

  /**
   * Sets the total probability of the tokens to sample from. Default 1, all.
   *
   * @param probability in (0, 1]
   * @return this builder
   */
  public B topP(double probability) {
    parameters.topP(probability);
    return self();
  }

  /**
   * Sets the texts that end the output, which leaves them out. Default none.
   *
   * @param texts none of them empty
   * @return this builder
   */
  public B stopSequences(List<String> texts) {
    parameters.stopSequences(texts);
    return self();
  }

  /**
   * Sets options that LangChain4j does not have, such as a seed:
   *
   * <pre>{@code
   * .generator(options -> options.seed(7).minP(0.05f))
   * }</pre>
   *
   * @param options sets options of the generator; {@link #maxOutputTokens} replaces its length
   * @return this builder
   */
  public B generator(UnaryOperator<SHARNNGenerator.Builder> options) {
    generator = checkNotNull(options, "generator must not be null");
    return self();
  }

  /** Returns the parameters, checked. */
  final ChatRequestParameters parameters() {
    ChatRequestParameters built = parameters.build();
    completions().generator(built);
    return built;
  }

  final Completions completions() {
    return new Completions(model, generator);
  }
}
