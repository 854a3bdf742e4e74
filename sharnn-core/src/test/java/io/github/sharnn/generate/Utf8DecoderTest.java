package io.github.sharnn.generate;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class Utf8DecoderTest {

  @Test
  void gives_each_character_with_its_last_byte() {
    assertThat(pieces("aé€😀b".getBytes(UTF_8)))
        .containsExactly("a", "", "é", "", "", "€", "", "", "", "😀", "b", "");
  }

  @Test
  void replaces_malformed_bytes() {
    assertThat(text(0xFF, 'a', 0xC3, 'b', 0x80)).isEqualTo("\uFFFDa\uFFFDb\uFFFD");
  }

  @Test
  void replaces_an_incomplete_tail_at_the_end() {
    assertThat(text('a', 0xF0, 0x9F, 0x98)).isEqualTo("a\uFFFD");
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8})
  void agrees_with_the_jdk_on_any_bytes_and_never_splits_a_pair(long seed) {
    // mostly lead and continuation bytes, so that every kind of malformed sequence occurs
    SplittableRandom random = new SplittableRandom(seed);
    byte[] bytes = new byte[5000];
    for (int i = 0; i < bytes.length; i++) {
      bytes[i] = (byte) (random.nextInt(4) == 0 ? random.nextInt(256) : random.nextInt(0x80, 0xF8));
    }
    List<String> pieces = pieces(bytes);
    assertThat(String.join("", pieces)).isEqualTo(new String(bytes, UTF_8));
    assertThat(pieces)
        .noneMatch(p -> !p.isEmpty() && Character.isHighSurrogate(p.charAt(p.length() - 1)));
  }

  private static String text(int... bytes) {
    byte[] narrowed = new byte[bytes.length];
    for (int i = 0; i < bytes.length; i++) {
      narrowed[i] = (byte) bytes[i];
    }
    return String.join("", pieces(narrowed));
  }

  /** Returns the pieces of each byte and of the end. */
  private static List<String> pieces(byte[] bytes) {
    StringBuilder text = new StringBuilder();
    Utf8Decoder decoder = new Utf8Decoder(text::append);
    List<String> pieces = new ArrayList<>();
    for (byte next : bytes) {
      decoder.accept(next);
      pieces.add(text.toString());
      text.setLength(0);
    }
    decoder.end();
    pieces.add(text.toString());
    return pieces;
  }
}
