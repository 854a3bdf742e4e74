package io.github.sharnn.langchain4j;

import static com.google.common.base.Preconditions.checkArgument;
import static com.google.common.base.Strings.lenientFormat;

import ai.djl.Model;
import dev.langchain4j.exception.UnsupportedFeatureException;
import dev.langchain4j.model.chat.request.ChatRequestParameters;
import dev.langchain4j.model.chat.request.ResponseFormatType;
import io.github.sharnn.generate.SHARNNGenerator;
import java.util.List;
import java.util.Objects;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/** LangChain4j's parameters, carried out by a {@link SHARNNGenerator}. */
record Completions(Model model, UnaryOperator<SHARNNGenerator.Builder> generator) {

  static final int DEFAULT_LENGTH = 400;

  /** Reads a prompt. The caller closes the completion. */
  Completion start(String prompt, ChatRequestParameters parameters) {
    List<String> stops = Objects.requireNonNullElse(parameters.stopSequences(), List.of());
    int length = Objects.requireNonNullElse(parameters.maxOutputTokens(), DEFAULT_LENGTH);
    return new Completion(model, prompt, generator(parameters).iterate(prompt), length, stops);
  }

  /** Checks parameters and returns the generator that they describe. */
  SHARNNGenerator generator(ChatRequestParameters parameters) {
    checkSupported(parameters);
    SHARNNGenerator.Builder builder = generator.apply(SHARNNGenerator.builder(model));
    builder.length(Objects.requireNonNullElse(parameters.maxOutputTokens(), DEFAULT_LENGTH));
    if (parameters.topK() != null) {
      builder.topK(parameters.topK());
    }
    if (parameters.topP() != null) {
      builder.topP(parameters.topP().floatValue());
    }
    if (parameters.temperature() != null && parameters.temperature() == 0) {
      builder.topK(1); // always the most probable token
    } else if (parameters.temperature() != null) {
      builder.temperature(parameters.temperature().floatValue());
    }
    return builder.build();
  }

  private void checkSupported(ChatRequestParameters parameters) {
    checkArgument(
        parameters.modelName() == null || parameters.modelName().equals(model.getName()),
        "modelName must be %s, the name of the loaded model, but is %s: leave it out",
        model.getName(),
        parameters.modelName());
    checkArgument(
        parameters.maxOutputTokens() == null || parameters.maxOutputTokens() >= 1,
        "maxOutputTokens must be at least 1, but is %s: leave it out for %s",
        parameters.maxOutputTokens(),
        DEFAULT_LENGTH);
    checkArgument(
        parameters.stopSequences() == null
            || parameters.stopSequences().stream().noneMatch(String::isEmpty),
        "stopSequences must not have an empty text: leave it out");
    rejectPenalty("frequencyPenalty", parameters.frequencyPenalty());
    rejectPenalty("presencePenalty", parameters.presencePenalty());
    boolean tools =
        parameters.toolSpecifications() != null && !parameters.toolSpecifications().isEmpty();
    reject(tools || parameters.toolChoice() != null, "tools are not supported: leave them out");
    reject(
        parameters.responseFormat() != null
            && parameters.responseFormat().type() == ResponseFormatType.JSON,
        "the response format JSON is not supported: ask for text");
  }

  private static void rejectPenalty(String name, @Nullable Double penalty) {
    reject(
        penalty != null && penalty != 0,
        "%s is not supported, but is %s: leave it out, or set repetitionPenalty in the builder's"
            + " generator(...)",
        name,
        penalty);
  }

  private static void reject(boolean unsupported, String message, @Nullable Object... values) {
    if (unsupported) {
      throw new UnsupportedFeatureException(lenientFormat(message, values));
    }
  }
}
