package io.github.sharnn.io;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedByInterruptException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.CancellationException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class InterruptsTest {

  @TempDir Path folder;

  @AfterEach
  void clear() {
    Thread.interrupted();
  }

  @Test
  void a_check_throws_only_in_an_interrupted_thread_and_keeps_its_status() {
    Interrupts.check();
    Thread.currentThread().interrupt();
    assertThatThrownBy(Interrupts::check)
        .isInstanceOf(CancellationException.class)
        .hasMessage("the thread was interrupted");
    assertThat(Thread.interrupted()).isTrue();
  }

  @Test
  void an_operation_runs_again_after_an_interrupt_but_not_after_another_failure()
      throws IOException {
    int[] runs = {0};
    Thread.currentThread().interrupt();
    String result =
        Interrupts.defer(
            () -> {
              assertThat(Thread.currentThread().isInterrupted()).isFalse();
              if (++runs[0] < 3) {
                Thread.currentThread().interrupt();
                throw new ClosedByInterruptException();
              }
              return "done";
            });
    assertThat(result).isEqualTo("done");
    assertThat(runs[0]).isEqualTo(3);
    assertThat(Thread.interrupted()).isTrue();
    assertThatThrownBy(
            () ->
                Interrupts.defer(
                    () -> {
                      runs[0]++;
                      throw new IOException("disk full");
                    }))
        .hasMessage("disk full");
    assertThat(runs[0]).isEqualTo(4);
    assertThat(Thread.currentThread().isInterrupted()).isFalse();
  }

  @Test
  void a_file_is_whole_if_an_interrupt_comes_before_or_between_its_writes() throws IOException {
    Path file = folder.resolve("file");
    AtomicBoolean first = new AtomicBoolean(true);
    Thread.currentThread().interrupt();
    AtomicFile.write(
        file,
        channel -> {
          channel.write(ByteBuffer.wrap(new byte[] {1, 2}));
          if (first.getAndSet(false)) {
            Thread.currentThread().interrupt();
          }
          channel.write(ByteBuffer.wrap(new byte[] {3}));
        });
    assertThat(Thread.interrupted()).isTrue();
    assertThat(Files.readAllBytes(file)).containsExactly(1, 2, 3);
    assertThat(CheckedFolder.readAtMost(file, 3)).containsExactly(1, 2, 3);
    try (Stream<Path> files = Files.list(folder)) {
      assertThat(files).containsExactly(file);
    }
  }
}
