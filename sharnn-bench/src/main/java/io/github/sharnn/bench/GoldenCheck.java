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
import io.github.sharnn.train.optim.Readback;
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
 * expected.safetensors}, or only {@code expected.safetensors} for a check of sampling.
 *
 * <p>The check first evaluates and compares outputs, losses and states. It then trains with {@link
 * Lamb} from the same weights, and compares gradients and the parameters after each step. It runs
 * the same code as {@link SHARNNTrainer}.
 *
 * <p>It computes in FLOAT32. On a GPU, PyTorch's LSTMs still round to TF32, and DJL can't turn that
 * off. Start Java with {@code NVIDIA_TF32_OVERRIDE=0} in its environment; otherwise, errors are
 * about 1e-3.
 */
public final class GoldenCheck {

  /** Relative error allowed for outputs, losses, states and sampling. */
  public static final double FORWARD_TOLERANCE = 1e-5;

  /** Relative error allowed for gradients and for parameters after the steps. */
  public static final double TRAINING_TOLERANCE = 1e-4;

  /** Factor of the tolerances on a GPU. */
  public static final double GPU_FACTOR = 10;

  private static final String EXPECTED = "expected.safetensors";
  private static final Pattern SAMPLING =
      Pattern.compile("(?:top_k_(\\d{1,9}))?_?(?:top_p_(\\d{1,9}))?");

  private final Path folder;
  private final GoldenReport.Builder report;
  private final NDManager manager; // owns the expected tensors
  private final Map<String, NDArray> expected;

  private GoldenCheck(Path folder, NDManager manager) throws IOException, MalformedModelException {
    this.folder = folder;
    this.manager = manager;
    report = new GoldenReport.Builder();
    expected = SafetensorsWeights.readTensors(manager, folder.resolve(EXPECTED));
  }

  /**
   * Runs all checks that the folder has numbers for.
   *
   * @param folder a folder of golden vectors
   * @param device the device to compute on; null for DJL's default
   * @return the errors of all compared tensors
   * @throws IllegalArgumentException if the folder has no golden vectors
   * @throws IllegalStateException if a training is running in this process
   * @throws IOException if a file is missing or can't be read
   * @throws MalformedModelException if a file is invalid or lacks a tensor
   */
  public static GoldenReport run(Path folder, @Nullable Device device)
      throws IOException, MalformedModelException {
    checkArgument(
        Files.isRegularFile(folder.resolve(EXPECTED)),
        "%s is not a folder of golden vectors: it has no expected.safetensors",
        folder);
    SoleTraining.begin("golden");
    try (NDManager manager = NDManager.newBaseManager(Devices.require(device))) {
      GoldenCheck check = new GoldenCheck(folder, manager);
      if (Files.exists(folder.resolve("config.json"))) {
        check.model();
      } else {
        check.sampling();
      }
      return check.report.build();
    } finally {
      SoleTraining.end();
    }
  }

  private void model() throws IOException, MalformedModelException {
    GoldenConfig config = GoldenConfig.read(folder);
    SHARNN block = SHARNN.of(config.model());
    try (Model model = block.newModel("golden", manager.getDevice())) {
      SafetensorsWeights.read(block, model.getNDManager(), folder.resolve("model.safetensors"));
      // checked before a state for so many streams is created
      config.checkTokens("eval.0.input", require("eval.0.input"));
      evaluate(block, config);
      train(model, config);
      collapse(block);
    }
  }

  private void evaluate(SHARNN block, GoldenConfig config) {
    try (NDManager scratch = manager.newSubManager()) {
      ParameterStore parameterStore = new ParameterStore(scratch, false);
      SHARNNState state = block.zeroState(scratch, config.batchSize());
      for (int segment = 0; segment < config.segments(); segment++) {
        String prefix = "eval." + segment + ".";
        Batch batch = batch(scratch, config, segment);
        NDArray tokens = batch.getData().head();
        SHARNN.Output output = block.forward(parameterStore, tokens, state, false);
        compare("output", prefix + "output", timeFirst(output.output()));
        compareLogits(prefix + "logits", timeFirst(output.logits()), config);
        compare("loss", prefix + "loss", loss(batch, output));
        if (block.config().hasSplits()) {
          NDList labels = batch.getLabels();
          SHARNN.Output own = block.forward(parameterStore, tokens, labels, state, false);
          compare("loss", prefix + "loss", loss(batch, own));
        }
        state = output.state();
        compareStates(prefix, state);
      }
    }
  }

  private static NDArray loss(Batch batch, SHARNN.Output output) {
    return new SequenceCrossEntropy().evaluate(batch.getLabels(), new NDList(output.logits()));
  }

  /**
   * Compares logits. With splits, the reference's logits come before any softmax, and ours are
   * log-probabilities. In each row, the two differ by one constant for the head and one for each
   * tail, so both are centred first. The check of the losses covers these constants.
   */
  private void compareLogits(String name, NDArray actual, GoldenConfig config) {
    long[] splits = config.model().splits().stream().mapToLong(Integer::longValue).toArray();
    if (splits.length == 0) {
      compare("output", name, actual);
      return;
    }
    NDArray logits = require(name);
    checkArgument(
        logits.getShape().equals(actual.getShape()),
        "%s must have the shape %s, but has %s",
        name,
        actual.getShape(),
        logits.getShape());
    compare("output", name, centred(actual, splits), centred(logits, splits));
  }

  private static NDArray centred(NDArray logits, long[] splits) {
    NDList parts = new NDList();
    for (NDArray part : logits.split(splits, 2)) { // (T, B, V) -> (T, B, size)
      parts.add(part.sub(part.mean(new int[] {2}, true)));
    }
    return NDArrays.concat(parts, 2);
  }

  private void compareStates(String prefix, SHARNNState state) {
    for (int layer = 0; layer < state.layers().size(); layer++) {
      SHARNNState.Layer actual = state.layers().get(layer);
      String hidden = prefix + "hidden." + layer;
      compare("state", hidden + ".h", actual.hidden().expandDims(0));
      compare("state", hidden + ".c", actual.cell().expandDims(0));
      if (actual.memory() != null) {
        NDArray positions = timeFirst(actual.memory().positions());
        compare("state", prefix + "memory." + layer, positions);
      }
    }
  }

  private void train(Model model, GoldenConfig config) {
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
      NDManager scratch = trainer.getManager();
      trainer.initialize(tokens);
      double clipNorm = config.optimizer().clipNorm();
      WeightUpdate update = new WeightUpdate(weights, trainer, lamb, null, clipNorm, 0);
      TrainingStep step = new TrainingStep(trainer);
      SHARNNState state = block.zeroState(scratch, config.batchSize());
      for (int segment = 0; segment < config.segments(); segment++) {
        String prefix = "train." + segment + ".";
        TrainingStep.Result result = step.run(batch(scratch, config, segment), state, 1);
        state = result.state();
        compare("loss", prefix + "loss", result.loss());
        names.forEach(
            (name, parameter) -> {
              try (NDArray gradient = parameter.getArray().getGradient()) {
                compare("gradient", prefix + "grad." + name, gradient);
              }
            });
        try (Readback readback = update.launch(new NDList(result.loss()), 1)) {
          NDArray norm = scratch.create(readback.await()[0]);
          compare("clipped norm", prefix + "grad_norm", norm);
        }
        update.complete();
        names.forEach(
            (name, parameter) ->
                compare("parameter", prefix + "param." + name, parameter.getArray()));
      }
    }
  }

  private void collapse(SHARNN block) {
    try (NDManager scratch = manager.newSubManager()) {
      Map<String, Parameter> names = SafetensorsWeights.names(block.collapse(scratch));
      for (int layer : block.config().attentionLayers()) {
        NDArray scale = names.get("blocks." + layer + ".attn.vs").getArray();
        compare("collapsed scale", "collapsed.vs." + layer, scale);
      }
    }
  }

  private void sampling() {
    NDArray logits = require("logits");
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
        Sampler sampler = new Sampler(1, topK, topP);
        double[][] probabilities = new double[(int) logits.size(0)][];
        for (int row = 0; row < probabilities.length; row++) {
          probabilities[row] = sampler.probabilities(logits.get(row).toFloatArray());
        }
        compare("sampling", name, manager.create(probabilities));
      }
    }
  }

  private Batch batch(NDManager scratch, GoldenConfig config, int segment) {
    NDArray tokens = tokens(scratch, config, "eval." + segment + ".input");
    NDArray labels = tokens(scratch, config, "eval." + segment + ".target");
    checkArgument(
        tokens.getShape().equals(labels.getShape()),
        "expected.safetensors has tokens of shape %s and targets of shape %s",
        tokens.getShape(),
        labels.getShape());
    return new Batch(
        scratch,
        new NDList(tokens),
        ClusterLabels.of(labels, config.model().splits()),
        (int) tokens.size(0),
        Batchifier.STACK,
        Batchifier.STACK,
        0,
        0);
  }

  /** Returns tokens {@code (B, T)}; the file stores them time-first, {@code (T, B)}. */
  private NDArray tokens(NDManager scratch, GoldenConfig config, String name) {
    NDArray stored = require(name);
    config.checkTokens(name, stored);
    NDArray tokens = stored.transpose(); // -> (B, T)
    tokens.attach(scratch);
    return tokens;
  }

  private static NDArray timeFirst(NDArray batchFirst) {
    return batchFirst.swapAxes(0, 1); // (B, T, ...) -> (T, B, ...)
  }

  private NDArray require(String name) {
    NDArray array = expected.get(name);
    checkArgument(array != null, "expected.safetensors has no tensor %s", name);
    return array;
  }

  private void compare(String kind, String name, NDArray actual) {
    compare(kind, name, actual, require(name));
  }

  private void compare(String kind, String name, NDArray actual, NDArray expected) {
    double tolerance = tolerance(kind, manager.getDevice());
    double error = relativeError(actual, expected);
    report.add(new GoldenReport.Measure(kind, name, error, tolerance));
  }

  static double tolerance(String kind, Device device) {
    boolean forward = List.of("output", "loss", "state", "sampling").contains(kind);
    double tolerance = forward ? FORWARD_TOLERANCE : TRAINING_TOLERANCE;
    return device.isGpu() ? GPU_FACTOR * tolerance : tolerance;
  }

  /** Returns {@code ||actual - expected|| / ||expected||}, or infinity for different sizes. */
  static double relativeError(NDArray actual, NDArray expected) {
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
