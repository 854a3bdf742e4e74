/**
 * Text from a trained {@link io.github.sharnn.SHARNN} over bytes, words or subwords.
 *
 * <p>Data flow: {@link io.github.sharnn.generate.SHARNNGenerator} feeds the prompt, then one token
 * at a time, with state carried in a {@link io.github.sharnn.SHARNNState}; {@link
 * io.github.sharnn.generate.Sampler} draws each token from the logits; its bytes become text at
 * UTF-8 boundaries. {@link io.github.sharnn.generate.GenerationTranslator} puts the same loop
 * behind a DJL {@link ai.djl.inference.Predictor}; {@link
 * io.github.sharnn.generate.GenerationBatch} generates after many prompts at once.
 *
 * <p>Legend of every shape in this package: T time steps of a segment, V vocabulary size. Shapes
 * that begin with 1 are of one stream.
 */
@NullMarked
package io.github.sharnn.generate;

import org.jspecify.annotations.NullMarked;
