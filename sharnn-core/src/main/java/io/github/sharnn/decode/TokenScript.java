package io.github.sharnn.decode;

import static com.google.common.base.Strings.lenientFormat;

import io.github.sharnn.Equations;
import io.github.sharnn.SHARNNConfig;
import io.github.sharnn.engine.PackedMatrix;
import io.github.sharnn.engine.TorchScript;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Collectors;

/**
 * The TorchScript of a decoder's step: the model's equations over the names of Python variables.
 * Each operation becomes a line that calls a method of {@code step.py}, so that a token of all
 * streams is one call into PyTorch:
 *
 * <pre>
 * next_hidden_0, next_cell_0 = self.lstm(embed_0, hidden_0, cell_0, blocks_0_rnn_weight_hh_l0, alone)
 * lnxff_2 = self.norm(next_hidden_0, blocks_0_lnxff_weight, blocks_0_lnxff_bias)
 * lnff_3 = self.norm(next_hidden_0, blocks_0_lnff_weight, blocks_0_lnff_bias)
 * h_4 = self.boom(lnff_3, lnxff_2, blocks_0_ff_linear1_weight, ..., ones, alone)
 * </pre>
 *
 * <p>In INT8 the products take packed matrices, by the methods of {@code step8.py}.
 *
 * <p>A branch with a residual stays a format string, {@code self.boom(%s, ...)}, until {@link
 * BlockScript#add} inserts the residual. The branch's last kernel then adds the residual.
 */
final class TokenScript implements Equations.Model<String> {

  /** The input gates of the first LSTM for each token, which replace embedding and first norm. */
  static final String FIRST_GATES = "encoder.gates";

  /** The sum of an LSTM's two biases. */
  static final String GATE_BIAS = "rnn.bias";

  /** A row of ones whose product with the Boom's chunks is their sum. */
  static final String ONES = "ones";

  /** Tells a packed matrix's variable from that of the same matrix as a table. */
  private static final String PACKED = "packed.";

  static final String MASK = "mask";
  static final String KEYS = "keys.";
  static final String VALUES = "values.";

  private static final String SIGNATURE =
      """

        def token(self, weights: List[Tensor], states: List[Tensor], cache: List[Tensor],%s
            numbers: List[int]) -> Tensor:
      """
          .stripTrailing();

  /** Modules by source, kept because each load runs the optimizer again. */
  private static final Map<String, TorchScript> MODULES = new ConcurrentHashMap<>();

  private final SHARNNConfig config;
  private final boolean int8;
  private final Set<String> weights = new LinkedHashSet<>();
  private final Set<String> packed = new LinkedHashSet<>(); // in INT8
  private final Set<String> cache = new LinkedHashSet<>();
  private final List<String> states = new ArrayList<>(); // before the token
  private final List<String> nextStates = new ArrayList<>();
  private final List<String> lines = new ArrayList<>();

  /** Writes the step of a model, with matrices packed in INT8 or not. */
  TokenScript(SHARNNConfig config, boolean int8) {
    this.config = config;
    this.int8 = int8;
    if (config.hasAttention()) {
      cache(MASK);
    }
    String output = model(config, "tokens");
    lines.add(lenientFormat("torch._foreach_copy_(states, [%s])", String.join(", ", nextStates)));
    lines.add("return " + output);
  }

  /** Returns the names of the weights that the step takes, in its order. */
  Set<String> weights() {
    return weights;
  }

  /** Returns the names of the packed matrices that the step takes, in its order. */
  Set<String> packed() {
    return packed;
  }

  /** Returns the names of the cache's arrays that the step takes, in its order. */
  Set<String> cache() {
    return cache;
  }

  /** Returns a module with the method {@code token}. */
  TorchScript module() {
    return MODULES.computeIfAbsent(source(), source -> new TorchScript("Decoder", source));
  }

  private String source() {
    List<String> body = new ArrayList<>();
    body.add("position, used = numbers[0], numbers[1]");
    body.add("tokens = numbers[2:]");
    body.add("alone = len(tokens) == 1 and not states[0].is_cuda");
    body.add(unpack(weights, "weights"));
    if (int8) {
      body.add(unpack(packed.stream().map(PACKED::concat).toList(), "packed"));
    }
    body.add(unpack(states, "states"));
    if (config.hasAttention()) {
      body.add(unpack(cache, "cache"));
      body.add("self.reveal(mask, position)");
    }
    body.addAll(lines);
    String matrices = int8 ? " packed: List[" + PackedMatrix.TYPE + "]," : "";
    return operations()
        + lenientFormat(SIGNATURE, matrices)
        + "\n    "
        + String.join("\n    ", body)
        + "\n";
  }

  private static String unpack(Collection<String> names, String list) {
    return names.stream().map(TokenScript::variable).collect(Collectors.joining(", "))
        + " = "
        + list;
  }

  private String operations() {
    String source = TorchScript.source(TokenScript.class, "step.py");
    if (int8) {
      source +=
          TorchScript.source(TokenScript.class, "step8.py")
              .replace("PACKED", PackedMatrix.TYPE)
              .replace("REDUCED", PackedMatrix.reducesRange() ? "True" : "False");
    }
    return source
        .replace("NORM_EPSILON", String.valueOf(Equations.NORM_EPSILON))
        .replace("GELU_SLOPE", String.valueOf(Equations.GELU_SLOPE));
  }

  private static String variable(String name) {
    return name.replace('.', '_');
  }

  private String weight(String name) {
    weights.add(name);
    return variable(name);
  }

  private String packed(String name) {
    packed.add(name);
    return variable(PACKED + name);
  }

  /** Adds a line for a matrix's product with rows, plus a bias. */
  private String product(String name, String x, String matrix, String bias) {
    return int8
        ? let(name, "linear8", x, packed(matrix), weight(bias))
        : let(name, "linear", x, weight(matrix), weight(bias), "alone");
  }

  private String cache(String name) {
    cache.add(name);
    return variable(name);
  }

  /** Adds a line that gives a new variable the value of a call. */
  private String let(String name, String method, String... arguments) {
    String variable = name + "_" + lines.size();
    lines.add(variable + " = " + call(method, arguments));
    return variable;
  }

  private static String call(String method, String... arguments) {
    return lenientFormat("self.%s(%s)", method, String.join(", ", arguments));
  }

  /**
   * Returns true if the first LSTM's gates come from a table. The table {@code (V, 4C)} is then no
   * larger than the matrix {@code (4C, C)} that it replaces.
   */
  private boolean looksUpGates() {
    return config.vocabularySize() <= config.embeddingSize();
  }

  @Override
  public String embed(String tokens) {
    return let("embed", "embed", weight(looksUpGates() ? FIRST_GATES : "encoder.weight"), tokens);
  }

  @Override
  public String block(int layer, String h) {
    return new BlockScript(layer).block(config, layer, h);
  }

  @Override
  public String logits(String h) {
    if (config.hasSplits()) {
      return h; // AdaptiveSoftmax takes it from here
    }
    String matrix = config.tiedOutput() ? "encoder.weight" : "decoder.weight";
    return product("logits", h, matrix, "decoder.bias") + ".to(6)";
  }

  /** One block's equations. */
  private final class BlockScript implements Equations.Block<String> {

    private static final String RESIDUAL = "%s";

    private final int layer;

    BlockScript(int layer) {
      this.layer = layer;
    }

    private String name(String part) {
      return "blocks." + layer + "." + part;
    }

    private String weight(String part) {
      return TokenScript.this.weight(name(part));
    }

    private String packed(String part) {
      return TokenScript.this.packed(name(part));
    }

    private boolean looksUpGates() {
      return layer == 0 && TokenScript.this.looksUpGates();
    }

    @Override
    public String norm(String name, String x) {
      return looksUpGates() && name.equals("lnstart")
          ? x
          : let(name, "norm", x, weight(name + ".weight"), weight(name + ".bias"));
    }

    @Override
    public String lstm(String x) {
      String gates =
          looksUpGates() ? x : product("gates", x, name("rnn.weight_ih_l0"), name(GATE_BIAS));
      String hidden = variable("hidden." + layer);
      String cell = variable("cell." + layer);
      states.addAll(List.of(hidden, cell));
      String recurrent = "rnn.weight_hh_l0";
      String call =
          int8
              ? call("lstm8", gates, hidden, cell, packed(recurrent))
              : call("lstm", gates, hidden, cell, weight(recurrent), "alone");
      List<String> next = List.of("next_" + hidden, "next_" + cell);
      nextStates.addAll(next);
      lines.add(lenientFormat("%s = %s", String.join(", ", next), call));
      return next.get(0);
    }

    @Override
    public String query(String h) {
      String projected = linear("attn.q", h);
      return let("query", "norm", projected, weight("attn.qln.weight"), weight("attn.qln.bias"));
    }

    @Override
    public String attend(String query, String m) {
      String keys = cache(KEYS + layer);
      String values =
          config.keyProjection() || config.valueProjection() ? cache(VALUES + layer) : keys;
      write(keys, config.keyProjection() ? linear("attn.k", m) : m);
      if (!values.equals(keys)) {
        write(values, config.valueProjection() ? linear("attn.v", m) : m);
      }
      String method = int8 ? "attend8" : "attend";
      return call(method, RESIDUAL, query, keys, values, weight("attn.vs"), MASK, "used");
    }

    private void write(String buffer, String value) {
      lines.add(lenientFormat("%s.select(1, position).copy_(%s)", buffer, value));
    }

    private String linear(String name, String x) {
      return product("linear", x, name(name + ".weight"), name(name + ".bias"));
    }

    @Override
    public String boom(String x) {
      if (int8) {
        return boom8(x);
      }
      String weight = weight("ff.linear1.weight");
      String bias = weight("ff.linear1.bias");
      return config.boomShortcut()
          ? call("boom", RESIDUAL, x, weight, bias, TokenScript.this.weight(ONES), "alone")
          : call("boom2", RESIDUAL, x, weight, bias, weight("ff.linear2.weight"), "alone");
    }

    private String boom8(String x) {
      String weight = packed("ff.linear1.weight");
      String bias = weight("ff.linear1.bias");
      return config.boomShortcut()
          ? call("boom8", RESIDUAL, x, weight, bias, TokenScript.this.weight(ONES))
          : call("boom28", RESIDUAL, x, weight, bias, packed("ff.linear2.weight"));
    }

    @Override
    public String add(String branch, String residual) {
      String variable = "h_" + lines.size();
      lines.add(variable + " = " + String.format(Locale.ROOT, branch, residual));
      return variable;
    }
  }
}
