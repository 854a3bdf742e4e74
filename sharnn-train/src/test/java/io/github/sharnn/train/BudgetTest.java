package io.github.sharnn.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.time.Duration;
import org.junit.jupiter.api.Test;

class BudgetTest {

  @Test
  void counts_its_own_unit() {
    assertThat(Budget.epochs(4).used(3, 1_000, 1_000)).isEqualTo(0.75);
    assertThat(Budget.steps(1_000).used(3, 250, 1_000)).isEqualTo(0.25);
    assertThat(Budget.time(Duration.ofSeconds(2)).used(3, 1_000, 1_000_000_000)).isEqualTo(0.5);
  }

  @Test
  void must_be_above_0() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Budget.epochs(0))
        .withMessage("a budget of epochs must be above 0, but is 0");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Budget.steps(-5))
        .withMessage("a budget of steps must be above 0, but is -5");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Budget.time(Duration.ZERO))
        .withMessage("a budget of time must be above 0, but is 0");
  }
}
