package io.github.sharnn;

import static com.google.common.base.Preconditions.checkArgument;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;

/**
 * The positions that attention remembers: an immutable value around one array.
 *
 * <p>Before a segment of T tokens a block keeps the last {@code memoryLength - T} positions,
 * appends the segment's layer-normed activations to get the keys and values of its attention, and
 * carries the last {@code memoryLength} of those on:
 *
 * <pre>{@code
 * AttentionMemory window = memory.last(memoryLength - T).append(m);
 * AttentionMemory next = window.last(memoryLength);
 * }</pre>
 *
 * <p>Paper: arXiv:1911.11423 (memory of previous activations). The reference keeps the whole memory
 * when T equals {@code memoryLength}, a slicing accident; here it is cut to nothing.
 *
 * @param positions the remembered activations {@code (B, M, C)}, oldest first; M may be 0
 */
public record AttentionMemory(NDArray positions) implements AutoCloseable {

  /**
   * Checks the rank.
   *
   * @param positions the remembered activations {@code (B, M, C)}, oldest first
   * @throws IllegalArgumentException if {@code positions} is not {@code (B, M, C)}
   */
  public AttentionMemory {
    checkArgument(
        positions.getShape().dimension() == 3,
        "memory must have the shape (batch, positions, embeddingSize), but has %s",
        positions.getShape());
  }

  /**
   * Creates a memory without positions.
   *
   * @param manager the manager that owns the array
   * @param batchSize number of streams B
   * @param embeddingSize size C of a position
   * @param dataType the activations' type
   * @return the empty memory {@code (B, 0, C)}
   */
  public static AttentionMemory empty(
      NDManager manager, long batchSize, long embeddingSize, DataType dataType) {
    return new AttentionMemory(manager.zeros(new Shape(batchSize, 0, embeddingSize), dataType));
  }

  /**
   * Returns how many positions are remembered.
   *
   * @return M
   */
  public int length() {
    return Math.toIntExact(positions.size(1));
  }

  /**
   * Appends a segment's activations. Positions follow each other in memory, all streams of one
   * before the next, so that the last ones are one piece to copy. The result belongs to the
   * segment's manager, not to the memory's, which lives longer.
   *
   * @param segment activations {@code (B, T, C)}; gradients flow into them
   * @return a memory of {@code (B, M + T, C)}
   */
  public AttentionMemory append(NDArray segment) {
    if (length() == 0) {
      return new AttentionMemory(segment);
    }
    try (NDArray past = positions.transpose(1, 0, 2)) { // (B, M, C) -> (M, B, C)
      NDArray joined = past.concat(segment.transpose(1, 0, 2), 0); // -> (M+T, B, C)
      joined.attach(segment.getManager());
      return new AttentionMemory(joined.transpose(1, 0, 2)); // -> (B, M+T, C)
    }
  }

  /**
   * Keeps the oldest positions: a view to be closed by the caller, not a copy.
   *
   * @param count how many, at most all
   * @return the first {@code count} positions
   */
  AttentionMemory first(int count) {
    return new AttentionMemory(
        positions.get(new NDIndex(":, 0:{}, :", count))); // (B, M, C) -> (B, count, C)
  }

  /**
   * Keeps the newest positions: a view to be closed by the caller, not a copy.
   *
   * @param count the most positions to keep; 0 or less keeps none
   * @return the last {@code count} positions, or all if there are no more
   */
  public AttentionMemory last(int count) {
    int length = length();
    int from = length - Math.min(Math.max(count, 0), length);
    return new AttentionMemory(
        positions.get(new NDIndex(":, {}:{}, :", from, length))); // (B, M, C) -> (B, count, C)
  }

  /** Closes the array. */
  @Override
  public void close() {
    positions.close();
  }
}
