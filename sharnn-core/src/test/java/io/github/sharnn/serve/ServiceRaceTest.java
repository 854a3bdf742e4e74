package io.github.sharnn.serve;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Model;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import io.github.sharnn.SHARNN;
import io.github.sharnn.generate.GeneratedText;
import io.github.sharnn.generate.SHARNNGenerator;
import io.github.sharnn.generate.TinyModel;
import io.github.sharnn.score.Score;
import io.github.sharnn.score.Scorer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Eight threads that generate and score while models are swapped and closed. */
class ServiceRaceTest {

  private static final Logger LOGGER = LoggerFactory.getLogger(ServiceRaceTest.class);
  private static final int THREADS = 8;
  private static final String PROMPT = "The old man ";
  private static final String TEXT = "was here and there";

  @TempDir Path folder;
  private final List<Path> models = new ArrayList<>();
  private final List<Answers> expected = new ArrayList<>();

  /** The answers of one model. */
  private record Answers(String text, Score score) {}

  @BeforeEach
  void save_models() throws Exception {
    for (float deviation : new float[] {0.6f, 0.7f, 0.8f}) {
      Path saved = folder.resolve("model" + models.size());
      try (Model model = TinyModel.of(TinyModel.builder(), DataType.FLOAT32, deviation)) {
        expected.add(
            new Answers(
                options(SHARNNGenerator.builder(model)).build().generate(PROMPT),
                Scorer.builder(model).build().score(TEXT)));
        model.save(saved, null);
      }
      models.add(saved);
    }
    assertThat(expected).doesNotHaveDuplicates();
  }

  private static SHARNNGenerator.Builder options(SHARNNGenerator.Builder builder) {
    return builder.length(12).seed(3);
  }

  private void request(SHARNNService service, int number) {
    switch (number % 4) {
      case 0 ->
          assertThat(expected)
              .extracting(Answers::text)
              .contains(service.generate(PROMPT, ServiceRaceTest::options));
      case 1 -> assertThat(expected).extracting(Answers::score).contains(service.score(TEXT));
      case 2 -> {
        StringBuilder text = new StringBuilder();
        try (GeneratedText pieces = service.stream(PROMPT, ServiceRaceTest::options)) {
          pieces.forEachRemaining(text::append);
        }
        assertThat(expected).extracting(Answers::text).contains(text.toString());
      }
      default -> { // two calls of one request have the same model
        Answers both =
            service.call(
                model ->
                    new Answers(
                        options(SHARNNGenerator.builder(model)).build().generate(PROMPT),
                        Scorer.builder(model).build().score(TEXT)));
        assertThat(expected).contains(both);
      }
    }
  }

  /** Runs requests through swaps and a close, and returns the number of answers. */
  private int race(int requests, int swaps) throws Exception {
    int arrays = liveArrays();
    List<Model> opened = new ArrayList<>();
    opened.add(SHARNN.load(models.get(0)));
    AtomicInteger next = new AtomicInteger();
    AtomicInteger answered = new AtomicInteger();
    ExecutorService pool = Executors.newFixedThreadPool(THREADS);
    try (SHARNNService service = SHARNNService.of(opened.get(0))) {
      List<Future<?>> threads = new ArrayList<>();
      for (int thread = 0; thread < THREADS; thread++) {
        threads.add(
            pool.submit(
                () -> {
                  for (int i = next.getAndIncrement(); i < requests; i = next.getAndIncrement()) {
                    request(service, i);
                    answered.getAndIncrement();
                  }
                }));
      }
      for (int swap = 1; swap <= swaps; swap++) {
        while (answered.get() < swap * requests / (swaps + 1) && running(threads)) {
          Thread.onSpinWait();
        }
        Model model = SHARNN.load(models.get(swap % models.size()));
        opened.add(model);
        service.swap(model);
      }
      for (Future<?> thread : threads) {
        thread.get(60, TimeUnit.SECONDS);
      }
      late(service, pool);
    } finally {
      pool.shutdownNow();
    }
    for (Model model : opened) {
      assertThatThrownBy(() -> Scorer.builder(model).build().score(TEXT))
          .isInstanceOf(IllegalStateException.class)
          .hasMessage("the model tiny is closed");
    }
    assertThat(liveArrays()).isEqualTo(arrays);
    return answered.get();
  }

  private static boolean running(List<Future<?>> threads) {
    return !threads.stream().allMatch(Future::isDone);
  }

  /** Closes the service under requests, each of which has a right answer or is rejected. */
  private void late(SHARNNService service, ExecutorService pool) throws Exception {
    List<Future<?>> threads = new ArrayList<>();
    for (int thread = 0; thread < THREADS; thread++) {
      int first = thread;
      threads.add(
          pool.submit(
              () -> {
                try {
                  for (int i = first; ; i++) {
                    request(service, i % 2); // a stream would be cut
                  }
                } catch (IllegalStateException e) {
                  assertThat(e).hasMessage("the service is closed");
                }
              }));
    }
    Thread.sleep(5);
    service.close();
    for (Future<?> thread : threads) {
      thread.get(60, TimeUnit.SECONDS);
    }
  }

  private static int liveArrays() {
    try (NDManager manager = NDManager.newBaseManager()) {
      return manager.getParentManager().getManagedArrays().size();
    }
  }

  @Test
  void no_request_fails_through_swaps_and_closes() throws Exception {
    assertThat(race(240, 8)).isEqualTo(240);
  }

  @Test
  @Tag("slow")
  void no_request_fails_in_50_repetitions_of_2000_requests_and_20_swaps() throws Exception {
    int answers = 0;
    for (int repetition = 1; repetition <= 50; repetition++) {
      answers += race(2_000, 20);
    }
    LOGGER.info("{} right answers in 50 repetitions", answers);
    assertThat(answers).isEqualTo(100_000);
  }
}
