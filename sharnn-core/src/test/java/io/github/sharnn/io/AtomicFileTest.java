package io.github.sharnn.io;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeFalse;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

class AtomicFileTest {

  @TempDir private Path folder;

  @Test
  void writes_and_replaces_a_file_and_leaves_nothing_beside_it() throws Exception {
    Path file = folder.resolve("file");
    AtomicFile.write(file, "one");
    assertThat(file).hasContent("one");
    AtomicFile.write(file, "zwölf");
    assertThat(file).hasBinaryContent("zwölf".getBytes(StandardCharsets.UTF_8));
    assertThat(folder.toFile().list()).containsExactly("file");
  }

  @Test
  void the_old_file_stays_whole_until_the_new_one_is() throws Exception {
    Path file = Files.writeString(folder.resolve("file"), "old");
    AtomicFile.write(
        file,
        channel -> {
          channel.write(ByteBuffer.wrap(new byte[] {'n', 'e'}));
          assertThat(file).hasContent("old");
          channel.write(ByteBuffer.wrap(new byte[] {'w'}));
        });
    assertThat(file).hasContent("new");
  }

  @Test
  void a_writer_may_close_its_channel_and_write_anywhere() throws Exception {
    Path file = folder.resolve("file");
    AtomicFile.write(
        file,
        channel -> {
          channel.position(3);
          channel.write(ByteBuffer.wrap(new byte[] {'d'}));
          channel.write(ByteBuffer.wrap(new byte[] {'a', 'b', 'c'}), 0);
          try (OutputStream out = Channels.newOutputStream(channel)) {
            out.write('e');
          }
        });
    assertThat(file).hasContent("abcde");
  }

  @Test
  void a_failed_write_leaves_the_old_file_and_nothing_else() throws Exception {
    Path file = Files.writeString(folder.resolve("file"), "old");
    assertThatThrownBy(
            () ->
                AtomicFile.write(
                    file,
                    channel -> {
                      channel.write(ByteBuffer.wrap(new byte[] {'n'}));
                      throw new IOException("disk full");
                    }))
        .hasMessage("disk full");
    assertThat(file).hasContent("old");
    assertThat(folder.toFile().list()).containsExactly("file");
    assertThatThrownBy(() -> AtomicFile.write(folder.resolve("none/file"), "x"))
        .isInstanceOf(NoSuchFileException.class)
        .hasMessage(
            "%s: its folder is missing: create it, or name another", folder.resolve("none/file"));
  }

  @Test
  void deletes_the_old_temporary_files_of_killed_writers_alone() throws Exception {
    Instant old = Instant.now().minus(Duration.ofDays(8));
    String id = UUID.randomUUID().toString();
    List<String> names = List.of(".x.tokens." + id + ".tmp", ".x.tmp", "x." + id + ".tmp");
    for (String name : names) {
      Files.setLastModifiedTime(Files.createFile(folder.resolve(name)), FileTime.from(old));
    }
    Files.createFile(folder.resolve(".live." + id + ".tmp"));
    AtomicFile.deleteAbandoned(folder);
    assertThat(folder.toFile().list())
        .containsExactlyInAnyOrder(".live." + id + ".tmp", names.get(1), names.get(2));
  }

  @Test
  void keeps_the_temporary_files_of_this_process_after_a_change_of_the_clock() throws Exception {
    Path file = folder.resolve("file");
    FileTime old = FileTime.from(Instant.now().minus(Duration.ofDays(8)));
    AtomicFile.write(
        file,
        channel -> {
          channel.write(ByteBuffer.wrap(new byte[] {'a'}));
          try (Stream<Path> files = Files.list(folder)) {
            Files.setLastModifiedTime(files.findFirst().orElseThrow(), old);
          }
          AtomicFile.deleteAbandoned(folder);
        });
    assertThat(file).hasContent("a");
  }

  @Test
  void passes_over_abandoned_files_that_it_may_not_delete() throws Exception {
    Path file = Files.createFile(folder.resolve(".x." + UUID.randomUUID() + ".tmp"));
    Files.setLastModifiedTime(file, FileTime.from(Instant.now().minus(Duration.ofDays(8))));
    assumeTrue(folder.toFile().setWritable(false));
    try {
      assumeFalse(Files.isWritable(folder), "root may delete any file");
      AtomicFile.deleteAbandoned(folder);
      assertThat(file).exists();
    } finally {
      assertThat(folder.toFile().setWritable(true)).isTrue();
    }
  }

  @Test
  @DisabledOnOs(OS.WINDOWS)
  void a_link_to_nothing_is_no_place_for_a_folder() throws Exception {
    Path link = Files.createSymbolicLink(folder.resolve("link"), folder.resolve("none"));
    assertThatThrownBy(() -> AtomicFile.createFolders(link.resolve("run")))
        .isInstanceOf(FileSystemException.class)
        .hasMessageStartingWith(link + ": not a folder, but a file or a link to nothing");
  }

  @Test
  void a_new_file_replaces_none() throws Exception {
    Path file = folder.resolve("file");
    AtomicFile.writeNew(file, channel -> channel.write(ByteBuffer.wrap(new byte[] {'a'})));
    assertThat(file).hasContent("a");
    assertThatThrownBy(() -> AtomicFile.writeNew(file, channel -> {}))
        .isInstanceOf(FileAlreadyExistsException.class)
        .hasMessageContaining(file.toString());
    assertThat(file).hasContent("a");
    assertThat(folder.toFile().list()).containsExactly("file");
  }

  @Test
  @DisabledOnOs(OS.WINDOWS)
  void replaces_a_link_and_not_its_target() throws Exception {
    Path target = Files.writeString(folder.resolve("target"), "precious");
    Path link = Files.createSymbolicLink(folder.resolve("link"), target);
    AtomicFile.write(link, "new");
    assertThat(target).hasContent("precious");
    assertThat(link).isRegularFile().hasContent("new");
    assertThat(Files.isSymbolicLink(link)).isFalse();
  }

  @Test
  @DisabledOnOs(OS.WINDOWS)
  void has_the_permissions_of_any_new_file() throws Exception {
    Path plain = Files.writeString(folder.resolve("plain"), "x");
    Path file = folder.resolve("file");
    AtomicFile.write(file, "x");
    Set<PosixFilePermission> permissions = Files.getPosixFilePermissions(plain);
    assertThat(Files.getPosixFilePermissions(file))
        .as(PosixFilePermissions.toString(permissions))
        .isEqualTo(permissions);
  }

  @Test
  void an_exit_in_the_middle_leaves_no_temporary_file() throws Exception {
    Process process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-cp",
                System.getProperty("java.class.path"),
                Exits.class.getName(),
                folder.resolve("file").toString())
            .inheritIO()
            .start();
    assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
    assertThat(process.exitValue()).isEqualTo(3);
    assertThat(folder).isEmptyDirectory();
  }

  /** A program that ends while it writes. */
  static final class Exits {

    private Exits() {}

    public static void main(String[] arguments) throws IOException {
      Path file = Path.of(arguments[0]);
      AtomicFile.write(
          file,
          channel -> {
            channel.write(ByteBuffer.wrap(new byte[] {'n'}));
            if (file.getParent().toFile().list().length == 1) {
              System.exit(3);
            }
          });
    }
  }
}
