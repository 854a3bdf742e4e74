package io.github.sharnn;

import static com.google.common.base.Preconditions.checkArgument;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import java.util.List;

/**
 * The positions that {@link SingleHeadAttention} remembers, as an immutable value that wraps one
 * array.
 *
 * <p>Before a segment of T tokens, a block keeps the last {@code memoryLength - T} positions and
 * appends the segment's normalized activations. Attention takes its keys and values from this
 * window, and the next segment starts with the window's last {@code memoryLength} positions:
 *
 * <pre>{@code
 * AttentionMemory window = memory.last(memoryLength - T).append(m);
 * AttentionMemory next = window.last(memoryLength);
 * }</pre>
 *
 * <p>Paper: arXiv:1911.11423 (memory of previous activations). If T equals {@code memoryLength},
 * the reference keeps the whole memory because of a slicing bug. This class keeps nothing.
 *
 * @param positions the remembered activations {@code (B, M, C)}, oldest first; M may be 0
 */
public record AttentionMemory(NDArray positions) implements AutoCloseable {

  /** 8 FLOAT16 numbers are 16 bytes, the row alignment that fast matrix products on a GPU need. */
  private static final int ALIGNMENT = 8;

  /**
   * Checks that positions are {@code (B, M, C)}.
   *
   * @param positions the remembered activations
   * @throws IllegalArgumentException if there are not three axes
   */
  public AttentionMemory {
    checkArgument(
        positions.getShape().dimension() == 3,
        "memory must have the shape (batch, positions, embeddingSize), but has %s",
        positions.getShape());
  }

  /**
   * {@return a memory without positions, {@code (B, 0, C)}}
   *
   * @param manager the manager that owns the array
   * @param batchSize number of streams B
   * @param embeddingSize size C of a position
   * @param dataType the activations' type
   */
  public static AttentionMemory empty(
      NDManager manager, long batchSize, long embeddingSize, DataType dataType) {
    return new AttentionMemory(manager.zeros(new Shape(batchSize, 0, embeddingSize), dataType));
  }

  /** {@return the number of remembered positions M} */
  public int length() {
    return Math.toIntExact(positions.size(1));
  }

  /**
   * Appends a segment's activations. The result stores positions time-first, so that the newest are
   * contiguous. The segment's manager owns the result, because the memory's manager lives longer.
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

  /** Returns a view of the first {@code count} positions, which the caller closes. */
  AttentionMemory first(int count) {
    return new AttentionMemory(
        positions.get(new NDIndex(":, 0:{}, :", count))); // (B, M, C) -> (B, count, C)
  }

  /**
   * Returns the positions followed by a segment's {@code (B, T, C)}, in two parts: an aligned
   * number of remembered positions without gradient, and up to 7 remembered positions with the
   * segment's.
   */
  List<NDArray> alignedWith(NDArray segment) {
    int unaligned = length() % ALIGNMENT;
    if (length() == unaligned) {
      return List.of(append(segment).positions());
    }
    NDManager manager = segment.getManager();
    AttentionMemory older = first(length() - unaligned);
    AttentionMemory newest = last(unaligned);
    older.positions().attach(manager);
    newest.positions().attach(manager);
    return List.of(older.positions(), newest.append(segment).positions());
  }

  /**
   * Keeps the newest positions.
   *
   * @param count the maximum number of positions; 0 or less keeps none
   * @return a view of the last {@code count} positions, or of all if there are fewer; the caller
   *     closes it
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
