package io.github.sharnn;

import static com.google.common.base.Preconditions.checkState;
import static com.google.common.base.Strings.lenientFormat;

import ai.djl.MalformedModelException;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import io.github.sharnn.engine.Int8Matrix;
import io.github.sharnn.engine.Lifetime;
import io.github.sharnn.engine.PackedMatrix;
import io.github.sharnn.io.AtomicFile;
import io.github.sharnn.io.Interrupts;
import io.github.sharnn.io.Safetensors;
import java.io.IOException;
import java.nio.channels.WritableByteChannel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

/**
 * A model's weights as a {@code safetensors} file under the reference's parameter names ({@code
 * encoder.weight}, {@code blocks.0.rnn.weight_ih_l0}, ...).
 *
 * <p>The reference declares parameters that it never uses ({@code lnout}, {@code attn.qkvs}, {@code
 * attn.r_gate}, and {@code lnmid} and {@code lnmem} in blocks without attention). Reading skips
 * these parameters, and writing omits them.
 *
 * <p>A quantized model's matrices are of I8, each beside the F32 scales of its rows under the
 * matrix's name with {@link #SCALES} ({@code encoder.weight.scales}). Its other weights are of F32.
 */
public final class SafetensorsWeights {

  private static final Pattern UNUSED =
      Pattern.compile(
          "blocks\\.\\d+\\.(lnout\\.(weight|bias)|lnmid\\.(weight|bias)|lnmem\\.(weight|bias)"
              + "|attn\\.qkvs|attn\\.r_gate)");

  /** The end of the name of a matrix's scales. */
  public static final String SCALES = ".scales";

  private static final long SMALL_MODEL = 1_000_000;

  private SafetensorsWeights() {}

  /**
   * {@return a model's parameters by the reference's names, in the model's order}
   *
   * @param model the model
   */
  public static Map<String, Parameter> names(SHARNN model) {
    List<Parameter> parameters = model.getParameters().values();
    List<Weight> weights = Weight.of(model.config());
    checkState(
        parameters.size() == weights.size(),
        "Weight.of lists %s weights, but the blocks have %s parameters: list each weight in the order"
            + " of the blocks' declarations",
        weights.size(),
        parameters.size());
    Map<String, Parameter> names = new LinkedHashMap<>();
    for (int i = 0; i < weights.size(); i++) {
      names.put(weights.get(i).name(), parameters.get(i));
    }
    return names;
  }

  /**
   * Writes all weights.
   *
   * @param model an initialized model
   * @param file the file, replaced if it exists
   * @throws IOException if the file can't be written
   * @throws IllegalStateException if the model has no weights
   */
  public static void write(SHARNN model, Path file) throws IOException {
    checkState(model.isInitialized(), "a model must be initialized before its weights are written");
    Lifetime.Lease lease = model.leaseOfWeights();
    try (lease) {
      AtomicFile.write(file, channel -> write(model, channel));
    }
  }

  static void write(SHARNN model, WritableByteChannel channel) throws IOException {
    Map<String, NDArray> tensors = new LinkedHashMap<>();
    try (NDManager scratch = model.embedding.getArray().getManager().newSubManager()) {
      for (Map.Entry<String, Parameter> entry : names(model).entrySet()) {
        NDArray array = entry.getValue().getArray();
        if (model.isQuantized() && isMatrix(array.getShape())) {
          PackedMatrix packed = model.packed().get(entry.getValue());
          Int8Matrix matrix =
              packed == null ? Int8Matrix.of(array, scratch) : packed.unpacked(scratch);
          tensors.put(entry.getKey(), matrix.values());
          tensors.put(entry.getKey() + SCALES, matrix.scales());
        } else {
          tensors.put(entry.getKey(), array);
        }
      }
      Safetensors.write(tensors, Map.of(), channel);
    }
  }

  /** Tells if quantizing rounds a weight of this shape. */
  static boolean isMatrix(Shape shape) {
    return shape.dimension() == 2;
  }

  /**
   * Reads all weights into a model. A model without weights is initialized first.
   *
   * @param model the model
   * @param manager the manager that owns the weights of a model not yet initialized
   * @param file the file
   * @throws IOException if the file can't be read
   * @throws MalformedModelException if it is no {@link Safetensors} file, or its names, shapes or
   *     types are not the model's. The message lists every difference. The weights of an
   *     initialized model stay as they were
   * @throws IllegalStateException if the model is quantized
   */
  public static void read(SHARNN model, NDManager manager, Path file)
      throws IOException, MalformedModelException {
    Interrupts.<Void, MalformedModelException>defer(
        () -> {
          try (Safetensors tensors = Safetensors.open(file)) {
            read(model, manager, tensors, DataType.FLOAT32, false);
            return null;
          }
        });
  }

  /** Reads all weights. A model without weights is first initialized with the file's data type. */
  static void readOwnType(SHARNN model, NDManager manager, Safetensors tensors)
      throws IOException, MalformedModelException {
    List<DataType> types =
        tensors.tensors().values().stream().map(Safetensors.Tensor::dataType).distinct().toList();
    if (types.size() != 1 || !types.get(0).isFloating()) {
      throw new MalformedModelException(
          lenientFormat(
              "%s must hold weights of one type, F64, F32 or F16, but holds %s",
              tensors.file(), types.stream().map(DataType::asSafetensors).toList()));
    }
    read(model, manager, tensors, types.get(0), false);
  }

  /** Reads the weights of a quantized model, and dequantizes them to FLOAT32. */
  static void readQuantized(SHARNN model, NDManager manager, Safetensors tensors)
      throws IOException, MalformedModelException {
    read(model, manager, tensors, DataType.FLOAT32, true);
  }

  private static void read(
      SHARNN model, NDManager manager, Safetensors tensors, DataType dataType, boolean quantized)
      throws IOException, MalformedModelException {
    checkState(
        !model.isQuantized(),
        "a quantized model can't take other weights: read them into a new model, then quantize it");
    if (!model.isInitialized()) {
      checkSize(tensors, model.config());
      model.initialize(manager, dataType, new Shape(1, 1));
    }
    Map<String, Parameter> names = names(model);
    Map<String, Shape> shapes = new LinkedHashMap<>();
    names.forEach(
        (name, parameter) -> {
          Shape shape = parameter.getShape();
          shapes.put(name, shape);
          if (quantized && isMatrix(shape)) {
            shapes.put(name + SCALES, new Shape(shape.get(0)));
          }
        });
    checkFit(tensors, shapes, quantized);
    for (Map.Entry<String, Parameter> entry : names.entrySet()) {
      String name = entry.getKey();
      try (NDManager scratch = manager.newSubManager()) {
        NDArray values = tensors.read(scratch, name);
        assign(
            entry.getValue(),
            shapes.containsKey(name + SCALES)
                ? new Int8Matrix(values, tensors.read(scratch, name + SCALES)).dequantized()
                : values);
      }
    }
  }

  /**
   * {@return every array of a safetensors file by its name, in the file's order}
   *
   * @param manager the manager that owns the arrays
   * @param file the file
   * @throws IOException if the file can't be read
   * @throws MalformedModelException if it is no {@link Safetensors} file
   */
  public static Map<String, NDArray> readTensors(NDManager manager, Path file)
      throws IOException, MalformedModelException {
    return Interrupts.defer(
        () -> {
          try (Safetensors tensors = Safetensors.open(file)) {
            return tensors.readAll(manager);
          }
        });
  }

  /** Checks that the model is small, or that the file is large enough for its weights. */
  private static void checkSize(Safetensors file, SHARNNConfig config)
      throws MalformedModelException {
    long numbers = file.tensors().values().stream().mapToLong(t -> t.shape().size()).sum();
    if (config.parameterCount() > Math.max(2 * numbers, SMALL_MODEL)) {
      throw new MalformedModelException(
          lenientFormat(
              "%s does not fit the model: it holds %s numbers, but the model has %s parameters",
              file.file(), numbers, config.parameterCount()));
    }
  }

  /** Checks names, shapes and types. A quantized file has matrices of I8, others of F32. */
  private static void checkFit(Safetensors file, Map<String, Shape> shapes, boolean quantized)
      throws MalformedModelException {
    Map<String, Safetensors.Tensor> tensors = file.tensors();
    List<String> missing = shapes.keySet().stream().filter(n -> !tensors.containsKey(n)).toList();
    List<String> unknown =
        tensors.keySet().stream()
            .filter(n -> !shapes.containsKey(n) && !UNUSED.matcher(n).matches())
            .toList();
    List<String> wrong = new ArrayList<>();
    shapes.forEach(
        (name, shape) -> {
          Safetensors.Tensor tensor = tensors.get(name);
          if (tensor != null && !tensor.shape().equals(shape)) {
            wrong.add(lenientFormat("%s %s (model: %s)", name, tensor.shape(), shape));
          } else if (tensor != null) {
            DataType type = tensor.dataType();
            DataType only = isMatrix(shape) ? DataType.INT8 : DataType.FLOAT32;
            if (quantized ? type != only : !type.isFloating()) {
              String types = quantized ? only.asSafetensors() : "F64, F32 or F16";
              wrong.add(
                  lenientFormat("%s of type %s (must be %s)", name, type.asSafetensors(), types));
            }
          }
        });
    if (!missing.isEmpty() || !unknown.isEmpty() || !wrong.isEmpty()) {
      throw new MalformedModelException(
          lenientFormat(
              "%s does not fit the model; missing: %s; unknown: %s; wrong shapes or types: %s",
              file.file(), missing, unknown, wrong));
    }
  }

  /**
   * Copies values of any type into a parameter's memory. Uses an alias outside the gradient graph,
   * because DJL's {@code copyTo} would replace the parameter's memory.
   */
  static void assign(Parameter parameter, NDArray values) {
    NDArray target = parameter.getArray();
    try (NDArray alias = target.stopGradient();
        NDArray cast = values.toType(target.getDataType(), true);
        NDArray moved = cast.toDevice(target.getDevice(), true)) {
      alias.set(new NDIndex("..."), moved);
    }
  }
}
