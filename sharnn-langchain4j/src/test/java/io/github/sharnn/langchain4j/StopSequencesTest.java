package io.github.sharnn.langchain4j;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class StopSequencesTest {

  private static String filter(String text, int pieceLength, String... stops) {
    StopSequences filter = new StopSequences(List.of(stops));
    StringBuilder out = new StringBuilder();
    for (int from = 0; from < text.length() && !filter.found(); from += pieceLength) {
      out.append(filter.accept(text.substring(from, Math.min(text.length(), from + pieceLength))));
    }
    return out + filter.rest();
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 100})
  void the_text_ends_before_the_first_stop_sequence(int pieceLength) {
    assertThat(filter("one. two. three", pieceLength, ". t")).isEqualTo("one");
    assertThat(filter("one. two. three", pieceLength, "x", "two", "three")).isEqualTo("one. ");
    assertThat(filter("aab aaab", pieceLength, "aaab")).isEqualTo("aab ");
    assertThat(filter("abc", pieceLength, "abc", "b")).isEqualTo("a"); // the first to be complete
    assertThat(filter("abc", pieceLength, "c", "abc", "bc")).isEmpty(); // the longest
    assertThat(filter("one two", pieceLength, "two!", "x")).isEqualTo("one two");
    assertThat(filter("one two", pieceLength)).isEqualTo("one two");
  }

  @ParameterizedTest
  @CsvSource({"xy,xy", "ab,a", "ac,''", "ca,c", "xba,x"})
  void characters_are_held_back_only_while_they_may_begin_one(String piece, String passed) {
    StopSequences filter = new StopSequences(List.of("acd", "baz"));
    assertThat(filter.accept(piece)).isEqualTo(passed);
    assertThat(passed + filter.rest()).isEqualTo(piece);
  }

  @Test
  void nothing_follows_a_stop_sequence() {
    StopSequences filter = new StopSequences(List.of("!"));
    assertThat(filter.accept("Ah! No")).isEqualTo("Ah");
    assertThat(filter.found()).isTrue();
    assertThat(filter.rest()).isEmpty();
  }
}
