package io.github.sharnn.train.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.github.sharnn.vocabulary.WordVocabulary;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class MixedCorpusTest {

  @TempDir private Path folder;

  private Corpus corpus(String name, String word, int lines) throws IOException {
    String text =
        IntStream.range(0, lines)
            .mapToObj(i -> word + " " + i + " " + "x".repeat(i % 60) + "\n")
            .collect(Collectors.joining());
    return Corpus.open(Files.writeString(folder.resolve(name), text));
  }

  private static String text(Corpus.Part part) throws IOException {
    return new String(part.open().readAllBytes(), java.nio.charset.StandardCharsets.UTF_8);
  }

  @ParameterizedTest
  @ValueSource(doubles = {0.05, 0.25, 0.6})
  void has_all_new_lines_in_order_and_a_share_of_whole_old_lines(double share) throws IOException {
    Corpus fresh = corpus("new", "neu\u00fc", 4000);
    Corpus old = corpus("old", "alt", 30_000);
    Corpus mixed = MixedCorpus.write(folder.resolve("mixed"), fresh, old, share);

    List<String> lines = text(mixed.train()).lines().toList();
    List<String> oldLines = lines.stream().filter(line -> line.startsWith("alt ")).toList();
    List<String> newLines = lines.stream().filter(line -> !line.startsWith("alt ")).toList();
    assertThat(newLines).isEqualTo(text(fresh.train()).lines().toList());
    assertThat(oldLines).doesNotHaveDuplicates();
    List<Integer> numbers =
        oldLines.stream().map(line -> Integer.valueOf(line.split(" ")[1])).toList();
    assertThat(numbers).isSorted();
    assertThat(numbers.get(0)).isLessThan(1000);
    assertThat(numbers.get(numbers.size() - 1)).isBetween(24_500, 27_000); // 27,000 are trained on
    double bytes = oldLines.stream().mapToLong(line -> line.length() + 1).sum();
    assertThat(bytes / mixed.train().bytes()).isCloseTo(share, within(0.01));
    assertThat(text(mixed.validation())).isEqualTo(text(fresh.validation()));
    assertThat(text(mixed.test())).isEqualTo(text(fresh.test()));

    String sha256 = mixed.sha256();
    assertThat(MixedCorpus.write(folder.resolve("mixed"), fresh, old, share).sha256())
        .isEqualTo(sha256);
    assertThat(Corpus.folder(folder.resolve("mixed")).sha256()).isEqualTo(sha256);
  }

  @Test
  void has_its_share_if_old_lines_are_longer_than_a_passage_needs() throws IOException {
    String line = "x".repeat(499) + "\n";
    Corpus fresh = corpus("new", "neu", 40_000);
    Corpus old = Corpus.open(Files.writeString(folder.resolve("old"), line.repeat(4000)));
    Corpus mixed = MixedCorpus.write(folder.resolve("mixed"), fresh, old, 0.01);
    double bytes = mixed.train().bytes() - fresh.train().bytes();
    assertThat(bytes / mixed.train().bytes()).isCloseTo(0.01, within(0.001));
  }

  @Test
  void texts_without_lines_are_cut_between_characters() throws IOException {
    Path file = Files.writeString(folder.resolve("one line"), "\u20ac".repeat(30_000));
    Corpus euro = Corpus.withFractions(file, 0.8, 0.1, 0.1);
    Corpus mixed = MixedCorpus.write(folder.resolve("mixed"), euro, euro, 0.3);
    assertThat(text(mixed.train())).matches("\u20ac+\ufffd?"); // a part may end in a character
    assertThat(mixed.train().bytes()).isCloseTo(72_000 * 10 / 7, within(100L));
  }

  @Test
  void keeps_the_vocabulary() throws IOException {
    Corpus bytes = corpus("new", "neu", 400);
    Corpus words = bytes.withVocabulary(WordVocabulary.train(bytes.train().open(), 1, 50));
    Corpus mixed =
        MixedCorpus.write(folder.resolve("mixed"), words, corpus("old", "alt", 400), 0.2);
    assertThat(mixed.vocabulary()).isSameAs(words.vocabulary());
  }

  @Test
  void rejects_a_share_that_is_impossible() throws IOException {
    Corpus fresh = corpus("new", "neu", 100);
    Corpus old = corpus("old", "alt", 20);
    Path mixed = folder.resolve("mixed");
    for (double share : new double[] {0, 1, Double.NaN}) {
      assertThatThrownBy(() -> MixedCorpus.write(mixed, fresh, old, share))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessage("the share of old text must be above 0 and below 1, but is " + share);
    }
    assertThatThrownBy(() -> MixedCorpus.write(mixed, fresh, old, 0.5))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("use a smaller share or a longer old text");
    Corpus lines = Corpus.builder().text("a\nb\n".repeat(100)).documents(Documents.LINES).build();
    assertThatThrownBy(() -> MixedCorpus.write(mixed, lines, fresh, 0.1))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("the new text of a mixture must not have documents");
    assertThat(mixed).doesNotExist();
  }

  @Test
  void texts_that_it_is_made_of_are_not_replaced() throws IOException {
    Path own = Files.createDirectory(folder.resolve("own"));
    for (String name : List.of("train.txt", "valid.txt", "test.txt")) {
      Files.writeString(own.resolve(name), name + "\n" + "a line\n".repeat(3000));
    }
    Corpus fresh = Corpus.folder(own);
    Corpus old = corpus("old", "alt", 4000);
    Path link = Files.createSymbolicLink(folder.resolve("link"), own);
    Corpus built = Corpus.builder().file(own.resolve("train.txt")).build();
    for (Path target : List.of(own, link)) {
      assertThatThrownBy(() -> MixedCorpus.write(target, fresh, old, 0.1))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessage(
              "the mixture would replace %s, which it is made of: write it into another folder",
              target.resolve("train.txt"));
      assertThatThrownBy(() -> MixedCorpus.write(target, built, old, 0.1))
          .isInstanceOf(IllegalArgumentException.class);
      assertThatThrownBy(() -> MixedCorpus.write(target, old, fresh, 0.1))
          .isInstanceOf(IllegalArgumentException.class);
    }
    assertThat(own.resolve("train.txt")).hasSize(10 + 7 * 3000);
  }
}
