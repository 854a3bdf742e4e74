package io.github.sharnn.serve;

import static com.google.common.base.Preconditions.checkState;

import ai.djl.Model;
import io.github.sharnn.SHARNN;
import io.github.sharnn.engine.Lifetime;
import io.github.sharnn.generate.GeneratedText;
import io.github.sharnn.generate.SHARNNGenerator;
import io.github.sharnn.score.Score;
import io.github.sharnn.score.Scorer;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Function;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/**
 * A service that generates and scores with its current model, for many threads, and swaps in
 * another model while they go on. No request fails or sees two models:
 *
 * <pre>{@code
 * try (SHARNNService service = SHARNNService.of(SHARNN.load(Path.of("monday")))) {
 *   String text = service.generate("The history of ", options -> options.length(100));
 *   double bits = service.score("The history of Rome").totals().bitsPerByte();
 *   service.swap(SHARNN.load(Path.of("tuesday")));   // "monday" is closed after its last request
 * }
 * }</pre>
 *
 * <p>The service owns its models and closes them. A request runs on the calling thread. Requests on
 * a CPU share its cores; on a GPU, {@link io.github.sharnn.generate.GenerationBatch} in a {@link
 * #call} generates many texts together.
 */
public final class SHARNNService implements AutoCloseable {

  private final AtomicReference<@Nullable Served> current;

  private SHARNNService(Served served) {
    current = new AtomicReference<>(served);
  }

  /** A model and its lifetime. */
  private record Served(Model model, Lifetime lifetime) {

    static Served of(Model model) {
      SHARNN.initialized(model);
      Lifetime lifetime = SHARNN.lifetime(model);
      lifetime.lease().close(); // throws an exception if the model is closed
      return new Served(model, lifetime);
    }
  }

  /**
   * Starts a service.
   *
   * @param model a model of {@link SHARNN#newModel}, {@link SHARNN#load} or DJL's {@code Criteria};
   *     the service closes it
   * @return the service
   * @throws IllegalArgumentException if the model's block is not a {@link SHARNN}
   * @throws IllegalStateException if the model has no weights, or is closed
   */
  public static SHARNNService of(Model model) {
    return new SHARNNService(Served.of(model));
  }

  /**
   * Makes a request of any kind. The model stays open until the request returns.
   *
   * <pre>{@code
   * List<String> texts =
   *     service.call(model -> SHARNNGenerator.builder(model).build().generateAll(prompts));
   * }</pre>
   *
   * @param request gets the current model, and does not close it
   * @param <T> the type of the result
   * @return the request's result
   * @throws IllegalStateException if the service is closed
   */
  public <T> T call(Function<Model, T> request) {
    while (true) {
      Served served = current.get();
      checkState(served != null, "the service is closed");
      Lifetime.Lease lease = served.lifetime.tryLease();
      try (lease) {
        if (lease != null) {
          return request.apply(served.model);
        }
      }
      checkState(
          current.get() != served,
          "the model %s of the service is closed: let the service close its models",
          served.model.getName());
      // swapped out in between: the next one takes the request
    }
  }

  /**
   * {@return the text that {@link SHARNNGenerator#generate(String)} gives with the current model}
   *
   * @param prompt at least one token; not repeated in the output
   * @param options sets the options of the generator
   * @throws IllegalArgumentException if an option breaks its rule, or the prompt has no token
   * @throws IllegalStateException if the service is closed
   * @throws java.util.concurrent.CancellationException soon after the thread is interrupted
   */
  public String generate(String prompt, UnaryOperator<SHARNNGenerator.Builder> options) {
    return call(model -> generator(model, options).generate(prompt));
  }

  /**
   * Generates a text with the current model that the caller pulls piece by piece, as {@link
   * SHARNNGenerator#iterate} does. The text is of one model, which stays open until the text ends.
   *
   * @param prompt at least one token; not repeated in the output; read before this method returns
   * @param options sets the options of the generator
   * @return pieces of whole characters; close the text unless you read it to its end
   * @throws IllegalArgumentException if an option breaks its rule, or the prompt has no token
   * @throws IllegalStateException if the service is closed
   * @throws java.util.concurrent.CancellationException if the thread is interrupted
   */
  public GeneratedText stream(String prompt, UnaryOperator<SHARNNGenerator.Builder> options) {
    return call(model -> generator(model, options).iterate(prompt));
  }

  private static SHARNNGenerator generator(
      Model model, UnaryOperator<SHARNNGenerator.Builder> options) {
    return options.apply(SHARNNGenerator.builder(model)).build();
  }

  /**
   * {@return the score of a text by the current model, with the defaults of {@link Scorer}}
   *
   * @param text the text, possibly empty
   * @throws IllegalArgumentException if the model's vocabulary lacks a byte of the text's UTF-8
   * @throws IllegalStateException if the service is closed
   * @throws java.util.concurrent.CancellationException soon after the thread is interrupted
   */
  public Score score(String text) {
    return call(model -> Scorer.builder(model).build().score(text));
  }

  /**
   * Makes another model the current one. Requests that have begun, and texts that are open,
   * continue with the model before, which is closed after the last of them. This method does not
   * wait for that.
   *
   * @param model the next model, which may have another vocabulary and other sizes; the service
   *     closes it
   * @throws IllegalArgumentException if the model's block is not a {@link SHARNN}
   * @throws IllegalStateException if the model has no weights or is closed, or the service is
   *     closed; the service does not own the model then
   */
  public void swap(Model model) {
    Served next = Served.of(model);
    Served before = current.getAndUpdate(served -> served == null ? null : next);
    checkState(before != null, "the service is closed");
    if (before.model != model) {
      before.lifetime.closeWhenUnused();
    }
  }

  /**
   * Waits for the running requests, ends open texts, and closes the current model. Later requests
   * throw an {@link IllegalStateException}. In a request's own thread, this method returns at once
   * and the last request closes the model.
   */
  @Override
  public void close() {
    Served last = current.getAndSet(null);
    if (last != null) {
      last.lifetime.close();
    }
  }
}
