package io.github.sharnn.engine;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import java.util.IdentityHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The packed matrices of parameters, whose arrays are placeholders of NaN without memory. */
public final class PackedWeights {

  private final Map<Parameter, PackedMatrix> matrices = new IdentityHashMap<>();

  /** Creates a collection without matrices. */
  public PackedWeights() {}

  /**
   * Takes the matrix of another model's parameter, if there is one.
   *
   * @param parameter the parameter that gets the matrix
   * @param others the other model's matrices
   * @param other the other model's parameter
   */
  public void share(Parameter parameter, PackedWeights others, Parameter other) {
    PackedMatrix matrix = others.get(other);
    if (matrix != null) {
      matrices.put(parameter, matrix);
    }
  }

  /** {@return true if no parameter is packed} */
  public boolean isEmpty() {
    return matrices.isEmpty();
  }

  /**
   * {@return the matrix of a parameter, or null if the parameter's own array holds its values}
   *
   * @param parameter the parameter
   */
  public @Nullable PackedMatrix get(Parameter parameter) {
    return matrices.get(parameter);
  }

  /**
   * Packs a parameter's matrix, and frees the parameter's array.
   *
   * @param parameter a parameter with a FLOAT32 array {@code (rows, columns)} on a CPU, whose
   *     manager owns the packed matrix
   */
  public void pack(Parameter parameter) {
    NDArray array = parameter.getArray();
    NDManager owner = array.getManager();
    try (NDManager scratch = owner.newSubManager()) {
      PackedMatrix matrix = PackedMatrix.of(Int8Matrix.of(array, scratch));
      owner.attachInternal(matrix.id(), matrix);
      NDArray placeholder = scratch.create(Float.NaN).broadcast(array.getShape());
      array.intern(placeholder);
      array.setRequiresGradient(false);
      matrices.put(parameter, matrix);
    }
  }

  /**
   * {@return a parameter's values in FLOAT32, or an alias of its array if it is not packed}
   *
   * @param parameter the parameter
   * @param manager the manager that owns the result
   */
  public NDArray value(Parameter parameter, NDManager manager) {
    PackedMatrix matrix = get(parameter);
    if (matrix == null) {
      NDArray alias = parameter.getArray().stopGradient();
      alias.attach(manager);
      return alias;
    }
    try (Int8Matrix plain = matrix.unpacked(manager)) {
      return plain.dequantized();
    }
  }

  /**
   * {@return a store that gives the packed matrices in FLOAT32, and all else from another store}
   *
   * @param store the other store
   * @param manager the manager that owns the matrices in FLOAT32
   */
  public ParameterStore over(ParameterStore store, NDManager manager) {
    return new ParameterStore(manager, false) {
      @Override
      public NDArray getValue(Parameter parameter, Device device, boolean training) {
        return get(parameter) == null
            ? store.getValue(parameter, device, training)
            : value(parameter, manager);
      }
    };
  }
}
