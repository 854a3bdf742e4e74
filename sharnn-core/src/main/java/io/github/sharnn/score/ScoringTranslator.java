package io.github.sharnn.score;

import static com.google.common.base.Preconditions.checkNotNull;

import ai.djl.ndarray.NDList;
import ai.djl.translate.Translator;
import ai.djl.translate.TranslatorContext;
import io.github.sharnn.engine.CallArrays;
import io.github.sharnn.engine.Lifetime;
import java.nio.charset.StandardCharsets;
import java.util.List;

/**
 * A DJL translator from a text to its {@link Score}, for a {@link ai.djl.inference.Predictor}.
 * {@code batchPredict} scores all its texts side by side and gives each the score that {@code
 * predict} gives.
 *
 * <pre>{@code
 * Scorer scorer = Scorer.builder(model).build();
 * try (var predictor = model.newPredictor(new ScoringTranslator(scorer))) {
 *   List<Score> scores = predictor.batchPredict(List.of("one", "another text"));
 * }
 * }</pre>
 *
 * <p>The Predictor runs the last segment, and the {@link Scorer} runs the segments before it. Many
 * threads may share the translator and the Predictor. Calls after the model's {@code close} end as
 * {@link io.github.sharnn.generate.GenerationTranslator} describes.
 *
 * <ul>
 *   <li>The block's inputs: tokens {@code (B, T)} of type INT64 for the texts that reach the last
 *       segment, the longest first, then the state
 *   <li>The block's outputs: logits {@code (B, T, V)}, then the state
 * </ul>
 */
public final class ScoringTranslator implements Translator<String, Score> {

  private static final String BATCH = "sharnn.batch";

  private final Scorer scorer;

  /**
   * Creates a translator with a scorer's options, except for its batch size.
   *
   * @param scorer a scorer whose model holds the Predictor's SHARNN
   */
  public ScoringTranslator(Scorer scorer) {
    this.scorer = checkNotNull(scorer, "scorer must not be null");
  }

  /**
   * Scores the texts except for the last segment.
   *
   * @throws IllegalArgumentException if the scorer has another model, or the model's vocabulary
   *     lacks a byte
   */
  @Override
  public NDList batchProcessInput(TranslatorContext ctx, List<String> texts) {
    scorer.model().checkSame("scorer", ctx.getModel(), "Predictor");
    List<byte[]> bytes = texts.stream().map(text -> text.getBytes(StandardCharsets.UTF_8)).toList();
    Lifetime lifetime = scorer.model().lifetime();
    Lifetime.Lease lease = lifetime.lease();
    try (lease) {
      ScoringBatch batch = scorer.start(lifetime.manager(), bytes);
      ctx.setAttachment(BATCH, batch);
      CallArrays.closeWith(ctx, batch);
      return batch.prefill(); // a Predictor skips the model if there are no inputs
    }
  }

  /** Scores the last segment. */
  @Override
  public List<Score> batchProcessOutput(TranslatorContext ctx, NDList outputs) {
    Lifetime.Lease lease = scorer.model().lifetime().lease();
    try (lease;
        ScoringBatch batch = (ScoringBatch) ctx.getAttachment(BATCH)) {
      return batch.finish(outputs);
    }
  }

  @Override
  public NDList processInput(TranslatorContext ctx, String text) {
    return batchProcessInput(ctx, List.of(text));
  }

  @Override
  public Score processOutput(TranslatorContext ctx, NDList outputs) {
    return batchProcessOutput(ctx, outputs).get(0);
  }
}
