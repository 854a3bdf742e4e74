package io.github.sharnn.examples;

import ai.onnxruntime.NodeInfo;
import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import ai.onnxruntime.TensorInfo;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.LongBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;

/**
 * Text generation with ONNX Runtime alone, from a file that {@code sharnn.jar export} wrote.
 * Neither this library nor DJL nor PyTorch is on the class path.
 *
 * <p>The same seed and temperature give the text of {@code sharnn.jar generate}, if the prompt has
 * at most {@code memoryLength} tokens. The two runtimes round differently, which changes a sampled
 * token about once in a few thousand words.
 *
 * <p>Tokens may be bytes or words; the file's metadata holds the words. A subword model has its
 * {@code tokenizer.json} in the metadata, which needs a library such as DJL's {@code
 * HuggingFaceTokenizer}.
 *
 * <pre>{@code
 * java -cp onnxruntime.jar OnnxGenerate.java model.onnx "The old man " 400 42 0.8
 * }</pre>
 */
public final class OnnxGenerate {

  private static final int BYTES = 256;
  private static final Pattern MEMORY_LENGTH = Pattern.compile("\"memoryLength\"\\s*:\\s*(\\d+)");

  private OnnxGenerate() {}

  /**
   * Prints a prompt and its continuation.
   *
   * @param args the ONNX file and the prompt; then, optionally, the number of tokens (default 400),
   *     the seed (42) and the temperature (0.8)
   * @throws OrtException if ONNX Runtime can't load or run the file
   */
  public static void main(String[] args) throws OrtException {
    try {
      generate(args);
    } catch (IllegalArgumentException e) {
      System.err.println(e.getMessage());
      System.exit(2);
    }
  }

  static void generate(String... args) throws OrtException {
    if (args.length < 2 || args.length > 5 || args[1].isEmpty()) {
      throw new IllegalArgumentException(
          "usage: OnnxGenerate MODEL.onnx PROMPT [LENGTH [SEED [TEMPERATURE]]]");
    }
    int length = args.length > 2 ? Integer.parseInt(args[2]) : 400;
    SplittableRandom random = new SplittableRandom(args.length > 3 ? Long.parseLong(args[3]) : 42);
    float temperature = args.length > 4 ? Float.parseFloat(args[4]) : 0.8f;

    OrtEnvironment environment = OrtEnvironment.getEnvironment();
    try (OrtSession session = environment.createSession(args[0])) {
      Map<String, String> metadata = session.getMetadata().getCustomMetadata();
      String vocabulary = metadata.getOrDefault("sharnn.vocabulary", "bytes");
      if (!vocabulary.equals("bytes") && !vocabulary.startsWith("words ")) {
        throw new IllegalArgumentException(
            "the model's vocabulary must be bytes or words, but is a "
                + vocabulary.split(" ")[0]
                + ": use a library for the tokenizer.json in the metadata"
                + " sharnn.vocabulary.content");
      }
      TensorInfo logitsInfo = (TensorInfo) session.getOutputInfo().get("logits").getInfo();
      if (vocabulary.equals("bytes") && logitsInfo.getShape()[2] > BYTES) {
        throw new IllegalArgumentException(
            String.format(
                Locale.ROOT,
                "%s must be a model of bytes, but has %d tokens and does not say what they are",
                args[0],
                logitsInfo.getShape()[2]));
      }
      Tokens text =
          vocabulary.equals("bytes")
              ? new Bytes()
              : new Words(metadata.get("sharnn.vocabulary.content").split("\n"));
      long[] tokens = text.encode(args[1]);
      if (tokens.length == 0) {
        throw new IllegalArgumentException("the prompt must have at least one word");
      }
      Map<String, OnnxTensor> state = new HashMap<>(); // LSTMs
      Map<String, Memory> memories = new HashMap<>(); // attention
      for (NodeInfo input : session.getInputInfo().values()) {
        long[] shape = ((TensorInfo) input.getInfo()).getShape();
        if (input.getName().startsWith("memory.")) { // (batch, positions, size)
          memories.put(input.getName(), new Memory(memoryLength(metadata), (int) shape[2]));
        } else if (!input.getName().equals("tokens")) { // (batch, size)
          state.put(
              input.getName(), OnnxTensor.createTensor(environment, new float[1][(int) shape[1]]));
        }
      }
      System.out.writeBytes(args[1].getBytes(StandardCharsets.UTF_8));
      for (int generated = 0; generated < length; generated++) {
        Map<String, OnnxTensor> inputs = new HashMap<>(state);
        inputs.put(
            "tokens",
            OnnxTensor.createTensor(
                environment, LongBuffer.wrap(tokens), new long[] {1, tokens.length}));
        for (Map.Entry<String, Memory> memory : memories.entrySet()) {
          inputs.put(memory.getKey(), memory.getValue().tensor(environment));
        }
        OrtSession.Result result = session.run(inputs); // its tensors are closed one by one
        inputs.values().forEach(OnnxTensor::close);
        state.replaceAll((name, old) -> (OnnxTensor) result.get("next." + name).orElseThrow());
        for (Map.Entry<String, Memory> memory : memories.entrySet()) {
          try (OnnxTensor added =
              (OnnxTensor) result.get("added." + memory.getKey()).orElseThrow()) {
            memory.getValue().add(added.getFloatBuffer());
          }
        }
        try (OnnxTensor logits = (OnnxTensor) result.get("logits").orElseThrow()) {
          int token = draw(lastRow(logits), temperature, random);
          System.out.writeBytes(text.decode(token));
          System.out.flush();
          tokens = new long[] {token};
        }
      }
      state.values().forEach(OnnxTensor::close);
    }
    System.out.println();
  }

  /** A vocabulary: turns text into tokens and tokens into text. */
  private interface Tokens {

    long[] encode(String prompt);

    /** Returns the bytes that a token adds to the text so far. */
    byte[] decode(int token);
  }

  /** The vocabulary whose token n is the byte n. */
  private static final class Bytes implements Tokens {

    @Override
    public long[] encode(String prompt) {
      byte[] bytes = prompt.getBytes(StandardCharsets.UTF_8);
      return IntStream.range(0, bytes.length).mapToLong(i -> bytes[i] & 0xFF).toArray();
    }

    @Override
    public byte[] decode(int token) {
      return new byte[] {(byte) token};
    }
  }

  /** Words, separated by white space. The end of a line and an unknown word are tokens too. */
  private static final class Words implements Tokens {

    private final List<String> words;
    private boolean spaceDue; // before the next word

    Words(String[] words) {
      this.words = List.of(words);
    }

    @Override
    public long[] encode(String prompt) {
      List<String> found =
          new ArrayList<>(List.of(prompt.split("[ \\t\\x0B\\f\\r]+|(?=\n)|(?<=\n)")));
      found.removeIf(String::isEmpty);
      found.replaceAll(word -> word.equals("\n") ? "<eos>" : word);
      spaceDue =
          !prompt.endsWith(" ") && !found.isEmpty() && !found.get(found.size() - 1).equals("<eos>");
      return found.stream()
          .mapToLong(word -> words.indexOf(words.contains(word) ? word : "<unk>"))
          .toArray();
    }

    @Override
    public byte[] decode(int token) {
      String word = words.get(token);
      boolean end = word.equals("<eos>");
      String text = end ? "\n" : spaceDue ? " " + word : word;
      spaceDue = !end;
      return text.getBytes(StandardCharsets.UTF_8);
    }
  }

  /** Returns the number of positions that attention sees, from the config in JSON. */
  private static int memoryLength(Map<String, String> metadata) {
    Matcher length = MEMORY_LENGTH.matcher(metadata.get("sharnn.config"));
    if (!length.find()) {
      throw new IllegalArgumentException("the metadata sharnn.config has no memoryLength");
    }
    return Integer.parseInt(length.group(1));
  }

  /**
   * The positions that attention remembers besides the token that it reads. A new one replaces the
   * oldest, because a single token sees all of them, in any order. ONNX Runtime reads a direct
   * buffer where it lies, without a copy.
   */
  private static final class Memory {

    private final int positions;
    private final int size;
    private final FloatBuffer values;
    private long added;

    Memory(int memoryLength, int size) {
      positions = Math.max(memoryLength - 1, 0);
      this.size = size;
      values =
          ByteBuffer.allocateDirect(
                  Math.multiplyExact(Float.BYTES, Math.multiplyExact(positions, size)))
              .order(ByteOrder.nativeOrder())
              .asFloatBuffer();
    }

    OnnxTensor tensor(OrtEnvironment environment) throws OrtException {
      int filled = (int) Math.min(added, positions);
      FloatBuffer buffer = values.slice(0, filled * size);
      return OnnxTensor.createTensor(environment, buffer, new long[] {1, filled, size});
    }

    void add(FloatBuffer rows) {
      for (int row = 0; row < rows.capacity() / size && positions > 0; row++) {
        int place = (int) (added++ % positions);
        values.put(place * size, rows, row * size, size);
      }
    }
  }

  /** Returns the logits after the last token. */
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
