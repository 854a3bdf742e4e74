package io.github.sharnn.train;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class LossScaleTest {

  @Test
  void halves_at_an_overflow_and_doubles_after_2000_good_steps_in_a_row() {
    LossScale scale = LossScale.dynamic();
    assertThat(scale.value()).isEqualTo(65536);
    assertThat(scale.overflow()).isTrue();
    assertThat(scale.value()).isEqualTo(32768);
    for (int step = 0; step < 1999; step++) {
      scale.good();
    }
    scale.overflow();
    assertThat(scale.value()).as("1,999 steps are not enough").isEqualTo(16384);
    for (int step = 0; step < 2000; step++) {
      scale.good();
    }
    assertThat(scale.value()).isEqualTo(32768);
  }

  @Test
  void does_not_fall_below_1() {
    LossScale scale = LossScale.dynamic();
    for (int step = 1; step <= 16; step++) {
      assertThat(scale.overflow()).isTrue();
    }
    assertThat(scale.value()).isEqualTo(1);
    assertThat(scale.overflow()).isFalse();
    assertThat(scale.value()).isEqualTo(1);
    assertThat(scale.cause()).isEqualTo("gradient norm not finite even at a loss scale of 1");
  }

  @Test
  void stays_1_in_float32_where_it_is_not_the_cause_of_an_overflow() {
    LossScale scale = LossScale.none();
    for (int step = 0; step < 5000; step++) {
      scale.good();
    }
    assertThat(scale.value()).isEqualTo(1);
    assertThat(scale.overflow()).isFalse();
    assertThat(scale.value()).isEqualTo(1);
    assertThat(scale.cause()).isEqualTo("gradient norm not finite");
  }

  @Test
  void goes_back_to_what_was_saved_and_counts_on_from_there() {
    LossScale saved = LossScale.dynamic();
    saved.overflow();
    for (int step = 0; step < 1999; step++) {
      saved.good();
    }
    LossScale scale = LossScale.dynamic();
    scale.restore(saved.save());
    assertThat(scale.value()).isEqualTo(32768);
    scale.good();
    assertThat(scale.value()).isEqualTo(65536);
  }

  @Test
  void goes_back_to_1_too() {
    LossScale saved = LossScale.dynamic();
    for (int step = 1; step <= 16; step++) {
      saved.overflow();
    }
    LossScale scale = LossScale.dynamic();
    scale.restore(saved.save());
    assertThat(scale.value()).isEqualTo(1);
  }

  @Test
  void stays_1_in_float32_whatever_a_run_in_float16_saved() {
    LossScale scale = LossScale.none();
    scale.restore(LossScale.dynamic().save());
    assertThat(scale.value()).isEqualTo(1);
  }
}
