/**
 * The SHA-RNN language model (Merity, "Single Headed Attention RNN: Stop Thinking With Your Head",
 * <a href="https://arxiv.org/abs/1911.11423">arXiv:1911.11423</a>) as DJL blocks. Start with {@link
 * io.github.sharnn.SHARNN#builder()} for a new model, or {@link
 * io.github.sharnn.SHARNN#load(java.nio.file.Path)} for a saved one.
 *
 * <p>Data flow: tokens {@code (B, T)} go through an embedding, {@code L} times {@link
 * io.github.sharnn.SHABlock} (LSTM, optional {@link io.github.sharnn.SingleHeadAttention} over an
 * {@link io.github.sharnn.AttentionMemory}, {@link io.github.sharnn.Boom}) and the tied embedding
 * to logits {@code (B, T, V)}. Recurrent state is a value, {@link io.github.sharnn.SHARNNState},
 * that a forward pass takes and returns.
 *
 * <p>Legend of every shape in this package: B batch (independent streams), T time steps of a
 * segment, C embedding size, H boom size, L layers, M remembered positions, V vocabulary size.
 */
@NullMarked
package io.github.sharnn;

import org.jspecify.annotations.NullMarked;
