package io.github.sharnn.train.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assumptions.assumeThat;

import ai.djl.util.Utils;
import io.github.sharnn.vocabulary.TextVocabulary;
import io.github.sharnn.vocabulary.WordVocabulary;
import java.io.IOException;
import java.lang.reflect.Proxy;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** A corpus is cut into tokens once; what is wrong with the file is noticed. */
class TokenFileTest extends WikiText {

  private List<Path> tokenFiles() throws IOException {
    // the environment may name a shared folder, which has other files
    assumeThat(Utils.getCacheDir()).startsWith(folder);
    try (Stream<Path> files = Files.list(folder.resolve("cache/sharnn"))) {
      return files
          .filter(FileSystems.getDefault().getPathMatcher("glob:**.tokens")::matches)
          .sorted()
          .toList();
    }
  }

  @ParameterizedTest
  @CsvSource({"250, 1", "256, 1", "257, 2", "65536, 2", "65537, 4"})
  void tokens_take_as_many_bytes_as_they_need(int size, int width) throws Exception {
    Corpus corpus = Corpus.folder(wikiText("%s.txt")).withVocabulary(ofSize(size));
    assertThat(tokens(corpus.test()))
        .containsExactly(
            size - 6, size - 5, size - 1, size - 4, size - 2, size - 1, size - 3, size - 2);
    assertThat(tokenFiles()).hasSize(3);
    assertThat(tokenFiles().stream().map(f -> f.toFile().length())).contains(128L + 8 * width);
  }

  /** A write has 64 KiB. */
  @ParameterizedTest
  @ValueSource(ints = {256, 257, 65537})
  void a_part_may_have_more_tokens_than_are_written_at_once(int size) throws Exception {
    Path data = wikiText("%s.txt");
    Files.writeString(data.resolve("train.txt"), "stop your head thinking\n".repeat(20_000));
    int[] tokens = tokens(Corpus.folder(data).withVocabulary(ofSize(size)).train());
    assertThat(tokens).hasSize(100_000);
    for (int i = 0; i < tokens.length; i++) {
      assertThat(tokens[i]).isEqualTo(size - 6 + i % 5);
    }
  }

  @Test
  void token_files_are_written_once() throws Exception {
    words();
    List<Path> files = tokenFiles();
    assertThat(files).hasSize(3);
    FileTime long_ago = FileTime.from(Instant.EPOCH);
    for (Path file : files) {
      Files.setLastModifiedTime(file, long_ago);
    }
    Corpus again = words();
    assertThat(tokens(again.test())).hasSize(8);
    assertThat(tokenFiles()).isEqualTo(files);
    for (Path file : files) {
      assertThat(Files.getLastModifiedTime(file)).isEqualTo(long_ago);
    }
    Corpus.folder(folder.resolve("data")).withVocabulary(ofSize(300));
    assertThat(tokenFiles()).hasSize(6).containsAll(files);
    try (Stream<Path> cache = Files.list(folder.resolve("cache/sharnn"))) {
      assertThat(cache.filter(file -> file.toString().endsWith(".tmp"))).isEmpty();
    }
  }

  @Test
  void whoever_may_read_other_files_there_may_read_the_tokens() throws Exception {
    words();
    Path file = tokenFiles().get(0);
    assumeThat(Files.getFileStore(file).supportsFileAttributeView("posix")).isTrue();
    Path other = Files.createFile(folder.resolve("cache/sharnn/other"));
    assertThat(Files.getPosixFilePermissions(file)).isEqualTo(Files.getPosixFilePermissions(other));
  }

  @Test
  void says_what_can_be_done_where_tokens_can_not_be_written() throws Exception {
    Corpus bytes = Corpus.folder(wikiText("%s.txt"));
    Files.createDirectories(folder.resolve("cache"));
    assumeThat(Utils.getCacheDir()).startsWith(folder);
    Files.createFile(folder.resolve("cache/sharnn"));
    assertThatThrownBy(() -> bytes.withVocabulary(ofSize(300)))
        .isInstanceOf(IOException.class)
        .hasMessageStartingWith("can't write the tokens of the training part of ")
        .hasMessageContaining(folder.resolve("cache/sharnn").toString())
        .hasMessageContaining("set DJL_CACHE_DIR to a writable folder with free space");
  }

  @Test
  void refuses_a_token_file_of_another_vocabulary() throws Exception {
    Corpus bytes = Corpus.folder(wikiText("%s.txt"));
    bytes.withVocabulary(ofSize(300));
    List<Path> first = tokenFiles();
    bytes.withVocabulary(ofSize(301));
    List<Path> second = new ArrayList<>(tokenFiles());
    second.removeAll(first);
    for (Path file : second) {
      Files.write(file, Files.readAllBytes(first.get(0)));
    }
    assertThatThrownBy(() -> bytes.withVocabulary(ofSize(301)))
        .isInstanceOf(IOException.class)
        .hasMessageContaining(".tokens is not the expected token file")
        .hasMessageContaining("it is of another vocabulary")
        .hasMessageContaining(ofSize(300).sha256())
        .hasMessageContaining(ofSize(301).sha256())
        .hasMessageContaining("delete this file; the library writes it again");
  }

  @Test
  void refuses_a_token_file_of_another_text() throws Exception {
    Corpus bytes = Corpus.folder(wikiText("%s.txt"));
    bytes.withVocabulary(ofSize(300));
    List<Path> files = tokenFiles();
    Files.copy(files.get(0), files.get(1), StandardCopyOption.REPLACE_EXISTING);
    assertThatThrownBy(() -> bytes.withVocabulary(ofSize(300)))
        .isInstanceOf(IOException.class)
        .hasMessageContaining(files.get(1) + " is not the expected token file")
        .hasMessageContaining("it is of another text; delete this file");
  }

  @Test
  void refuses_a_folder_in_a_token_files_place() throws Exception {
    Corpus bytes = Corpus.folder(wikiText("%s.txt"));
    bytes.withVocabulary(ofSize(300));
    Path file = tokenFiles().get(0);
    Files.delete(file);
    Files.createDirectory(file);
    assertThatThrownBy(() -> bytes.withVocabulary(ofSize(300)))
        .isInstanceOf(IOException.class)
        .hasMessageContaining(file + " is not the expected token file")
        .hasMessageContaining("it is not a regular file; delete this file");
  }

  @Test
  void refuses_tokens_outside_of_the_vocabulary() throws Exception {
    Corpus bytes = Corpus.folder(wikiText("%s.txt"));
    TextVocabulary broken =
        (TextVocabulary)
            Proxy.newProxyInstance(
                TextVocabulary.class.getClassLoader(),
                new Class<?>[] {TextVocabulary.class},
                (proxy, method, args) ->
                    method.getName().equals("size") ? 256L : method.invoke(ofSize(257), args));
    assertThatThrownBy(() -> bytes.withVocabulary(broken))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("must be from 0 to 255, but its encoder gave 256");
    try (Stream<Path> cache = Files.list(folder.resolve("cache/sharnn"))) {
      assertThat(cache.filter(file -> file.toString().endsWith("tokens"))).isEmpty();
    }
  }

  @Test
  void refuses_token_files_that_are_damaged() throws Exception {
    Corpus bytes = Corpus.folder(wikiText("%s.txt"));
    WordVocabulary vocabulary = ofSize(300);
    bytes.withVocabulary(vocabulary);
    for (Path file : tokenFiles().subList(0, 1)) {
      byte[] whole = Files.readAllBytes(file);
      for (int at = 0; at < whole.length; at++) {
        if (at >= 120 && at < 128) {
          continue; // nothing is there
        }
        byte[] damaged = whole.clone();
        damaged[at] ^= 4;
        Files.write(file, damaged);
        assertThatThrownBy(() -> bytes.withVocabulary(vocabulary))
            .as("byte %d", at)
            .isInstanceOf(IOException.class)
            .hasMessageContaining("is not the expected token file");
      }
      for (int length = 0; length < whole.length; length++) {
        Files.write(file, Arrays.copyOf(whole, length));
        assertThatThrownBy(() -> bytes.withVocabulary(vocabulary))
            .as("%d bytes", length)
            .isInstanceOf(IOException.class)
            .hasMessageContaining("is not the expected token file");
      }
      Files.write(file, whole);
    }
    assertThat(tokens(bytes.withVocabulary(vocabulary).test())).hasSize(8);
  }
}
