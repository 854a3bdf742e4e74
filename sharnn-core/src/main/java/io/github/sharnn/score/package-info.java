/**
 * Scoring of given text, token by token: log-probabilities, ranks, entropies, perplexity and bits
 * per byte. Use it to compare texts, or to find anomalies such as odd log lines. Start with {@link
 * io.github.sharnn.score.Scorer}:
 *
 * <pre>{@code
 * Scorer scorer = Scorer.builder(model).build();
 * double bits = scorer.score("The history of the ").totals().bitsPerByte();
 * }</pre>
 *
 * <p>A scorer cuts texts into segments, runs the segments of several texts side by side through the
 * {@link io.github.sharnn.SHARNN}, and carries the state from segment to segment. It returns a
 * {@link io.github.sharnn.score.Score}, with a {@link io.github.sharnn.score.TokenScore} for each
 * token. {@link io.github.sharnn.score.ScoringTranslator} serves a DJL {@link
 * ai.djl.inference.Predictor}.
 *
 * <p>In the shapes of this package, B is the number of texts side by side, T the time steps of a
 * segment and V the vocabulary size.
 */
@NullMarked
package io.github.sharnn.score;

import org.jspecify.annotations.NullMarked;
