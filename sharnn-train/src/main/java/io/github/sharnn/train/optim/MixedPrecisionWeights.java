package io.github.sharnn.train.optim;

import static com.google.common.base.Preconditions.checkArgument;
import static com.google.common.base.Preconditions.checkState;
import static java.util.Objects.requireNonNullElse;

import ai.djl.Device;
import ai.djl.Model;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.nn.ParameterList;
import ai.djl.util.Pair;
import com.google.common.math.LongMath;
import com.google.common.primitives.Longs;
import io.github.sharnn.SHARNN;
import io.github.sharnn.SHARNNConfig;
import io.github.sharnn.engine.Operators;
import org.jspecify.annotations.Nullable;

/**
 * The weights that forward and backward compute with: the model's own, or a FLOAT16 copy of them.
 * The optimizer changes the model's own weights in FLOAT32; {@link #sync} then updates the copy.
 */
public final class MixedPrecisionWeights implements AutoCloseable {

  private static final int MAX_BYTES = Integer.MAX_VALUE - (1 << 10); // 1 KiB for name and shape

  private final Model masters;
  private final Model working;
  private final NDList from; // of the masters
  private final NDList to; // of the copy

  private MixedPrecisionWeights(Model masters, Model working) {
    this.masters = masters;
    this.working = working;
    from = aliases(masters);
    to = aliases(working);
  }

  /**
   * Checks the option.
   *
   * @param precision FLOAT32, FLOAT16, or null for the default of the device
   * @throws IllegalArgumentException if {@code precision} is another type
   */
  public static void check(@Nullable DataType precision) {
    checkArgument(
        precision == null || precision == DataType.FLOAT32 || precision == DataType.FLOAT16,
        "precision must be FLOAT32 or FLOAT16, but is %s%s",
        precision,
        precision == DataType.BFLOAT16
            ? ": this version of DJL's PyTorch engine has no BFLOAT16"
            : "");
  }

  /**
   * Rejects a model that can't be saved, before it is trained: DJL counts an array's bytes as int.
   *
   * @param config the sizes of the model
   * @throws IllegalArgumentException if an array has 2 GiB or more
   */
  public static void checkSize(SHARNNConfig config) {
    long size = config.embeddingSize();
    long rows = Longs.max(config.vocabularySize(), config.boomSize(), 4 * size);
    long bytes = LongMath.saturatedMultiply(rows * Float.BYTES, size);
    checkArgument(
        bytes <= MAX_BYTES,
        "a model to train must have less than 2 GiB in each array, the most that DJL saves, but one of"
            + " %s x %s numbers has %s bytes: choose a smaller embeddingSize, vocabularySize or"
            + " boomSize",
        rows,
        size,
        bytes);
  }

  /**
   * {@return {@code precision}, or the device's default if it is null: FLOAT16 on a GPU, FLOAT32 on
   * a CPU}
   *
   * @param precision FLOAT32, FLOAT16, or null
   * @param device the device to train on
   */
  public static DataType orDefault(@Nullable DataType precision, Device device) {
    return requireNonNullElse(precision, device.isGpu() ? DataType.FLOAT16 : DataType.FLOAT32);
  }

  /**
   * {@return the weights of a model, which is first initialized if it has none, and for FLOAT16 a
   * copy}
   *
   * @param model a model whose block is a {@link SHARNN}; stays open when this object is closed
   * @param precision FLOAT32 to compute with the model's own weights, FLOAT16 with a copy
   * @param tokens shape of the input, (streams, tokens)
   * @throws IllegalArgumentException if the model's weights are not FLOAT32
   */
  public static MixedPrecisionWeights of(Model model, DataType precision, Shape tokens) {
    SHARNN block = SHARNN.of(model);
    block.initialize(model.getNDManager(), model.getDataType(), tokens);
    DataType type = block.getParameters().get(0).getValue().getArray().getDataType();
    checkArgument(
        type == DataType.FLOAT32,
        "model %s must have FLOAT32 weights to be trained, but has %s: do not call Model.setDataType;"
            + " set the trainer's precision instead",
        model.getName(),
        type);
    if (precision != DataType.FLOAT16) {
      return new MixedPrecisionWeights(model, model);
    }
    Model copy =
        SHARNN
            .of(block.config(), block.vocabulary())
            .newModel(model.getName(), model.getNDManager().getDevice());
    try {
      copy.setDataType(DataType.FLOAT16);
      SHARNN.of(copy).initialize(copy.getNDManager(), DataType.FLOAT16, tokens);
      ParameterList parameters = block.getParameters();
      for (Pair<String, Parameter> pair : SHARNN.of(copy).getParameters()) {
        pair.getValue().freeze(!parameters.get(pair.getKey()).requiresGradient());
      }
      MixedPrecisionWeights weights = new MixedPrecisionWeights(model, copy);
      weights.sync();
      return weights;
    } catch (RuntimeException | Error e) {
      copy.close(); // if this ran out of memory, the caller may retry with a smaller batch
      throw e;
    }
  }

  /** {@return the model that the optimizer changes} */
  public Model trained() {
    return masters;
  }

  /** {@return the model for forward and backward} */
  public Model model() {
    return working;
  }

  /** Copies the model's own weights into the FLOAT16 copy, if there is one. */
  public void sync() {
    if (working != masters) {
      Operators.get().call("copy", to, from).close();
    }
  }

  /** {@return the weights that an optimizer changes, detached from the gradient graph, FLOAT32} */
  public NDList masters() {
    return from;
  }

  /**
   * {@return a model's weights, detached from the gradient graph, in the order of its parameters}
   *
   * @param model an initialized model; the arrays share its memory
   * @throws IllegalStateException if the model is quantized
   */
  public static NDList aliases(Model model) {
    checkState(
        !SHARNN.of(model).isQuantized(),
        "a quantized model does not train: load the model without quantize()");
    NDList aliases = new NDList();
    for (Parameter parameter : model.getBlock().getParameters().values()) {
      aliases.add(parameter.getArray().stopGradient());
    }
    return aliases;
  }

  @Override
  public void close() {
    from.close();
    to.close();
    if (working != masters) {
      working.close();
    }
  }
}
