package io.github.sharnn.vocabulary;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import org.junit.jupiter.api.Test;

class PerplexityTest {

  @Test
  void of_bytes_is_the_mean_over_the_predicted_bytes() {
    Perplexity perplexity = new Perplexity(300, 99, new Perplexity.Units(100, 100, 20, 0));
    assertThat(perplexity.bitsPerByte()).isEqualTo(300.0 / 99 / Math.log(2));
    assertThat(perplexity.predictedBytes()).isEqualTo(99);
    assertThat(perplexity.ofToken()).isEqualTo(Math.exp(300.0 / 99));
    assertThat(perplexity.bitsPerByteSpelled()).isEqualTo(perplexity.bitsPerByte());
  }

  @Test
  void of_words_is_the_same_by_token_and_by_word() {
    Perplexity perplexity = new Perplexity(60, 19, new Perplexity.Units(100, 20, 20, 10));
    assertThat(perplexity.ofWord()).isEqualTo(perplexity.ofToken());
    assertThat(perplexity.bitsPerByte()).isCloseTo(60 / 95.0 / Math.log(2), within(1e-12));
    assertThat(perplexity.bitsPerByteSpelled())
        .isCloseTo(perplexity.bitsPerByte() + 0.8, within(1e-12));
  }

  @Test
  void the_same_code_costs_the_same_whatever_the_tokens_are() {
    // one uniform code of 2 bits a byte, cut three ways; the counts are multiples, so that the
    // first token's share is exact
    double nats = 2 * Math.log(2);
    Perplexity bytes = new Perplexity(nats * 990, 990, new Perplexity.Units(1000, 1000, 200, 0));
    Perplexity pieces = new Perplexity(nats * 990, 396, new Perplexity.Units(1000, 400, 200, 0));
    Perplexity words = new Perplexity(nats * 990, 198, new Perplexity.Units(1000, 200, 200, 0));
    for (Perplexity each : new Perplexity[] {bytes, pieces, words}) {
      assertThat(each.bitsPerByte()).isCloseTo(2, within(1e-12));
      assertThat(each.ofWord()).isCloseTo(1024, within(1e-8));
    }
    assertThat(bytes.ofToken()).isCloseTo(4, within(1e-12));
    assertThat(pieces.ofToken()).isCloseTo(32, within(1e-9));
  }

  @Test
  void of_an_empty_text_has_counts_but_no_means() {
    Perplexity perplexity = new Perplexity(0, 0, new Perplexity.Units(0, 0, 0, 0));
    assertThat(perplexity.predictedBytes()).isZero();
    assertThat(perplexity.bitsPerByte()).isNaN();
    assertThat(perplexity.ofToken()).isNaN();
    assertThat(perplexity.ofWord()).isNaN();
  }

  @Test
  void says_nothing_of_what_is_lost_unknown() {
    Perplexity perplexity = new Perplexity(60, 19, new Perplexity.Units(100, 20, 20, -1));
    assertThat(perplexity.bitsPerByteSpelled()).isNaN();
  }
}
