package io.github.sharnn.onnx;

import static io.github.sharnn.onnx.OnnxGraph.attribute;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.nn.Parameter;
import ai.onnx.proto.OnnxMl.TensorProto;
import io.github.sharnn.engine.Int8Matrix;
import java.util.List;

/** The operations over int8 matrices of an ONNX graph, as ONNX Runtime fuses them. */
final class Int8Graph {

  private static final String SCALES = ".scales";
  private static final String TRANSPOSED = ".transposed";

  private final OnnxGraph graph;

  Int8Graph(OnnxGraph graph) {
    this.graph = graph;
  }

  /** The names of an LSTM's matrix. */
  record Matrix(String values, String scales, String zeroPoints) {}

  /** Looks up rows of a matrix {@code (V, C)}: {@code (...) -> (..., C)}. */
  String gather(String name, Parameter parameter, String indices) {
    Rows rows = Rows.of(parameter);
    graph.weight(name, rows.values, rows.count(), rows.columns());
    graph.weight(name + SCALES, rows.scales, rows.count());
    String values = toFloat(graph.node("Gather", List.of(name, indices)));
    String scales = graph.node("Gather", List.of(name + SCALES, indices));
    String column = graph.node("Unsqueeze", List.of(scales, graph.integers(-1)));
    return graph.node("Mul", List.of(values, column));
  }

  /** Computes {@code W x} for each row x, which is rounded to 8 bits. */
  String product(String x, String name, Parameter parameter) {
    Rows rows = Rows.of(parameter);
    String matrix = name + TRANSPOSED;
    if (!graph.has(matrix)) {
      graph.weight(matrix, rows.transposed(), rows.columns(), rows.count());
    }
    if (!graph.has(name + SCALES)) {
      graph.weight(name + SCALES, rows.scales, rows.count());
    }
    List<String> rounded = graph.nodes("DynamicQuantizeLinear", 3, List.of(x));
    String sums = graph.node("MatMulInteger", List.of(rounded.get(0), matrix, rounded.get(2)));
    String scale = graph.node("Mul", List.of(rounded.get(1), name + SCALES));
    return graph.node("Mul", List.of(toFloat(sums), scale));
  }

  /** Adds an LSTM's matrix {@code (4C, C)}, whose gates get another order. */
  Matrix lstm(String name, Parameter parameter, int... gates) {
    Rows rows = Rows.of(parameter).reordered(gates);
    return new Matrix(
        graph.weight(name, rows.transposed(), 1, rows.columns(), rows.count()),
        graph.weight(name + SCALES, rows.scales, 1, rows.count()),
        graph.weight("zeros" + rows.count(), new byte[rows.count()], 1, rows.count()));
  }

  private String toFloat(String x) {
    return graph.node("Cast", List.of(x), attribute("to", TensorProto.DataType.FLOAT.getNumber()));
  }

  /** A matrix on the Java heap, row by row. */
  private record Rows(byte[] values, float[] scales) {

    static Rows of(Parameter parameter) {
      try (NDManager scratch = parameter.getArray().getManager().newSubManager()) {
        NDArray floats = parameter.getArray().stopGradient();
        floats.attach(scratch);
        Int8Matrix matrix = Int8Matrix.of(floats.toType(DataType.FLOAT32, false), scratch);
        return new Rows(matrix.values().toByteArray(), matrix.scales().toFloatArray());
      }
    }

    int count() {
      return scales.length;
    }

    int columns() {
      return values.length / scales.length;
    }

    byte[] transposed() {
      byte[] transposed = new byte[values.length];
      int columns = columns();
      for (int row = 0; row < count(); row++) {
        for (int column = 0; column < columns; column++) {
          transposed[column * count() + row] = values[row * columns + column];
        }
      }
      return transposed;
    }

    Rows reordered(int... parts) {
      byte[] newValues = new byte[values.length];
      float[] newScales = new float[scales.length];
      int bytes = values.length / parts.length;
      int rows = scales.length / parts.length;
      for (int part = 0; part < parts.length; part++) {
        System.arraycopy(values, parts[part] * bytes, newValues, part * bytes, bytes);
        System.arraycopy(scales, parts[part] * rows, newScales, part * rows, rows);
      }
      return new Rows(newValues, newScales);
    }
  }
}
