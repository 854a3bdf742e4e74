package io.github.sharnn.train.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import io.github.sharnn.train.Tiny;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystem;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class CorpusTest {

  private static final long GIB = 1L << 30;

  @TempDir Path folder;

  /** A file that reads as zeros and takes no room on disk where the file system allows it. */
  private Path sparse(long length) throws IOException {
    Path file = folder.resolve("sparse");
    try (RandomAccessFile access = new RandomAccessFile(file.toFile(), "rw")) {
      access.setLength(length);
    }
    return file;
  }

  private static byte[] read(Corpus.Part part) {
    byte[] bytes = new byte[(int) part.length()];
    part.read(0, bytes);
    return bytes;
  }

  @Test
  void splits_into_contiguous_parts_by_default_90_5_5() throws IOException {
    byte[] bytes = Tiny.randomBytes(1000, 256);
    Corpus corpus = Corpus.open(Tiny.file(folder, bytes));
    assertThat(read(corpus.train())).isEqualTo(Arrays.copyOfRange(bytes, 0, 900));
    assertThat(read(corpus.validation())).isEqualTo(Arrays.copyOfRange(bytes, 900, 950));
    assertThat(read(corpus.test())).isEqualTo(Arrays.copyOfRange(bytes, 950, 1000));
  }

  @Test
  void shares_the_training_part_among_workers() throws IOException {
    byte[] bytes = Tiny.randomBytes(100, 256);
    Corpus corpus = Corpus.withSizes(Tiny.file(folder, bytes), 11, 4, 2);
    assertThat(read(corpus.share(0, 3).train())).isEqualTo(Arrays.copyOfRange(bytes, 0, 4));
    assertThat(read(corpus.share(1, 3).train())).isEqualTo(Arrays.copyOfRange(bytes, 4, 8));
    assertThat(read(corpus.share(2, 3).train())).isEqualTo(Arrays.copyOfRange(bytes, 8, 11));
    assertThat(read(corpus.share(2, 3).validation())).isEqualTo(Arrays.copyOfRange(bytes, 11, 15));
    assertThat(read(corpus.share(0, 1).train())).isEqualTo(read(corpus.train()));
    assertThatIllegalArgumentException()
        .isThrownBy(() -> corpus.share(0, 6))
        .withMessageContaining("(11 bytes) is too short for 6 workers, which need 2 bytes each");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> corpus.share(3, 3))
        .withMessage("the share must be from 0 to 2, but is 3");
  }

  @Test
  void gives_training_what_rounding_leaves() throws IOException {
    Corpus corpus = Corpus.withFractions(Tiny.file(folder, new byte[107]), 0.5, 0.25, 0.25);
    assertThat(corpus.validation().length()).isEqualTo(26);
    assertThat(corpus.test().length()).isEqualTo(26);
    assertThat(corpus.train().length()).isEqualTo(55);
  }

  @Test
  void splits_by_sizes_and_leaves_out_the_rest() throws IOException {
    byte[] bytes = Tiny.randomBytes(100, 256);
    Corpus corpus = Corpus.withSizes(Tiny.file(folder, bytes), 50, 20, 10);
    assertThat(read(corpus.train())).isEqualTo(Arrays.copyOfRange(bytes, 0, 50));
    assertThat(read(corpus.validation())).isEqualTo(Arrays.copyOfRange(bytes, 50, 70));
    assertThat(read(corpus.test())).isEqualTo(Arrays.copyOfRange(bytes, 70, 80));
  }

  @Test
  void splits_enwik8_as_everyone_does() throws IOException {
    Corpus corpus = Corpus.enwik8(sparse(100_000_000));
    assertThat(corpus.train().length()).isEqualTo(90_000_000);
    assertThat(corpus.validation().length()).isEqualTo(5_000_000);
    assertThat(corpus.test().length()).isEqualTo(5_000_000);
  }

  @Test
  void identifies_the_file_by_sha256() throws IOException {
    byte[] bytes = "abcdef".getBytes(StandardCharsets.US_ASCII);
    Corpus corpus = Corpus.withSizes(Tiny.file(folder, bytes), 2, 2, 2);
    assertThat(corpus.sha256())
        .isEqualTo("bef57ec7f53a6d40beb640a780a639c83bc29ac8a9816f1fc6c5c6dcd93c4721");
  }

  @Test
  @DisabledOnOs(OS.WINDOWS) // files are not sparse there
  void reads_across_the_boundary_of_two_mappings() throws IOException {
    Path file = sparse(GIB + 100);
    byte[] written = {1, 2, 3, 4, 5, 6, 7, 8};
    try (RandomAccessFile access = new RandomAccessFile(file.toFile(), "rw")) {
      access.seek(GIB - 3);
      access.write(written);
    }
    Corpus corpus = Corpus.withSizes(file, GIB - 5, 50, 50);
    byte[] read = new byte[12];
    corpus.validation().read(0, read);
    assertThat(read).containsExactly(0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0);
    byte[] after = new byte[2];
    corpus.validation().read(5, after);
    assertThat(after).as("from the second mapping's start").containsExactly(4, 5);
  }

  @Test
  @DisabledOnOs(OS.WINDOWS) // files are not sparse there
  void never_loads_the_file_whole() throws IOException {
    Path file = sparse(16 * GIB + 1);
    try (RandomAccessFile access = new RandomAccessFile(file.toFile(), "rw")) {
      access.seek(16 * GIB);
      access.write(42);
    }
    assertTimeoutPreemptively(
        Duration.ofSeconds(5),
        () -> {
          Corpus corpus = Corpus.open(file);
          byte[] last = new byte[2];
          corpus.test().read(corpus.test().length() - 2, last);
          assertThat(last).containsExactly(0, 42);
        });
  }

  @Test
  void refuses_to_read_outside_a_part() throws IOException {
    Corpus.Part part = Corpus.withSizes(Tiny.file(folder, new byte[30]), 10, 10, 10).validation();
    byte[] two = new byte[2];
    part.read(8, two);
    for (long from : new long[] {9, -1, Long.MAX_VALUE}) {
      assertThatIllegalArgumentException()
          .isThrownBy(() -> part.read(from, two))
          .withMessageContaining("outside the validation part, which has 10");
    }
  }

  @Test
  void the_end_of_a_part_reads_from_where_it_begins() throws IOException {
    byte[] bytes = Tiny.randomBytes(30, 256);
    Corpus.Part end = Corpus.withSizes(Tiny.file(folder, bytes), 10, 10, 10).test().from(3);
    assertThat(end.length()).isEqualTo(7);
    byte[] all = new byte[7];
    end.read(0, all);
    assertThat(all).isEqualTo(Arrays.copyOfRange(bytes, 23, 30));
    int[] last = new int[2];
    end.read(5, last);
    assertThat(last).containsExactly(Byte.toUnsignedInt(bytes[28]), Byte.toUnsignedInt(bytes[29]));
    assertThatIllegalArgumentException().isThrownBy(() -> end.read(1, all));
  }

  @Test
  void says_that_the_file_is_missing() {
    Path missing = folder.resolve("missing.txt");
    assertThatThrownBy(() -> Corpus.open(missing))
        .isInstanceOf(NoSuchFileException.class)
        .hasMessageContaining("missing.txt")
        .hasMessageContaining("does not exist");
  }

  @Test
  void says_that_the_file_is_a_folder() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Corpus.open(folder))
        .withMessageContaining("must be one file, but %s is a folder", folder);
  }

  @Test
  void says_that_the_file_is_empty() throws IOException {
    Path empty = Files.createFile(folder.resolve("empty.txt"));
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Corpus.open(empty))
        .withMessageContaining("corpus %s is empty", empty);
  }

  @Test
  void says_that_the_file_is_too_short() throws IOException {
    Path file = Tiny.file(folder, new byte[39]); // 5% of 39 is 1
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Corpus.open(file))
        .withMessageContaining("at least 2 bytes")
        .withMessageContaining("%s (39 bytes)", file)
        .withMessageContaining(", 1 validation");
    assertThat(Corpus.open(Tiny.file(folder, new byte[40])).test().length()).isEqualTo(2);
  }

  @ParameterizedTest
  @CsvSource({"0.9, 0.05, 0.04", "1, 0, 0", "1.1, -0.05, -0.05", "NaN, 0.05, 0.05"})
  void says_which_fractions_are_wrong(double train, double validation, double test)
      throws IOException {
    Path file = Tiny.file(folder, new byte[1000]);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Corpus.withFractions(file, train, validation, test))
        .withMessageContaining("must be positive and add up to 1")
        .withMessageContaining("are %s, %s and %s", train, validation, test);
  }

  @Test
  void says_that_the_sizes_exceed_the_file() throws IOException {
    Path file = Tiny.file(folder, new byte[99]);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Corpus.withSizes(file, 50, 30, 20))
        .withMessageContaining("%s must have at least 100 bytes", file)
        .withMessageContaining("training 50 + validation 30 + test 20")
        .withMessageContaining("has 99");
  }

  @ParameterizedTest
  @CsvSource({
    "-50, 30, 20, has -50 training",
    "50, -30, 20, -30 validation",
    "50, 30, 1, and 1 test bytes",
    "50, 0, 20, ', 0 validation'"
  })
  void says_which_size_is_too_small(long train, long validation, long test, String part)
      throws IOException {
    Path file = Tiny.file(folder, new byte[200]);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Corpus.withSizes(file, train, validation, test))
        .withMessageContaining("at least 2 bytes")
        .withMessageContaining(part);
  }

  @Test
  void is_not_fooled_by_sizes_whose_sum_overflows() throws IOException {
    Path file = Tiny.file(folder, new byte[200]);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Corpus.withSizes(file, Long.MAX_VALUE, Long.MAX_VALUE, 100))
        .withMessageContaining("training 9223372036854775807");
  }

  @ParameterizedTest
  @CsvSource({"99999999", "100000001"})
  void says_that_a_file_is_not_enwik8(long length) throws IOException {
    Path file = sparse(length);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Corpus.enwik8(file))
        .withMessageContaining("exactly 100000000 bytes, but %s has %s", file, length)
        .withMessageContaining("fractions or sizes");
  }

  @Test
  void prints_its_parts() throws IOException {
    Path file = Tiny.file(folder, new byte[20_000]);
    assertThat(Corpus.withSizes(file, 10_000, 500, 500))
        .hasToString(file + ": training 10,000, validation 500, test 500 bytes");
  }

  @Test
  void refuses_a_file_that_is_not_on_disk() throws IOException {
    Path zip = folder.resolve("corpora.zip");
    try (FileSystem inside = FileSystems.newFileSystem(zip, Map.of("create", "true"))) {
      Path book = inside.getPath("/book.txt");
      Files.write(book, Tiny.randomBytes(1000, 256));
      assertThatThrownBy(() -> Corpus.open(book))
          .isInstanceOf(IOException.class)
          .hasMessage(
              "/book.txt can't be mapped into memory, since its file system is a ZipFileSystem: copy"
                  + " it to a file on disk and open that");
      assertThatThrownBy(() -> Corpus.withSizes(book, 900, 50, 50))
          .isInstanceOf(IOException.class)
          .hasMessageStartingWith("/book.txt can't be mapped into memory");
      for (String part : List.of("train", "valid", "test")) {
        Files.write(inside.getPath("/" + part + ".txt"), Tiny.randomBytes(100, 256));
      }
      assertThatThrownBy(() -> Corpus.folder(inside.getPath("/")))
          .isInstanceOf(IOException.class)
          .hasMessageStartingWith("/train.txt can't be mapped into memory");
    }
  }
}
