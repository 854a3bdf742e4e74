package io.github.sharnn.io;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.entry;

import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class RecordsTest {

  public record Range(int from, int to, @Nullable String name) {

    public Range {
      if (from > to) {
        throw new IllegalArgumentException("from is above to");
      }
    }
  }

  private final Range range = new Range(1, 5, "some");

  @Test
  void changes_named_components_and_keeps_the_others() {
    assertThat(Records.with(range, "to", 3)).isEqualTo(new Range(1, 3, "some"));
    assertThat(Records.with(range, "name", null, "from", 2)).isEqualTo(new Range(2, 5, null));
    assertThat(range).isEqualTo(new Range(1, 5, "some"));
  }

  @Test
  void throws_what_the_constructor_throws() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Records.with(range, "from", 9))
        .withMessage("from is above to");
  }

  @Test
  void rejects_a_name_that_is_no_component() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Records.with(range, "until", 9))
        .withMessageContaining("Range has no components [until]");
  }

  @Test
  void lists_the_components_in_order() {
    assertThat(Records.values(range))
        .containsExactly(entry("from", 1), entry("to", 5), entry("name", "some"));
  }

  @Test
  void reads_json_and_takes_a_missing_number_as_0() {
    assertThat(Records.fromJson(Range.class, "range.json", "{'to': 3, 'name': null}"))
        .isEqualTo(new Range(0, 3, null));
  }

  @Test
  void rejects_json_that_is_no_such_record() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Records.fromJson(Range.class, "range.json", ""))
        .withMessage("range.json is empty");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Records.fromJson(Range.class, "range.json", "{'to': [\7}"))
        .withMessage("range.json is not valid JSON: {'to': [ }");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Records.fromJson(Range.class, "range.json", "{'form': 3}"))
        .withMessage("range.json has the unknown field 'form': did you mean from?");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Records.fromJson(Range.class, "range.json", "{'from': 3}"))
        .withMessage("from is above to");
  }
}
