package io.github.sharnn.engine;

import static com.google.common.base.Preconditions.checkState;

import ai.djl.Device;
import ai.djl.engine.EngineException;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.pytorch.engine.PtNDArray;
import ai.djl.pytorch.engine.PtNDManager;
import ai.djl.pytorch.jni.IValue;
import java.util.List;
import java.util.stream.Stream;

/**
 * An {@link Int8Matrix} in the layout of PyTorch's int8 products on a CPU: FBGEMM's on x86,
 * QNNPACK's on ARM. PyTorch holds it outside any array. A product rounds its activations to 8 bits
 * as it runs. Safe for use by several threads.
 */
public final class PackedMatrix implements AutoCloseable {

  /** The type of a packed matrix in TorchScript. */
  public static final String TYPE = "__torch__.torch.classes.quantized.LinearPackedParamsBase";

  private static final String SOURCE =
      """
      class Packing(Module):
        __parameters__ = []
        __buffers__ = []
        training : bool

        def pack(self, values: Tensor, scales: Tensor) -> PACKED:
          zeros = torch.zeros([values.size(0)], dtype=4)
          return ops.quantized.linear_prepack(torch._make_per_channel_quantized_tensor(values, scales, zeros, 0), None)

        def values(self, packed: PACKED) -> Tensor:
          weight, _ = ops.quantized.linear_unpack(packed)
          return torch.int_repr(weight)

        def scales(self, packed: PACKED) -> Tensor:
          weight, _ = ops.quantized.linear_unpack(packed)
          return torch.to(torch.q_per_channel_scales(weight), 6)

        def product(self, packed: PACKED, x: Tensor) -> Tensor:
          return ops.quantized.linear_dynamic(x, packed, False)
      """
          .replace("PACKED", TYPE);

  private static final int BYTES_OF_A_ROW = 12; // FBGEMM's scale, zero point and sum

  private final IValue value;
  private final Shape shape;

  private PackedMatrix(IValue value, Shape shape) {
    this.value = value;
    this.shape = shape;
  }

  /** The module, and what a trial on this machine shows. */
  private static final class Loaded {

    static final TorchScript MODULE = new TorchScript("Packing", SOURCE);
    static final boolean REDUCED;
    static final String MISSING; // PyTorch's reason against int8 products, or ""

    static {
      boolean reduced = true;
      String missing = "";
      try (NDManager manager = Devices.engine().newBaseManager(Device.cpu())) {
        reduced = saturates(manager);
      } catch (EngineException e) {
        missing = reason(e);
      }
      REDUCED = reduced;
      MISSING = missing;
    }

    /** Tells if a sum of two products is clipped to 16 bits, as on processors without VNNI. */
    private static boolean saturates(NDManager manager) {
      int size = 64;
      NDArray values = manager.full(new Shape(size, size), Int8Matrix.LARGEST, DataType.FLOAT32);
      NDArray ones = manager.ones(new Shape(size));
      Int8Matrix matrix = new Int8Matrix(values.toType(DataType.INT8, false), ones);
      try (PackedMatrix packed = pack(matrix);
          IValue x = IValue.from((PtNDArray) manager.ones(new Shape(1, size)));
          IValue y = MODULE.run("product", packed.value, x)) {
        float sum = y.toTensor((PtNDManager) manager).toFloatArray()[0];
        float exact = Int8Matrix.LARGEST * size;
        return Math.abs(sum - exact) > 0.02f * exact;
      }
    }
  }

  /** Returns the last line of a message that is not blank, which is PyTorch's own. */
  static String reason(EngineException e) {
    return Stream.ofNullable(e.getMessage())
        .flatMap(String::lines)
        .filter(line -> !line.isBlank())
        .reduce(e.toString(), (first, last) -> last);
  }

  /** {@return why PyTorch has no int8 products on this machine, or ""} */
  public static String reasonAgainst() {
    return Loaded.MISSING;
  }

  /** {@return true if activations get 7 bits, because this processor would clip sums at 8} */
  public static boolean reducesRange() {
    return Loaded.REDUCED;
  }

  /**
   * Copies a matrix into PyTorch's layout.
   *
   * @param matrix the matrix, on a CPU
   * @return the packed matrix; the caller closes it
   * @throws IllegalStateException if PyTorch has no int8 products on this machine
   */
  public static PackedMatrix of(Int8Matrix matrix) {
    checkState(
        reasonAgainst().isEmpty(),
        "PyTorch has no int8 products on this machine (%s): use the precision FLOAT32",
        reasonAgainst());
    return pack(matrix);
  }

  private static PackedMatrix pack(Int8Matrix matrix) {
    try (IValue values = IValue.from((PtNDArray) matrix.values());
        IValue scales = IValue.from((PtNDArray) matrix.scales())) {
      return new PackedMatrix(
          Loaded.MODULE.run("pack", values, scales), matrix.values().getShape());
    }
  }

  /**
   * {@return a copy of the matrix in the plain layout}
   *
   * @param manager the manager that owns the copy
   */
  public Int8Matrix unpacked(NDManager manager) {
    return new Int8Matrix(tensor("values", manager), tensor("scales", manager));
  }

  private NDArray tensor(String method, NDManager manager) {
    try (IValue tensor = Loaded.MODULE.run(method, value)) {
      return tensor.toTensor((PtNDManager) manager);
    }
  }

  /** {@return the bytes of memory that the matrix takes} */
  public long bytes() {
    return shape.size() + BYTES_OF_A_ROW * shape.get(0);
  }

  /** Returns a name that no other resource has. */
  String id() {
    return value.getUid();
  }

  /** Returns a list for TorchScript; the caller closes it. */
  static IValue list(List<PackedMatrix> matrices) {
    return IValue.listFrom(matrices.stream().map(matrix -> matrix.value).toArray(IValue[]::new));
  }

  /** Frees PyTorch's memory. */
  @Override
  public void close() {
    value.close();
  }
}
