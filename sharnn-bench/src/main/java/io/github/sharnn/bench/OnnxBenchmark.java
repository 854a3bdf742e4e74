package io.github.sharnn.bench;

import ai.djl.Model;
import ai.onnxruntime.NodeInfo;
import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import ai.onnxruntime.TensorInfo;
import io.github.sharnn.SHARNN;
import io.github.sharnn.generate.Sampler;
import io.github.sharnn.onnx.OnnxExport;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.LongBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;

/** A benchmark of token generation with ONNX Runtime: one stream with a full memory, on the CPU. */
public final class OnnxBenchmark {

  private static final int WARM_UP = 20; // tokens

  private OnnxBenchmark() {}

  /**
   * Exports a model, generates with it and times the last {@code steps} tokens. INT8 and FLOAT32
   * take turns of 20 tokens.
   *
   * @param model an initialized model; the caller closes it
   * @param steps number of timed tokens, at least 1
   * @param int8 for each file to time, true for one in 8 bits
   * @return the times with a full memory, at position {@code memoryLength}, of each file
   * @throws IOException if a temporary file can't be written
   * @throws OrtException if ONNX Runtime rejects the exported model
   */
  public static List<GenerationBenchmark.Result> run(Model model, int steps, List<Boolean> int8)
      throws IOException, OrtException {
    int memoryLength = SHARNN.of(model).config().memoryLength();
    List<Text> texts = new ArrayList<>();
    try {
      for (boolean quantized : int8) {
        texts.add(text(model, quantized, new double[steps]));
      }
      for (int from = -WARM_UP; from < steps; from += GenerationBenchmark.TURN) {
        for (Text text : texts) {
          for (int i = from; i < Math.min(from + GenerationBenchmark.TURN, steps); i++) {
            text.next(i);
          }
        }
      }
      return texts.stream().map(text -> text.result(memoryLength)).toList();
    } finally {
      for (Text text : texts) {
        text.close();
      }
    }
  }

  private static Text text(Model model, boolean int8, double... times)
      throws IOException, OrtException {
    Path file = Files.createTempFile("sharnn-benchmark", ".onnx");
    try {
      if (int8) {
        OnnxExport.writeInt8(model, file);
      } else {
        OnnxExport.write(model, file);
      }
      return new Text(file, SHARNN.of(model).config().memoryLength(), times);
    } finally {
      Files.delete(file);
    }
  }

  /** A text that is being generated. */
  private static final class Text {

    private final OrtEnvironment environment = OrtEnvironment.getEnvironment();
    private final Sampler sampler = new Sampler();
    private final SplittableRandom random = new SplittableRandom(1);
    private final double[] times;
    private final long bytes;
    private final OrtSession session;
    private final Map<String, OnnxTensor> state = new HashMap<>();
    private final Map<String, Ring> memories = new HashMap<>();
    private long token;

    Text(Path file, int memoryLength, double... times) throws IOException, OrtException {
      this.times = times;
      bytes = Files.size(file);
      session = environment.createSession(file.toString());
      for (NodeInfo input : session.getInputInfo().values()) {
        long[] shape = ((TensorInfo) input.getInfo()).getShape();
        if (input.getName().startsWith("memory.")) { // (batch, positions, size)
          memories.put(input.getName(), new Ring(memoryLength, (int) shape[2]));
        } else if (!input.getName().equals("tokens")) { // (batch, size)
          float[][] zeros = new float[1][(int) shape[1]];
          state.put(input.getName(), OnnxTensor.createTensor(environment, zeros));
        }
      }
    }

    /** Generates a token; a time below 0 is not kept. */
    void next(int time) throws OrtException {
      long start = System.nanoTime();
      Map<String, OnnxTensor> inputs = new HashMap<>(state);
      LongBuffer tokens = LongBuffer.wrap(new long[] {token});
      inputs.put("tokens", OnnxTensor.createTensor(environment, tokens, new long[] {1, 1}));
      for (Map.Entry<String, Ring> memory : memories.entrySet()) {
        inputs.put(memory.getKey(), memory.getValue().tensor(environment));
      }
      OrtSession.Result result = session.run(inputs); // its tensors are closed one by one
      inputs.values().forEach(OnnxTensor::close);
      state.replaceAll((name, old) -> (OnnxTensor) result.get("next." + name).orElseThrow());
      for (Map.Entry<String, Ring> memory : memories.entrySet()) {
        try (OnnxTensor added = (OnnxTensor) result.get("added." + memory.getKey()).orElseThrow()) {
          memory.getValue().add(added.getFloatBuffer());
        }
      }
      try (OnnxTensor logits = (OnnxTensor) result.get("logits").orElseThrow()) {
        float[] row = new float[(int) logits.getInfo().getShape()[2]];
        logits.getFloatBuffer().get(row);
        token = sampler.sample(row, random);
      }
      if (time >= 0) {
        times[time] = (System.nanoTime() - start) / 1e6;
      }
    }

    GenerationBenchmark.Result result(int position) {
      return GenerationBenchmark.Result.of(1, position, times, bytes);
    }

    void close() throws OrtException {
      state.values().forEach(OnnxTensor::close);
      session.close();
    }
  }

  /** A full memory, which ONNX Runtime reads where it lies. A new position replaces the oldest. */
  private static final class Ring {

    private final int positions; // besides the token that is read
    private final int size;
    private final FloatBuffer values;
    private int oldest;

    Ring(int memoryLength, int size) {
      positions = Math.max(memoryLength - 1, 0);
      this.size = size;
      values =
          ByteBuffer.allocateDirect(
                  Math.multiplyExact(Float.BYTES, Math.multiplyExact(positions, size)))
              .order(ByteOrder.nativeOrder())
              .asFloatBuffer();
    }

    OnnxTensor tensor(OrtEnvironment environment) throws OrtException {
      return OnnxTensor.createTensor(environment, values, new long[] {1, positions, size});
    }

    void add(FloatBuffer row) {
      if (positions > 0) {
        values.put(oldest * size, row, 0, size);
        oldest = (oldest + 1) % positions;
      }
    }
  }
}
