package io.github.sharnn.generate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Model;
import ai.djl.inference.Predictor;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.repository.zoo.Criteria;
import ai.djl.repository.zoo.ZooModel;
import ai.djl.training.ParameterStore;
import ai.djl.translate.TranslateException;
import io.github.sharnn.AttentionWeights;
import io.github.sharnn.SHARNN;
import io.github.sharnn.decode.SHARNNDecoder;
import io.github.sharnn.engine.Lifetime;
import io.github.sharnn.score.Scorer;
import io.github.sharnn.score.ScoringTranslator;
import java.io.PipedInputStream;
import java.io.PipedOutputStream;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class ClosingTest {

  private static final String CLOSED = "the model tiny is closed";

  @TempDir Path folder;
  private final ExecutorService pool = Executors.newCachedThreadPool();

  @AfterEach
  void end_threads() {
    pool.shutdownNow();
  }

  private static Model model() {
    return TinyModel.of(TinyModel.builder());
  }

  private static SHARNNGenerator generator(Model model, int length) {
    return SHARNNGenerator.builder(model).seed(42).length(length).build();
  }

  private static void assertClosed(Callable<?> call) {
    assertThatThrownBy(call::call).isInstanceOf(IllegalStateException.class).hasMessage(CLOSED);
  }

  @Test
  void every_call_after_it_is_rejected() throws Exception {
    Model model = model();
    SHARNN block = SHARNN.of(model);
    model.save(folder, null);
    try (NDManager manager = NDManager.newBaseManager()) {
      SHARNNDecoder decoder = SHARNNDecoder.of(block, manager, 1, null);
      decoder.add(block.zeroState(manager, 1));
      Predictor<String, String> predictor =
          model.newPredictor(new GenerationTranslator(generator(model, 3)));
      model.close();
      model.close(); // has no effect
      assertClosed(() -> generator(model, 3).generate("a"));
      assertClosed(() -> generator(model, 3).iterate("a"));
      assertClosed(() -> generator(model, 3).generateAll(List.of("a", "b")));
      assertClosed(() -> Scorer.builder(model).build().score("a"));
      assertClosed(() -> AttentionWeights.of(model, new byte[] {1}));
      assertClosed(() -> predictor.predict("a"));
      assertClosed(() -> model.newPredictor(new GenerationTranslator(generator(model, 3))));
      assertClosed(() -> decoder.next(1));
      assertClosed(() -> SHARNNDecoder.of(block, manager, 1, null));
      assertClosed(() -> block.withMemoryLength(3));
      assertClosed(() -> block.collapse(manager));
      assertClosed(
          () ->
              block.forward(
                  new ParameterStore(manager, false),
                  manager.create(new long[] {1}, new Shape(1, 1)),
                  block.zeroState(manager, 1),
                  false));
      assertClosed(
          () -> {
            model.save(folder, null);
            return null;
          });
      assertClosed(
          () -> {
            model.load(folder);
            return null;
          });
      predictor.close();
      decoder.close();
    }
  }

  /** Each thread calls until it is rejected. */
  @Test
  void running_calls_of_many_threads_finish() throws Exception {
    for (int round = 0; round < 6; round++) {
      Model model = model();
      String expected = generator(model, 30).generate("The ");
      double bits = Scorer.builder(model).build().score("The old man").totals().bits();
      Predictor<String, String> predictor =
          model.newPredictor(new GenerationTranslator(generator(model, 30)));
      Path saved = folder.resolve("m" + round);
      CountDownLatch started = new CountDownLatch(5);
      List<Callable<Void>> calls =
          List.of(
              () -> same(generator(model, 30).generate("The "), expected),
              () -> same(Scorer.builder(model).build().score("The old man").totals().bits(), bits),
              () -> same(predictor.predict("The "), expected),
              () -> same(generator(model, 30).generateAll(List.of("The ")).get(0), expected),
              () -> {
                model.save(saved, null);
                return null;
              });
      List<Future<?>> ends = new ArrayList<>();
      for (Callable<Void> call : calls) {
        ends.add(
            pool.submit(
                () -> {
                  assertClosed(
                      () -> {
                        while (true) {
                          call.call();
                          started.countDown();
                        }
                      });
                  return null;
                }));
      }
      started.await();
      Thread.sleep(3L * round);
      model.close();
      for (Future<?> end : ends) {
        end.get();
      }
      try (Model whole = SHARNN.load(saved)) {
        assertThat(generator(whole, 30).generate("The ")).isEqualTo(expected);
      }
    }
  }

  private static Void same(Object actual, Object expected) {
    assertThat(actual).isEqualTo(expected);
    return null;
  }

  @Test
  void from_a_callback_of_a_call_it_comes_after_the_call() {
    Model model = model();
    String expected = generator(model, 30).generate("The ");
    StringBuilder text = new StringBuilder();
    generator(model, 30)
        .generate(
            "The ",
            piece -> {
              text.append(piece);
              model.close();
            });
    assertThat(text.toString()).isEqualTo(expected);
    assertClosed(() -> generator(model, 3).generate("a"));
    assertThat(model.getNDManager().isOpen()).isFalse();
  }

  @Test
  void two_calls_that_close_each_others_models_do_not_wait_for_each_other() throws Exception {
    Model first = model();
    Model second = model();
    CountDownLatch both = new CountDownLatch(2);
    List<Future<?>> ends = new ArrayList<>();
    for (List<Model> pair : List.of(List.of(first, second), List.of(second, first))) {
      ends.add(
          pool.submit(
              () ->
                  generator(pair.get(0), 10)
                      .generate(
                          "The ",
                          piece -> {
                            both.countDown();
                            try {
                              both.await();
                            } catch (InterruptedException e) {
                              throw new IllegalStateException(e);
                            }
                            pair.get(1).close();
                          })));
    }
    for (Future<?> end : ends) {
      end.get(20, TimeUnit.SECONDS);
    }
    assertThat(first.getNDManager().isOpen()).isFalse();
    assertThat(second.getNDManager().isOpen()).isFalse();
  }

  @Test
  void does_not_wait_for_idle_texts_and_ends_them() {
    Model model = model();
    GeneratedText promised = generator(model, 1_000_000).iterate("The ");
    GeneratedText idle = generator(model, 1_000_000).iterate("The ");
    assertThat(promised.hasNext()).isTrue();
    int arrays = TinyModel.liveArrays();
    model.close();
    assertThat(TinyModel.liveArrays()).isLessThan(arrays);
    assertThat(promised.next()).isNotEmpty();
    assertThat(promised.hasNext()).isFalse();
    assertThat(idle.hasNext()).isFalse();
    promised.close();
    idle.close();
  }

  @Test
  void does_not_wait_for_input_that_pauses() throws Exception {
    Model model = model();
    try (PipedOutputStream out = new PipedOutputStream();
        PipedInputStream in = new PipedInputStream(out)) {
      CountDownLatch scored = new CountDownLatch(1);
      Future<?> scoring =
          pool.submit(() -> Scorer.builder(model).build().score(in, token -> scored.countDown()));
      out.write(new byte[] {'a', 'b'});
      out.flush();
      scored.await();
      model.close();
      out.write('c');
      out.flush();
      assertThatThrownBy(() -> scoring.get(20, TimeUnit.SECONDS)).hasRootCauseMessage(CLOSED);
    }
  }

  @Test
  void waits_for_a_lease_also_if_the_closing_thread_is_interrupted() throws Exception {
    Model model = model();
    Lifetime.Lease lease = SHARNN.lease(model);
    List<Boolean> interrupted = new ArrayList<>();
    CountDownLatch closing = new CountDownLatch(1);
    Thread closer =
        new Thread(
            () -> {
              closing.countDown();
              model.close();
              interrupted.add(Thread.currentThread().isInterrupted());
            });
    try (lease) {
      closer.start();
      closing.await();
      closer.interrupt();
      closer.join(200);
      assertThat(closer.isAlive()).isTrue();
      assertThat(generator(model, 3).generate("The ")).isNotEmpty(); // part of the call
    }
    closer.join();
    assertThat(interrupted).containsExactly(true);
    assertThat(model.getNDManager().isOpen()).isFalse();
  }

  @Test
  void a_model_that_shares_weights_ends_with_their_owner_but_not_the_other_way_round() {
    Model owner = model();
    try (Model shorter = SHARNN.of(owner).withMemoryLength(5).newModel("shorter")) {
      try (Model other = SHARNN.of(owner).withoutAttention().newModel("other")) {
        assertThat(generator(other, 3).generate("The ")).isNotEmpty();
      }
      assertThat(generator(owner, 3).generate("The ")).isNotEmpty();
      generator(shorter, 9).generate("The ", piece -> owner.close());
      assertThat(owner.getNDManager().isOpen()).isFalse();
      assertClosed(() -> generator(shorter, 3).generate("The "));
    }
  }

  /** DJL's own Predictor wraps the exception. Its own arrays may be gone before the model's. */
  private static void assertWrapped(Throwable end, Model model) {
    assertThat(end).isInstanceOf(TranslateException.class);
    assertThat(end.getCause()).isInstanceOf(IllegalStateException.class).hasNoCause();
    assertThat(end.getCause().getMessage())
        .isIn("the model " + model.getName() + " is closed", "NDManager has been closed already.");
  }

  /** DJL closes a model of Criteria without waiting, but our calls must end all the same. */
  @Test
  void a_model_of_criteria_is_closed_under_calls_without_a_wrong_text() throws Exception {
    try (Model model = model()) {
      model.save(folder, null);
    }
    for (int round = 0; round < 4; round++) {
      ZooModel<String, String> model =
          Criteria.builder()
              .setTypes(String.class, String.class)
              .optModelPath(folder)
              .optArgument("length", 30)
              .build()
              .loadModel();
      String expected = generator(model, 30).generate("The ");
      double bits = Scorer.builder(model).build().score("The old man").totals().bits();
      AtomicInteger texts = new AtomicInteger();
      List<Future<?>> ends = new ArrayList<>();
      ends.add(
          pool.submit(
              () -> {
                try (Predictor<String, String> predictor = model.newPredictor()) {
                  assertThatThrownBy(
                          () -> {
                            while (true) {
                              assertThat(predictor.predict("The ")).isEqualTo(expected);
                              texts.incrementAndGet();
                            }
                          })
                      .satisfies(end -> assertWrapped(end, model));
                  assertThatThrownBy(() -> predictor.predict("The "))
                      .satisfies(end -> assertWrapped(end, model));
                }
              }));
      ends.add(
          pool.submit(
              () ->
                  assertThatThrownBy(
                          () -> {
                            while (true) {
                              same(generator(model, 30).generate("The "), expected);
                            }
                          })
                      .isInstanceOf(IllegalStateException.class)
                      .hasMessage("the model " + model.getName() + " is closed")));
      ends.add(
          pool.submit(
              () -> {
                Scorer scorer = Scorer.builder(model).build();
                try (var predictor = model.newPredictor(new ScoringTranslator(scorer))) {
                  assertThatThrownBy(
                          () -> {
                            while (true) {
                              same(predictor.predict("The old man").totals().bits(), bits);
                            }
                          })
                      .satisfies(end -> assertWrapped(end, model));
                  assertThatThrownBy(() -> predictor.predict("The "))
                      .satisfies(end -> assertWrapped(end, model));
                }
              }));
      while (texts.get() < 2) {
        Thread.sleep(1);
      }
      Thread.sleep(2L * round);
      model.close();
      for (Future<?> end : ends) {
        end.get(20, TimeUnit.SECONDS);
      }
    }
  }
}
