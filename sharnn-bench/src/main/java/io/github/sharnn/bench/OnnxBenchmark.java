package io.github.sharnn.bench;

import ai.djl.Model;
import ai.onnxruntime.NodeInfo;
import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import ai.onnxruntime.TensorInfo;
import com.google.common.math.Quantiles;
import io.github.sharnn.SHARNN;
import io.github.sharnn.generate.Sampler;
import io.github.sharnn.onnx.OnnxExport;
import java.io.IOException;
import java.nio.FloatBuffer;
import java.nio.LongBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.SplittableRandom;

/** A benchmark of token generation with ONNX Runtime: one stream with a full memory, on the CPU. */
public final class OnnxBenchmark {

  private static final int WARM_UP = 20; // tokens

  private OnnxBenchmark() {}

  /**
   * Exports a model, generates with it and times the last {@code steps} tokens.
   *
   * @param model an initialized model; the caller closes it
   * @param steps number of timed tokens, at least 1
   * @return the times with a full memory, at position {@code memoryLength}
   * @throws IOException if the temporary file can't be written
   * @throws OrtException if ONNX Runtime rejects the exported model
   */
  public static GenerationBenchmark.Result run(Model model, int steps)
      throws IOException, OrtException {
    Path file = Files.createTempFile("sharnn-benchmark", ".onnx");
    try {
      OnnxExport.write(model, file);
      int memoryLength = SHARNN.of(model).config().memoryLength();
      double[] times = times(file, memoryLength, steps);
      return new GenerationBenchmark.Result(
          1,
          memoryLength,
          Quantiles.median().compute(times),
          1000 * steps / Arrays.stream(times).sum());
    } finally {
      Files.delete(file);
    }
  }

  private static double[] times(Path file, int memoryLength, int steps) throws OrtException {
    OrtEnvironment environment = OrtEnvironment.getEnvironment();
    Sampler sampler = new Sampler();
    SplittableRandom random = new SplittableRandom(1);
    double[] times = new double[steps];
    try (OrtSession session = environment.createSession(file.toString())) {
      Map<String, OnnxTensor> state = zeroState(environment, session, memoryLength);
      long token = 0;
      for (int i = -WARM_UP; i < steps; i++) {
        long start = System.nanoTime();
        Map<String, OnnxTensor> inputs = new HashMap<>(state);
        LongBuffer tokens = LongBuffer.wrap(new long[] {token});
        inputs.put("tokens", OnnxTensor.createTensor(environment, tokens, new long[] {1, 1}));
        OrtSession.Result result = session.run(inputs); // its tensors are closed one by one
        inputs.values().forEach(OnnxTensor::close);
        state.replaceAll((name, old) -> (OnnxTensor) result.get("next." + name).orElseThrow());
        try (OnnxTensor logits = (OnnxTensor) result.get("logits").orElseThrow()) {
          float[] row = new float[(int) logits.getInfo().getShape()[2]];
          logits.getFloatBuffer().get(row);
          token = sampler.sample(row, random);
        }
        if (i >= 0) {
          times[i] = (System.nanoTime() - start) / 1e6;
        }
      }
      state.values().forEach(OnnxTensor::close);
    }
    return times;
  }

  /** Returns zeros for one stream, with memories of their full length. */
  private static Map<String, OnnxTensor> zeroState(
      OrtEnvironment environment, OrtSession session, int memoryLength) throws OrtException {
    Map<String, OnnxTensor> state = new HashMap<>();
    for (NodeInfo input : session.getInputInfo().values()) {
      if (!input.getName().equals("tokens")) {
        long[] shape = ((TensorInfo) input.getInfo()).getShape().clone();
        shape[0] = 1;
        if (shape.length == 3) { // (batch, positions, size); else (batch, size)
          shape[1] = memoryLength;
        }
        int size = (int) Arrays.stream(shape).reduce(1, Math::multiplyExact);
        state.put(
            input.getName(),
            OnnxTensor.createTensor(environment, FloatBuffer.allocate(size), shape));
      }
    }
    return state;
  }
}
