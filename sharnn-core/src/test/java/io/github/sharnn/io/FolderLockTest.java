package io.github.sharnn.io;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

class FolderLockTest {

  private static final int ROUNDS = 100;

  @TempDir private Path folder;

  private Process start(String what) throws IOException {
    return new ProcessBuilder(
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "-XX:TieredStopAtLevel=1",
            "-cp",
            System.getProperty("java.class.path"),
            Other.class.getName(),
            what,
            folder.toString())
        .redirectError(ProcessBuilder.Redirect.INHERIT)
        .start();
  }

  @Test
  @Timeout(60)
  void processes_that_save_at_the_same_time_exclude_each_other() throws Exception {
    Files.writeString(folder.resolve("count"), "0");
    List<Process> others =
        IntStream.range(0, 3)
            .mapToObj(
                i -> {
                  try {
                    return start("count");
                  } catch (IOException e) {
                    throw new UncheckedIOException(e);
                  }
                })
            .toList();
    for (Process other : others) {
      assertThat(other.waitFor(60, TimeUnit.SECONDS)).isTrue();
      assertThat(other.exitValue()).isZero();
    }
    assertThat(folder.resolve("count")).hasContent("" + 3 * ROUNDS);
    assertThat(folder.toFile().list()).containsExactly("count");
  }

  @Test
  @Timeout(60)
  void a_killed_process_leaves_a_lock_that_the_next_one_takes() throws Exception {
    for (String what : List.of("save", "run")) {
      Process other = start(what);
      assertThat(other.getInputStream().read()).isEqualTo('\n'); // it holds the lock
      if (what.equals("run")) {
        assertThatThrownBy(() -> FolderLock.ofRun(folder))
            .isInstanceOf(IOException.class)
            .hasMessage(
                "another run is using the folder "
                    + folder
                    + ": end it first, or name another folder");
      }
      other.destroyForcibly().waitFor();
    }
    assertThat(folder.toFile().list()).containsExactlyInAnyOrder(".lock", ".save-lock");
    FolderLock.ofSave(folder).close();
    FolderLock.ofRun(folder).close();
    Files.createFile(folder.resolve(".save-lock")); // killed before it wrote the content
    FolderLock.ofSave(folder).close();
    assertThat(folder.toFile().list()).containsExactly(".lock");
  }

  @Test
  @Timeout(60)
  void a_run_holds_the_lock_until_each_part_has_closed_it() throws Exception {
    FolderLock one = FolderLock.ofRun(folder);
    FolderLock two = FolderLock.ofRun(Files.createDirectory(folder.resolve("x")).resolve(".."));
    assertThat(two).isSameAs(one);
    one.close();
    assertThat(start("try").waitFor()).isEqualTo(1);
    two.close();
    assertThat(start("try").waitFor()).isZero();
  }

  @Test
  @DisabledOnOs(OS.WINDOWS)
  void notices_that_the_folder_was_moved_or_replaced() throws Exception {
    Path run = Files.createDirectory(folder.resolve("run"));
    Path moved = folder.resolve("moved");
    FolderLock lock = FolderLock.ofRun(run);
    try (lock) {
      assertThat(lock.isInPlace()).isTrue();
      Files.move(run, moved);
      assertThat(lock.isInPlace()).isFalse();
      Files.createFile(run);
      assertThat(lock.isInPlace()).isFalse();
      Files.delete(run);
      Files.createFile(Files.createDirectory(run).resolve(".lock"));
      assertThat(lock.isInPlace()).isFalse();
      Files.delete(run.resolve(".lock"));
      Files.delete(run);
      Files.move(moved, run);
      assertThat(lock.isInPlace()).isTrue();
    }
  }

  @Test
  @DisabledOnOs(OS.WINDOWS)
  void follows_no_link_and_writes_to_no_file_that_is_there() throws Exception {
    Path outside = folder.resolve("outside");
    Path run = Files.createDirectory(folder.resolve("run"));
    for (String name : List.of(".lock", ".save-lock")) {
      Files.createSymbolicLink(run.resolve(name), outside);
    }
    assertThatThrownBy(() -> FolderLock.ofRun(run))
        .isInstanceOf(IOException.class)
        .hasMessageContaining(".lock must be a plain file, but is a link");
    assertThatThrownBy(() -> FolderLock.ofSave(run))
        .isInstanceOf(IOException.class)
        .hasMessageContaining(".save-lock must be a plain file, but is a link");
    assertThat(outside).doesNotExist();
    Files.writeString(outside, "precious");
    for (String name : List.of(".lock", ".save-lock")) {
      Files.delete(run.resolve(name));
      Files.createLink(run.resolve(name), outside);
    }
    FolderLock.ofRun(run).close();
    FolderLock.ofSave(run).close();
    assertThat(outside).hasContent("precious");
  }

  /** Another process: counts, or holds a lock until it is killed, or tries to get one. */
  static final class Other {

    private Other() {}

    public static void main(String[] arguments) throws Exception {
      Path folder = Path.of(arguments[1]);
      switch (arguments[0]) {
        case "count" -> {
          Path count = folder.resolve("count");
          for (int i = 0; i < ROUNDS; i++) {
            FolderLock lock = FolderLock.ofSave(folder);
            try (lock) {
              Files.writeString(count, "" + (Integer.parseInt(Files.readString(count)) + 1));
            }
          }
        }
        case "try" -> FolderLock.ofRun(folder).close();
        default -> {
          FolderLock lock =
              arguments[0].equals("run") ? FolderLock.ofRun(folder) : FolderLock.ofSave(folder);
          try (lock) {
            System.out.println();
            Thread.sleep(60_000);
          }
        }
      }
    }
  }
}
