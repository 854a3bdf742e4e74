package io.github.sharnn.generate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Model;
import io.github.sharnn.score.Scorer;
import java.io.ByteArrayInputStream;
import java.util.List;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class InterruptedTest {

  @AfterEach
  void clear() {
    Thread.interrupted();
  }

  private static void assertCancelled(ThrowingCallable call) {
    Thread.currentThread().interrupt();
    assertThatThrownBy(call)
        .isInstanceOf(CancellationException.class)
        .hasMessage("the thread was interrupted");
    assertThat(Thread.interrupted()).isTrue();
  }

  @Test
  void every_call_ends_with_an_exception_and_leaves_the_status_set() {
    try (Model model = TinyModel.of(TinyModel.builder())) {
      SHARNNGenerator generator = SHARNNGenerator.builder(model).seed(42).length(9).build();
      Scorer scorer = Scorer.builder(model).build();
      assertCancelled(() -> generator.generate("The "));
      assertCancelled(() -> generator.iterate("The "));
      assertCancelled(() -> generator.generateAll(List.of("The ", "An ")));
      assertCancelled(() -> scorer.score("The old man"));
      assertCancelled(() -> scorer.score(new ByteArrayInputStream(new byte[9]), token -> {}));
      assertThat(generator.generate("The ")).isNotEmpty();
    }
  }

  @Test
  void an_interrupted_text_goes_on_where_it_was() {
    try (Model model = TinyModel.of(TinyModel.builder())) {
      SHARNNGenerator generator = SHARNNGenerator.builder(model).seed(42).length(30).build();
      StringBuilder text = new StringBuilder();
      try (GeneratedText pieces = generator.iterate("The ")) {
        text.append(pieces.next());
        assertCancelled(
            () -> {
              while (true) {
                text.append(pieces.next());
              }
            });
        pieces.forEachRemaining(text::append);
      }
      assertThat(text.toString()).isEqualTo(generator.generate("The "));
    }
  }

  @Test
  void a_cancelled_call_in_a_pool_ends_soon() throws Exception {
    ExecutorService pool = Executors.newSingleThreadExecutor();
    try (Model model = TinyModel.of(TinyModel.builder())) {
      SHARNNGenerator generator =
          SHARNNGenerator.builder(model).seed(42).length(100_000_000).build();
      CountDownLatch begun = new CountDownLatch(5);
      Future<?> running = pool.submit(() -> generator.generate("The ", s -> begun.countDown()));
      begun.await();
      running.cancel(true);
      pool.shutdown();
      assertThat(pool.awaitTermination(5, TimeUnit.SECONDS)).isTrue();
    }
  }
}
