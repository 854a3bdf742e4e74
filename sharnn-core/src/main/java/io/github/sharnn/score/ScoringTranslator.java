package io.github.sharnn.score;

import static com.google.common.base.Preconditions.checkArgument;
import static com.google.common.base.Preconditions.checkNotNull;

import ai.djl.ndarray.NDList;
import ai.djl.translate.Translator;
import ai.djl.translate.TranslatorContext;
import io.github.sharnn.SHARNN;
import java.nio.charset.StandardCharsets;
import java.util.List;

/**
 * Puts a {@link Scorer} behind DJL's {@link ai.djl.inference.Predictor}: text in, {@link Score}
 * out. {@code batchPredict} scores its texts side by side, all of them at once, and gives each the
 * score that {@code predict} gives.
 *
 * <pre>{@code
 * Scorer scorer = Scorer.builder(model).build();
 * try (var predictor = model.newPredictor(new ScoringTranslator(scorer))) {
 *   List<Score> scores = predictor.batchPredict(List.of("one", "another text"));
 * }
 * }</pre>
 *
 * <p>The Predictor runs the last segment; the scorer runs those before it. Many threads may share
 * the translator, and the Predictor.
 *
 * <ul>
 *   <li>The block's inputs: tokens {@code (B, T)} of type INT64 (the texts that reach into the last
 *       segment, the longest first), then the state
 *   <li>The block's outputs: logits {@code (B, T, V)}, then the state
 * </ul>
 */
public final class ScoringTranslator implements Translator<String, Score> {

  private static final String BATCH = "sharnn.batch";

  private final Scorer scorer;

  /**
   * Creates a translator with a scorer's options, but for its batch size.
   *
   * @param scorer the scorer; its model must be the Predictor's, or hold the same SHARNN
   */
  public ScoringTranslator(Scorer scorer) {
    this.scorer = checkNotNull(scorer, "scorer must not be null");
  }

  /**
   * Scores the texts but for the last segment.
   *
   * @param ctx the Predictor's context
   * @param texts the texts, as UTF-8
   * @return the last segment's inputs
   * @throws IllegalArgumentException if the Predictor has another model than the scorer, or a text
   *     has a byte outside the vocabulary
   */
  @Override
  public NDList batchProcessInput(TranslatorContext ctx, List<String> texts) {
    checkArgument(
        SHARNN.of(ctx.getModel()) == SHARNN.of(scorer.model()), // a ZooModel wraps its model
        "the Predictor's model (%s) must hold the same SHARNN as the scorer's (%s): build the scorer from it",
        ctx.getModel().getName(),
        scorer.model().getName());
    List<byte[]> bytes = texts.stream().map(text -> text.getBytes(StandardCharsets.UTF_8)).toList();
    ScoringBatch batch = scorer.start(ctx.getNDManager(), bytes);
    ctx.setAttachment(BATCH, batch);
    NDList inputs = new NDList(); // of empty texts: then the Predictor runs nothing
    while (batch.hasNext()) {
      inputs = batch.next();
      if (batch.hasNext()) {
        batch.accept(batch.forward(inputs));
      }
    }
    return inputs;
  }

  /**
   * Scores the last segment.
   *
   * @param ctx the Predictor's context
   * @param outputs logits and state
   * @return a score for each text
   */
  @Override
  public List<Score> batchProcessOutput(TranslatorContext ctx, NDList outputs) {
    try (ScoringBatch batch = (ScoringBatch) ctx.getAttachment(BATCH)) {
      if (!outputs.isEmpty()) {
        batch.accept(outputs);
      }
      return batch.scores();
    }
  }

  /**
   * Does what {@link #batchProcessInput} does, for one text.
   *
   * @param ctx the Predictor's context
   * @param text the text, as UTF-8
   * @return the last segment's inputs
   */
  @Override
  public NDList processInput(TranslatorContext ctx, String text) {
    return batchProcessInput(ctx, List.of(text));
  }

  /**
   * Does what {@link #batchProcessOutput} does, for one text.
   *
   * @param ctx the Predictor's context
   * @param outputs logits and state
   * @return the text's score
   */
  @Override
  public Score processOutput(TranslatorContext ctx, NDList outputs) {
    return batchProcessOutput(ctx, outputs).get(0);
  }
}
