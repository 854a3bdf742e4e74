package io.github.sharnn.engine.kernels;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.nn.core.Linear;
import ai.djl.nn.recurrent.LSTM;
import ai.djl.training.ParameterStore;
import io.github.sharnn.engine.WeightDrop;
import java.util.List;

/** One segment through a DJL {@link LSTM}'s weights, with the recurrence in a kernel. */
public final class LstmLayer {

  private static final String HIDDEN_WEIGHT = "l_0_h2h_WEIGHT";

  private final LstmKernel kernel;
  private final LSTM lstm;
  private final float weightDrop;
  private final ParameterStore parameterStore;
  private final boolean training;
  private final int size;

  /**
   * Describes a segment.
   *
   * @param kernels the GPU's kernels
   * @param lstm a layer with as many inputs as outputs, C
   * @param weightDrop the rate of dropout on the recurrent matrix
   * @param parameterStore the store of the weights
   * @param training if the segment gets gradients, through the open {@link GradientCuts}
   */
  public LstmLayer(
      Kernels kernels,
      LSTM lstm,
      float weightDrop,
      ParameterStore parameterStore,
      boolean training) {
    size = Math.toIntExact(lstm.getDirectParameters().get(HIDDEN_WEIGHT).getShape().get(1));
    kernel = new LstmKernel(kernels, size);
    this.lstm = lstm;
    this.weightDrop = weightDrop;
    this.parameterStore = parameterStore;
    this.training = training;
  }

  /**
   * The arrays after a segment, owned by the input's manager.
   *
   * @param output {@code (T, B, C)}
   * @param hidden the last hidden state {@code (B, C)}
   * @param cell the last cell {@code (B, C)}
   */
  public record Output(NDArray output, NDArray hidden, NDArray cell) {}

  /**
   * Runs the segment.
   *
   * @param x {@code (T, B, C)}, FLOAT16
   * @param hidden the hidden state before, {@code (B, C)}, which gets no gradient
   * @param cell the cell before, {@code (B, C)}, which gets no gradient
   * @return the arrays after the segment
   */
  public Output forward(NDArray x, NDArray hidden, NDArray cell) {
    GradientCuts cuts = training ? GradientCuts.current() : null;
    NDManager manager = cuts == null ? x.getManager() : cuts.manager();
    ParameterStore weights = WeightDrop.of(parameterStore, lstm, weightDrop, training, manager);
    NDArray inputWeight = value(weights, "l_0_i2h_WEIGHT", x.getDevice());
    NDArray hiddenWeight = value(weights, HIDDEN_WEIGHT, x.getDevice());
    NDArray inputBias = value(weights, "l_0_i2h_BIAS", x.getDevice());
    NDArray hiddenBias = value(weights, "l_0_h2h_BIAS", x.getDevice());
    try (NDArray bias = inGraph(inputBias.add(hiddenBias), cuts != null);
        NDArray rows = x.reshape(-1, size); // (T, B, C) -> (T*B, C)
        NDArray products = Linear.linear(rows, inputWeight, bias).singletonOrThrow()) {
      NDArray gates = products.reshape(x.size(0), x.size(1), 4L * size); // -> (T, B, 4C)
      gates.attach(manager);
      LstmKernel.Segment segment = kernel.forward(manager, hiddenWeight, gates, hidden, cell);
      NDArray output = segment.output();
      Output result = new Output(output, segment.hidden(), segment.cell());
      new NDList(output, result.hidden, result.cell).attach(x.getManager());
      if (cuts == null) {
        return result;
      }
      // without weight drop, this is the parameter itself
      boolean learns = value(parameterStore, HIDDEN_WEIGHT, x.getDevice()).hasGradient();
      NDList next =
          cuts.cut(
              learns ? List.of(gates, hiddenWeight) : List.of(gates),
              new NDList(output),
              gradient -> segment.backward(gradient.singletonOrThrow(), learns));
      return new Output(next.singletonOrThrow(), result.hidden, result.cell);
    }
  }

  private NDArray value(ParameterStore store, String name, Device device) {
    Parameter parameter = lstm.getDirectParameters().get(name);
    return store.getValue(parameter, device, training);
  }

  /** Adds a zero with a gradient, so that the sum is in the graph even if weights are frozen. */
  private static NDArray inGraph(NDArray sum, boolean needed) {
    if (!needed) {
      return sum;
    }
    try (sum;
        NDArray zero = sum.getManager().zeros(new Shape(1), sum.getDataType())) {
      zero.setRequiresGradient(true);
      return sum.add(zero);
    }
  }
}
