/**
 * How well a model predicts given text, token by token: the log-probability and rank of each token,
 * and what the text costs in all.
 *
 * <pre>{@code
 * Scorer scorer = Scorer.builder(model).build();
 * double bits = scorer.score("The history of the ").totals().bitsPerByte();
 * }</pre>
 */
@NullMarked
package io.github.sharnn.score;

import org.jspecify.annotations.NullMarked;
