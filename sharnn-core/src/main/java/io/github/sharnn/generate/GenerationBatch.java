package io.github.sharnn.generate;

import static com.google.common.base.Preconditions.checkArgument;
import static com.google.common.base.Preconditions.checkNotNull;

import ai.djl.Model;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import io.github.sharnn.SHARNN;
import io.github.sharnn.SHARNNState;
import io.github.sharnn.decode.SHARNNDecoder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.PriorityQueue;
import java.util.Queue;
import java.util.concurrent.CancellationException;
import java.util.function.Consumer;

/**
 * Generates the texts after many prompts side by side, of any lengths, each with the options of its
 * own generator: length, sampling, seed and stop.
 *
 * <pre>{@code
 * GenerationBatch batch = GenerationBatch.of(model);
 * batch.add(sober, "The history of ", first::append);
 * batch.add(wild, "Once upon a time ", second::append);
 * batch.run();
 * }</pre>
 *
 * <p>All texts take each step of the model together, which on a GPU takes hardly longer than a step
 * of one alone. Prompts that are no longer than the model's {@code memoryLength} are read together
 * too. When a text ends, a prompt that waits takes its place. Each text is the one that its
 * generator gives alone, but for rounding: a product of more rows may sum in another order, so
 * logits may differ in their last bits, and a rare draw with them.
 *
 * <p>For one thread; callbacks run on it. A callback that throws a {@link CancellationException}
 * ends its own text; any other exception ends them all and comes out of {@link #run}. A prompt that
 * a callback adds starts when one of those that were there at first has ended.
 */
public final class GenerationBatch {

  private static final int MOST_POSITIONS = 1 << 14; // of prompts side by side; bounds their memory

  private final Model model;
  private int streams = 64;
  private DataType precision; // null: the weights' own
  private final Queue<Stream> waiting =
      new PriorityQueue<>(Comparator.comparingInt(Stream::promptLength).reversed());

  private GenerationBatch(Model model) {
    this.model = model;
  }

  /** What follows a prompt, and what becomes of it. */
  private record Stream(DrawnTokens tokens, SHARNNGenerator.ByteConsumer callback, Runnable end) {

    int promptLength() {
      return tokens.prompt().length;
    }

    /** Hands out the next token and returns whether another follows. */
    boolean draw(float[] logits) {
      try {
        tokens.draw(logits, callback);
      } catch (CancellationException e) {
        return false;
      }
      if (tokens.ended()) {
        end.run();
      }
      return !tokens.ended();
    }
  }

  /**
   * Starts a batch without prompts.
   *
   * @param model a model with a {@link SHARNN}; it stays the caller's to close
   * @return the batch
   */
  public static GenerationBatch of(Model model) {
    return new GenerationBatch(checkNotNull(model, "model must not be null"));
  }

  /**
   * Sets how many texts are generated at once, at most. Default 64.
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
   * Sets what tokens after the prompts are computed in, as {@link
   * SHARNNGenerator.Builder#precision} does; the generators' own settings of it do not count here.
   *
   * @param type FLOAT16, FLOAT32, FLOAT64, or null, the default, for the weights' own
   * @return this batch
   * @throws IllegalArgumentException if it is another type
   */
  public GenerationBatch precision(DataType type) {
    SHARNNDecoder.checkPrecision(type);
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
   * @throws IllegalArgumentException if the generator has another model, or the prompt is empty,
   *     has no token or has a byte outside the vocabulary
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
   * @throws IllegalArgumentException if the generator has another model, or the prompt is empty,
   *     has no token or has a byte outside the vocabulary
   */
  public GenerationBatch add(SHARNNGenerator options, String prompt, Consumer<String> text) {
    Utf8Decoder decoder = new Utf8Decoder(text);
    return add(options, prompt.getBytes(StandardCharsets.UTF_8), decoder, decoder::end);
  }

  private GenerationBatch add(
      SHARNNGenerator options, byte[] prompt, SHARNNGenerator.ByteConsumer callback, Runnable end) {
    checkArgument(
        SHARNN.of(options.model()) == SHARNN.of(model),
        "the generator's model (%s) must hold the same SHARNN as the batch's (%s): one step serves all streams",
        options.model().getName(),
        model.getName());
    waiting.add(new Stream(new DrawnTokens(options, prompt), callback, end));
    return this;
  }

  /**
   * Generates all texts; the batch is empty afterwards.
   *
   * @throws IllegalStateException if the model has no weights
   */
  public void run() {
    if (waiting.isEmpty()) {
      return;
    }
    SHARNN block = SHARNN.of(model);
    List<Stream> running = new ArrayList<>(); // in the decoder's order
    int most = Math.min(streams, waiting.size());
    try (SHARNNDecoder decoder = SHARNNDecoder.of(block, model.getNDManager(), most, precision)) {
      do {
        while (!waiting.isEmpty() && running.size() < most) {
          start(block, nextPrompts(block, most - running.size()), decoder, running);
        }
        step(decoder, running);
      } while (!waiting.isEmpty() || !running.isEmpty());
    } finally {
      waiting.clear();
    }
  }

  /** The longest prompt that waits, and those that are read beside it. */
  private List<Stream> nextPrompts(SHARNN block, int room) {
    Stream longest = waiting.remove();
    List<Stream> next = new ArrayList<>(List.of(longest));
    int most = Math.min(MOST_POSITIONS / longest.promptLength(), room);
    boolean fits = longest.promptLength() <= block.config().memoryLength();
    while (fits && next.size() < most && !waiting.isEmpty()) {
      next.add(waiting.remove());
    }
    return next;
  }

  /** Feeds prompts, draws their first tokens and lets those join the others that go on. */
  private void start(SHARNN block, List<Stream> next, SHARNNDecoder decoder, List<Stream> running) {
    NDManager manager = model.getNDManager();
    if (next.size() == 1) {
      Stream stream = next.get(0);
      try (TokenLoop loop = new TokenLoop(block, manager, precision)) {
        float[] logits = loop.accept(loop.forward(loop.prefill(stream.tokens.prompt())));
        start(stream, logits, loop.state(), decoder, running);
      }
      return;
    }
    List<int[]> prompts = next.stream().map(stream -> stream.tokens.prompt()).toList();
    try (PromptBatch batch = new PromptBatch(block, manager, prompts)) {
      List<PromptBatch.Result> results = batch.read();
      for (int i = 0; i < next.size(); i++) {
        PromptBatch.Result result = results.get(i);
        start(next.get(i), result.logits(), result.state(), decoder, running);
      }
    }
  }

  private static void start(
      Stream stream,
      float[] logits,
      SHARNNState state,
      SHARNNDecoder decoder,
      List<Stream> running) {
    if (stream.draw(logits)) {
      decoder.add(state);
      running.add(stream);
    }
  }

  private static void step(SHARNNDecoder decoder, List<Stream> running) {
    if (running.isEmpty()) {
      return;
    }
    long[] tokens = running.stream().mapToLong(stream -> stream.tokens.last()).toArray();
    float[][] logits = decoder.next(tokens);
    // backwards, since the last takes the place of one that ends
    for (int i = running.size() - 1; i >= 0; i--) {
      if (!running.get(i).draw(logits[i])) {
        decoder.remove(i);
        Stream last = running.remove(running.size() - 1);
        if (i < running.size()) {
          running.set(i, last);
        }
      }
    }
  }
}
