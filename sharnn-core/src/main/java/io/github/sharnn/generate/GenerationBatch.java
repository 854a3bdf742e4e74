package io.github.sharnn.generate;

import static com.google.common.base.Preconditions.checkArgument;
import static com.google.common.base.Preconditions.checkNotNull;

import ai.djl.Model;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import io.github.sharnn.SHARNN;
import io.github.sharnn.SHARNNState;
import io.github.sharnn.decode.SHARNNDecoder;
import io.github.sharnn.engine.Lifetime;
import io.github.sharnn.io.Interrupts;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.PriorityQueue;
import java.util.Queue;
import java.util.concurrent.CancellationException;
import java.util.function.Consumer;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * A batch of prompts of any lengths whose texts are generated side by side, each with the options
 * of its own {@link SHARNNGenerator}: length, sampling, seed and stop.
 *
 * <pre>{@code
 * GenerationBatch batch = GenerationBatch.of(model);
 * batch.add(sober, "The history of ", first::append);
 * batch.add(wild, "Once upon a time ", second::append);
 * batch.run();
 * }</pre>
 *
 * <p>All texts take each step of the model together. On a GPU that takes hardly longer than a step
 * of one text. Prompts no longer than the model's {@code memoryLength} are read together too. When
 * a text ends, a waiting prompt takes its place. Each text equals the text that its generator gives
 * alone, unless rounding changes which token is sampled. Rounding differs because a larger matrix
 * product may sum in another order.
 *
 * <p>A batch is for one thread, which also runs the callbacks. A callback of {@link #addWhile} ends
 * its own text by returning false, any callback by throwing a {@link CancellationException}. Any
 * other exception ends all texts, and {@link #run} throws it. A callback may add a prompt, which
 * starts once an earlier text has ended.
 */
public final class GenerationBatch {

  /** The maximum number of prompt positions that are read together, which bounds the memory. */
  private static final int MOST_POSITIONS = 1 << 14;

  private final Model model;
  private int streams = 64;
  private @Nullable DataType precision; // null for the weights' own
  private final Queue<Stream> waiting =
      new PriorityQueue<>(Comparator.comparingInt(Stream::promptLength).reversed());

  private GenerationBatch(Model model) {
    this.model = model;
  }

  /** The text after one prompt, and its receiver. */
  private record Stream(DrawnTokens tokens, SHARNNGenerator.ByteConsumer callback, Runnable end) {

    int promptLength() {
      return tokens.prompt().length;
    }

    /** Hands out the next token and tells whether another follows. */
    boolean draw(float[] logits) {
      try {
        tokens.draw(logits, callback);
        if (tokens.ended()) {
          end.run();
        }
      } catch (CancellationException e) {
        return false;
      }
      return !tokens.ended();
    }
  }

  /**
   * {@return a batch without prompts}
   *
   * @param model a model with a {@link SHARNN}; the caller closes it
   */
  public static GenerationBatch of(Model model) {
    return new GenerationBatch(checkNotNull(model, "model must not be null"));
  }

  /**
   * Sets the maximum number of texts to generate at once. Default 64.
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
   * Sets the data type of the computation after the prompts, as {@link
   * SHARNNGenerator.Builder#precision} does. The generators' own precisions are ignored.
   *
   * @param type INT8, FLOAT16, FLOAT32, FLOAT64, or null for the default
   * @return this batch
   * @throws IllegalArgumentException if it is another type
   */
  public GenerationBatch precision(@Nullable DataType type) {
    SHARNNDecoder.checkPrecision(type);
    precision = type;
    return this;
  }

  /**
   * Adds a prompt whose text is handed out in bytes.
   *
   * @param generator a generator of the same model, for its options
   * @param prompt at least one token; not repeated in the output
   * @param callback receives each token's bytes as soon as the token is drawn
   * @return this batch
   * @throws IllegalArgumentException if the generator has another model, or the prompt has no
   *     token, or a byte that the model's vocabulary lacks
   */
  public GenerationBatch add(
      SHARNNGenerator generator, byte[] prompt, SHARNNGenerator.ByteConsumer callback) {
    return add(generator, prompt, callback, () -> {});
  }

  /**
   * Adds a prompt whose text is handed out in pieces of whole characters.
   *
   * @param generator a generator of the same model, for its options
   * @param prompt at least one token; not repeated in the output
   * @param text receives each piece, never empty
   * @return this batch
   * @throws IllegalArgumentException if the generator has another model, or the prompt has no
   *     token, or a byte that the model's vocabulary lacks
   */
  public GenerationBatch add(SHARNNGenerator generator, String prompt, Consumer<String> text) {
    Utf8Decoder decoder = new Utf8Decoder(text);
    return add(generator, prompt.getBytes(StandardCharsets.UTF_8), decoder, decoder::end);
  }

  /**
   * Adds a prompt whose text goes on while the callback returns true.
   *
   * @param generator a generator of the same model, for its options
   * @param prompt at least one token; not repeated in the output
   * @param text receives each piece, never empty; returns false to end this text
   * @return this batch
   * @throws IllegalArgumentException if the generator has another model, or the prompt has no
   *     token, or a byte that the model's vocabulary lacks
   */
  public GenerationBatch addWhile(
      SHARNNGenerator generator, String prompt, Predicate<String> text) {
    return add(
        generator,
        prompt,
        piece -> {
          if (!text.test(piece)) {
            throw new CancellationException("the callback returned false");
          }
        });
  }

  private GenerationBatch add(
      SHARNNGenerator generator,
      byte[] prompt,
      SHARNNGenerator.ByteConsumer callback,
      Runnable end) {
    generator.model().checkSame("generator", model, "batch");
    waiting.add(new Stream(new DrawnTokens(generator, prompt), callback, end));
    return this;
  }

  /**
   * Generates all texts and empties the batch.
   *
   * @throws IllegalStateException if the model has no weights, or is closed
   * @throws CancellationException soon after the thread is interrupted
   */
  public void run() {
    if (waiting.isEmpty()) {
      return;
    }
    Lifetime lifetime = SHARNN.lifetime(model);
    Lifetime.Lease lease = lifetime.lease();
    try (lease) {
      run(lifetime.manager());
    }
  }

  private void run(NDManager manager) {
    SHARNN block = SHARNN.of(model);
    List<Stream> running = new ArrayList<>(); // in the decoder's order
    int most = Math.min(streams, waiting.size());
    try (SHARNNDecoder decoder = SHARNNDecoder.of(block, manager, most, precision)) {
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

  /** Removes the longest waiting prompt from the queue, and the prompts to read beside it. */
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

  /** Reads prompts, draws their first tokens and adds the unfinished texts to the running ones. */
  private void start(SHARNN block, List<Stream> next, SHARNNDecoder decoder, List<Stream> running) {
    NDManager manager = SHARNN.lifetime(model).manager();
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
    Interrupts.check();
    long[] tokens = running.stream().mapToLong(stream -> stream.tokens.last()).toArray();
    float[][] logits = decoder.next(tokens);
    // backwards, since the last stream takes the place of one that ends
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
