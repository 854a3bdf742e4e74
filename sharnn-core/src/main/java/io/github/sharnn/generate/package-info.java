/**
 * Text generation with a trained {@link io.github.sharnn.SHARNN}, over bytes, words or subwords.
 * Start with {@link io.github.sharnn.generate.SHARNNGenerator}.
 *
 * <p>The generator reads a prompt, then generates one token at a time. A {@link
 * io.github.sharnn.decode.SHARNNDecoder} gives the logits, a {@link
 * io.github.sharnn.generate.Sampler} draws the next token (temperature, top-k, nucleus sampling),
 * and the token's bytes become text at the borders of UTF-8 characters. {@link
 * io.github.sharnn.generate.GeneratedText} streams the text, {@link
 * io.github.sharnn.generate.GenerationBatch} continues many prompts at once, and {@link
 * io.github.sharnn.generate.GenerationTranslator} serves a DJL {@link ai.djl.inference.Predictor}.
 *
 * <p>In the shapes of this package, T is the time steps of a segment and V the vocabulary size.
 * Shapes that begin with 1 are of one stream.
 */
@NullMarked
package io.github.sharnn.generate;

import org.jspecify.annotations.NullMarked;
