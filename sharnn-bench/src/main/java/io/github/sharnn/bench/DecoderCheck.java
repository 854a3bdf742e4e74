package io.github.sharnn.bench;

import static com.google.common.base.Preconditions.checkArgument;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.ParameterStore;
import io.github.sharnn.SHARNN;
import io.github.sharnn.SHARNNConfig;
import io.github.sharnn.SHARNNState;
import io.github.sharnn.decode.SHARNNDecoder;
import io.github.sharnn.engine.Devices;
import io.github.sharnn.engine.kernels.Kernels;
import java.util.List;
import java.util.Random;

/**
 * A check of the CUDA kernel that computes a token: the same model, streams and tokens through the
 * kernel and through TorchScript, and through TorchScript in FLOAT64. Streams come and go, and the
 * memory wraps.
 *
 * @param embeddingSize the size C, a multiple of 128 up to 1,024
 * @param streams the largest number of streams
 * @param precision FLOAT16 or FLOAT32
 */
public record DecoderCheck(int embeddingSize, int streams, DataType precision) {

  /** Number of tokens of the first stream. */
  static final int STEPS = 70;

  private static final int MEMORY = 40; // wraps
  private static final int LATER = 12; // the last stream begins
  private static final int END = 55; // the first stream ends
  private static final int AGAIN = 60; // another one takes its place
  private static final double FLOAT32_TOLERANCE = 1e-5;

  /**
   * Checks the numbers.
   *
   * @param embeddingSize at least 1
   * @param streams at least 1
   * @param precision FLOAT16 or FLOAT32
   * @throws IllegalArgumentException if a number is below 1, or for another type
   */
  public DecoderCheck {
    checkArgument(embeddingSize >= 1, "embeddingSize must be at least 1, but is %s", embeddingSize);
    checkArgument(streams >= 1, "streams must be at least 1, but are %s", streams);
    checkArgument(
        precision == DataType.FLOAT16 || precision == DataType.FLOAT32,
        "precision must be FLOAT16 or FLOAT32, but is %s",
        precision);
  }

  /**
   * Runs the check.
   *
   * @param device a GPU
   * @return the differences of the logits from FLOAT64, of the token with the largest one compared
   *     with what is allowed: 2e-3 in FLOAT16, 1e-5 in FLOAT32, or 1.5 times that of TorchScript
   * @throws IllegalStateException if the kernel can't run on this device
   */
  public GoldenReport run(Device device) {
    return run(device, Kernels.Use.REQUIRED);
  }

  /** Checks the kernels of a setting. */
  GoldenReport run(Device device, Kernels.Use use) {
    SHARNNConfig config = KernelCheck.config(embeddingSize, MEMORY);
    try (NDManager manager = NDManager.newBaseManager(Devices.require(device))) {
      SHARNN model = SHARNN.of(config);
      model.initialize(manager, DataType.FLOAT32, new Shape(1, 1));
      KernelCheck.disturb(model, manager);
      List<SHARNNDecoder> decoders =
          List.of(
              SHARNNDecoder.of(model.kernels(use), manager, streams, precision),
              SHARNNDecoder.of(model.kernels(Kernels.Use.OFF), manager, streams, precision),
              SHARNNDecoder.of(model, manager, streams, DataType.FLOAT64));
      GoldenReport.Builder report = new GoldenReport.Builder();
      Random random = new Random(1);
      for (int step = 0; step < STEPS; step++) {
        changeStreams(step, model, manager, decoders);
        long[] tokens =
            random.longs(decoders.get(0).streams(), 0, config.vocabularySize()).toArray();
        List<float[][]> logits = decoders.stream().map(decoder -> decoder.next(tokens)).toList();
        double allowed =
            Math.max(
                precision == DataType.FLOAT16 ? KernelCheck.TOLERANCE : FLOAT32_TOLERANCE,
                KernelCheck.ROUNDING * relativeError(manager, logits.get(1), logits.get(2)));
        double error = relativeError(manager, logits.get(0), logits.get(2));
        report.add(new GoldenReport.Measure("logits", "token " + step, error, allowed));
      }
      decoders.forEach(SHARNNDecoder::close);
      return report.build();
    }
  }

  /** Adds or removes streams before a token. With one stream, it is the same to the end. */
  private void changeStreams(
      int step, SHARNN model, NDManager manager, List<SHARNNDecoder> decoders) {
    int added = 0;
    if (step == 0) {
      added = Math.max(streams - 1, 1);
    } else if (streams > 1 && (step == LATER || step == AGAIN)) {
      added = 1;
    }
    for (int i = 0; i < added; i++) {
      try (SHARNNState state = afterPrompt(step + i, model, manager)) {
        decoders.forEach(decoder -> decoder.add(state));
      }
    }
    if (streams > 1 && step == END) {
      decoders.forEach(decoder -> decoder.remove(0));
    }
  }

  private static SHARNNState afterPrompt(int length, SHARNN model, NDManager manager) {
    SHARNNState zero = model.zeroState(manager, 1);
    if (length == 0) {
      return zero;
    }
    long[] tokens = new Random(length).longs(length, 0, model.config().vocabularySize()).toArray();
    return model
        .forward(
            new ParameterStore(manager, false),
            manager.create(tokens, new Shape(1, length)),
            zero,
            false)
        .state();
  }

  private static double relativeError(NDManager manager, float[][] actual, float[][] expected) {
    try (NDArray a = manager.create(actual);
        NDArray e = manager.create(expected)) {
      return GoldenCheck.relativeError(a, e);
    }
  }
}
