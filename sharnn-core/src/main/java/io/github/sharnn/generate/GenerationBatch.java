package io.github.sharnn.generate;

import static com.google.common.base.Preconditions.checkArgument;

import ai.djl.Model;
import ai.djl.ndarray.types.DataType;
import io.github.sharnn.SHARNN;
import io.github.sharnn.SHARNNDecoder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.PriorityQueue;
import java.util.Queue;
import java.util.function.Consumer;

/**
 * Goes on with many prompts side by side, of any lengths, each with the options of its own
 * generator: length, sampling, seed and stop.
 *
 * <pre>{@code
 * GenerationBatch batch = GenerationBatch.of(model);
 * batch.add(sober, "The history of ", first::append);
 * batch.add(wild, "Once upon a time ", second::append);
 * batch.run();
 * }</pre>
 *
 * <p>All streams take one step of the model together, which takes hardly longer on a GPU than one
 * alone. Prompts are fed one by one. A stream that has ended makes room for one that waits. Each
 * gets what its generator gives alone, but for rounding: a product of more rows may sum in another
 * order, so logits may differ in their last bits, and a rare draw with them.
 *
 * <p>For one thread; callbacks run on it.
 */
public final class GenerationBatch {

  private final Model model;
  private int streams = 64;
  private DataType precision; // null: the weights' own
  private final Queue<Stream> waiting =
      new PriorityQueue<>(Comparator.comparingInt((Stream stream) -> -stream.prompt.length));

  private GenerationBatch(Model model) {
    this.model = model;
  }

  /** A prompt and what becomes of it. */
  private record Stream(
      SHARNNGenerator options,
      byte[] prompt,
      SHARNNGenerator.ByteConsumer callback,
      Runnable end) {}

  /** A stream after its prompt. */
  private record Running(GeneratedBytes bytes, Stream stream) {

    /** Hands out the next token and returns whether another follows. */
    boolean draw(float[] logits) {
      bytes.draw(logits, stream.callback);
      if (bytes.ended()) {
        stream.end.run();
      }
      return !bytes.ended();
    }
  }

  /**
   * Starts a batch without prompts.
   *
   * @param model a model with a {@link SHARNN}; it stays the caller's to close
   * @return the batch
   */
  public static GenerationBatch of(Model model) {
    return new GenerationBatch(model);
  }

  /**
   * Sets the most prompts that are gone on with at once. Default 64.
   *
   * @param count at least 1; each takes {@code memoryLength * C} numbers for each layer with
   *     attention
   * @return this batch
   * @throws IllegalArgumentException if {@code count} is below 1
   */
  public GenerationBatch streams(int count) {
    checkArgument(count >= 1, "streams must be at least 1, but is %s", count);
    streams = count;
    return this;
  }

  /**
   * Sets what tokens after the prompts are computed in, as {@link SHARNNGeneratorBuilder#precision}
   * does; the generators' own settings of it do not count here.
   *
   * @param type FLOAT16, FLOAT32, FLOAT64, or null, the default, for the weights' own
   * @return this batch
   */
  public GenerationBatch precision(DataType type) {
    precision = type;
    return this;
  }

  /**
   * Adds a prompt.
   *
   * @param options a generator of the same model: its length, sampling, seed and stop
   * @param prompt the bytes to go on from, at least one token; not repeated in the output
   * @param callback receives each token's bytes as soon as it is drawn
   * @return this batch
   * @throws IllegalArgumentException if the generator has another model
   */
  public GenerationBatch add(
      SHARNNGenerator options, byte[] prompt, SHARNNGenerator.ByteConsumer callback) {
    return add(options, prompt, callback, () -> {});
  }

  /**
   * Adds a prompt.
   *
   * @param options a generator of the same model: its length, sampling, seed and stop
   * @param prompt the text to go on from, as UTF-8; not repeated in the output
   * @param text receives the text in pieces of whole characters, never empty
   * @return this batch
   * @throws IllegalArgumentException if the generator has another model
   */
  public GenerationBatch add(SHARNNGenerator options, String prompt, Consumer<String> text) {
    Utf8Decoder decoder = new Utf8Decoder(text);
    return add(options, prompt.getBytes(StandardCharsets.UTF_8), decoder, decoder::end);
  }

  private GenerationBatch add(
      SHARNNGenerator options, byte[] prompt, SHARNNGenerator.ByteConsumer callback, Runnable end) {
    checkArgument(
        options.model() == model,
        "the generator's model (%s) must be the batch's (%s): one step serves all streams",
        options.model().getName(),
        model.getName());
    waiting.add(new Stream(options, prompt.clone(), callback, end));
    return this;
  }

  /**
   * Generates all texts; the batch is empty afterwards.
   *
   * @throws IllegalArgumentException if a prompt is empty, has no token or has a byte outside the
   *     vocabulary
   * @throws IllegalStateException if the model has no weights
   */
  public void run() {
    if (waiting.isEmpty()) {
      return;
    }
    SHARNN block = SHARNN.of(model);
    List<Running> running = new ArrayList<>(); // in the decoder's order
    try (SHARNNDecoder decoder =
        SHARNNDecoder.of(
            block, model.getNDManager(), Math.min(streams, waiting.size()), precision)) {
      do {
        while (!waiting.isEmpty() && running.size() < streams) {
          start(waiting.remove(), decoder, running);
        }
        step(decoder, running);
      } while (!waiting.isEmpty() || !running.isEmpty());
    } finally {
      waiting.clear();
    }
  }

  /** Feeds a prompt, draws the first token and, unless it is the last, joins the others. */
  private void start(Stream stream, SHARNNDecoder decoder, List<Running> running) {
    try (TokenLoop loop = stream.options.loop(model.getNDManager())) {
      GeneratedBytes bytes = new GeneratedBytes(stream.options, loop, stream.prompt);
      Running next = new Running(bytes, stream);
      if (next.draw(loop.accept(loop.forward(bytes.inputs())))) {
        decoder.add(loop.state());
        running.add(next);
      }
    }
  }

  private static void step(SHARNNDecoder decoder, List<Running> running) {
    if (running.isEmpty()) {
      return;
    }
    long[] tokens = running.stream().mapToLong(stream -> stream.bytes.token()).toArray();
    float[][] logits = decoder.next(tokens);
    // backwards, since the last takes the place of one that ends
    for (int i = running.size() - 1; i >= 0; i--) {
      if (!running.get(i).draw(logits[i])) {
        decoder.remove(i);
        Running last = running.remove(running.size() - 1);
        if (i < running.size()) {
          running.set(i, last);
        }
      }
    }
  }
}
