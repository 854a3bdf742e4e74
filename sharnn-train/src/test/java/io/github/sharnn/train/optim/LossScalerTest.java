package io.github.sharnn.train.optim;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class LossScalerTest {

  @Test
  void halves_at_an_overflow_and_doubles_after_2000_good_steps_in_a_row() {
    LossScaler scale = LossScaler.dynamic();
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
    LossScaler scale = LossScaler.dynamic();
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
    LossScaler scale = LossScaler.none();
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
    LossScaler saved = LossScaler.dynamic();
    saved.overflow();
    for (int step = 0; step < 1999; step++) {
      saved.good();
    }
    LossScaler scale = LossScaler.dynamic();
    scale.restore(saved.save());
    assertThat(scale.value()).isEqualTo(32768);
    scale.good();
    assertThat(scale.value()).isEqualTo(65536);
  }

  @Test
  void goes_back_to_1_too() {
    LossScaler saved = LossScaler.dynamic();
    for (int step = 1; step <= 16; step++) {
      saved.overflow();
    }
    LossScaler scale = LossScaler.dynamic();
    scale.restore(saved.save());
    assertThat(scale.value()).isEqualTo(1);
  }

  @Test
  void stays_1_in_float32_whatever_a_run_in_float16_saved() {
    LossScaler scale = LossScaler.none();
    scale.restore(LossScaler.dynamic().save());
    assertThat(scale.value()).isEqualTo(1);
  }
}
