package io.github.sharnn.cli.options;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.github.sharnn.SHARNN;
import io.github.sharnn.SHARNNConfig;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine;

class SizeOptionsTest {

  private static List<Integer> attentionLayers(String... args) {
    SizeOptions options = CommandLine.populateCommand(new SizeOptions(), args);
    SHARNNConfig.Builder builder = SHARNN.builder();
    options.apply(builder);
    return builder.config().attentionLayers();
  }

  @Test
  void an_empty_list_of_layers_is_none() {
    assertThat(attentionLayers("--attention-layers=")).isEmpty();
    assertThat(attentionLayers("--attention-layers", "")).isEmpty();
    assertThat(attentionLayers("--attention-layers", "--layers", "2")).isEmpty();
    assertThat(attentionLayers("--attention-layers")).isEmpty();
  }

  @Test
  void reads_a_list_of_layers() {
    assertThat(attentionLayers()).containsExactly(2);
    assertThat(attentionLayers("--attention-layers", "1")).containsExactly(1);
    assertThat(attentionLayers("--attention-layers=0,3", "--layers", "4")).containsExactly(0, 3);
    assertThat(attentionLayers("--attention-layers", "0, 1")).containsExactly(0, 1);
  }

  @ParameterizedTest
  @ValueSource(strings = {",", "1,", ",1", "x", "1.5", " ", "1;2", "99999999999"})
  void refuses_another_text(String layers) {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> attentionLayers("--attention-layers=" + layers))
        .withMessageContaining("--attention-layers takes layers separated by commas, such as 0,2")
        .withMessageContaining("was given '" + layers + "'");
  }
}
