/**
 * Subword vocabularies. {@link io.github.sharnn.tokenizers.SubwordVocabulary} reads a Hugging Face
 * {@code tokenizer.json}. {@link io.github.sharnn.tokenizers.BytePairTrainer} trains one on a text.
 */
@NullMarked
package io.github.sharnn.tokenizers;

import org.jspecify.annotations.NullMarked;
