package io.github.sharnn.onnx;

import static com.google.common.base.Preconditions.checkArgument;

import ai.onnx.proto.OnnxMl.AttributeProto;
import ai.onnx.proto.OnnxMl.GraphProto;
import ai.onnx.proto.OnnxMl.NodeProto;
import ai.onnx.proto.OnnxMl.TensorProto;
import ai.onnx.proto.OnnxMl.TensorShapeProto;
import ai.onnx.proto.OnnxMl.TypeProto;
import ai.onnx.proto.OnnxMl.ValueInfoProto;
import com.google.common.primitives.Longs;
import com.google.protobuf.ByteString;
import com.google.protobuf.UnsafeByteOperations;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;

/** An ONNX graph, built node by node. Methods take and return the names of values. */
final class OnnxGraph {

  /** ONNX's name for an optional input that is left out. */
  static final String NONE = "";

  private final GraphProto.Builder graph = GraphProto.newBuilder().setName("sharnn");
  private final Set<String> initializers = new HashSet<>();

  /** Declares an input. A dimension is a number, or a name if it varies. */
  String input(String name, TensorProto.DataType type, Object... dimensions) {
    graph.addInput(value(name, type, dimensions));
    return name;
  }

  /**
   * Declares an output, with dimensions as for an input. {@link #assign} gives the output its
   * value.
   */
  void output(String name, Object... dimensions) {
    graph.addOutput(value(name, TensorProto.DataType.FLOAT, dimensions));
  }

  /** Gives a declared output its value. */
  void assign(String name, String value) {
    graph.addNode(NodeProto.newBuilder().setOpType("Identity").addInput(value).addOutput(name));
  }

  /** Tells if a weight or constant of this name exists. */
  boolean has(String name) {
    return initializers.contains(name);
  }

  /** Adds a weight of the given values, row by row. */
  String weight(String name, float[] values, long... shape) {
    long size = Arrays.stream(shape).reduce(1, (a, b) -> a * b);
    checkArgument(
        size == values.length, "%s has %s values, but its shape %s", name, values.length, size);
    ByteBuffer bytes =
        ByteBuffer.allocate(Float.BYTES * values.length).order(ByteOrder.LITTLE_ENDIAN);
    bytes.asFloatBuffer().put(values);
    return initializer(name, TensorProto.DataType.FLOAT, bytes, shape);
  }

  /** Adds a matrix in 8 bits. */
  String weight(String name, byte[] values, long... shape) {
    return initializer(name, TensorProto.DataType.INT8, ByteBuffer.wrap(values), shape);
  }

  /** Adds a FLOAT32 scalar. */
  String scalar(String name, float value) {
    return weight(name, new float[] {value});
  }

  /** Adds a list of INT64, which is how operators take shapes, axes and positions. */
  String integers(long... values) {
    ByteBuffer bytes =
        ByteBuffer.allocate(Long.BYTES * values.length).order(ByteOrder.LITTLE_ENDIAN);
    bytes.asLongBuffer().put(values);
    String name = "integers" + Arrays.toString(values);
    return initializer(name, TensorProto.DataType.INT64, bytes, values.length);
  }

  /** Adds a node with one output and returns the output's name. */
  String node(String operator, List<String> inputs, AttributeProto... attributes) {
    return nodes(operator, 1, inputs, attributes).get(0);
  }

  /** Adds a node and returns its outputs' names. */
  List<String> nodes(
      String operator, int outputs, List<String> inputs, AttributeProto... attributes) {
    return nodes("", operator, outputs, inputs, attributes);
  }

  /** Adds a node of another domain than ONNX's own and returns its outputs' names. */
  List<String> nodes(
      String domain,
      String operator,
      int outputs,
      List<String> inputs,
      AttributeProto... attributes) {
    String name = operator + "_" + graph.getNodeCount();
    List<String> names =
        outputs == 1
            ? List.of(name)
            : IntStream.range(0, outputs).mapToObj(i -> name + "." + i).toList();
    graph.addNode(
        NodeProto.newBuilder()
            .setName(name)
            .setOpType(operator)
            .setDomain(domain)
            .addAllInput(inputs)
            .addAllOutput(names)
            .addAllAttribute(List.of(attributes)));
    return names;
  }

  static AttributeProto attribute(String name, long value) {
    return attribute(name, AttributeProto.AttributeType.INT).setI(value).build();
  }

  static AttributeProto attribute(String name, float value) {
    return attribute(name, AttributeProto.AttributeType.FLOAT).setF(value).build();
  }

  static AttributeProto attribute(String name, List<Long> values) {
    return attribute(name, AttributeProto.AttributeType.INTS).addAllInts(values).build();
  }

  private static AttributeProto.Builder attribute(String name, AttributeProto.AttributeType type) {
    return AttributeProto.newBuilder().setName(name).setType(type);
  }

  GraphProto build() {
    return graph.build();
  }

  /**
   * Adds an initializer unless one of this name exists, because callers request the same constant
   * repeatedly.
   */
  private String initializer(
      String name, TensorProto.DataType type, ByteBuffer bytes, long... shape) {
    if (initializers.add(name)) {
      ByteString data = UnsafeByteOperations.unsafeWrap(bytes); // nothing else writes into it
      graph.addInitializer(
          TensorProto.newBuilder()
              .setName(name)
              .setDataType(type.getNumber())
              .addAllDims(Longs.asList(shape))
              .setRawData(data));
    }
    return name;
  }

  private static ValueInfoProto value(
      String name, TensorProto.DataType type, Object... dimensions) {
    TensorShapeProto.Builder shape = TensorShapeProto.newBuilder();
    for (Object dimension : dimensions) {
      if (dimension instanceof Integer size) {
        shape.addDimBuilder().setDimValue(size);
      } else {
        shape.addDimBuilder().setDimParam((String) dimension);
      }
    }
    TypeProto.Tensor tensor =
        TypeProto.Tensor.newBuilder().setElemType(type.getNumber()).setShape(shape).build();
    return ValueInfoProto.newBuilder()
        .setName(name)
        .setType(TypeProto.newBuilder().setTensorType(tensor))
        .build();
  }
}
