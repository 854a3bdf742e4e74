package io.github.sharnn.generate;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class StopTextTest {

  @ParameterizedTest
  @CsvSource({
    "ab, xxab, 4",
    "aab, aaab, 4", // a match that begins inside a failed one
    "€, a€, 4",
    "a, a, 1",
    "ab, xxba, 0"
  })
  void matches_at_the_last_byte_of_the_text(String stop, String bytes, int matchedAt) {
    assertThat(firstMatch(new StopText(List.of(stop)), bytes.getBytes(UTF_8))).isEqualTo(matchedAt);
  }

  @Test
  void zero_bytes_match_only_once_they_were_seen() {
    assertThat(firstMatch(new StopText(List.of("\0\0")), new byte[] {0, 1, 0, 0})).isEqualTo(4);
  }

  @ParameterizedTest
  @CsvSource({"xxcd, 4", "xabcd, 3", "cab, 3", "bc, 0"})
  void the_first_of_several_texts_matches(String bytes, int matchedAt) {
    StopText texts = new StopText(List.of("abcd", "ab", "cd"));
    assertThat(firstMatch(texts, bytes.getBytes(UTF_8))).isEqualTo(matchedAt);
  }

  @Test
  void nothing_matches_without_a_text() {
    assertThat(firstMatch(new StopText(List.of()), new byte[5])).isZero();
  }

  /** How many bytes it took, or 0 without a match. */
  private static int firstMatch(StopText stopText, byte[] bytes) {
    for (int i = 0; i < bytes.length; i++) {
      if (stopText.endsWith(bytes[i])) {
        return i + 1;
      }
    }
    return 0;
  }
}
