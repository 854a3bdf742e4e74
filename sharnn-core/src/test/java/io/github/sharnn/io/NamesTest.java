package io.github.sharnn.io;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class NamesTest {

  @ParameterizedTest
  @CsvSource({"'', '', 0", "a, '', 1", "'', abc, 3", "kitten, sitting, 3", "ab, ba, 2", "x, x, 0"})
  void counts_the_changed_letters(String from, String to, int distance) {
    assertThat(Names.distance(from, to)).isEqualTo(distance);
    assertThat(Names.distance(to, from)).isEqualTo(distance);
  }

  @Test
  void suggests_the_nearest_name_or_lists_all() {
    List<String> known = List.of("layers", "memoryLength");
    assertThat(Names.suggestion("layer", known)).isEqualTo(" did you mean layers?");
    assertThat(Names.suggestion("MEMORY_LENGTH", known)).isEqualTo(" did you mean memoryLength?");
    assertThat(Names.suggestion("lay", known))
        .isEqualTo(" the known names are layers, memoryLength");
    assertThat(Names.suggestion("laye", known)).isEqualTo(" did you mean layers?"); // 2 letters
    assertThat(Names.suggestion("dropout", known))
        .isEqualTo(" the known names are layers, memoryLength");
  }
}
