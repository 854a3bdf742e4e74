package io.github.sharnn.langchain4j;

import static com.google.common.base.Preconditions.checkState;

import ai.djl.Model;
import dev.langchain4j.model.output.FinishReason;
import dev.langchain4j.model.output.TokenUsage;
import io.github.sharnn.SHARNN;
import io.github.sharnn.generate.GeneratedText;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The continuation of one prompt, piece by piece. */
final class Completion implements AutoCloseable {

  private final Model model;
  private final GeneratedText generated;
  private final int promptTokens;
  private final int length;
  private final StopSequences stops;
  private final StringBuilder text = new StringBuilder();
  private boolean ended;

  /** Takes ownership of a text of at most {@code length} tokens. */
  Completion(Model model, String prompt, GeneratedText generated, int length, List<String> stops) {
    this.model = model;
    this.generated = generated;
    this.length = length;
    this.stops = new StopSequences(stops);
    promptTokens = SHARNN.of(model).vocabulary().encode(prompt).length;
  }

  /** Returns the next characters, at least one, or null at the end. */
  @Nullable String next() {
    String piece = "";
    while (piece.isEmpty() && !ended) {
      if (generated.hasNext()) {
        piece = stops.accept(generated.next());
        ended = stops.found();
      } else {
        checkOpen();
        piece = stops.rest();
        ended = true;
      }
    }
    text.append(piece);
    return piece.isEmpty() ? null : piece;
  }

  /** Checks that the text has ended by itself, and not because the model was closed. */
  private void checkOpen() {
    if (generated.tokenCount() < length) { // else complete
      SHARNN.lease(model).close(); // throws an exception if the model is closed
    }
  }

  /** Generates the rest and returns the whole text. */
  String finish() {
    while (next() != null) {}
    return text.toString();
  }

  /** Returns the reason of the end, LENGTH if the text has as many tokens as it may have. */
  FinishReason reason() {
    checkState(ended, "the text must have ended");
    boolean complete = !stops.found() && generated.tokenCount() == length;
    return complete ? FinishReason.LENGTH : FinishReason.STOP;
  }

  TokenUsage usage() {
    return new TokenUsage(promptTokens, generated.tokenCount());
  }

  @Override
  public void close() {
    generated.close();
  }
}
