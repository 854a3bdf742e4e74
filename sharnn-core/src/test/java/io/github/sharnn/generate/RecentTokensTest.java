package io.github.sharnn.generate;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.stream.IntStream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class RecentTokensTest {

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 63, 64, 65, 200, Integer.MAX_VALUE})
  void are_the_last_of_a_window(int window) {
    RecentTokens recent = new RecentTokens(window);
    for (int count = 0; count < 500; count++) {
      assertThat(recent.toArray())
          .containsExactlyInAnyOrder(IntStream.range(Math.max(count - window, 0), count).toArray());
      recent.add(count);
    }
  }
}
