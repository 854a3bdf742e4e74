package io.github.sharnn.onnx;

import static ai.onnx.proto.OnnxMl.TensorProto.DataType.FLOAT;
import static ai.onnx.proto.OnnxMl.TensorProto.DataType.INT64;
import static io.github.sharnn.onnx.OnnxGraph.NONE;
import static io.github.sharnn.onnx.OnnxGraph.attribute;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import ai.onnx.proto.OnnxMl.GraphProto;
import com.google.common.primitives.Floats;
import com.google.common.primitives.Longs;
import io.github.sharnn.Equations;
import io.github.sharnn.SHARNN;
import io.github.sharnn.SHARNNConfig;
import io.github.sharnn.SafetensorsWeights;
import io.github.sharnn.SingleHeadAttention;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A builder of the ONNX graph of a collapsed model. It runs the equations of {@link SHARNN#forward}
 * without dropout, on names of ONNX values in place of arrays.
 *
 * <p>Activations are rows {@code (T*B, C)}, time first, because ONNX Runtime's LSTM needs time
 * first. Only attention uses {@code (B, T, C)}.
 */
final class SharnnGraph implements Equations.Model<String> {

  private static final String BATCH = "batch";
  private static final String TIME = "time";

  /**
   * The index of each ONNX gate among PyTorch's. ONNX's order is i, o, f, c; PyTorch's is i, f, g,
   * o, and its g is ONNX's c.
   */
  private static final int[] GATES = {0, 3, 1, 2};

  private final SHARNN model;
  private final SHARNNConfig config;
  private final Map<String, Parameter> parameters;
  private final int size;
  private final OnnxGraph graph = new OnnxGraph();
  private final @Nullable Int8Graph int8; // null in FLOAT32
  private final String time; // [T]
  private final String timeFirst; // [T, B, -1]

  private SharnnGraph(SHARNN collapsed, boolean quantized) {
    int8 = quantized ? new Int8Graph(graph) : null;
    model = collapsed;
    config = collapsed.config();
    parameters = SafetensorsWeights.names(collapsed);
    size = config.embeddingSize();
    String tokens = graph.input("tokens", INT64, BATCH, TIME);
    graph.output("logits", BATCH, TIME, config.vocabularySize());
    String shape = graph.node("Shape", List.of(tokens)); // [B, T]
    time = graph.node("Gather", List.of(shape, graph.integers(1)));
    String batch = graph.node("Gather", List.of(shape, graph.integers(0)));
    timeFirst = concat(0, time, batch, graph.integers(-1));
  }

  static GraphProto of(SHARNN collapsed, boolean quantized) {
    SharnnGraph builder = new SharnnGraph(collapsed, quantized);
    String logits = builder.model(builder.config, "tokens"); // (T*B, V)
    builder.graph.assign("logits", builder.batchFirst(logits)); // -> (B, T, V)
    return builder.graph.build();
  }

  @Override
  public String embed(String tokens) {
    String columns = transpose(tokens, 1, 0); // (B, T) -> (T, B)
    return rows(
        int8 == null
            ? graph.node("Gather", List.of(weight("encoder.weight"), columns))
            : int8.gather("encoder.weight", parameters.get("encoder.weight"), columns)); // (T*B, C)
  }

  @Override
  public String block(int layer, String h) {
    return new BlockGraph(layer).block(config, layer, h);
  }

  @Override
  public String logits(String h) {
    String matrix = config.tiedOutput() ? "encoder.weight" : "decoder.weight";
    String logits = linear(h, matrix, "decoder.bias"); // (T*B, C) -> (T*B, V)
    return config.hasSplits() ? logProbabilities(h, logits) : logits;
  }

  /** One block's equations. */
  private final class BlockGraph implements Equations.Block<String> {

    private final int layer;
    private final String prefix; // of the weights' names

    BlockGraph(int layer) {
      this.layer = layer;
      prefix = "blocks." + layer + ".";
    }

    @Override
    public String norm(String name, String x) {
      return normalize(x, weight(prefix + name + ".weight"), weight(prefix + name + ".bias"));
    }

    @Override
    public String lstm(String x) {
      String rnn = prefix + "rnn.";
      float[] inputBias = gates(values(rnn + "bias_ih_l0"));
      float[] hiddenBias = gates(values(rnn + "bias_hh_l0"));
      String axis = graph.integers(0);
      String hidden = state("hidden." + layer, BATCH, size);
      String cell = state("cell." + layer, BATCH, size);
      List<String> inputs =
          List.of(
              reshape(x, timeFirst), // (T*B, C) -> (T, B, C)
              graph.weight(rnn + "B", Floats.concat(inputBias, hiddenBias), 1, 8L * size),
              NONE, // no sequence lengths: all streams are equally long
              graph.node("Unsqueeze", List.of(hidden, axis)), // (B, C) -> (1, B, C)
              graph.node("Unsqueeze", List.of(cell, axis))); // (B, C) -> (1, B, C)
      List<String> outputs = int8 == null ? lstm(rnn, inputs) : int8Lstm(rnn, inputs);
      graph.assign(next(hidden), graph.node("Squeeze", List.of(outputs.get(1), axis)));
      graph.assign(next(cell), graph.node("Squeeze", List.of(outputs.get(2), axis)));
      return rows(outputs.get(0)); // (T, 1, B, C) -> (T*B, C)
    }

    private List<String> lstm(String rnn, List<String> inputs) {
      List<String> all = new ArrayList<>(inputs);
      float[] input = gates(values(rnn + "weight_ih_l0"));
      float[] recurrent = gates(values(rnn + "weight_hh_l0"));
      all.addAll(
          1,
          List.of(
              graph.weight(rnn + "W", input, 1, 4L * size, size),
              graph.weight(rnn + "R", recurrent, 1, 4L * size, size)));
      return graph.nodes("LSTM", 3, all, attribute("hidden_size", size));
    }

    private List<String> int8Lstm(String rnn, List<String> inputs) {
      Int8Graph.Matrix input = int8.lstm(rnn + "W", parameters.get(rnn + "weight_ih_l0"), GATES);
      Int8Graph.Matrix recurrent =
          int8.lstm(rnn + "R", parameters.get(rnn + "weight_hh_l0"), GATES);
      List<String> all = new ArrayList<>(inputs);
      all.addAll(1, List.of(input.values(), recurrent.values()));
      all.add(NONE); // no peepholes
      all.addAll(
          List.of(input.scales(), input.zeroPoints(), recurrent.scales(), recurrent.zeroPoints()));
      return graph.nodes(
          OnnxExport.RUNTIME_DOMAIN, "DynamicQuantizeLSTM", 3, all, attribute("hidden_size", size));
    }

    /** Folds the gates and 1 / sqrt(C), which are constants, into the norm's weights. */
    @Override
    public String query(String h) {
      String attn = prefix + "attn.";
      float[] scale = queryScale();
      String projected = linear(h, attn + "q.weight", attn + "q.bias");
      return normalize(
          projected,
          graph.weight(attn + "qln.weight", product(values(attn + "qln.weight"), scale), size),
          graph.weight(attn + "qln.bias", product(values(attn + "qln.bias"), scale), size));
    }

    private float[] queryScale() {
      try (NDManager manager = model.embedding.getArray().getManager().newSubManager()) {
        ParameterStore store = new ParameterStore(manager, false);
        SingleHeadAttention attention = model.blocks.get(layer).attention;
        return attention
            .queryScale(store, manager, manager.getDevice(), false)
            .toType(DataType.FLOAT32, true)
            .toFloatArray();
      }
    }

    /**
     * Attends to the memory and to the segment apart, because a concatenation would copy the memory
     * for each token.
     */
    @Override
    public String attend(String query, String m) {
      String attn = prefix + "attn.";
      String memory = graph.input("memory." + layer, FLOAT, BATCH, "memory", size);
      String added = "added.memory." + layer;
      graph.output(added, BATCH, TIME, size);
      String segment = batchFirst(m); // (T*B, C) -> (B, T, C)
      graph.assign(added, segment);
      List<String> parts =
          config.keyProjection() || config.valueProjection()
              ? List.of(concat(1, memory, segment)) // the products take longer than the copy
              : List.of(memory, segment);

      String q = batchFirst(query); // (T*B, C) -> (B, T, C)
      List<String> scores = new ArrayList<>();
      for (String part : parts) { // (B, M, C), then (B, T, C)
        String k = config.keyProjection() ? projection(attn + "k", part) : part;
        scores.add(graph.node("MatMul", List.of(q, transpose(k, 0, 2, 1)))); // -> (B, T, M or T)
      }
      String unseen = graph.scalar("unseen", Float.NEGATIVE_INFINITY);
      String remembered = length(memory); // [M]
      String all = concat(2, scores.toArray(String[]::new)); // (B, T, K), K = M + T
      String seen = graph.node("Where", List.of(visible(remembered), all, unseen));
      String weights = graph.node("Softmax", List.of(seen), attribute("axis", -1));
      String context =
          parts.size() == 1
              ? context(weights, parts.get(0))
              : add(
                  context(positions(weights, graph.integers(0), remembered), memory),
                  context(positions(weights, remembered, graph.integers(Long.MAX_VALUE)), segment));
      String scaled = graph.node("Mul", List.of(context, weight(attn + "vs", size)));
      return rows(transpose(scaled, 1, 0, 2)); // (B, T, C) -> (T*B, C)
    }

    private String context(String weights, String part) {
      String v = config.valueProjection() ? projection(prefix + "attn.v", part) : part;
      return graph.node("MatMul", List.of(weights, v)); // -> (B, T, C)
    }

    private String positions(String weights, String from, String to) {
      return graph.node("Slice", List.of(weights, from, to, graph.integers(2)));
    }

    @Override
    public String boom(String x) {
      String ff = prefix + "ff.";
      String u = linear(x, ff + "linear1.weight", ff + "linear1.bias"); // (T*B, H)
      String slope = graph.scalar("gelu.slope", (float) Equations.GELU_SLOPE);
      String gate = graph.node("Sigmoid", List.of(graph.node("Mul", List.of(u, slope))));
      String gelu = graph.node("Mul", List.of(u, gate));
      if (!config.boomShortcut()) {
        return linear(gelu, ff + "linear2.weight", ff + "linear2.bias");
      }
      String chunks = reshape(gelu, graph.integers(0, -1, size)); // (T*B, H) -> (T*B, H/C, C)
      return graph.node(
          "ReduceSum", List.of(chunks, graph.integers(1)), attribute("keepdims", 0)); // (T*B, C)
    }

    @Override
    public String add(String x, String residual) {
      return SharnnGraph.this.add(x, residual);
    }
  }

  /**
   * Returns the log-probabilities of all tokens {@code (T*B, V)}, from the softmax of the head and
   * of each tail.
   */
  private String logProbabilities(String h, String logits) {
    List<Integer> splits = config.splits();
    int first = splits.get(0);
    int tails = splits.size();
    String tombstones = linear(h, "criterion.tail_vectors", "criterion.tail_bias"); // (T*B, k)
    String head = logSoftmax(concat(1, columns(logits, 0, first), tombstones));
    List<String> parts = new ArrayList<>(List.of(columns(head, 0, first)));
    for (int tail = 1; tail <= tails; tail++) {
      int end = tail == tails ? config.vocabularySize() : splits.get(tail);
      String within = logSoftmax(columns(logits, splits.get(tail - 1), end));
      int tombstone = first + tails - tail; // tail 1 has the last one
      parts.add(add(within, columns(head, tombstone, tombstone + 1)));
    }
    return concat(1, parts.toArray(String[]::new));
  }

  private String logSoftmax(String rows) {
    return graph.node("LogSoftmax", List.of(rows), attribute("axis", -1));
  }

  private String columns(String rows, int from, int to) {
    List<String> range = List.of(rows, graph.integers(from), graph.integers(to), graph.integers(1));
    return graph.node("Slice", range);
  }

  /** Declares a part of the state as an input and an output, and returns the input's name. */
  private String state(String name, Object... dimensions) {
    graph.output(next(name), dimensions);
    return graph.input(name, FLOAT, dimensions);
  }

  private static String next(String name) {
    return "next." + name;
  }

  /**
   * Returns the mask {@code (T, K)} of a memory with M positions and T new ones. Query t is at key
   * position {@code M + t} and sees the keys up to this position, of the last {@code memoryLength}
   * or T.
   */
  private String visible(String remembered) {
    String count = add(remembered, time); // [K]
    String zero = graph.integers(0);
    String step = scalar(graph.integers(1));
    String key = graph.node("Range", List.of(scalar(zero), scalar(count), step)); // (K)
    String query = graph.node("Range", List.of(scalar(remembered), scalar(count), step)); // (T)
    String column = graph.node("Unsqueeze", List.of(query, graph.integers(1))); // (T) -> (T, 1)
    String past = graph.node("LessOrEqual", List.of(key, column)); // (T, K)
    String longest = graph.node("Max", List.of(graph.integers(config.memoryLength()), time));
    String oldest = graph.node("Sub", List.of(count, longest)); // [1]
    return graph.node("And", List.of(past, graph.node("GreaterOrEqual", List.of(key, oldest))));
  }

  /** Computes {@code W x + b} for each row. */
  private String linear(String rows, String weight, String bias) {
    return int8 == null
        ? graph.node("Gemm", List.of(rows, weight(weight), weight(bias)), attribute("transB", 1))
        : add(int8.product(rows, weight, parameters.get(weight)), weight(bias));
  }

  /** Computes {@code W x + b} for each position of {@code (B, K, C)}. */
  private String projection(String name, String x) {
    String y = linear(rows(x), name + ".weight", name + ".bias");
    return reshape(y, graph.node("Shape", List.of(x))); // (B*K, C) -> (B, K, C)
  }

  private String normalize(String x, String gamma, String beta) {
    return graph.node(
        "LayerNormalization",
        List.of(x, gamma, beta),
        attribute("axis", -1),
        attribute("epsilon", (float) Equations.NORM_EPSILON));
  }

  /** Returns the length {@code [K]} of {@code (B, K, C)}. */
  private String length(String x) {
    return graph.node("Gather", List.of(graph.node("Shape", List.of(x)), graph.integers(1)));
  }

  private String rows(String x) {
    return reshape(x, graph.integers(-1, size));
  }

  /** Converts rows {@code (T*B, N)} to {@code (B, T, N)}. */
  private String batchFirst(String rows) {
    return transpose(reshape(rows, timeFirst), 1, 0, 2); // -> (T, B, N) -> (B, T, N)
  }

  private String reshape(String x, String shape) {
    return graph.node("Reshape", List.of(x, shape));
  }

  private String transpose(String x, long... axes) {
    return graph.node("Transpose", List.of(x), attribute("perm", Longs.asList(axes)));
  }

  private String concat(int axis, String... parts) {
    return graph.node("Concat", List.of(parts), attribute("axis", axis));
  }

  private String add(String a, String b) {
    return graph.node("Add", List.of(a, b));
  }

  /** Converts a list of one number to a scalar. */
  private String scalar(String list) {
    return graph.node("Squeeze", List.of(list, graph.integers(0)));
  }

  /** Adds a weight unchanged from the model. */
  private String weight(String name) {
    return graph.has(name) ? name : weight(name, parameters.get(name).getShape().getShape());
  }

  private String weight(String name, long... shape) {
    return graph.weight(name, values(name), shape);
  }

  private float[] values(String name) {
    try (NDArray array = parameters.get(name).getArray().toType(DataType.FLOAT32, true)) {
      return array.toFloatArray();
    }
  }

  /** Reorders the four gates of an LSTM's weight or bias from PyTorch's order to ONNX's. */
  private static float[] gates(float[] pytorch) {
    int length = pytorch.length / GATES.length;
    float[] onnx = new float[pytorch.length];
    for (int gate = 0; gate < GATES.length; gate++) {
      System.arraycopy(pytorch, GATES[gate] * length, onnx, gate * length, length);
    }
    return onnx;
  }

  private static float[] product(float[] a, float[] b) {
    float[] product = new float[a.length];
    for (int i = 0; i < a.length; i++) {
      product[i] = a[i] * b[i];
    }
    return product;
  }
}
