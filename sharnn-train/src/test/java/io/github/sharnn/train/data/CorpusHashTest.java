package io.github.sharnn.train.data;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.util.Utils;
import com.google.common.hash.Hashing;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.time.Instant;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

class CorpusHashTest {

  private static final String OLD = "the old text";
  private static final String NEW = "the new text";

  @TempDir private Path folder;

  private static String sha256(String text) {
    return Hashing.sha256().hashString(text, StandardCharsets.UTF_8).toString();
  }

  private static Path cached(Path file) throws IOException {
    return Utils.getCacheDir()
        .resolve("sharnn")
        .resolve(sha256(file.toRealPath().toString()) + ".sha256");
  }

  /** Returns a file that is no longer fresh, so that its hash is cached. */
  private Path settled() throws Exception {
    Path file = Files.writeString(folder.resolve("book.txt"), OLD);
    Files.setLastModifiedTime(file, FileTime.from(Instant.parse("2020-02-02T00:00:00Z")));
    Thread.sleep(Duration.ofMillis(2_100).toMillis());
    assertThat(CorpusHash.of(file)).isEqualTo(sha256(OLD));
    assertThat(cached(file)).content().endsWith(sha256(OLD));
    return file;
  }

  @Test
  @DisabledOnOs(OS.WINDOWS)
  void sees_other_bytes_of_the_same_size_and_modification_time() throws Exception {
    Path file = settled();
    assertThat(CorpusHash.of(file)).isEqualTo(sha256(OLD));
    FileTime time = Files.getLastModifiedTime(file);
    Files.writeString(file, NEW);
    Files.setLastModifiedTime(file, time);
    assertThat(CorpusHash.of(file)).isEqualTo(sha256(NEW));
    Path other = Files.writeString(folder.resolve("other.txt"), OLD);
    Files.setLastModifiedTime(other, time);
    Files.move(other, file, StandardCopyOption.REPLACE_EXISTING);
    assertThat(CorpusHash.of(file)).isEqualTo(sha256(OLD));
  }

  @Test
  void reads_an_unchanged_file_only_once() throws Exception {
    Path file = settled();
    String text = Files.readString(cached(file));
    Files.writeString(cached(file), text.replace(sha256(OLD), sha256("marked")));
    assertThat(CorpusHash.of(file)).isEqualTo(sha256("marked"));
  }

  @Test
  void does_not_trust_the_time_of_a_fresh_file() throws IOException {
    Path file = Files.writeString(folder.resolve("fresh.txt"), OLD);
    assertThat(CorpusHash.of(file)).isEqualTo(sha256(OLD));
    assertThat(cached(file)).doesNotExist();
  }
}
