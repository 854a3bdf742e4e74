package io.github.sharnn.tokenizers;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.huggingface.tokenizers.Encoding;
import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import io.github.sharnn.vocabulary.TextVocabulary;
import io.github.sharnn.vocabulary.TokenEncoder;
import io.github.sharnn.vocabulary.WordVocabulary;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SubwordVocabularyTest {

  private static final int STRINGS = Integer.getInteger("sharnn.strings", 500);

  /** A tokenizer that loses text: it lower-cases and has no token for most characters. */
  private static final String WORD_PIECE =
      """
      {"version":"1.0","truncation":null,"padding":null,"added_tokens":[],
       "normalizer":{"type":"Lowercase"},"pre_tokenizer":{"type":"Whitespace"},
       "post_processor":null,"decoder":{"type":"WordPiece","prefix":"##","cleanup":false},
       "model":{"type":"WordPiece","unk_token":"[UNK]","continuing_subword_prefix":"##",
        "max_input_chars_per_word":100,"vocab":{"[UNK]":0,"head":1,"##ed":2,"single":3,"stop":4}}}
      """;

  private static SubwordVocabulary vocabulary;
  private static HuggingFaceTokenizer whole; // the same, as DJL has it

  @TempDir Path folder;

  @BeforeAll
  static void train() throws IOException {
    vocabulary = Texts.pieces(310);
    whole =
        HuggingFaceTokenizer.newInstance(
            new ByteArrayInputStream(vocabulary.content()), Map.of("truncation", "false"));
  }

  private static int[] tokens(Encoding encoding) {
    return LongStream.of(encoding.getIds()).mapToInt(Math::toIntExact).toArray();
  }

  @Test
  void any_text_comes_back() {
    Random random = new Random(11);
    for (int i = 0; i < STRINGS; i++) {
      String text = Texts.random(random);
      byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
      assertThat(vocabulary.decode(vocabulary.encode(text))).as(text).isEqualTo(bytes);
      int[] expected = text.isEmpty() ? new int[0] : tokens(whole.encode(text, false, false));
      assertThat(vocabulary.encode(text)).as(text).isEqualTo(expected);
    }
  }

  @Test
  void any_bytes_come_back() {
    Random random = new Random(12);
    for (int i = 0; i < STRINGS / 4; i++) {
      byte[] bytes = new byte[random.nextInt(60)];
      random.nextBytes(bytes);
      if (i % 2 == 0) { // a cut character among text
        byte[] text = "the caf\u00e9 \u6f22".getBytes(StandardCharsets.UTF_8);
        System.arraycopy(text, 0, bytes, 0, Math.min(bytes.length, text.length - 1));
      }
      assertThat(vocabulary.decode(vocabulary.encode(bytes))).isEqualTo(bytes);
    }
  }

  @Test
  void a_long_text_in_pieces_of_any_size_has_the_tokens_of_the_whole() {
    StringBuilder text = new StringBuilder();
    Random random = new Random(13);
    while (text.length() < 50_000) {
      text.append(random.nextInt(3) == 0 ? Texts.random(random) : "the  head's \n\n attention ");
    }
    text.append("x".repeat(200_000)); // no place to cut
    byte[] bytes = text.toString().getBytes(StandardCharsets.UTF_8);
    IntStream.Builder tokens = IntStream.builder();
    TokenEncoder encoder = vocabulary.encoder(tokens::add);
    for (int at = 0; at < bytes.length; ) {
      int some = Math.min(1 + random.nextInt(50_000), bytes.length - at);
      encoder.write(bytes, at, some);
      at += some;
    }
    encoder.end();
    int[] all = tokens.build().toArray();
    assertThat(vocabulary.decode(all)).isEqualTo(bytes);
    assertThat(encoder.lostBytes()).isZero();
    String begin = text.substring(0, 50_000);
    int[] expected = tokens(whole.encode(begin, false, false));
    assertThat(Arrays.copyOf(all, expected.length - 1))
        .isEqualTo(Arrays.copyOf(expected, expected.length - 1));
  }

  @Test
  void cuts_words_where_the_native_tokenizer_does() throws Exception {
    HuggingFaceTokenizer bytes =
        HuggingFaceTokenizer.newInstance(
            new ByteArrayInputStream(Texts.pieces(256).content()), Map.of("truncation", "false"));
    Random random = new Random(14);
    for (int i = 0; i < STRINGS; i++) {
      String text = Texts.random(random);
      List<Long> expected = new ArrayList<>();
      ByteLevel.cut(
          text,
          word -> {
            long index = expected.isEmpty() ? 0 : expected.get(expected.size() - 1) + 1;
            for (int b = 0; b < word.getBytes(StandardCharsets.UTF_8).length; b++) {
              expected.add(index);
            }
          });
      if (!text.isEmpty()) {
        assertThat(LongStream.of(bytes.encode(text, false, false).getWordIds()).boxed())
            .as(text)
            .containsExactlyElementsOf(expected);
      }
    }
  }

  @Test
  void is_found_in_a_models_folder() throws Exception {
    vocabulary.save(folder);
    assertThat(folder.resolve("tokenizer.json")).hasBinaryContent(vocabulary.content());
    TextVocabulary loaded = TextVocabulary.load(folder, vocabulary.property());
    assertThat(loaded.encode("the heads")).isEqualTo(vocabulary.encode("the heads"));
    WordVocabulary words = WordVocabulary.of(List.of("<unk>", "<eos>"));
    words.save(folder); // another kind, another file
    assertThat(TextVocabulary.load(folder, words.property()).size()).isEqualTo(2);
  }

  @Test
  void has_djls_names_of_tokens() {
    int[] the = vocabulary.encode(" the");
    assertThat(the).hasSize(1);
    assertThat(vocabulary.getToken(the[0])).isEqualTo("\u0120the");
    assertThat(vocabulary.getIndex("\u0120the")).isEqualTo(the[0]);
    assertThat(vocabulary.contains("\u0120xyz")).isFalse();
    assertThatIllegalArgumentException()
        .isThrownBy(() -> vocabulary.decode((int) vocabulary.size()))
        .withMessageContaining("tokens are from 0 to 309, not 310");
  }

  @Test
  void another_tokenizer_promises_nothing() throws Exception {
    SubwordVocabulary pieces = SubwordVocabulary.of(WORD_PIECE.getBytes(StandardCharsets.UTF_8));
    assertThat(pieces.lossless()).isFalse();
    assertThat(pieces.size()).isEqualTo(5);
    int[] tokens = pieces.encode("Single headed ? stop headed");
    assertThat(tokens).containsExactly(3, 1, 2, 0, 4, 1, 2);
    assertThat(new String(pieces.decode(tokens), StandardCharsets.UTF_8))
        .isEqualTo("single headed [UNK] stop headed");
    TokenEncoder encoder = pieces.encoder(token -> {});
    encoder.write(new byte[] {'a', (byte) 0xFF}, 0, 2);
    encoder.end();
    assertThat(encoder.lostBytes()).isEqualTo(-1);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "the cat sat on the mat",
        "[]",
        "{}",
        "{\"model\":{\"type\":\"BPE\"}}",
        "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":-1},\"merges\":[]}}",
        "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":2000000000},\"merges\":[]}}",
        "{\"model\":{\"type\":\"Magic\",\"vocab\":{\"a\":0}}}",
        "{\"version\":\"1.0\",\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[\"a"
            + " b\"]}}"
      })
  void refuses_a_file_that_is_no_tokenizer(String content) throws Exception {
    Path file = Files.writeString(folder.resolve("tokenizer.json"), content);
    assertThatThrownBy(() -> SubwordVocabulary.open(file))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("can't read the tokenizer " + file)
        .hasMessageContaining("this is no tokenizer.json");
  }

  @Test
  void refuses_half_a_tokenizer() {
    byte[] half = Arrays.copyOf(vocabulary.content(), vocabulary.content().length / 2);
    assertThatThrownBy(() -> SubwordVocabulary.of(half))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("this is no tokenizer.json");
  }
}
