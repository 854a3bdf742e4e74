package io.github.sharnn.train;

import static com.google.common.util.concurrent.Uninterruptibles.awaitUninterruptibly;
import static java.util.concurrent.TimeUnit.SECONDS;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Model;
import ai.djl.inference.Predictor;
import ai.djl.ndarray.NDList;
import ai.djl.nn.Parameter;
import ai.djl.training.Trainer;
import ai.djl.training.listener.TrainingListener;
import ai.djl.training.listener.TrainingListenerAdapter;
import ai.djl.training.optimizer.Adam;
import ai.djl.training.tracker.Tracker;
import io.github.sharnn.SHARNN;
import io.github.sharnn.generate.GenerationTranslator;
import io.github.sharnn.generate.SHARNNGenerator;
import io.github.sharnn.train.data.Corpus;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** One model on many threads, and one training beside all else. */
class ManyThreadsTest {

  private static final Logger LOGGER = LoggerFactory.getLogger(ManyThreadsTest.class);
  private static final int THREADS = 16;
  private static final int SEED = 3;

  /** Generations and scorings of each thread; docs/reliability.md has the figures of 1,000. */
  private static final int CALLS = Integer.getInteger("sharnn.calls", 5);

  private static final int ROUNDS = 5;
  private static final int WARM = 200; // calls after which the resident size tells of growth
  private static final double NOISE_MEBIBYTES = 32;

  private final ExecutorService pool = Executors.newFixedThreadPool(THREADS);
  private Corpus corpus;

  @TempDir Path folder;

  @BeforeEach
  void open() throws Exception {
    corpus = Tiny.corpus(folder, 2_000);
  }

  @AfterEach
  void endThreads() {
    pool.shutdownNow();
  }

  /** The work of a server with one model: it scores, generates, and predicts as DJL calls it. */
  private record Work(Model model, Corpus corpus, Predictor<String, String> predictor)
      implements AutoCloseable {

    static Work with(Model model, Corpus corpus) {
      for (Parameter parameter : SHARNN.of(model).getParameters().values()) {
        parameter.getArray().setRequiresGradient(true); // as a trainer leaves them
      }
      SHARNNGenerator generator = SHARNNGenerator.builder(model).length(3).seed(7).build();
      return new Work(model, corpus, model.newPredictor(new GenerationTranslator(generator)));
    }

    List<Object> once() throws Exception {
      double bpc = Tiny.evaluation(model, corpus.test(), 2, 16).bitsPerCharacter();
      SHARNNGenerator generator =
          SHARNNGenerator.builder(model).seed(42).length(5).topP(0.9f).build();
      return List.of(bpc, generator.generate("stop "), predictor.predict("thinking "));
    }

    @Override
    public void close() {
      predictor.close();
    }
  }

  /** Begins on all threads at once. */
  private List<Future<Void>> onEveryThread(Callable<Void> work) {
    CountDownLatch ready = new CountDownLatch(THREADS);
    List<Future<Void>> ends = new ArrayList<>();
    for (int thread = 0; thread < THREADS; thread++) {
      ends.add(
          pool.submit(
              () -> {
                ready.countDown();
                ready.await();
                return work.call();
              }));
    }
    return ends;
  }

  @Test
  void sixteen_get_what_one_gets() throws Exception {
    List<Double> resident = new ArrayList<>();
    try (Model model = Tiny.model(Tiny.sharnn(), SEED);
        Work work = Work.with(model, corpus)) {
      List<Object> expected = work.once();
      int arrays = NativeMemory.arrays();
      for (int round = 1; round <= ROUNDS; round++) {
        List<Future<Void>> ends =
            onEveryThread(
                () -> {
                  for (int call = 0; call < CALLS / ROUNDS; call++) {
                    assertThat(work.once()).isEqualTo(expected);
                  }
                  return null;
                });
        for (Future<Void> end : ends) {
          end.get();
        }
        assertThat(NativeMemory.arrays()).as("arrays after round %s", round).isEqualTo(arrays);
        if (NativeMemory.residentSizeIsKnown()) {
          resident.add(NativeMemory.residentMebibytes());
        }
      }
    }
    LOGGER.info("{} threads, {} calls each, resident MiB: {}", THREADS, CALLS, resident);
    if (CALLS > ROUNDS * WARM / 2 && !resident.isEmpty()) {
      assertThat(resident.get(ROUNDS - 1) - resident.get(1))
          .as("growth of the resident size in MiB: %s", resident)
          .isLessThan(NOISE_MEBIBYTES);
    }
  }

  private static SHARNNTrainer.Builder trainer(Model model) {
    return withoutRate(model).learningRate(Tracker.fixed(1e-3f));
  }

  private static SHARNNTrainer.Builder withoutRate(Model model) {
    return SHARNNTrainer.builder(model).batchSize(2).sequenceLength(16).evaluationInterval(6);
  }

  private static Model newModel(String name) {
    return Tiny.sharnn().dropouts(0.1f).weightDrop(0.1f).build().newModel(name);
  }

  /** Returns the numbers of a run that do not depend on time. */
  private List<List<Double>> fit(SHARNNTrainer.Builder trainer) {
    return trainer.build().fit(corpus, Budget.steps(12)).history().stream()
        .map(step -> List.of(step.trainBpc(), step.validationBpc(), step.gradientNorm()))
        .toList();
  }

  private List<List<Double>> undisturbed() {
    try (Model model = newModel("first")) {
      return fit(trainer(model));
    }
  }

  private Void assertRefused(Model second) {
    assertThatIllegalStateException()
        .isThrownBy(() -> fit(trainer(second)))
        .withMessageContaining("model second can't be trained on thread")
        .withMessageContaining("while fit trains model first on thread main");
    assertThatIllegalStateException()
        .isThrownBy(() -> trainer(second).build().fit(corpus, Recipe.SMALL.stages()))
        .withMessageContaining("while fit trains model first on thread main");
    return null;
  }

  @Test
  void a_second_training_is_refused_and_the_first_goes_on() {
    List<List<Double>> expected = undisturbed();
    List<Future<Void>> elsewhere = new ArrayList<>();
    try (Model first = newModel("first");
        Model second = newModel("second")) {
      SHARNNTrainer.Builder trainer =
          trainer(first)
              .onStep(
                  report -> {
                    if (report.step() == 3) {
                      assertRefused(second);
                      elsewhere.add(pool.submit(() -> assertRefused(second)));
                      assertThat(elsewhere.get(0)).succeedsWithin(60, SECONDS);
                    }
                  });
      assertThat(fit(trainer)).isEqualTo(expected);
      assertThat(elsewhere).hasSize(1);
      assertThat(fit(trainer(second))).isEqualTo(expected);
    }
  }

  @Test
  void a_run_that_ended_in_an_exception_leaves_the_place_free() {
    List<List<Double>> expected = undisturbed();
    try (Model first = newModel("first");
        Model second = newModel("second")) {
      SHARNNTrainer.Builder stopped =
          trainer(first)
              .onStep(
                  report -> {
                    throw new UnsupportedOperationException("stopped");
                  });
      assertThatThrownBy(() -> fit(stopped)).hasMessage("stopped");
      assertThat(fit(trainer(second))).isEqualTo(expected);
    }
  }

  @Test
  void other_models_work_while_one_trains() throws Exception {
    List<List<Double>> undisturbed = undisturbed();
    AtomicBoolean trained = new AtomicBoolean();
    CountDownLatch atWork = new CountDownLatch(2 * THREADS);
    try (Model model = Tiny.model(Tiny.sharnn(), SEED);
        Work work = Work.with(model, corpus);
        Model first = newModel("first")) {
      List<Object> expected = work.once();
      List<Future<Void>> ends =
          onEveryThread(
              () -> {
                while (!trained.get()) {
                  assertThat(work.once()).isEqualTo(expected);
                  atWork.countDown();
                }
                return null;
              });
      try {
        SHARNNTrainer.Builder trainer =
            trainer(first)
                .onStep(
                    report -> {
                      if (report.step() == 3) { // the steps to come run beside the others' work
                        assertThat(awaitUninterruptibly(atWork, 60, SECONDS)).isTrue();
                      }
                    });
        assertThat(fit(trainer)).isEqualTo(undisturbed);
      } finally {
        trained.set(true);
      }
      for (Future<Void> end : ends) {
        end.get();
      }
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void trains_on_any_thread(boolean lamb) throws Exception {
    AtomicInteger batches = new AtomicInteger();
    TrainingListener noGradients =
        new TrainingListenerAdapter() {
          @Override
          public void onValidationBatch(Trainer trainer, BatchData data) {
            batches.incrementAndGet();
            for (NDList predictions : data.getPredictions().values()) {
              // fails on what is at the end of a gradient graph
              predictions.forEach(array -> array.setRequiresGradient(false));
            }
          }
        };
    Callable<List<List<Double>>> training =
        () -> {
          try (Model model = newModel("any")) {
            SHARNNTrainer.Builder trainer =
                lamb ? trainer(model) : withoutRate(model).optimizer(Adam.builder().build());
            return fit(trainer.listeners(noGradients));
          }
        };
    List<List<Double>> here = training.call();
    int arrays = NativeMemory.arrays();
    assertThat(pool.submit(training).get()).isEqualTo(here); // where DJL's engine records gradients
    assertThat(NativeMemory.arrays()).isEqualTo(arrays);
    assertThat(batches).hasPositiveValue();
  }
}
