package io.github.sharnn.train.optim;

import static com.google.common.base.Preconditions.checkArgument;
import static java.util.Objects.requireNonNullElse;

import ai.djl.Device;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import com.google.common.primitives.Floats;
import io.github.sharnn.Weight;
import io.github.sharnn.engine.Operators;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Muon for hidden matrices, and {@link AdamW}'s step for all other parameters. Muon replaces the
 * direction of each matrix by the nearest matrix with orthogonal rows or columns, so that every
 * singular direction moves equally far.
 *
 * <pre>{@code
 * s = momentum s + g;   u = g + momentum s
 * X = u / (||u|| + 1e-7 / (1 - momentum)), for each block of u
 * each iteration: A = X X^T;  X = a X + (b A + c A A) X
 * p = p - learningRate * (0.2 sqrt(max(rows, columns)) X + weightDecay * p)
 * }</pre>
 *
 * <p>A block is a square part of a matrix whose longer side is a multiple of the shorter one, such
 * as a gate of an LSTM or a chunk of Boom. Any other matrix is a block as it is; {@code rows} and
 * {@code columns} are the block's. The factor 0.2 sqrt(max(rows, columns)) gives the step about the
 * size of Adam's, so both can share a learning rate. All blocks of one shape go through the same
 * matrix products, in FLOAT16 on a GPU and FLOAT32 on a CPU.
 *
 * <p>Only hidden matrices decay. Cautious decay spares the entries where {@code p} and {@code X}
 * have different signs.
 *
 * <p>Sources: Keller Jordan, "Muon: An optimizer for hidden layers in neural networks", <a
 * href="https://kellerjordan.github.io/posts/muon/">kellerjordan.github.io/posts/muon</a>, 2024,
 * for the iteration and its coefficients; Liu et al., "Muon is Scalable for LLM Training", <a
 * href="https://arxiv.org/abs/2502.16982">arXiv:2502.16982</a>, for the factor and the decay; Chen
 * et al., "Cautious Weight Decay", <a href="https://arxiv.org/abs/2510.12402">arXiv:2510.12402</a>.
 */
public final class Muon extends GroupedOptimizer {

  static final String MOMENTUM = "momentum.";
  static final int ITERATIONS = 5;
  private static final int MOST_ITERATIONS = 100; // many more than converge
  private static final float RELATIVE_SIZE = 0.2f; // of a step, as Adam's: arXiv:2502.16982
  private static final float[] COEFFICIENTS = {3.4445f, -4.7750f, 2.0315f};
  private static final Map<DataType, Integer> TORCH_TYPES =
      Map.of(DataType.FLOAT16, 5, DataType.FLOAT32, 6, DataType.BFLOAT16, 15);

  private final float momentum;
  private final float[] coefficients; // three for each iteration
  private final @Nullable DataType productType; // null: by device
  private final OptimizerArrays sums = keep(MOMENTUM);

  private Muon(Builder builder) {
    super(builder);
    momentum = builder.momentum;
    checkShare("momentum", momentum);
    coefficients = builder.coefficients;
    productType = builder.productType;
    checkArgument(
        productType == null || TORCH_TYPES.containsKey(productType),
        "productType must be FLOAT16, BFLOAT16 or FLOAT32, but is %s",
        productType);
  }

  /** {@return a builder with momentum 0.95, five iterations and weight decay 0.1} */
  public static Builder builder() {
    return new Builder();
  }

  static void checkIterations(int count) {
    checkArgument(
        count >= 1 && count <= MOST_ITERATIONS,
        "iterations must be from 1 to %s, but are %s",
        MOST_ITERATIONS,
        count);
  }

  @Override
  public OptimizerSettings settings() {
    return settings(OptimizerSettings.Type.MUON).iterations(coefficients.length / 3);
  }

  @Override
  List<String> prefixes(String id, Shape shape) {
    return group(id, shape) == Weight.Group.MATRIX ? List.of(MOMENTUM) : super.prefixes(id, shape);
  }

  @Override
  void launch(Weight.Group group, Step step) {
    if (group != Weight.Group.MATRIX) {
      adamW(group, step);
      return;
    }
    Map<Shape, List<Integer>> places = new LinkedHashMap<>();
    for (int i = 0; i < step.ids().size(); i++) {
      Shape block = block(step.weights().get(i).getShape());
      places.computeIfAbsent(block, shape -> new ArrayList<>()).add(i);
    }
    places.forEach((block, some) -> launch(block, step.of(some)));
  }

  /** Returns the shape of the blocks of a matrix. */
  private static Shape block(Shape matrix) {
    long longer = Math.max(matrix.get(0), matrix.get(1));
    long shorter = Math.min(matrix.get(0), matrix.get(1));
    return longer % shorter == 0 ? new Shape(shorter, shorter) : matrix;
  }

  private void launch(Shape block, Step step) {
    NDList weights = step.weights();
    float size = RELATIVE_SIZE * (float) Math.sqrt(Math.max(block.get(0), block.get(1)));
    float[] options = {
      step.scale(),
      step.clipNorm(),
      rate(Weight.Group.MATRIX, step),
      getWeightDecay(),
      cautious(),
      momentum,
      size,
      block.get(0),
      block.get(1),
      TORCH_TYPES.get(productType(weights.get(0).getDevice()))
    };
    NDList sum = sums.get(step.ids(), weights, FusedOptimizer::zerosLike);
    Operators.get()
        .call(
            "muon",
            Floats.concat(options, coefficients),
            weights,
            step.gradients(),
            sum,
            step.measured())
        .close();
  }

  private DataType productType(Device device) {
    return requireNonNullElse(productType, device.isGpu() ? DataType.FLOAT16 : DataType.FLOAT32);
  }

  /** The options of {@link Muon}. */
  public static final class Builder extends GroupedOptimizer.Builder<Builder> {

    private float momentum = 0.95f;
    private float[] coefficients;
    private @Nullable DataType productType;

    private Builder() {
      super(OptimizerSettings.Type.MUON.weightDecay());
      optIterations(ITERATIONS);
    }

    /**
     * Sets the momentum of hidden matrices. Default 0.95.
     *
     * @param value in [0, 1)
     * @return this builder
     */
    public Builder optMomentum(float value) {
      momentum = value;
      return this;
    }

    /**
     * Sets the number of iterations, each with the coefficients 3.4445, -4.7750, 2.0315. Default 5.
     *
     * @param count from 1 to 100
     * @return this builder
     */
    public Builder optIterations(int count) {
      checkIterations(count);
      float[][] same = new float[count][];
      Arrays.fill(same, COEFFICIENTS);
      return optCoefficients(same);
    }

    /**
     * Sets the coefficients of each iteration, such as those of "The Polar Express" (<a
     * href="https://arxiv.org/abs/2505.16932">arXiv:2505.16932</a>).
     *
     * @param each a, b and c of each iteration
     * @return this builder
     * @throws IllegalArgumentException if there is no iteration, or one without three coefficients
     */
    public Builder optCoefficients(float[]... each) {
      checkArgument(
          each.length >= 1 && Arrays.stream(each).allMatch(abc -> abc.length == 3),
          "optCoefficients takes a, b and c of each iteration, at least one");
      coefficients = Floats.concat(each);
      return this;
    }

    /**
     * Sets the type that the iterations compute in. Default FLOAT16 on a GPU, FLOAT32 on a CPU.
     *
     * @param type FLOAT16, BFLOAT16 or FLOAT32
     * @return this builder
     */
    public Builder optProductType(DataType type) {
      productType = type;
      return this;
    }

    @Override
    protected Builder self() {
      return this;
    }

    /**
     * {@return the optimizer}
     *
     * @throws IllegalArgumentException if an option breaks its rule
     */
    public Muon build() {
      return new Muon(this);
    }
  }
}
