package io.github.sharnn.io;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

class UnpackedFolderTest {

  @TempDir private Path parent;

  /** Fills a folder until its input ends or it is killed. */
  static final class Other {

    public static void main(String[] args) throws IOException {
      UnpackedFolder.create(
          Path.of(args[0]),
          folder -> {
            Files.writeString(folder.resolve("half"), "of a file");
            System.out.println();
            System.in.read();
          });
    }
  }

  private Process start() throws IOException {
    Process other =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:TieredStopAtLevel=1",
                "-cp",
                System.getProperty("java.class.path"),
                Other.class.getName(),
                parent.resolve("model").toString())
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start();
    assertThat(other.getInputStream().read()).isGreaterThan(0); // it fills the folder
    return other;
  }

  @Test
  @Timeout(60)
  void deletes_what_a_killed_process_left() throws Exception {
    start().destroyForcibly().waitFor();
    assertThat(parent).isDirectoryContaining("glob:**/.unfinished*");
    UnpackedFolder.create(
        parent.resolve("model"), folder -> Files.writeString(folder.resolve("whole"), "file"));
    assertThat(parent.toFile().list()).containsExactly("model");
    assertThat(parent.resolve("model/whole")).hasContent("file");
  }

  @Test
  @Timeout(60)
  void waits_for_a_live_process_and_keeps_its_folder() throws Exception {
    Process other = start();
    Thread end =
        new Thread(
            () -> {
              try {
                Thread.sleep(300);
                other.getOutputStream().close();
              } catch (IOException | InterruptedException e) {
                throw new AssertionError(e);
              }
            });
    end.start();
    UnpackedFolder.create(
        parent.resolve("model"),
        folder -> {
          throw new AssertionError("the other process was to be awaited");
        });
    assertThat(other.waitFor(30, TimeUnit.SECONDS)).isTrue();
    assertThat(other.exitValue()).isZero();
    assertThat(parent.toFile().list()).containsExactly("model");
    assertThat(parent.resolve("model/half")).hasContent("of a file");
  }
}
