package io.github.sharnn.onnx;

import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.onnxruntime.NodeInfo;
import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import ai.onnxruntime.TensorInfo;
import io.github.sharnn.AttentionMemory;
import io.github.sharnn.SHARNN;
import io.github.sharnn.SHARNNConfig;
import java.nio.FloatBuffer;
import java.nio.LongBuffer;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;

/** An exported model in ONNX Runtime, with the state that it carries. */
final class OrtModel implements AutoCloseable {

  /** One array. */
  record Values(float[] data, long... shape) {

    NDArray in(NDManager manager) {
      return manager.create(data, new Shape(shape));
    }
  }

  private final OrtEnvironment environment = OrtEnvironment.getEnvironment();
  private final OrtSession session;
  private final int memoryLength;

  /** The state before the next segment, by its inputs' names. */
  final Map<String, Values> state = new LinkedHashMap<>();

  OrtModel(Path file, int batch) throws OrtException {
    OrtSession.SessionOptions options = new OrtSession.SessionOptions();
    options.setIntraOpNumThreads(1);
    session = environment.createSession(file.toString(), options);
    memoryLength = SHARNNConfig.fromJson(metadata().get(SHARNN.CONFIG_PROPERTY)).memoryLength();
    for (NodeInfo input : session.getInputInfo().values()) {
      if (!input.getName().equals("tokens")) {
        long[] shape = ((TensorInfo) input.getInfo()).getShape().clone();
        shape[0] = batch;
        shape[1] = Math.max(shape[1], 0); // a memory's length varies
        int size = (int) Arrays.stream(shape).reduce(1, (a, b) -> a * b);
        state.put(input.getName(), new Values(new float[size], shape));
      }
    }
  }

  /** Writes a model into a folder and reads it back. */
  static OrtModel export(Model model, Path folder, int batch) throws Exception {
    Path file = folder.resolve("export.onnx");
    OnnxExport.write(model, file);
    return new OrtModel(file, batch);
  }

  /** Runs a segment (B, T) and keeps its state. */
  NDArray logits(NDArray tokens) throws OrtException {
    long[] values = tokens.toType(DataType.INT64, false).toLongArray();
    return logits(values, tokens.size(0)).in(tokens.getManager());
  }

  /** Runs a segment and keeps its state. */
  Values logits(long[] tokens, long batch) throws OrtException {
    Map<String, OnnxTensor> inputs = new HashMap<>();
    try {
      inputs.put(
          "tokens",
          OnnxTensor.createTensor(
              environment, LongBuffer.wrap(tokens), new long[] {batch, tokens.length / batch}));
      for (var entry : state.entrySet()) {
        Values values = entry.getValue();
        FloatBuffer buffer = FloatBuffer.wrap(values.data());
        inputs.put(entry.getKey(), OnnxTensor.createTensor(environment, buffer, values.shape()));
      }
      try (OrtSession.Result result = session.run(inputs)) {
        for (String name : state.keySet()) {
          state.put(
              name,
              name.startsWith("memory.")
                  ? appended(state.get(name), values(result, "added." + name))
                  : values(result, "next." + name));
        }
        return values(result, "logits");
      }
    } finally {
      inputs.values().forEach(OnnxTensor::close);
    }
  }

  /** Returns the last {@code memoryLength} positions of a memory and the added ones. */
  private Values appended(Values memory, Values added) {
    try (NDManager manager = NDManager.newBaseManager()) {
      NDArray window =
          new AttentionMemory(memory.in(manager))
              .append(added.in(manager))
              .last(memoryLength)
              .positions();
      return new Values(window.toFloatArray(), window.getShape().getShape());
    }
  }

  Map<String, String> metadata() throws OrtException {
    return session.getMetadata().getCustomMetadata();
  }

  private static Values values(OrtSession.Result result, String name) {
    OnnxTensor tensor = (OnnxTensor) result.get(name).orElseThrow();
    FloatBuffer buffer = tensor.getFloatBuffer();
    float[] data = new float[buffer.remaining()];
    buffer.get(data);
    return new Values(data, tensor.getInfo().getShape());
  }

  @Override
  public void close() throws OrtException {
    session.close();
  }
}
