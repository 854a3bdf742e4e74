package io.github.sharnn.vocabulary;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ByteVocabularyTest {

  private final TextVocabulary bytes = TextVocabulary.bytes();

  @Test
  void every_byte_is_a_token() {
    int[] tokens = IntStream.range(0, 256).toArray();
    byte[] text = bytes.decode(tokens);
    assertThat(text).hasSize(256).startsWith(0, 1, 2).endsWith(254, 255);
    assertThat(bytes.encode(text)).isEqualTo(tokens);
    assertThat(bytes.encode("é")).containsExactly(0xC3, 0xA9);
    assertThat(bytes.size()).isEqualTo(256);
    assertThat(bytes.lossless()).isTrue();
  }

  @Test
  void encodes_only_the_given_part() {
    IntStream.Builder tokens = IntStream.builder();
    TokenEncoder encoder = bytes.encoder(tokens::add);
    encoder.write(new byte[] {1, 2, 3, 4}, 1, 2);
    encoder.end();
    assertThat(tokens.build()).containsExactly(2, 3);
    assertThat(encoder.lostBytes()).isZero();
  }

  @Test
  void names_a_byte_by_its_character() {
    assertThat(bytes.getToken(0)).isEqualTo("\0");
    assertThat(bytes.getToken(255)).isEqualTo("ÿ");
    assertThat(bytes.getIndex("ÿ")).isEqualTo(255);
    assertThat(bytes.contains("ÿ")).isTrue();
    assertThat(bytes.contains("Ā")).isFalse(); // U+0100
    assertThat(bytes.contains("")).isFalse();
    assertThat(bytes.contains("ab")).isFalse();
    assertThatIllegalArgumentException()
        .isThrownBy(() -> bytes.getIndex("Ā"))
        .withMessage("a byte must be a character from U+0000 to U+00FF, but is 'Ā'");
  }

  @ParameterizedTest
  @ValueSource(ints = {-1, 256})
  void rejects_a_token_that_is_no_byte(int token) {
    String message = "a token must be a byte from 0 to 255, but is " + token;
    assertThatIllegalArgumentException().isThrownBy(() -> bytes.decode(token)).withMessage(message);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> bytes.getToken(token))
        .withMessage(message);
  }

  @Test
  void has_no_file() {
    assertThat(bytes.content()).isEmpty();
    assertThat(bytes.property())
        .isEqualTo("bytes e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assertThat(bytes).hasToString("bytes");
  }
}
