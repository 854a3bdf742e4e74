package io.github.sharnn.engine;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.training.initializer.Initializer;
import ai.djl.training.initializer.NormalInitializer;
import java.util.List;

/**
 * The initial weights of the reference implementation. They are set on parameters before DJL
 * initializes these, so a later {@code setInitializer} or {@code TrainingConfig.optInitializer}
 * still wins.
 */
public final class Initializers {

  private Initializers() {}

  /**
   * Creates a parameter with initial values.
   *
   * @param name the name in its block
   * @param type the type, by which DJL's {@code setInitializer} selects parameters
   * @param initializer gives the initial values
   * @param shape the lengths of the axes
   * @return the parameter, without an array until its block is initialized
   */
  public static Parameter parameter(
      String name, Parameter.Type type, Initializer initializer, long... shape) {
    return Parameter.builder()
        .setName(name)
        .setType(type)
        .optInitializer(initializer)
        .optShape(new Shape(shape))
        .build();
  }

  /**
   * {@return N(0, 0.1 / sqrt(C)), for linear and embedding weights}
   *
   * @param embeddingSize the size C
   */
  public static Initializer normal(int embeddingSize) {
    return new NormalInitializer((float) (0.1 / Math.sqrt(embeddingSize)));
  }

  /**
   * Sets a layer's weights from {@link #normal} and its biases to 0.
   *
   * @param linear the layer
   * @param embeddingSize the size C
   */
  public static void linear(Block linear, int embeddingSize) {
    linear.setInitializer(normal(embeddingSize), Parameter.Type.WEIGHT);
    linear.setInitializer(Initializer.ZEROS, Parameter.Type.BIAS);
  }

  /**
   * Sets weights and biases uniform in +-1/sqrt(C), PyTorch's default for an LSTM.
   *
   * @param lstm the LSTM
   * @param embeddingSize the size C of its state
   */
  public static void lstm(Block lstm, int embeddingSize) {
    float bound = (float) (1 / Math.sqrt(embeddingSize));
    // set by predicate: DJL would leave the biases at 0 if the initializer were set by type
    lstm.setInitializer(
        new Initializer() {
          @Override
          public NDArray initialize(NDManager manager, Shape shape, DataType dataType) {
            return manager.randomUniform(-bound, bound, shape, dataType);
          }
        },
        parameter -> true);
  }

  /**
   * Stores an LSTM's parameters contiguously, in cuDNN's order, as PyTorch's {@code
   * flatten_parameters} does. Otherwise cuDNN warns and copies them at every call.
   *
   * @param lstm the initialized LSTM
   * @param manager the owner of the memory
   */
  public static void shareMemory(Block lstm, NDManager manager) {
    List<Parameter> parameters = lstm.getDirectParameters().values();
    long size = parameters.stream().mapToLong(p -> p.getShape().size()).sum();
    try (NDArray buffer =
        manager.zeros(new Shape(size), parameters.get(0).getArray().getDataType())) {
      long from = 0;
      for (Parameter parameter : parameters) {
        NDArray array = parameter.getArray();
        long to = from + parameter.getShape().size();
        try (NDArray range = buffer.get(new NDIndex("{}:{}", from, to));
            NDArray shaped = range.reshape(parameter.getShape());
            NDArray values = array.stopGradient()) {
          NDArray leaf = shaped.stopGradient();
          leaf.set(new NDIndex("..."), values);
          boolean gradient = array.hasGradient();
          array.intern(leaf); // all holders keep the same NDArray object, now on the shared memory
          array.setRequiresGradient(gradient);
        }
        from = to;
      }
    }
  }
}
