package io.github.sharnn.generate;

import static com.google.common.base.Preconditions.checkArgument;
import static com.google.common.base.Preconditions.checkNotNull;

import ai.djl.ndarray.NDList;
import ai.djl.translate.NoBatchifyTranslator;
import ai.djl.translate.TranslatorContext;
import io.github.sharnn.SHARNN;
import java.nio.charset.StandardCharsets;

/**
 * Puts a {@link SHARNNGenerator} behind DJL's {@link ai.djl.inference.Predictor}, for one-shot use:
 * prompt in, generated text out, the very text of {@link SHARNNGenerator#generate(String)}.
 *
 * <pre>{@code
 * SHARNNGenerator generator = SHARNNGenerator.builder(model).length(100).build();
 * try (var predictor = model.newPredictor(new GenerationTranslator(generator))) {
 *   String text = predictor.predict("The history of ");
 * }
 * }</pre>
 *
 * <p>The Predictor runs the prompt's last segment, at most 1024 tokens; the generator's loop runs
 * the segments before it and the tokens after it. For text as it comes use the generator itself.
 * Many threads may share the translator, and the Predictor.
 *
 * <ul>
 *   <li>The block's inputs: tokens {@code (1, T)} of type INT64, then the state; zero unless the
 *       prompt has more than one segment
 *   <li>The block's outputs: logits {@code (1, T, V)}, then the state
 * </ul>
 */
public final class GenerationTranslator implements NoBatchifyTranslator<String, String> {

  private static final String BYTES = "sharnn.bytes";

  private final SHARNNGenerator generator;

  /**
   * Creates a translator with a generator's options.
   *
   * @param generator the generator; its model must be the Predictor's, or hold the same SHARNN
   */
  public GenerationTranslator(SHARNNGenerator generator) {
    this.generator = checkNotNull(generator, "generator must not be null");
  }

  /**
   * Feeds the prompt but for its last segment.
   *
   * @param ctx the Predictor's context
   * @param prompt the text to go on from, not empty
   * @return the last segment's inputs
   * @throws IllegalArgumentException if the Predictor has another model than the generator, or the
   *     prompt is empty, has no token or has a byte outside the vocabulary
   */
  @Override
  public NDList processInput(TranslatorContext ctx, String prompt) {
    checkArgument(
        SHARNN.of(ctx.getModel()) == SHARNN.of(generator.model()), // a ZooModel wraps its model
        "the Predictor's model (%s) must hold the same SHARNN as the generator's (%s): build the generator from it",
        ctx.getModel().getName(),
        generator.model().getName());
    GeneratedBytes bytes =
        generator.start(ctx.getNDManager(), prompt.getBytes(StandardCharsets.UTF_8));
    ctx.setAttachment(BYTES, bytes);
    return bytes.inputs();
  }

  /**
   * Generates from the last segment's outputs.
   *
   * @param ctx the Predictor's context
   * @param outputs logits and state
   * @return the generated text
   */
  @Override
  public String processOutput(TranslatorContext ctx, NDList outputs) {
    GeneratedBytes bytes = (GeneratedBytes) ctx.getAttachment(BYTES);
    try (GeneratedText pieces = new GeneratedText(bytes.begin(outputs))) {
      StringBuilder text = new StringBuilder();
      pieces.forEachRemaining(text::append);
      return text.toString();
    }
  }
}
