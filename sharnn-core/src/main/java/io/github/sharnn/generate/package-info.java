/**
 * Text from a trained {@link io.github.sharnn.SHARNN} over bytes, words or subwords.
 *
 * <p>Data flow: {@link io.github.sharnn.generate.SHARNNGenerator} feeds the prompt, then one token
 * at a time, with state carried in a {@link io.github.sharnn.SHARNNState}; {@link
 * io.github.sharnn.generate.Sampler} draws each token from the logits; its bytes become text at
 * UTF-8 boundaries. {@link io.github.sharnn.generate.GenerationTranslator} puts the same loop
 * behind a DJL {@link ai.djl.inference.Predictor}.
 *
 * <p>Legend of every shape in this package: T time steps of a segment, V vocabulary size; the batch
 * is always one stream.
 */
package io.github.sharnn.generate;
