package io.github.sharnn;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.DataType;
import ai.djl.nn.Parameter;
import ai.djl.nn.core.Linear;
import ai.djl.nn.norm.LayerNorm;
import ai.djl.nn.recurrent.LSTM;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

/**
 * The model as plain loops over one stream in double precision: an oracle that shares no array code
 * with the blocks and takes nothing from them but their weights. {@code x[t][c]} is a sequence of
 * vectors.
 */
final class NaiveSharnn {

  /** One stream's state of one layer. */
  record State(double[] hidden, double[] cell, double[][] memory) {

    static State zero(int size) {
      return new State(new double[size], new double[size], new double[0][]);
    }
  }

  /** The output of one layer. */
  record Output(double[][] h, State state) {}

  private NaiveSharnn() {}

  /** Runs all layers; replaces each layer's state in the list. Log-probabilities with splits. */
  static double[][] logits(SHARNN model, int[] tokens, List<State> states) {
    int size = model.config().embeddingSize();
    double[] table = values(model.embedding);
    double[][] h = new double[tokens.length][size];
    for (int t = 0; t < tokens.length; t++) {
      System.arraycopy(table, tokens[t] * size, h[t], 0, size);
    }
    for (int layer = 0; layer < model.blocks.size(); layer++) {
      Output output =
          block(model.blocks.get(layer), model.config().memoryLength(), h, states.get(layer));
      h = output.h();
      states.set(layer, output.state());
    }
    Map<String, Parameter> named = SafetensorsWeights.names(model);
    double[] weight = model.config().tiedOutput() ? table : values(named.get("decoder.weight"));
    double[][] logits = linear(weight, values(named.get("decoder.bias")), h);
    return model.config().hasSplits() ? logProbabilities(model, h, logits) : logits;
  }

  /** The log-probability of each token by the definition of the split softmax. */
  static double[][] logProbabilities(SHARNN model, double[][] h, double[][] logits) {
    List<Integer> splits = model.config().splits();
    int tails = splits.size();
    Map<String, Parameter> named = SafetensorsWeights.names(model);
    double[] tailVectors = values(named.get("criterion.tail_vectors"));
    double[][] tombstones = linear(tailVectors, values(named.get("criterion.tail_bias")), h);
    double[][] all = new double[logits.length][logits[0].length];
    for (int t = 0; t < all.length; t++) {
      double head = expSum(logits[t], 0, splits.get(0)) + expSum(tombstones[t], 0, tails);
      for (int token = 0; token < all[t].length; token++) {
        all[t][token] = logits[t][token] - Math.log(head);
        for (int tail = 1; tail <= tails; tail++) {
          int from = splits.get(tail - 1);
          int to = tail == tails ? all[t].length : splits.get(tail);
          if (token >= from && token < to) {
            double within = logits[t][token] - Math.log(expSum(logits[t], from, to));
            all[t][token] = within + tombstones[t][tails - tail] - Math.log(head);
          }
        }
      }
    }
    return all;
  }

  private static double expSum(double[] x, int from, int to) {
    return Arrays.stream(x, from, to).map(Math::exp).sum();
  }

  static Output block(SHABlock block, int memoryLength, double[][] x, State state) {
    double[] hidden = state.hidden().clone();
    double[] cell = state.cell().clone();
    double[][] h = lstm(block.lstm, norm(block.norms.get("lnstart"), x), hidden, cell);
    double[][] memory = state.memory();
    if (block.attention != null) {
      double[][] window = last(memory, memoryLength - x.length);
      double[][] keys = concat(window, norm(block.norms.get("lnmem"), h));
      double[][] queries = norm(block.norms.get("lnmid"), h);
      h = add(attention(block.attention, queries, keys, keys), queries);
      memory = last(keys, memoryLength);
    }
    h = add(boom(block.boom, norm(block.norms.get("lnxff"), h)), norm(block.norms.get("lnff"), h));
    return new Output(h, new State(hidden, cell, memory));
  }

  /** Gates in the order input, forget, cell, output; hidden and cell are updated in place. */
  static double[][] lstm(LSTM lstm, double[][] x, double[] hidden, double[] cell) {
    double[] wx = values(lstm.getDirectParameters().get("l_0_i2h_WEIGHT"));
    double[] bx = values(lstm.getDirectParameters().get("l_0_i2h_BIAS"));
    double[] wh = values(lstm.getDirectParameters().get("l_0_h2h_WEIGHT"));
    double[] bh = values(lstm.getDirectParameters().get("l_0_h2h_BIAS"));
    int size = hidden.length;
    double[][] outputs = new double[x.length][];
    for (int t = 0; t < x.length; t++) {
      double[] a = linear(wx, bx, x[t]);
      double[] b = linear(wh, bh, hidden);
      for (int c = 0; c < size; c++) {
        double input = sigmoid(a[c] + b[c]);
        double forget = sigmoid(a[size + c] + b[size + c]);
        double candidate = Math.tanh(a[2 * size + c] + b[2 * size + c]);
        double output = sigmoid(a[3 * size + c] + b[3 * size + c]);
        cell[c] = forget * cell[c] + input * candidate;
        hidden[c] = output * Math.tanh(cell[c]);
      }
      outputs[t] = hidden.clone();
    }
    return outputs;
  }

  static double[][] attention(
      SingleHeadAttention attention, double[][] q, double[][] k, double[][] v) {
    int size = q[0].length;
    double[] vs = values(attention.valueScale);
    if (attention.overparam != null) {
      double[] gate = new double[size];
      for (int c = 0; c < size; c++) {
        gate[c] = sigmoid(vs[c]);
      }
      vs = overparam(attention.overparam, gate);
    }
    double[][] weights = weights(attention, q, k);
    double[][] values = attention.value == null ? v : linear(attention.value, v);
    double[][] outputs = new double[q.length][size];
    for (int t = 0; t < q.length; t++) {
      for (int j = 0; j < weights[t].length; j++) {
        for (int c = 0; c < size; c++) {
          outputs[t][c] += weights[t][j] * vs[c] * values[j][c];
        }
      }
    }
    return outputs;
  }

  /** Returns the weight of each query for the keys up to its own. */
  static double[][] weights(SingleHeadAttention attention, double[][] q, double[][] k) {
    int size = q[0].length;
    double[] qs = values(attention.queryScale);
    double[] ks = values(attention.keyScale);
    double[][] queries = norm(attention.queryNorm, linear(attention.query, q));
    double[][] keys = attention.key == null ? k : linear(attention.key, k);
    double[][] weights = new double[q.length][];
    for (int t = 0; t < q.length; t++) {
      weights[t] = new double[k.length - q.length + t + 1];
      double sum = 0;
      for (int j = 0; j < weights[t].length; j++) {
        double score = 0;
        for (int c = 0; c < size; c++) {
          score += sigmoid(qs[c]) * queries[t][c] * sigmoid(ks[c]) * keys[j][c];
        }
        weights[t][j] = Math.exp(score / Math.sqrt(size));
        sum += weights[t][j];
      }
      for (int j = 0; j < weights[t].length; j++) {
        weights[t][j] /= sum;
      }
    }
    return weights;
  }

  static double[] overparam(Overparam overparam, double[] x) {
    double[] cf = linear(overparam.linear, new double[][] {x})[0];
    double[] y = new double[x.length];
    for (int c = 0; c < x.length; c++) {
      y[c] = sigmoid(cf[x.length + c]) * Math.tanh(cf[c]);
    }
    return y;
  }

  static double[][] boom(Boom boom, double[][] x) {
    double[][] u = linear(boom.linear1, x);
    for (double[] row : u) {
      for (int i = 0; i < row.length; i++) {
        row[i] *= sigmoid(1.702 * row[i]);
      }
    }
    if (boom.linear2 != null) {
      return linear(boom.linear2, u);
    }
    double[][] y = new double[x.length][x[0].length];
    for (int t = 0; t < x.length; t++) {
      for (int i = 0; i < u[t].length; i++) {
        y[t][i % y[t].length] += u[t][i];
      }
    }
    return y;
  }

  static double[][] norm(LayerNorm norm, double[][] x) {
    double[] gamma = values(norm.getDirectParameters().get("gamma"));
    double[] beta = values(norm.getDirectParameters().get("beta"));
    double[][] y = new double[x.length][x[0].length];
    for (int t = 0; t < x.length; t++) {
      double mean = 0;
      for (double value : x[t]) {
        mean += value / x[t].length;
      }
      double variance = 0;
      for (double value : x[t]) {
        variance += (value - mean) * (value - mean) / x[t].length;
      }
      for (int c = 0; c < y[t].length; c++) {
        y[t][c] = (x[t][c] - mean) / Math.sqrt(variance + 1e-12) * gamma[c] + beta[c];
      }
    }
    return y;
  }

  private static double[][] linear(Linear linear, double[][] x) {
    return linear(
        values(linear.getDirectParameters().get("weight")),
        values(linear.getDirectParameters().get("bias")),
        x);
  }

  private static double[][] linear(double[] weight, double[] bias, double[][] x) {
    double[][] y = new double[x.length][];
    for (int t = 0; t < x.length; t++) {
      y[t] = linear(weight, bias, x[t]);
    }
    return y;
  }

  private static double[] linear(double[] weight, double[] bias, double[] x) {
    double[] y = bias.clone();
    for (int o = 0; o < y.length; o++) {
      for (int i = 0; i < x.length; i++) {
        y[o] += weight[o * x.length + i] * x[i];
      }
    }
    return y;
  }

  private static double[][] add(double[][] a, double[][] b) {
    double[][] sum = new double[a.length][a[0].length];
    for (int t = 0; t < a.length; t++) {
      for (int c = 0; c < a[t].length; c++) {
        sum[t][c] = a[t][c] + b[t][c];
      }
    }
    return sum;
  }

  private static double[][] concat(double[][] a, double[][] b) {
    List<double[]> rows = new ArrayList<>(List.of(a));
    rows.addAll(List.of(b));
    return rows.toArray(double[][]::new);
  }

  private static double[][] last(double[][] rows, int count) {
    int from = Math.max(0, rows.length - Math.max(0, count));
    return List.of(rows).subList(from, rows.length).toArray(double[][]::new);
  }

  private static double sigmoid(double x) {
    return 1 / (1 + Math.exp(-x));
  }

  static double[] values(Parameter parameter) {
    return values(parameter.getArray());
  }

  static double[] values(NDArray array) {
    try (NDArray copy = array.toType(DataType.FLOAT64, true)) {
      return copy.toDoubleArray();
    }
  }

  /** Splits {@code (B, T, C)} into streams of vectors. */
  static double[][][] streams(NDArray array) {
    double[] flat = values(array);
    int time = (int) array.size(1);
    int size = (int) array.size(2);
    double[][][] streams = new double[(int) array.size(0)][time][size];
    for (int i = 0; i < flat.length; i++) {
      streams[i / (time * size)][i / size % time][i % size] = flat[i];
    }
    return streams;
  }
}
