/**
 * Vocabularies of language models: the tokens are bytes, words or subwords of a text. Start with
 * {@link io.github.sharnn.vocabulary.TextVocabulary}, which turns text into tokens and back.
 *
 * <p>A {@link io.github.sharnn.vocabulary.TokenEncoder} takes a text in pieces and emits tokens for
 * the model; a {@link io.github.sharnn.vocabulary.TokenDecoder} turns the model's tokens into
 * bytes. {@link io.github.sharnn.vocabulary.WordVocabulary} holds words; the artifact {@code
 * sharnn-tokenizers} holds subwords. A {@link io.github.sharnn.vocabulary.VocabularyFormat} reads a
 * kind of vocabulary from a model's folder. {@link io.github.sharnn.vocabulary.Perplexity} gives
 * the perplexity and bits per byte of a text, which make models with different vocabularies
 * comparable.
 */
@NullMarked
package io.github.sharnn.vocabulary;

import org.jspecify.annotations.NullMarked;
