package io.github.sharnn.engine.kernels;

import static com.google.common.base.Preconditions.checkNotNull;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import java.util.HashMap;
import java.util.Map;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * The recurrence of one LSTM layer. The products of the input with its matrix come first, for all
 * steps at once, and are not part of it.
 *
 * <p>A launch's blocks hold the recurrent matrix in their registers for all steps. Each block
 * computes some units for some streams, and waits in each step for the blocks whose units it reads.
 *
 * @param kernels the GPU's kernels
 * @param size the hidden size C, one that {@link Kernels#forBlock} accepts
 */
public record LstmKernel(Kernels kernels, int size) {

  /** Fewest hidden units of a block. */
  static final int FEWEST_UNITS = 16;

  private static final int THREADS = 256;
  private static final int WARPS = THREADS / 32;
  private static final int FLOAT = 4; // bytes
  private static final int MOST_COLUMNS = 64; // streams of a block: more would not fit registers
  private static final int ROUNDING = 128; // steps

  enum Direction {
    FORWARD(FEWEST_UNITS),
    BACKWARD(FEWEST_UNITS, 2 * FEWEST_UNITS);

    final int[] units; // hidden units that a block may compute

    Direction(int... units) {
      this.units = units;
    }
  }

  /**
   * How a launch is cut into blocks.
   *
   * @param units hidden units of a block
   * @param columns streams of a block
   * @param splits parts of the batch in one launch
   */
  record Plan(Direction direction, int units, int columns, int splits) {

    int blocks(int size) {
      return size / units * splits;
    }

    /** Returns the number of launches that a batch takes. */
    int launches(int batch) {
      int streams = columns * splits;
      return (batch + streams - 1) / streams;
    }

    /** Returns how many streams the blocks of one multiprocessor compute, one after another. */
    int work(int batch) {
      return launches(batch) * columns;
    }

    int sharedBytes(int size) {
      int partials = 2 * WARPS * 16 * FLOAT * (direction == Direction.FORWARD ? 64 : units);
      int matrix = units == 32 ? WARPS * size / 64 * 64 * 16 : 0;
      return partials + matrix;
    }
  }

  /** Returns the plan with the least work of a multiprocessor. */
  static Plan plan(
      Direction direction, int batch, int size, int multiprocessors, int sharedMemory) {
    @Nullable Plan best = null;
    for (int units : direction.units) {
      int most = multiprocessors / (size / units);
      for (int splits = 1; splits <= most; splits++) {
        int columns = Math.min(MOST_COLUMNS, columns((batch + splits - 1) / splits));
        Plan plan = new Plan(direction, units, columns, splits);
        boolean fits = plan.sharedBytes(size) <= sharedMemory;
        if (fits && (best == null || plan.work(batch) < best.work(batch))) {
          best = plan;
        }
      }
    }
    return checkNotNull(best, "no block of the LSTM's kernel fits this GPU");
  }

  private static int columns(int streams) {
    return streams <= 8 ? 8 : (streams + 15) / 16 * 16;
  }

  private Plan plan(Direction direction, int batch) {
    return plan(direction, batch, size, kernels.multiprocessors(), kernels.sharedMemory());
  }

  /** Returns the function that a batch needs, compiled. */
  Kernel kernel(Direction direction, int batch) {
    Plan plan = plan(direction, batch);
    Map<String, Object> constants = new HashMap<>();
    constants.put(plan.direction.name(), 1);
    constants.put("C", size);
    constants.put("COLUMNS", plan.columns);
    constants.put("UNITS", plan.units);
    String function = plan.direction == Direction.FORWARD ? "lstm_forward" : "lstm_backward";
    return kernels.kernel("lstm.cu", function, constants, THREADS, plan.sharedBytes(size));
  }

  private void launch(
      Direction direction, NDManager manager, NDArray[] arrays, int steps, int batch) {
    Plan plan = plan(direction, batch);
    Kernel kernel = kernel(direction, batch);
    int streams = plan.columns * plan.splits;
    for (int first = 0; first < batch; first += streams) {
      try (NDArray arrived = manager.zeros(new Shape((long) plan.splits * WARPS), DataType.INT32)) {
        Stream<Object> numbers = Stream.of(steps, batch, first, arrived);
        kernel.launchTogether(
            plan.blocks(size), Stream.concat(Stream.of(arrays), numbers).toArray());
      }
    }
  }

  /**
   * Runs a segment.
   *
   * @param manager owns the result's arrays
   * @param weight the recurrent matrix {@code (4C, C)}, gates in the order i, f, g, o
   * @param gates the input products with bias, {@code (T, B, 4C)}; their values are lost
   * @param hidden the hidden state before, {@code (B, C)}
   * @param cell the cell before, {@code (B, C)}
   * @return the segment, with its outputs
   */
  public Segment forward(
      NDManager manager, NDArray weight, NDArray gates, NDArray hidden, NDArray cell) {
    return new Segment(manager, weight, gates, hidden, cell);
  }

  /** A segment that was run, with what backward needs. */
  public final class Segment {

    private final NDManager manager;
    private final NDArray weight;
    private final NDArray gates; // (T, B, 4C), outside of the gradient graph
    private final NDArray h; // (T + 1, B, C)
    private final NDArray c; // (T + 1, B, C)
    private final int steps;
    private final int batch;

    private Segment(
        NDManager manager, NDArray weight, NDArray gates, NDArray hidden, NDArray cell) {
      this.manager = manager;
      this.weight = weight;
      this.gates = gates.stopGradient();
      this.gates.attach(manager);
      steps = Math.toIntExact(gates.size(0));
      batch = Math.toIntExact(gates.size(1));
      h = states(hidden);
      c = states(cell);
      launch(Direction.FORWARD, manager, new NDArray[] {weight, gates, h, c}, steps, batch);
    }

    /** Returns an array for the states before and after each step, with the first one filled in. */
    private NDArray states(NDArray first) {
      // few sizes, so that PyTorch's allocator finds freed memory of the same size again
      long rows = (steps + ROUNDING) / ROUNDING * ROUNDING;
      try (NDArray all = manager.create(new Shape(rows, batch, size), DataType.FLOAT16)) {
        NDArray states = all.get(new NDIndex("0:{}", steps + 1));
        states.set(new NDIndex("0"), first);
        return states;
      }
    }

    /** {@return the outputs (T, B, C), a view} */
    public NDArray output() {
      return h.get(new NDIndex("1:"));
    }

    /** {@return a copy of the last hidden state (B, C)} */
    public NDArray hidden() {
      try (NDArray last = h.get(steps)) {
        return last.duplicate();
      }
    }

    /** {@return a copy of the last cell (B, C)} */
    public NDArray cell() {
      try (NDArray last = c.get(steps)) {
        return last.duplicate();
      }
    }

    /**
     * Runs the steps backward, once, and frees the states.
     *
     * @param outputGradient the outputs' gradient {@code (T, B, C)}
     * @param ofWeight whether to compute the gradient of the recurrent matrix too
     * @return the gradients of the input products {@code (T, B, 4C)}, in place of the gates, and,
     *     if asked for, of the recurrent matrix {@code (4C, C)}
     */
    public NDList backward(NDArray outputGradient, boolean ofWeight) {
      try (NDArray transposed = manager.create(new Shape(size, 4L * size), DataType.FLOAT16);
          NDArray values = weight.stopGradient();
          NDArray view = values.transpose();
          NDArray cellGradient = manager.zeros(new Shape(batch, size), DataType.FLOAT32)) {
        transposed.set(new NDIndex("..."), view);
        launch(
            Direction.BACKWARD,
            manager,
            new NDArray[] {transposed, gates, c, outputGradient, cellGradient},
            steps,
            batch);
      }
      NDList gradients = new NDList(gates);
      if (ofWeight) {
        try (NDArray rows = gates.reshape(-1, 4L * size);
            NDArray columns = rows.transpose();
            NDArray before = h.get(new NDIndex("0:{}", steps));
            NDArray states = before.reshape(-1, size)) {
          NDArray gradient = columns.matMul(states); // (4C, TB) x (TB, C)
          gradient.attach(manager);
          gradients.add(gradient);
        }
      }
      h.close();
      c.close();
      return gradients;
    }
  }
}
