package io.github.sharnn.generate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class GeneratedTextTest extends TinyModelTest {

  private SHARNNGenerator generator;
  private int before;

  @BeforeEach
  void createGenerator() {
    generator = SHARNNGenerator.builder(model).seed(42).length(60).build();
    before = TinyModel.liveArrays();
  }

  @Test
  void iterates_over_the_pieces_of_the_text() {
    List<String> pieces = new ArrayList<>();
    generator.generate("hello", pieces::add);
    List<String> iterated = new ArrayList<>();
    try (GeneratedText text = generator.iterate("hello")) {
      while (text.hasNext()) {
        assertThat(text.hasNext()).isTrue(); // and takes nothing away
        iterated.add(text.next());
      }
      assertThatThrownBy(text::next).isInstanceOf(NoSuchElementException.class);
      assertThat(TinyModel.liveArrays()).isEqualTo(before);
    }
    assertThat(iterated).isEqualTo(pieces).hasSizeGreaterThan(20);
  }

  @Test
  void streams_the_text() {
    try (Stream<String> text = generator.stream("hello")) {
      assertThat(text.collect(Collectors.joining())).isEqualTo(generator.generate("hello"));
    }
    assertThat(TinyModel.liveArrays()).isEqualTo(before);
  }

  /** Endless but for the lack of anyone who asks. */
  @Test
  void computes_no_more_than_is_asked_for() {
    SHARNNGenerator endless =
        SHARNNGenerator.builder(model).seed(42).length(Integer.MAX_VALUE).build();
    String start = generator.generate("hello");
    try (Stream<String> text = endless.stream("hello")) {
      assertThat(start).startsWith(text.limit(10).collect(Collectors.joining()));
    }
    try (Stream<String> text = endless.stream("hello")) {
      Iterator<String> pieces = text.iterator();
      assertThat(start).startsWith(pieces.next() + pieces.next());
    }
    assertThat(TinyModel.liveArrays()).isEqualTo(before);
  }

  @Test
  void breaking_off_frees_every_array() {
    GeneratedText text = generator.iterate("hello");
    text.next();
    assertThat(TinyModel.liveArrays()).isGreaterThan(before);
    text.close();
    assertThat(TinyModel.liveArrays()).isEqualTo(before);
    assertThat(text.hasNext()).isFalse();
    text.close();
    generator.iterate("hello").close();
    assertThat(TinyModel.liveArrays()).isEqualTo(before);
  }

  @Test
  void the_arrays_of_an_abandoned_text_go_with_it() throws Exception {
    assertThat(generator.stream("hello").limit(3).toList()).hasSize(3); // and nobody closes it
    assertThat(TinyModel.liveArrays()).isGreaterThan(before);
    for (int i = 0; i < 200 && TinyModel.liveArrays() > before; i++) {
      System.gc();
      Thread.sleep(50);
    }
    assertThat(TinyModel.liveArrays()).isEqualTo(before);
  }

  @Test
  void two_texts_at_once_are_what_they_are_alone() {
    try (GeneratedText one = generator.iterate("one");
        GeneratedText two = generator.iterate("two")) {
      StringBuilder first = new StringBuilder();
      StringBuilder second = new StringBuilder();
      while (one.hasNext() || two.hasNext()) {
        first.append(one.hasNext() ? one.next() : "");
        second.append(two.hasNext() ? two.next() : "");
      }
      assertThat(first).hasToString(generator.generate("one"));
      assertThat(second).hasToString(generator.generate("two"));
    }
  }

  @Test
  void rejects_a_bad_prompt_at_once_and_leaves_nothing_behind() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> generator.stream(""))
        .withMessageContaining(
            "prompt must have at least one token"
                + " of the model's vocabulary (bytes), but '' has none: use a longer text");
    assertThat(TinyModel.liveArrays()).isEqualTo(before);
  }

  /** As a server does whose client has gone: arrays closed under a token would end the process. */
  @Test
  void any_thread_may_close_it() throws Exception {
    SHARNNGenerator endless =
        SHARNNGenerator.builder(model).seed(42).length(Integer.MAX_VALUE).build();
    ExecutorService executor = Executors.newSingleThreadExecutor();
    try {
      for (int i = 0; i < 100; i++) {
        GeneratedText text = endless.iterate("hello");
        CountDownLatch pieces = new CountDownLatch(1 + i % 3);
        Future<?> reader =
            executor.submit(
                () -> {
                  while (text.hasNext()) {
                    pieces.countDown();
                    try {
                      text.next();
                    } catch (NoSuchElementException e) {
                      return; // closed since hasNext
                    }
                  }
                });
        pieces.await();
        text.close();
        reader.get(1, TimeUnit.MINUTES);
      }
    } finally {
      executor.shutdownNow();
    }
    assertThat(TinyModel.liveArrays()).isEqualTo(before);
  }
}
