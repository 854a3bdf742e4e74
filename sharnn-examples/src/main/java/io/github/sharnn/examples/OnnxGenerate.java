package io.github.sharnn.examples;

import ai.onnxruntime.NodeInfo;
import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import ai.onnxruntime.TensorInfo;
import java.nio.FloatBuffer;
import java.nio.LongBuffer;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import java.util.SplittableRandom;

/**
 * Text from what {@code sharnn.jar export} wrote, with ONNX Runtime alone: neither this library nor
 * DJL nor PyTorch is on its class path. With the same seed and temperature it is the text of {@code
 * sharnn.jar generate}, for a prompt of at most the model's {@code memoryLength} bytes.
 *
 * <pre>{@code
 * java -cp onnxruntime.jar OnnxGenerate.java model.onnx "The old man " 400 42 0.8
 * }</pre>
 */
public final class OnnxGenerate {

  private static final int BYTES = 256;

  private OnnxGenerate() {}

  /**
   * Prints a prompt and the text that goes on from it.
   *
   * @param args the ONNX file and the prompt; then, each by option, the most bytes to generate
   *     (400), the seed (42) and the temperature (0.8)
   * @throws OrtException if ONNX Runtime can't load or run the file
   */
  public static void main(String[] args) throws OrtException {
    if (args.length < 2 || args.length > 5 || args[1].isEmpty()) {
      System.err.println("usage: OnnxGenerate MODEL.onnx PROMPT [LENGTH [SEED [TEMPERATURE]]]");
      System.exit(2);
    }
    int length = args.length > 2 ? Integer.parseInt(args[2]) : 400;
    SplittableRandom random = new SplittableRandom(args.length > 3 ? Long.parseLong(args[3]) : 42);
    float temperature = args.length > 4 ? Float.parseFloat(args[4]) : 0.8f;

    byte[] prompt = args[1].getBytes(StandardCharsets.UTF_8);
    long[] tokens = new long[prompt.length];
    for (int i = 0; i < tokens.length; i++) {
      tokens[i] = Byte.toUnsignedLong(prompt[i]);
    }

    OrtEnvironment environment = OrtEnvironment.getEnvironment();
    try (OrtSession session = environment.createSession(args[0])) {
      TensorInfo logitsInfo = (TensorInfo) session.getOutputInfo().get("logits").getInfo();
      long vocabularySize = logitsInfo.getShape()[2];
      if (vocabularySize > BYTES) {
        System.err.printf(
            "%s must be a model of bytes, but has %d tokens%n", args[0], vocabularySize);
        System.exit(2);
      }
      Map<String, OnnxTensor> state = zeroState(environment, session);
      System.out.writeBytes(prompt);
      for (int generated = 0; generated < length; generated++) {
        Map<String, OnnxTensor> inputs = new HashMap<>(state);
        inputs.put(
            "tokens",
            OnnxTensor.createTensor(
                environment, LongBuffer.wrap(tokens), new long[] {1, tokens.length}));
        OrtSession.Result result = session.run(inputs); // its tensors are closed one by one
        inputs.values().forEach(OnnxTensor::close);
        state.replaceAll((name, old) -> (OnnxTensor) result.get("next." + name).orElseThrow());
        try (OnnxTensor logits = (OnnxTensor) result.get("logits").orElseThrow()) {
          int token = draw(lastRow(logits), temperature, random);
          System.out.write(token);
          System.out.flush();
          tokens = new long[] {token};
        }
      }
      state.values().forEach(OnnxTensor::close);
    }
    System.out.println();
  }

  /** Zeros for one stream, and memories without a position. */
  private static Map<String, OnnxTensor> zeroState(OrtEnvironment environment, OrtSession session)
      throws OrtException {
    Map<String, OnnxTensor> state = new HashMap<>();
    for (NodeInfo input : session.getInputInfo().values()) {
      if (!input.getName().equals("tokens")) {
        long[] shape = ((TensorInfo) input.getInfo()).getShape().clone();
        boolean memory = shape.length == 3; // (batch, positions, size); else (batch, size)
        shape[0] = 1;
        shape[1] = memory ? 0 : shape[1];
        FloatBuffer zeros = FloatBuffer.allocate(memory ? 0 : (int) shape[1]);
        state.put(input.getName(), OnnxTensor.createTensor(environment, zeros, shape));
      }
    }
    return state;
  }

  /** The logits after the last token. */
  private static float[] lastRow(OnnxTensor logits) {
    float[] row = new float[(int) logits.getInfo().getShape()[2]];
    FloatBuffer all = logits.getFloatBuffer();
    all.position(all.capacity() - row.length).get(row);
    return row;
  }

  /** Draws from {@code softmax(logits / temperature)}. */
  private static int draw(float[] logits, float temperature, SplittableRandom random) {
    double max = Double.NEGATIVE_INFINITY;
    for (float logit : logits) {
      max = Math.max(max, logit);
    }
    double[] weights = new double[logits.length];
    double total = 0;
    for (int i = 0; i < weights.length; i++) {
      weights[i] = Math.exp((logits[i] - max) / temperature);
      total += weights[i];
    }
    double left = random.nextDouble();
    int token = 0;
    while (token < weights.length - 1) {
      left -= weights[token] / total;
      if (left < 0) {
        break;
      }
      token++;
    }
    return token;
  }
}
