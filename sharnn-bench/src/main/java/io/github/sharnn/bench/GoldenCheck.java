package io.github.sharnn.bench;

import static com.google.common.base.Preconditions.checkArgument;

import ai.djl.Device;
import ai.djl.MalformedModelException;
import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDArrays;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.training.DefaultTrainingConfig;
import ai.djl.training.ParameterStore;
import ai.djl.training.Trainer;
import ai.djl.training.dataset.Batch;
import ai.djl.translate.Batchifier;
import io.github.sharnn.SHARNN;
import io.github.sharnn.SHARNNState;
import io.github.sharnn.SafetensorsWeights;
import io.github.sharnn.engine.Devices;
import io.github.sharnn.generate.Sampler;
import io.github.sharnn.softmax.ClusterLabels;
import io.github.sharnn.train.SHARNNTrainer;
import io.github.sharnn.train.optim.Lamb;
import io.github.sharnn.train.optim.MixedPrecisionWeights;
import io.github.sharnn.train.optim.WeightUpdate;
import io.github.sharnn.train.step.SequenceCrossEntropy;
import io.github.sharnn.train.step.SoleTraining;
import io.github.sharnn.train.step.TrainingStep;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * A check of this installation against golden vectors: numbers that the reference implementation
 * computed in float64. A folder holds {@code config.json}, {@code model.safetensors} and {@code
 * expected.safetensors}, or only the last one for sampling.
 *
 * <p>The check first evaluates (outputs, losses, states), then trains with {@link Lamb} from the
 * same weights (gradients, parameters after each step). It runs the same code as {@link
 * SHARNNTrainer}.
 *
 * <p>It computes in FLOAT32. On a GPU, PyTorch's LSTMs still round to TF32, and DJL can't turn that
 * off: start Java with {@code NVIDIA_TF32_OVERRIDE=0} in its environment, or errors are about 1e-3.
 */
public final class GoldenCheck {

  /** Relative error allowed for outputs, losses, states and sampling. */
  public static final double FORWARD_TOLERANCE = 1e-5;

  /** Relative error allowed for gradients and for parameters after the steps. */
  public static final double TRAINING_TOLERANCE = 1e-4;

  /** Factor of the tolerances on a GPU. */
  public static final double GPU_FACTOR = 10;

  private static final Pattern SAMPLING =
      Pattern.compile("(?:top_k_(\\d{1,9}))?_?(?:top_p_(\\d{1,9}))?");

  private final Path folder;
  private final Device device;
  private final GoldenReport.Builder report;

  private GoldenCheck(Path folder, Device device) {
    this.folder = folder;
    this.device = device;
    this.report = new GoldenReport.Builder(folder);
  }

  /** Runs all checks that the folder has numbers for, on a device or, if null, on DJL's default. */
  public static GoldenReport run(Path folder, @Nullable Device device)
      throws IOException, MalformedModelException {
    checkArgument(
        Files.isRegularFile(folder.resolve("expected.safetensors")),
        "%s is not a folder of golden vectors: it has no expected.safetensors",
        folder);
    GoldenCheck check = new GoldenCheck(folder, Devices.require(device));
    SoleTraining.begin("golden");
    try {
      if (Files.exists(folder.resolve("config.json"))) {
        check.model();
      } else {
        check.sampling();
      }
    } finally {
      SoleTraining.end();
    }
    return check.report.build();
  }

  private void model() throws IOException, MalformedModelException {
    GoldenConfig config = GoldenConfig.read(folder);
    SHARNN block = SHARNN.of(config.model());
    try (Model model = block.newModel("golden", device)) {
      NDManager manager = model.getNDManager();
      SafetensorsWeights.read(block, manager, folder.resolve("model.safetensors"));
      Map<String, NDArray> expected =
          SafetensorsWeights.readTensors(manager, folder.resolve("expected.safetensors"));
      // before the state of that many streams is created
      config.checkTokens("eval.0.input", require("eval.0.input", expected));
      evaluate(block, manager, config, expected);
      train(model, config, expected);
      collapse(block, manager, expected);
    }
  }

  private void evaluate(
      SHARNN block, NDManager parent, GoldenConfig config, Map<String, NDArray> expected) {
    try (NDManager manager = parent.newSubManager()) {
      ParameterStore parameterStore = new ParameterStore(manager, false);
      SHARNNState state = block.zeroState(manager, config.batchSize());
      for (int segment = 0; segment < config.segments(); segment++) {
        String prefix = "eval." + segment + ".";
        Batch batch = batch(manager, config, expected, segment);
        NDArray tokens = batch.getData().head();
        SHARNN.Output output = block.forward(parameterStore, tokens, state, false);
        compare("output", prefix + "output", timeFirst(output.output()), expected);
        compareLogits(prefix + "logits", timeFirst(output.logits()), config, expected);
        compare("loss", prefix + "loss", loss(batch, output), expected);
        if (block.config().hasSplits()) {
          NDList labels = batch.getLabels();
          SHARNN.Output own = block.forward(parameterStore, tokens, labels, state, false);
          compare("loss", prefix + "loss", loss(batch, own), expected);
        }
        state = output.state();
        compareStates(prefix, state, expected);
      }
    }
  }

  private static NDArray loss(Batch batch, SHARNN.Output output) {
    return new SequenceCrossEntropy().evaluate(batch.getLabels(), new NDList(output.logits()));
  }

  /**
   * Compares logits. With splits, the reference has the logits before any softmax, and ours are
   * log-probabilities: they differ by one number for the head and each tail of a row, so both are
   * centred. The losses depend on these numbers.
   */
  private void compareLogits(
      String name, NDArray actual, GoldenConfig config, Map<String, NDArray> expected) {
    long[] splits = config.model().splits().stream().mapToLong(Integer::longValue).toArray();
    if (splits.length == 0) {
      compare("output", name, actual, expected);
      return;
    }
    NDArray logits = require(name, expected);
    checkArgument(
        logits.getShape().equals(actual.getShape()),
        "%s must have the shape %s, but has %s",
        name,
        actual.getShape(),
        logits.getShape());
    compare("output", name, centred(actual, splits), Map.of(name, centred(logits, splits)));
  }

  private static NDArray centred(NDArray logits, long[] splits) {
    NDList parts = new NDList();
    for (NDArray part : logits.split(splits, 2)) { // (T, B, V) -> (T, B, size)
      parts.add(part.sub(part.mean(new int[] {2}, true)));
    }
    return NDArrays.concat(parts, 2);
  }

  private void compareStates(String prefix, SHARNNState state, Map<String, NDArray> expected) {
    for (int layer = 0; layer < state.layers().size(); layer++) {
      SHARNNState.Layer actual = state.layers().get(layer);
      String hidden = prefix + "hidden." + layer;
      compare("state", hidden + ".h", actual.hidden().expandDims(0), expected);
      compare("state", hidden + ".c", actual.cell().expandDims(0), expected);
      if (actual.memory() != null) {
        NDArray positions = timeFirst(actual.memory().positions());
        compare("state", prefix + "memory." + layer, positions, expected);
      }
    }
  }

  private void train(Model model, GoldenConfig config, Map<String, NDArray> expected) {
    SHARNN block = SHARNN.of(model);
    Map<String, Parameter> names = SafetensorsWeights.names(block);
    Lamb lamb = config.optimizer().lamb();
    DefaultTrainingConfig training =
        new DefaultTrainingConfig(new SequenceCrossEntropy())
            .optDevices(new Device[] {model.getNDManager().getDevice()})
            .optOptimizer(lamb);
    Shape tokens = new Shape(config.batchSize(), 1);
    try (lamb;
        MixedPrecisionWeights weights = MixedPrecisionWeights.of(model, DataType.FLOAT32, tokens);
        Trainer trainer = weights.model().newTrainer(training)) {
      NDManager manager = trainer.getManager();
      trainer.initialize(tokens);
      double clipNorm = config.optimizer().clipNorm();
      WeightUpdate update = new WeightUpdate(weights, trainer, lamb, null, clipNorm, 0);
      TrainingStep step = new TrainingStep(trainer);
      SHARNNState state = block.zeroState(manager, config.batchSize());
      for (int segment = 0; segment < config.segments(); segment++) {
        String prefix = "train." + segment + ".";
        TrainingStep.Result result = step.run(batch(manager, config, expected, segment), state, 1);
        state = result.state();
        compare("loss", prefix + "loss", result.loss(), expected);
        names.forEach(
            (name, parameter) -> {
              try (NDArray gradient = parameter.getArray().getGradient()) {
                compare("gradient", prefix + "grad." + name, gradient, expected);
              }
            });
        NDArray norm = update.begin(new NDList(result.loss()), 1);
        compare("clipped norm", prefix + "grad_norm", norm, expected);
        update.apply();
        names.forEach(
            (name, parameter) ->
                compare("parameter", prefix + "param." + name, parameter.getArray(), expected));
      }
    }
  }

  private void collapse(SHARNN block, NDManager parent, Map<String, NDArray> expected) {
    try (NDManager manager = parent.newSubManager()) {
      Map<String, Parameter> names = SafetensorsWeights.names(block.collapse(manager));
      for (int layer : block.config().attentionLayers()) {
        NDArray scale = names.get("blocks." + layer + ".attn.vs").getArray();
        compare("collapsed scale", "collapsed.vs." + layer, scale, expected);
      }
    }
  }

  private void sampling() throws IOException, MalformedModelException {
    try (NDManager manager = NDManager.newBaseManager(device)) {
      Map<String, NDArray> expected =
          SafetensorsWeights.readTensors(manager, folder.resolve("expected.safetensors"));
      NDArray logits = require("logits", expected);
      checkArgument(
          logits.getShape().dimension() == 2 && logits.getDataType() == DataType.FLOAT32,
          "logits in expected.safetensors must be a matrix of FLOAT32, but are %s of %s",
          logits.getShape(),
          logits.getDataType());
      for (String name : expected.keySet()) {
        Matcher matcher = SAMPLING.matcher(name);
        if (matcher.matches()) {
          int topK = matcher.group(1) == null ? 0 : Integer.parseInt(matcher.group(1));
          float topP = matcher.group(2) == null ? 1 : Integer.parseInt(matcher.group(2)) / 100f;
          NDArray probabilities = filter(logits, new Sampler(1, topK, topP), manager);
          compare("sampling", name, probabilities, expected);
        }
      }
    }
  }

  private static NDArray filter(NDArray logits, Sampler sampler, NDManager manager) {
    int rows = (int) logits.size(0);
    double[][] probabilities = new double[rows][];
    for (int row = 0; row < rows; row++) {
      probabilities[row] = sampler.probabilities(logits.get(row).toFloatArray());
    }
    return manager.create(probabilities);
  }

  private static Batch batch(
      NDManager manager, GoldenConfig config, Map<String, NDArray> expected, int segment) {
    NDArray tokens = tokens(manager, config, "eval." + segment + ".input", expected);
    NDArray labels = tokens(manager, config, "eval." + segment + ".target", expected);
    checkArgument(
        tokens.getShape().equals(labels.getShape()),
        "expected.safetensors has tokens of shape %s and targets of shape %s",
        tokens.getShape(),
        labels.getShape());
    return new Batch(
        manager,
        new NDList(tokens),
        ClusterLabels.of(labels, config.model().splits()),
        (int) tokens.size(0),
        Batchifier.STACK,
        Batchifier.STACK,
        0,
        0);
  }

  /** Returns tokens {@code (B, T)}; the file stores them time-first, {@code (T, B)}. */
  private static NDArray tokens(
      NDManager manager, GoldenConfig config, String name, Map<String, NDArray> expected) {
    NDArray stored = require(name, expected);
    config.checkTokens(name, stored);
    NDArray tokens = stored.transpose(); // -> (B, T)
    tokens.attach(manager);
    return tokens;
  }

  private static NDArray timeFirst(NDArray batchFirst) {
    return batchFirst.swapAxes(0, 1); // (B, T, ...) -> (T, B, ...)
  }

  private static NDArray require(String name, Map<String, NDArray> expected) {
    NDArray array = expected.get(name);
    checkArgument(array != null, "expected.safetensors has no tensor %s", name);
    return array;
  }

  private void compare(
      String kind, String name, NDArray actual, Map<String, NDArray> expectedTensors) {
    double error = relativeError(actual, require(name, expectedTensors));
    report.add(new GoldenReport.Measure(kind, name, error, tolerance(kind, device)));
  }

  static double tolerance(String kind, Device device) {
    boolean forward = List.of("output", "loss", "state", "sampling").contains(kind);
    double tolerance = forward ? FORWARD_TOLERANCE : TRAINING_TOLERANCE;
    return device.isGpu() ? GPU_FACTOR * tolerance : tolerance;
  }

  /**
   * Returns {@code ||actual - expected|| / ||expected||} in double precision, or infinity for
   * different sizes.
   */
  private static double relativeError(NDArray actual, NDArray expected) {
    if (actual.size() != expected.size()) {
      return Double.POSITIVE_INFINITY;
    }
    double[] a = doubles(actual);
    double[] e = doubles(expected);
    double difference = 0;
    double norm = 0;
    for (int i = 0; i < a.length; i++) {
      difference += (a[i] - e[i]) * (a[i] - e[i]);
      norm += e[i] * e[i];
    }
    return norm == 0 ? Math.sqrt(difference) : Math.sqrt(difference / norm);
  }

  private static double[] doubles(NDArray array) {
    try (NDArray converted = array.toType(DataType.FLOAT64, true)) {
      return converted.toDoubleArray();
    }
  }
}
