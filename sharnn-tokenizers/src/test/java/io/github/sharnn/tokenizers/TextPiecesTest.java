package io.github.sharnn.tokenizers;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class TextPiecesTest {

  /** Lists pieces as they are and other bytes as numbers. */
  private static List<String> pieces(boolean cutsAtSpaces, boolean otherBytes, byte[] text) {
    List<String> found = new ArrayList<>();
    TextPieces pieces =
        new TextPieces(cutsAtSpaces, found::add, otherBytes ? each -> found.add("#" + each) : null);
    pieces.write(text, 0, text.length);
    pieces.flush();
    return found;
  }

  private static byte[] bytes(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  @Test
  void begin_with_a_space_that_follows_something_else() {
    byte[] text = bytes("a b  c\n d\u00e9 e ");
    assertThat(pieces(true, true, text)).containsExactly("a", " b", "  c\n d\u00e9", " e", " ");
    assertThat(pieces(false, true, text)).containsExactly("a b  c\n d\u00e9 e ");
    assertThat(pieces(true, true, new byte[0])).isEmpty();
    assertThat(pieces(false, true, new byte[0])).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void have_bytes_that_are_no_text_between_them_or_replaced(boolean cutsAtSpaces) {
    byte[] text = {(byte) 0xFF, 'a', (byte) 0xE2, (byte) 0x82, 'b', (byte) 0xC3};
    assertThat(pieces(cutsAtSpaces, true, text))
        .containsExactly("#255", "a", "#226", "#130", "b", "#195");
    assertThat(pieces(cutsAtSpaces, false, text)).containsExactly("\ufffda\ufffdb\ufffd");
  }

  /** Two places to cut lie within the first 64 KiB. */
  @ParameterizedTest
  @CsvSource(
      quoteCharacter = '`',
      value = {
        "`x y`, `x y`, 65001", // the last one
        "`~ y`, `x\u007f y`, 60001", // DEL is no printing character
        "`! y`, `x\u00e9 y`, 60001", // nor is the last byte of a longer one
        "`x y`, `xx  `, 65002", // of two spaces the first
        "`x y`, `x\n `, 60001"
      })
  void of_a_long_text_end_at_the_last_safe_space(String first, String second, int cut) {
    StringBuilder text = new StringBuilder("x".repeat(70_000));
    text.replace(60_000, 60_000 + first.length(), first);
    text.replace(65_000, 65_000 + second.length(), second);
    List<String> pieces = pieces(false, true, bytes(text.toString()));
    assertThat(pieces).containsExactly(text.substring(0, cut), text.substring(cut));
  }

  @ParameterizedTest
  @CsvSource({
    "x, 0",
    "\u00e9, 0",
    "\u00e9, 1",
    "\u20ac, 1",
    "\u20ac, 2",
    "\ud83d\ude42, 0",
    "\ud83d\ude42, 1",
    "\ud83d\ude42, 2",
    "\ud83d\ude42, 3"
  })
  void of_a_text_without_spaces_end_before_a_whole_character(String character, int before) {
    int length = bytes(character).length;
    String text = "x".repeat(before) + character.repeat(300_000 / length);
    List<String> pieces = pieces(false, true, bytes(text));
    assertThat(String.join("", pieces)).isEqualTo(text);
    assertThat(pieces).hasSize(3);
    for (String piece : pieces.subList(0, 2)) { // of 128 KiB, less a character and a broken one
      assertThat(bytes(piece).length).isBetween((1 << 17) - 2 * length, (1 << 17) - 1);
    }
  }
}
