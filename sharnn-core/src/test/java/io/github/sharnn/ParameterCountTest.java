package io.github.sharnn;

import static io.github.sharnn.TestModels.initialized;
import static io.github.sharnn.TestModels.tiny;
import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.initializer.Initializer;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ParameterCountTest extends SeededModels {

  @ParameterizedTest
  @CsvSource({
    "206, 0, false, 50.64",
    "206, 1, false, 53.80",
    "206, 1, true, 51.70",
    "206, 4, false, 63.27",
    "206, 4, true, 54.88",
    "256, 1, false, 53.85"
  })
  void has_the_published_parameter_counts(
      int vocabulary, int attention, boolean collapsed, double millions) {
    int[] layers = attention == 1 ? new int[] {2} : IntStream.range(0, attention).toArray();
    SHARNNConfig config =
        SHARNN.builder().vocabularySize(vocabulary).attentionLayers(layers).config();
    SHARNN model = SHARNN.of(collapsed ? config.withCollapsed() : config);
    // only shapes count here, and zeros are quick to make
    model.setInitializer(Initializer.ZEROS, parameter -> true);
    model.initialize(manager, DataType.FLOAT32, new Shape(1, 1));
    // the published counts include what the reference declares and never uses: in each block six
    // vectors of size C (lnout; qkvs and r_gate, or lnmid and lnmem where there is no attention)
    long unused = 6L * config.embeddingSize() * config.layers();
    assertThat(Math.round((model.parameterCount() + unused) / 1e4) / 1e2).isEqualTo(millions);
  }

  @Test
  void has_exactly_the_parameters_that_it_uses() {
    // C = 16, H = 64, V = 29: LSTM 8CC + 8C, Boom CH + H, three norms 6C; attention's q CC + C, its
    // norm 2C, scales 3C, Overparam 2CC + 2C, two more norms 4C
    long block = 8 * 256 + 8 * 16 + 16 * 64 + 64 + 6 * 16;
    long attention = 256 + 16 + 2 * 16 + 3 * 16 + 2 * 256 + 2 * 16 + 4 * 16;
    long vocabulary = 29 * 16 + 29;
    assertThat(initialized(tiny(), manager, 1).parameterCount())
        .isEqualTo(vocabulary + 3 * block + attention);
    assertThat(
            initialized(
                    tiny().tiedOutput(false).boomShortcut(false).keyProjection(true), manager, 1)
                .parameterCount())
        .isEqualTo(vocabulary + 29 * 16 + 3 * (block + 64 * 16 + 16) + attention + 256 + 16);
  }

  @Test
  void counts_the_parameters_of_a_model_that_is_not_built() {
    for (int seed = 0; seed < 20; seed++) {
      SHARNN model = TestModels.initialized(TestModels.vary(seed), manager, seed);
      SHARNN collapsed = model.collapse(manager);
      assertThat(model.config().parameterCount()).isEqualTo(model.parameterCount());
      assertThat(collapsed.config().parameterCount()).isEqualTo(collapsed.parameterCount());
    }
    int most = Integer.MAX_VALUE;
    SHARNNConfig.Builder largest = SHARNN.builder().vocabularySize(most).embeddingSize(most);
    assertThat(largest.boomSize(most).layers(1000).config().parameterCount())
        .isEqualTo(Long.MAX_VALUE);
  }
}
