package io.github.sharnn.vocabulary;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class WordVocabularyTest {

  private static byte[] bytes(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  private static WordVocabulary train(String text, int minimumCount, int maximumSize)
      throws IOException {
    return WordVocabulary.train(new ByteArrayInputStream(bytes(text)), minimumCount, maximumSize);
  }

  private static List<String> words(WordVocabulary vocabulary) {
    return LongStream.range(0, vocabulary.size()).mapToObj(vocabulary::getToken).toList();
  }

  /** A whole text's tokens, its end included. */
  private static List<String> tokens(WordVocabulary vocabulary, String text) {
    List<String> tokens = new ArrayList<>();
    TokenEncoder encoder = vocabulary.encoder(token -> tokens.add(vocabulary.getToken(token)));
    encoder.write(bytes(text), 0, bytes(text).length);
    encoder.end();
    return tokens;
  }

  @Test
  void sorts_by_falling_frequency_then_by_text() throws Exception {
    String text = "b a b c\na c b\nd e\n"; // b 3, <eos> 3, a 2, c 2, d 1, e 1, <unk> 0
    assertThat(words(train(text, 1, 100)))
        .containsExactly("<eos>", "b", "a", "c", "d", "e", "<unk>");
  }

  @Test
  void counts_the_words_left_out_as_unknown() throws Exception {
    String text = "b a b c\na c b\nd e\n";
    assertThat(words(train(text, 2, 100))).containsExactly("<eos>", "b", "<unk>", "a", "c");
    assertThat(words(train(text, 1, 4))).containsExactly("<unk>", "<eos>", "b", "a");
    assertThat(words(train("x <unk> <unk> y\n", 1, 100)))
        .containsExactly("<unk>", "<eos>", "x", "y");
    assertThat(words(train("x x\n", 1, 2))).containsExactly("<unk>", "<eos>");
  }

  @Test
  void counts_as_wikitext_and_penn_treebank_do() throws Exception {
    // WikiText: empty lines, titles between equals signs, spaces at both ends of a line
    String wiki = " \n = Robert <unk> = \n \n He 's an actor . \n \n";
    WordVocabulary vocabulary = train(wiki, 1, 100);
    assertThat(tokens(vocabulary, wiki))
        .containsExactly(
            "<eos>", "=", "Robert", "<unk>", "=", "<eos>", "<eos>", "He", "'s", "an", "actor", ".",
            "<eos>", "<eos>");
    assertThat(count(wiki)).isEqualTo(14);
    // Penn Treebank: a sentence a line; one copy of it lacks the last newline
    String ptb = " no it was n't black monday \n but while the N did n't";
    assertThat(count(ptb)).isEqualTo(6 + 1 + 6 + 1);
    assertThat(tokens(train(ptb, 1, 100), ptb)).hasSize(14).endsWith("n't", "<eos>");
  }

  @Test
  void words_stand_between_any_ascii_white_space_and_no_other() throws Exception {
    String text = "a\tb\u000bc\fd\re f\bg\u000eh\u00a0i";
    assertThat(words(train(text, 1, 100)))
        .containsExactlyInAnyOrder("a", "b", "c", "d", "e", "f\bg\u000eh\u00a0i", "<eos>", "<unk>");
    assertThat(count(text)).isEqualTo(7);
  }

  private static long count(String text) {
    WordCount count = new WordCount();
    count.write(bytes(text), 0, bytes(text).length);
    return count.words();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"", " ", "\n", "a", "a\n", "a b", " a\t b \r\n\n", "a\n ", "\u00a0a\u2003b\n"})
  void the_count_of_words_is_the_number_of_tokens(String text) throws Exception {
    WordVocabulary vocabulary = train("a b\n", 1, 100);
    assertThat(count(text)).isEqualTo(tokens(vocabulary, text).size());
  }

  @Test
  void a_prompt_ends_without_an_end_of_line() throws Exception {
    WordVocabulary vocabulary = train("a b\n", 1, 100);
    assertThat(vocabulary.encode("b a"))
        .containsExactly((int) vocabulary.getIndex("b"), (int) vocabulary.getIndex("a"));
    assertThat(vocabulary.encode("a\n"))
        .containsExactly((int) vocabulary.getIndex("a"), (int) vocabulary.getIndex("<eos>"));
    assertThat(vocabulary.encode("b c"))
        .containsExactly((int) vocabulary.getIndex("b"), (int) vocabulary.getIndex("<unk>"));
  }

  @Test
  void writing_in_pieces_changes_nothing() throws Exception {
    String text = "  un  \u00fcber  \n\n caf\u00e9 \t x\u6f22\u5b57 unknown";
    WordVocabulary vocabulary = train("un \u00fcber caf\u00e9 x\u6f22\u5b57\n", 1, 100);
    List<String> expected = tokens(vocabulary, text);
    byte[] all = bytes(text);
    Random random = new Random(1);
    for (int run = 0; run < 100; run++) {
      List<String> tokens = new ArrayList<>();
      TokenEncoder encoder = vocabulary.encoder(token -> tokens.add(vocabulary.getToken(token)));
      WordCount count = new WordCount();
      for (int at = 0; at < all.length; ) {
        int some = Math.min(1 + random.nextInt(5), all.length - at);
        encoder.write(all, at, some);
        count.write(all, at, some);
        at += some;
      }
      encoder.end();
      assertThat(tokens).isEqualTo(expected);
      assertThat(count.words()).isEqualTo(expected.size());
      // 2 + 2 + 2 spaces, 1 + 3 more, "unknown"
      assertThat(encoder.lostBytes()).isEqualTo(2 + 2 + 2 + 1 + 3 + 7);
    }
  }

  @ParameterizedTest
  @CsvSource({
    "'a b\n', 0",
    "'a  b\n', 2",
    "'a\tb\n', 1",
    "' a b\n', 1",
    "'a b \n', 1",
    "'a zz\n', 2",
    "'a <eos>\n', 5",
    "'a <unk>\n', 0",
    "'\n\n', 0"
  })
  void tells_how_many_bytes_decoding_loses(String text, long lost) throws Exception {
    WordVocabulary vocabulary = train("a b\n", 1, 100);
    TokenEncoder encoder = vocabulary.encoder(token -> {});
    encoder.write(bytes(text), 0, bytes(text).length);
    encoder.end();
    assertThat(encoder.lostBytes()).isEqualTo(lost);
    boolean same = Arrays.equals(vocabulary.decode(vocabulary.encode(text)), bytes(text));
    assertThat(same).isEqualTo(lost == 0);
    assertThat(vocabulary.lossless()).isFalse();
  }

  @Test
  void decodes_words_with_one_space_between_them() throws Exception {
    WordVocabulary vocabulary = train("the caf\u00e9 is shut\n", 1, 100);
    assertThat(vocabulary.decode(vocabulary.encode("\n the   caf\u00e9\nis  open\n")))
        .isEqualTo(bytes("\nthe caf\u00e9\nis <unk>\n"));
  }

  @Test
  void takes_bytes_that_are_not_utf8() throws Exception {
    byte[] text = {'a', ' ', (byte) 0xFF, (byte) 0xC3, '\n'};
    WordVocabulary vocabulary = WordVocabulary.train(new ByteArrayInputStream(text), 1, 100);
    TokenEncoder encoder = vocabulary.encoder(token -> {});
    encoder.write(text, 0, text.length);
    assertThat(encoder.lostBytes()).isEqualTo(2);
    assertThat(vocabulary.encode(text)).hasSize(3);
    assertThat(new WordVocabulary.Format().read(vocabulary.content()).encode(text)).hasSize(3);
  }

  @Test
  void the_file_has_a_word_a_line() throws Exception {
    WordVocabulary vocabulary = train("b\u00fc a b\u00fc\n", 1, 100);
    assertThat(vocabulary.content()).isEqualTo(bytes("b\u00fc\n<eos>\na\n<unk>\n"));
    TextVocabulary read = new WordVocabulary.Format().read(vocabulary.content());
    assertThat(read.sha256()).isEqualTo(vocabulary.sha256());
    assertThat(read.encode("a b\u00fc c\n")).isEqualTo(vocabulary.encode("a b\u00fc c\n"));
    assertThat(read.contains("a")).isTrue();
    assertThat(read.contains("c")).isFalse();
  }

  @Test
  void opens_a_file_and_names_one_that_is_none(@TempDir Path folder) throws Exception {
    Path file = Files.writeString(folder.resolve("mine.txt"), "<unk>\r\na\r\n<eos>\r\n");
    assertThat(WordVocabulary.open(file).sha256())
        .isEqualTo(WordVocabulary.of(List.of("<unk>", "a", "<eos>")).sha256());
    Files.writeString(file, "<unk>\na\n<eos>\na\n");
    assertThatThrownBy(() -> WordVocabulary.open(file))
        .isInstanceOf(IOException.class)
        .hasMessage(
            "can't read the words in %s: not a vocabulary of one word a line: words must"
                + " differ, but words 1 and 3 are 'a'",
            file);
    Files.writeString(file, "\uFEFFthe\n<unk>\n<eos>\n");
    assertThatThrownBy(() -> WordVocabulary.open(file))
        .isInstanceOf(IOException.class)
        .hasMessageContaining(file + ": it begins with a byte order mark")
        .hasMessageContaining("save it as UTF-8 without one");
    assertThatThrownBy(() -> WordVocabulary.open(folder))
        .isInstanceOf(IOException.class)
        .hasMessageContaining(folder.toString());
  }

  /** Copying the word at every write would take hours. */
  @Test
  @Timeout(60)
  void takes_a_word_of_many_megabytes_in_small_writes() {
    WordVocabulary vocabulary = WordVocabulary.of(List.of("<unk>", "<eos>"));
    List<Integer> tokens = new ArrayList<>();
    TokenEncoder encoder = vocabulary.encoder(tokens::add);
    byte[] some = "x".repeat(64).getBytes(StandardCharsets.US_ASCII);
    for (int i = 0; i < 1 << 18; i++) {
      encoder.write(some, 0, some.length);
    }
    encoder.end();
    assertThat(tokens).containsExactly(0, 1);
    assertThat(encoder.lostBytes()).isEqualTo(1 << 24);
  }

  @Test
  void rejects_what_is_no_vocabulary() {
    assertThatThrownBy(() -> new WordVocabulary.Format().read(new byte[] {(byte) 0xFF, '\n'}))
        .isInstanceOf(IOException.class)
        .hasMessage("a vocabulary must be one word a line in UTF-8, but this is not UTF-8");
    assertThatThrownBy(() -> new WordVocabulary.Format().read(bytes("a\nb\n")))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("must have <unk> and <eos>, but these 2 lack <unk>: add it");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> WordVocabulary.of(List.of("<unk>", "a")))
        .withMessageContaining("must have <unk> and <eos>, but these 2 lack <eos>: add it");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> WordVocabulary.of(List.of("<unk>", "<eos>", "a\ud800")))
        .withMessageContaining("half a surrogate pair, but word 2 has one");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> WordVocabulary.of(List.of("<unk>", "<eos>", "a", "a")))
        .withMessageContaining("words 2 and 3 are 'a'");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> WordVocabulary.of(List.of("<unk>", "<eos>", "a b")))
        .withMessageContaining("white space, but word 2 is 'a b'");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> WordVocabulary.of(List.of("<unk>", "", "<eos>")))
        .withMessageContaining("must not be empty or contain white space, but word 1 is ''");
  }

  @Test
  void rejects_bad_options_and_texts() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> train("a\n", 0, 10))
        .withMessageContaining("minimumCount must be at least 1, but is 0");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> train("a\n", 1, 1))
        .withMessageContaining("maximumSize must be at least 2");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> train("", 1, 10))
        .withMessageContaining("the text must have at least one word, but has none");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> WordVocabulary.of(List.of("<unk>", "<eos>")).decode(2))
        .withMessageContaining("a token must be from 0 to 1, but is 2");
  }

  @Test
  void has_the_sum_of_its_file() {
    assertThat(WordVocabulary.of(List.of("<unk>", "<eos>", "the")).property())
        .isEqualTo("words 8e3f37ada844473bbdded59ad6213465d0df684888bd0e91202b74c200426e2c");
  }
}
