/**
 * How well a model predicts given text, token by token.
 *
 * <pre>{@code
 * Scorer scorer = Scorer.builder(model).build();
 * double bits = scorer.score("The history of the ").totals().bitsPerByte();
 * }</pre>
 */
package io.github.sharnn.score;
