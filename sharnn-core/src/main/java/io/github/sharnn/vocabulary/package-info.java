/**
 * What a model's tokens stand for: bytes, words or subwords of a text, and what a model needed for
 * each.
 *
 * <p>{@link io.github.sharnn.vocabulary.TextVocabulary} turns text into tokens and back; subwords
 * come with the artifact {@code sharnn-tokenizers}. {@link io.github.sharnn.vocabulary.Perplexity}
 * gives a text's bits per byte and perplexities by token and by word, whatever the vocabulary.
 */
@NullMarked
package io.github.sharnn.vocabulary;

import org.jspecify.annotations.NullMarked;
