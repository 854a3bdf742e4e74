package io.github.sharnn;

import static io.github.sharnn.TestModels.initialized;
import static io.github.sharnn.TestModels.tiny;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** A collapsed model gives what the trained one does, with fewer parameters. */
class CollapseTest extends SeededModels {

  @ParameterizedTest
  @MethodSource("seeds")
  void gives_the_same_collapsed(int seed) {
    SHARNN model = initialized(TestModels.vary(seed), manager, seed);
    SHARNN collapsed = model.collapse(manager);
    Random random = new Random(seed);
    SHARNNState state = TestModels.carriedState(model, manager, random, 2, 5);
    NDArray tokens = TestModels.tokens(manager, random, 2, 9);

    SHARNN.Output expected = TestModels.forward(model, manager, tokens, state);
    SHARNN.Output actual = TestModels.forward(collapsed, manager, tokens, state);
    NDArrayAssert.assertThat(actual.logits()).isCloseTo(expected.logits(), 1e-6);
    BlockChecks.assertThatStatesAgree(actual.state(), expected.state(), 1e-6);
    int size = TestModels.SIZE;
    assertThat(model.parameterCount() - collapsed.parameterCount())
        .isEqualTo((2L * size * size + 2L * size) * model.config().attentionLayers().size());
    assertThat(collapsed.config()).isEqualTo(model.config().withCollapsed());
  }

  @Test
  void collapses_what_is_collapsed_to_itself_and_owns_its_weights() {
    SHARNN model = initialized(tiny(), manager, 1);
    NDArray tokens = TestModels.tokens(manager, new Random(1), 2, 9);
    NDArray expected = TestModels.logits(model, manager, tokens);
    SHARNN collapsed = model.collapse(manager);
    model.clear();
    SHARNN twice = collapsed.collapse(manager);
    collapsed.clear();
    NDArrayAssert.assertThat(TestModels.logits(twice, manager, tokens)).isCloseTo(expected, 1e-6);
  }

  @Test
  void collapses_only_what_is_initialized() {
    assertThatThrownBy(() -> tiny().build().collapse(manager))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("must be initialized or loaded before it is collapsed");
  }
}
