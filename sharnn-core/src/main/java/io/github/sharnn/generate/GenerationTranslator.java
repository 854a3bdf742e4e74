package io.github.sharnn.generate;

import static com.google.common.base.Preconditions.checkNotNull;

import ai.djl.ndarray.NDList;
import ai.djl.translate.NoBatchifyTranslator;
import ai.djl.translate.TranslatorContext;
import io.github.sharnn.engine.CallArrays;
import io.github.sharnn.engine.Lifetime;
import java.nio.charset.StandardCharsets;

/**
 * A DJL translator from a prompt to the text that {@link SHARNNGenerator#generate(String)} gives,
 * for a {@link ai.djl.inference.Predictor}:
 *
 * <pre>{@code
 * SHARNNGenerator generator = SHARNNGenerator.builder(model).length(100).build();
 * try (var predictor = model.newPredictor(new GenerationTranslator(generator))) {
 *   String text = predictor.predict("The history of ");
 * }
 * }</pre>
 *
 * <p>The Predictor runs the prompt's last segment, at most 1024 tokens. The generator runs the
 * segments before it and the tokens after it. For streaming, use the generator itself. Many threads
 * may share the translator and the Predictor.
 *
 * <p>After {@link ai.djl.Model#close}, {@code predict} throws an {@link IllegalStateException}:
 * {@code the model NAME is closed}. A model of {@code Criteria} has a Predictor of DJL's own, whose
 * calls end with a {@link ai.djl.translate.TranslateException} instead, also those that run during
 * the close. Its cause is an {@link IllegalStateException}, with this message or DJL's.
 *
 * <ul>
 *   <li>The block's inputs: tokens {@code (1, T)} of type INT64, then the state, which is zero
 *       unless the prompt has several segments
 *   <li>The block's outputs: logits {@code (1, T, V)}, then the state
 * </ul>
 */
public final class GenerationTranslator implements NoBatchifyTranslator<String, String> {

  private static final String BYTES = "sharnn.bytes";

  private final SHARNNGenerator generator;

  /**
   * Creates a translator with a generator's options.
   *
   * @param generator a generator whose model holds the Predictor's SHARNN
   */
  public GenerationTranslator(SHARNNGenerator generator) {
    this.generator = checkNotNull(generator, "generator must not be null");
  }

  /**
   * Reads the prompt except for its last segment.
   *
   * @throws IllegalArgumentException if the generator has another model, or the prompt has no
   *     token, or a byte that the model's vocabulary lacks
   */
  @Override
  public NDList processInput(TranslatorContext ctx, String prompt) {
    generator.model().checkSame("generator", ctx.getModel(), "Predictor");
    Lifetime lifetime = generator.model().lifetime();
    Lifetime.Lease lease = lifetime.lease();
    try (lease) {
      byte[] start = prompt.getBytes(StandardCharsets.UTF_8);
      GeneratedBytes bytes = generator.start(lifetime.manager(), start);
      ctx.setAttachment(BYTES, bytes);
      CallArrays.closeWith(ctx, bytes);
      return bytes.inputs();
    }
  }

  /** Returns the seed of the text after {@link #processInput}. */
  static long seed(TranslatorContext ctx) {
    return ((GeneratedBytes) ctx.getAttachment(BYTES)).tokens().seed();
  }

  /** Generates the text from the outputs of the last segment. */
  @Override
  public String processOutput(TranslatorContext ctx, NDList outputs) {
    GeneratedBytes bytes = (GeneratedBytes) ctx.getAttachment(BYTES);
    Lifetime.Lease lease = generator.model().lifetime().lease();
    try (lease;
        GeneratedText pieces = new GeneratedText(bytes.begin(outputs))) {
      StringBuilder text = new StringBuilder();
      pieces.forEachRemaining(text::append);
      return text.toString();
    }
  }
}
