/**
 * Training and evaluation of a {@link io.github.sharnn.SHARNN} on DJL's {@link
 * ai.djl.training.Trainer}. Start with {@link
 * io.github.sharnn.train.SHARNNTrainer#builder(ai.djl.Model)}.
 *
 * <p>Data flow: a file becomes a {@link io.github.sharnn.train.data.Corpus} of three parts; {@link
 * io.github.sharnn.train.data.StreamDataset} cuts a part into batches of contiguous streams; {@link
 * io.github.sharnn.train.SHARNNTrainer} runs each batch through the model with carried state, takes
 * the {@link io.github.sharnn.train.step.SequenceCrossEntropy}, clips the gradients by global norm
 * and runs the optimizer, {@link io.github.sharnn.train.optim.Lamb} by default; {@link
 * io.github.sharnn.train.evaluate.Evaluation} computes bits per character.
 *
 * <p>Legend of shapes: B batch (independent streams), T time steps of a segment, V vocabulary size.
 */
@NullMarked
package io.github.sharnn.train;

import org.jspecify.annotations.NullMarked;
