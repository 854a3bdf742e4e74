package io.github.sharnn;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class WeightTest {

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11})
  void lists_the_names_and_shapes_of_every_model_in_the_order_of_its_parameters(int seed) {
    try (NDManager manager = NDManager.newBaseManager()) {
      SHARNN model = TestModels.initialized(TestModels.vary(seed), manager, seed);
      check(model);
      check(model.collapse(manager));
      check(model.withoutAttention());
    }
  }

  private static void check(SHARNN model) {
    Map<String, Shape> listed = new LinkedHashMap<>();
    Weight.of(model.config()).forEach(weight -> listed.put(weight.name(), weight.shape()));
    Map<String, Shape> parameters = new LinkedHashMap<>();
    SafetensorsWeights.names(model)
        .forEach((name, parameter) -> parameters.put(name, parameter.getShape()));
    assertThat(parameters).containsExactlyEntriesOf(listed);
    SafetensorsWeights.names(model)
        .forEach(
            (name, parameter) ->
                assertThat(name)
                    .matches(
                        switch (parameter.getType()) {
                          case GAMMA -> "blocks.*ln.*\\.weight";
                          case BETA -> "blocks.*ln.*\\.bias";
                          case BIAS -> ".*bias.*";
                          default -> ".*(weight.*|tail_vectors|[qkv]s)";
                        }));
  }
}
