package io.github.sharnn.train.data;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.sharnn.vocabulary.WordVocabulary;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Small files in the layouts of published corpora, their tokens counted by hand. */
class TokenCountsTest {

  /** A blank line, a title, a blank line, a paragraph: a space before and after each. */
  private static final String WIKI_TRAIN =
      """
      \s
       = A Head = \s
      \s
       The head <unk> 1 @,@ 919 words , and one @-@ headed head . \s
       The head stopped . \s
      \s
       = = Thinking = = \s
      \s
       It stopped . \s
      """;

  private static final String WIKI_VALID =
      """
      \s
       = Heads = \s
      \s
       The <unk> stopped 1 @,@ 000 heads . \s
      """;

  /** A sentence a line, numbers as N, no blank lines, no capital letters and no full stops. */
  private static final String TREE_TRAIN =
      """
       the head of <unk> inc. stopped N years ago\s
       mr. <unk> said the head is n't thinking\s
       it fell N N to $ N\s
      """;

  private static final String TREE_VALID =
      """
       the head said it is thinking about $ N\s
       <unk>\s
      """;

  @TempDir Path folder;

  private Corpus corpus(String layout, String train, String valid, String test) throws IOException {
    Files.writeString(folder.resolve(String.format(Locale.ROOT, layout, "train")), train);
    Files.writeString(folder.resolve(String.format(Locale.ROOT, layout, "valid")), valid);
    Files.writeString(folder.resolve(String.format(Locale.ROOT, layout, "test")), test);
    Corpus bytes = Corpus.folder(folder);
    return bytes.withVocabulary(WordVocabulary.train(bytes.train().open(), 1, Integer.MAX_VALUE));
  }

  private static String text(Corpus.Part part) {
    int[] tokens = new int[(int) part.length()];
    part.read(0, tokens);
    return String.join(" ", IntStream.of(tokens).mapToObj(part.vocabulary()::getToken).toList());
  }

  private static void assertCounts(Corpus corpus, int train, int valid, int test) {
    assertThat(
            Arrays.asList(
                corpus.train().length(), corpus.validation().length(), corpus.test().length()))
        .containsExactly((long) train, (long) valid, (long) test);
    for (Corpus.Part part :
        new Corpus.Part[] {corpus.train(), corpus.validation(), corpus.test()}) {
      assertThat(part.units().words()).isEqualTo(part.length());
      assertThat(part.units().bytes()).isEqualTo(part.bytes());
    }
  }

  @Test
  void counts_wikitexts_tokens() throws Exception {
    // the last line of the test part has no newline, and is a line
    Corpus corpus = corpus("wiki.%s.tokens", WIKI_TRAIN, WIKI_VALID, WIKI_VALID.stripTrailing());
    // words of the lines: 0 4 0 14 4 0 5 0 3, and nine ends; 0 3 0 8, and four
    assertCounts(corpus, 30 + 9, 11 + 4, 11 + 4);
    assertThat(text(corpus.validation()))
        .isEqualTo("<eos> = <unk> = <eos> <eos> The <unk> stopped 1 @,@ <unk> <unk> . <eos>");
    // <eos> = A Head The head <unk> 1 @,@ 919 words , and one @-@ headed . stopped Thinking It
    assertThat(corpus.vocabulary().size()).isEqualTo(20);
    assertThat(corpus.vocabulary().getToken(0)).isEqualTo("<eos>");
  }

  @Test
  void counts_penn_treebanks_tokens() throws Exception {
    Corpus corpus = corpus("ptb.%s.txt", TREE_TRAIN, TREE_VALID, TREE_TRAIN + TREE_VALID);
    assertCounts(corpus, 9 + 8 + 7 + 3, 9 + 1 + 2, 24 + 3 + 10 + 2);
    assertThat(text(corpus.validation()))
        .isEqualTo("the head said it is thinking <unk> $ N <eos> <unk> <eos>");
  }
}
