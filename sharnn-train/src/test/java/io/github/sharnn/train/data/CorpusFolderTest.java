package io.github.sharnn.train.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.sharnn.vocabulary.Perplexity;
import io.github.sharnn.vocabulary.TextVocabulary;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.util.Locale;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A folder with a file for each part. */
class CorpusFolderTest extends WikiText {

  @ParameterizedTest
  @ValueSource(strings = {"wiki.%s.tokens", "wiki.%s.raw", "ptb.%s.txt", "%s.txt"})
  void opens_the_usual_layouts(String layout) throws Exception {
    Corpus corpus = Corpus.folder(wikiText(layout));
    assertThat(corpus.train().length()).isEqualTo(TRAIN.length());
    assertThat(new String(corpus.validation().open().readAllBytes(), StandardCharsets.UTF_8))
        .isEqualTo(VALID);
    byte[] test = new byte[4];
    corpus.test().read(0, test);
    assertThat(test).asString().isEqualTo("stop");
    assertThat(corpus.vocabulary()).isSameAs(TextVocabulary.bytes());
    String sha256 = corpus.sha256();
    Files.writeString(
        folder.resolve("data").resolve(String.format(Locale.ROOT, layout, "test")), "other");
    assertThat(Corpus.folder(folder.resolve("data")).sha256()).isNotEqualTo(sha256);
  }

  @Test
  void refuses_folders_without_one_corpus() throws Exception {
    Path data = wikiText("ptb.%s.txt");
    wikiText("wiki.%s.tokens");
    assertThatThrownBy(() -> Corpus.folder(data))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("must contain the three files of one corpus")
        .hasMessageContaining("wiki.train.tokens")
        .hasMessageContaining("ptb.test.txt");
    Files.delete(data.resolve("ptb.test.txt"));
    Files.delete(data.resolve("wiki.train.tokens"));
    assertThatThrownBy(() -> Corpus.folder(data))
        .isInstanceOf(IOException.class)
        .hasMessageEndingWith(
            ", but has no %s, and no %s",
            data.resolve("wiki.train.tokens"), data.resolve("ptb.test.txt"));
    Files.delete(data.resolve("wiki.valid.tokens"));
    Files.delete(data.resolve("wiki.test.tokens"));
    Files.delete(data.resolve("ptb.valid.txt"));
    assertThatThrownBy(() -> Corpus.folder(data))
        .hasMessageEndingWith(
            "valid and test), but has no %s and no %s",
            data.resolve("ptb.valid.txt"), data.resolve("ptb.test.txt"));
    assertThatThrownBy(() -> Corpus.folder(data.resolve("ptb.train.txt")))
        .isInstanceOf(NotDirectoryException.class);
    Files.delete(data.resolve("ptb.train.txt"));
    assertThatThrownBy(() -> Corpus.folder(data))
        .isInstanceOf(IOException.class)
        .hasMessageEndingWith("valid and test), but has none of them");
  }

  @Test
  void a_corpus_of_bytes_counts_its_words_too() throws Exception {
    Corpus corpus = Corpus.folder(wikiText("%s.txt"));
    assertThat(corpus.test().units())
        .isEqualTo(new Perplexity.Units(TEST.length(), TEST.length(), 8, 0));
    assertThat(tokens(corpus.test())).startsWith('s', 't', 'o', 'p');
  }

  @Test
  void refuses_a_corpus_without_tokens() throws Exception {
    Path data = wikiText("%s.txt");
    Files.writeString(data.resolve("valid.txt"), "    ");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Corpus.folder(data).withVocabulary(ofSize(300)))
        .withMessageContaining("each part of a corpus needs at least 2 tokens")
        .withMessageContaining("validation part of")
        .withMessageContaining("yields 1");
    Files.writeString(data.resolve("valid.txt"), "");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Corpus.folder(data))
        .withMessageContaining("valid.txt is empty");
  }
}
