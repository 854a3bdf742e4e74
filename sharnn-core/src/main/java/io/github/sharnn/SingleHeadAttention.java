package io.github.sharnn;

import static com.google.common.base.Preconditions.checkArgument;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDArrays;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.NDScope;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.AbstractBlock;
import ai.djl.nn.Activation;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.nn.core.Linear;
import ai.djl.nn.norm.LayerNorm;
import ai.djl.training.ParameterStore;
import ai.djl.training.initializer.Initializer;
import ai.djl.util.PairList;
import io.github.sharnn.engine.Constants;
import io.github.sharnn.engine.DropoutMask;
import io.github.sharnn.engine.Initializers;
import io.github.sharnn.engine.Inputs;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

/**
 * Causal attention with one head of the model's width and learned gates. By default it projects
 * only the queries:
 *
 * <pre>{@code
 * Q = sigmoid(qs) * LN_q(W_q q + b_q)
 * K = sigmoid(ks) * k
 * V = overparam(sigmoid(vs)) * v
 * A = softmax(Q K^T / sqrt(C) + causal mask)
 * output = A V
 * }</pre>
 *
 * <p>Dropout applies to Q, V and A. Options add a linear layer for keys and one for values, before
 * the gates. The mask lets query t see the {@code K - T} older keys and the segment's keys up to
 * position t. After {@link SHARNN#collapse}, {@code V = vs * v}.
 *
 * <p>Paper: arXiv:1911.11423 (single headed attention).
 *
 * <ul>
 *   <li>Inputs: {@code [x]} for attention of {@code (B, T, C)} to itself, or {@code [q, k, v]} with
 *       q {@code (B, T, C)}, k and v {@code (B, K, C)}, K &gt;= T, whose last T positions are the
 *       queries'
 *   <li>Output: {@code (B, T, C)}
 *   <li>Parameters: qs, ks, vs {@code (1, 1, C)} from 0; q (and k, v where projected) weight {@code
 *       (C, C)} from N(0, 0.1 / sqrt(C)) and bias {@code (C)} from 0; LN_q weight 1, bias 0; {@link
 *       Overparam}
 * </ul>
 */
public final class SingleHeadAttention extends AbstractBlock {

  final Parameter queryScale;
  final Parameter keyScale;
  final Parameter valueScale;
  final Linear query;
  final LayerNorm queryNorm;
  final Linear key; // null unless keys are projected
  final Linear value; // null unless values are projected
  final Overparam overparam; // null once collapsed
  private final int embeddingSize;
  private final float dropout;

  private SingleHeadAttention(SHARNNConfig config) {
    embeddingSize = config.embeddingSize();
    dropout = config.hiddenDropout();
    queryScale = addParameter(scale("qs"));
    keyScale = addParameter(scale("ks"));
    valueScale = addParameter(scale("vs"));
    query = addChildBlock("query", projection());
    queryNorm = addChildBlock("queryNorm", SHABlock.layerNorm());
    key = config.keyProjection() ? addChildBlock("key", projection()) : null;
    value = config.valueProjection() ? addChildBlock("value", projection()) : null;
    overparam = config.collapsed() ? null : addChildBlock("overparam", Overparam.of(embeddingSize));
  }

  /**
   * {@return the attention of a model's blocks, uninitialized}
   *
   * @param config gives {@code embeddingSize}, {@code hiddenDropout}, {@code keyProjection}, {@code
   *     valueProjection} and {@code collapsed}
   */
  public static SingleHeadAttention of(SHARNNConfig config) {
    return new SingleHeadAttention(config);
  }

  @Override
  protected NDList forwardInternal(
      ParameterStore parameterStore,
      NDList inputs,
      boolean training,
      PairList<String, Object> params) {
    checkArgument(
        inputs.size() == 1 || inputs.size() == 3,
        "SingleHeadAttention takes [x] or [query, key, value], but was given %s arrays",
        inputs.size());
    Inputs.checkActivations("SingleHeadAttention", inputs.getShapes(), embeddingSize);
    NDArray q = inputs.get(0);
    NDArray k = inputs.size() == 1 ? q : inputs.get(1);
    NDArray v = inputs.size() == 1 ? q : inputs.get(2);
    Inputs.checkKeys(q.getShape(), k.getShape(), v.getShape());
    NDArray gated = query(parameterStore, q, training);
    return new NDList(attend(parameterStore, gated, List.of(k), List.of(v), training));
  }

  /**
   * Computes {@code Q} of {@code (.., .., C)}, multiplied by the keys' gate and 1 / sqrt(C).
   * Scaling queries is cheaper than scaling keys, and {@code (a * k) . q = k . (a * q)}.
   */
  NDArray query(ParameterStore parameterStore, NDArray x, boolean training) {
    Device device = x.getDevice();
    NDArray scale = queryScale(parameterStore, x.getManager(), device, training);
    // PyTorch fuses the bias into the product only for matrices
    NDArray rows = x.reshape(-1, embeddingSize); // (B, T, C) -> (B*T, C)
    NDArray projected =
        query.forward(parameterStore, new NDList(rows), training).singletonOrThrow();
    Map<String, Parameter> norm = queryNorm.getDirectParameters().toMap();
    NDArray gamma = parameterStore.getValue(norm.get("gamma"), device, training);
    NDArray beta = parameterStore.getValue(norm.get("beta"), device, training);
    NDArray normed =
        LayerNorm.layerNorm(
                projected,
                new Shape(embeddingSize),
                scale.mul(gamma),
                scale.mul(beta),
                (float) Equations.NORM_EPSILON)
            .singletonOrThrow();
    return dropout(normed, training).reshape(x.getShape()); // (B*T, C) -> (B, T, C)
  }

  /**
   * Computes {@code A V} over keys and values in consecutive parts. The last part ends with the
   * queries' own positions. Remembered positions without a gradient form a part of their own, for
   * which backward computes no gradient. Keys and values, {@code (B, K_i, C)} each, are not yet
   * projected.
   */
  NDArray attend(
      ParameterStore parameterStore,
      NDArray q,
      List<NDArray> k,
      List<NDArray> v,
      boolean training) {
    NDArray vs = valueScale(parameterStore, q.getManager(), q.getDevice(), training);
    List<NDArray> keys = keys(parameterStore, k, training);
    List<NDArray> values = project(value, parameterStore, v, training);
    return context(q, keys, values, training).mul(vs);
  }

  /** Projects parts of the keys if they have a projection. */
  List<NDArray> keys(ParameterStore parameterStore, List<NDArray> parts, boolean training) {
    return project(key, parameterStore, parts, training);
  }

  private static List<NDArray> project(
      Linear linear, ParameterStore parameterStore, List<NDArray> parts, boolean training) {
    if (linear == null) {
      return parts;
    }
    return parts.stream()
        .map(part -> linear.forward(parameterStore, new NDList(part), training).singletonOrThrow())
        .toList();
  }

  /** {@code dropout(softmax(Q K^T + causal mask)) V}: {@code (B, T, C)}. */
  private NDArray context(NDArray q, List<NDArray> keys, List<NDArray> values, boolean training) {
    // frees arrays of K positions here, unless backward needs them, and not at the end of the batch
    try (NDScope scope = new NDScope()) {
      scope.suppressNotUsedWarning();
      NDList weights = dropout(weights(q, keys), training).split(ends(keys), 2); // -> (B, T, K_i)
      NDArray context = null;
      for (int i = 0; i < keys.size(); i++) {
        NDArray value = dropout(values.get(i), training);
        NDArray part = weights.get(i).batchMatMul(value); // (B, T, K_i) -> (B, T, C)
        context = context == null ? part : context.add(part);
      }
      NDScope.unregister(context);
      return context;
    }
  }

  /** {@code softmax(Q K^T + causal mask)} over keys in parts: {@code (B, T, K)}. */
  NDArray weights(NDArray q, List<NDArray> keys) {
    int last = keys.size() - 1;
    NDList scores = new NDList();
    for (int i = 0; i <= last; i++) {
      NDArray part = q.batchMatMul(keys.get(i).transpose(0, 2, 1)); // (B, T, C) -> (B, T, K_i)
      scores.add(i < last ? part : part.add(causalMask(part)));
    }
    return (last == 0 ? scores.head() : NDArrays.concat(scores, 2)).softmax(-1); // -> (B, T, K)
  }

  /** Returns the end positions of all parts but the last. */
  private static long[] ends(List<NDArray> parts) {
    long[] ends = parts.stream().limit(parts.size() - 1).mapToLong(part -> part.size(1)).toArray();
    Arrays.parallelPrefix(ends, Long::sum);
    return ends;
  }

  /**
   * {@return {@code sigmoid(qs) * sigmoid(ks) / sqrt(C)}: {@code (C)}}
   *
   * @param parameterStore the store of the weights
   * @param manager the manager that owns the result
   * @param device the device that computes
   * @param training whether gradients flow into the weights
   */
  public NDArray queryScale(
      ParameterStore parameterStore, NDManager manager, Device device, boolean training) {
    NDArray qs = sigmoid(parameterStore.getValue(queryScale, device, training), manager);
    NDArray ks = sigmoid(parameterStore.getValue(keyScale, device, training), manager);
    NDArray root = Constants.of((float) (1 / Math.sqrt(embeddingSize)), qs);
    return qs.mul(ks).mul(root).reshape(embeddingSize); // (1, 1, C) -> (C)
  }

  /**
   * {@return {@code overparam(sigmoid(vs))}, or {@code vs} itself once collapsed: {@code (1, 1,
   * C)}}
   *
   * @param parameterStore the store of the weights
   * @param manager the manager that owns the result, unless it is {@code vs} itself
   * @param device the device that computes
   * @param training whether gradients flow into the weights
   */
  public NDArray valueScale(
      ParameterStore parameterStore, NDManager manager, Device device, boolean training) {
    NDArray vs = parameterStore.getValue(valueScale, device, training);
    if (overparam == null) {
      return vs;
    }
    return overparam
        .forward(parameterStore, new NDList(sigmoid(vs, manager)), training)
        .singletonOrThrow();
  }

  private NDArray dropout(NDArray array, boolean training) {
    return DropoutMask.apply(array, dropout, training);
  }

  /** Computes a sigmoid for {@code manager}, because the parameter's manager outlives the batch. */
  private static NDArray sigmoid(NDArray parameter, NDManager manager) {
    NDArray gate = Activation.sigmoid(parameter);
    gate.attach(manager);
    return gate;
  }

  /** Returns the mask {@code (T, K)}: 0 if query t may see key j, minus infinity if j is later. */
  private static NDArray causalMask(NDArray scores) {
    NDManager manager = scores.getManager();
    int queries = Math.toIntExact(scores.size(1));
    int keys = Math.toIntExact(scores.size(2));
    NDArray position = manager.arange(keys - queries, keys).reshape(queries, 1);
    NDArray visible = manager.arange(keys).reshape(1, keys).lte(position); // (T, K)
    Shape shape = visible.getShape();
    return NDArrays.where(
        visible,
        manager.zeros(shape, scores.getDataType()),
        manager.full(shape, Float.NEGATIVE_INFINITY, scores.getDataType()));
  }

  @Override
  public Shape[] getOutputShapes(Shape[] inputShapes) {
    return new Shape[] {inputShapes[0]};
  }

  @Override
  protected void beforeInitialize(Shape... inputShapes) {
    super.beforeInitialize(inputShapes);
    Inputs.checkActivations("SingleHeadAttention", inputShapes, embeddingSize);
    for (Shape shape : inputShapes) {
      Inputs.checkActivations("SingleHeadAttention", new Shape[] {shape}, embeddingSize);
    }
  }

  @Override
  protected void initializeChildBlocks(NDManager manager, DataType dataType, Shape... inputShapes) {
    for (Block child : getChildren().values()) {
      child.initialize(manager, dataType, inputShapes[0]);
    }
  }

  private Linear projection() {
    Linear linear = Linear.builder().setUnits(embeddingSize).build();
    Initializers.linear(linear, embeddingSize);
    return linear;
  }

  private Parameter scale(String name) {
    return Initializers.parameter(
        name, Parameter.Type.OTHER, Initializer.ZEROS, 1, 1, embeddingSize);
  }
}
