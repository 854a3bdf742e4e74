/**
 * Training and evaluation of a {@link io.github.sharnn.SHARNN} on DJL's {@link
 * ai.djl.training.Trainer}. Start with {@link
 * io.github.sharnn.train.SHARNNTrainer#builder(ai.djl.Model)}.
 *
 * <p>Data flow: a file becomes a {@link io.github.sharnn.train.Corpus} of three parts; {@link
 * io.github.sharnn.train.StreamDataset} cuts a part into batches of contiguous streams; {@link
 * io.github.sharnn.train.SHARNNTrainer} runs each batch through the model with carried state, takes
 * the {@link io.github.sharnn.train.SequenceCrossEntropy}, clips the gradients to a {@link
 * io.github.sharnn.train.GlobalNorm} and lets {@link io.github.sharnn.train.Lamb} step; {@link
 * io.github.sharnn.train.Evaluation} gives bits per character.
 *
 * <p>Legend of shapes: B batch (independent streams), T time steps of a segment, V vocabulary size.
 */
package io.github.sharnn.train;
