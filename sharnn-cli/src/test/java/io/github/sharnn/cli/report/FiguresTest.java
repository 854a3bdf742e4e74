package io.github.sharnn.cli.report;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class FiguresTest {

  @Test
  void a_perplexity_of_words_that_are_many_tokens_stays_readable() {
    assertThat(Figures.readable(209_945.719)).isEqualTo("209945.72");
    assertThat(Figures.readable(4.2092590025955970e130)).isEqualTo("4.209e+130");
    assertThat(Figures.readable(Double.POSITIVE_INFINITY)).isEqualTo("Infinity");
  }
}
