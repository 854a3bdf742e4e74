package io.github.sharnn.spark;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;

/** The checks before a training, which need no cluster. */
class GreetingTest {

  private static Greeting of(int worker, String executor, String host, String device) {
    return new Greeting(worker, executor, host, 4000, device, "00", List.of(), "");
  }

  private static Greeting with(int worker, String... checkpoints) {
    return new Greeting(worker, "e" + worker, "host", 4000, "cpu", "00", List.of(checkpoints), "");
  }

  @Test
  void arrives_as_it_was() {
    Greeting greeting = new Greeting(1, "7", "gpuhost", 4711, "gpu1", "AB", List.of("c"), "no");
    assertThat(Greeting.fromJson(greeting.toJson())).isEqualTo(greeting);
  }

  @Test
  void two_workers_on_one_gpu_are_rejected() {
    assertThatThrownBy(
            () -> Greeting.check(List.of(of(0, "0", "a", "gpu0"), of(1, "1", "a", "gpu0"))))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(
            "each worker needs a GPU of its own, but worker 0 (executor 0 on a) and worker 1 (executor 1 on"
                + " a) both have gpu0: set spark.executor.resource.gpu.amount and"
                + " spark.task.resource.gpu.amount to 1, and device to auto");
    Greeting.check(List.of(of(0, "0", "a", "gpu0"), of(1, "1", "b", "gpu0")));
    Greeting.check(List.of(of(0, "0", "a", "gpu0"), of(1, "1", "a", "gpu1")));
    Greeting.check(List.of(of(0, "0", "a", "cpu"), of(1, "1", "a", "cpu")));
  }

  @Test
  void two_workers_in_one_executor_are_rejected() {
    assertThatThrownBy(
            () -> Greeting.check(List.of(of(0, "3", "a", "cpu"), of(1, "3", "a", "cpu"))))
        .hasMessage(
            "each worker needs an executor of its own, since a process trains one model at a time, but"
                + " executor 3 has the workers 0 and 1: set spark.task.cpus to spark.executor.cores");
  }

  @Test
  void an_error_of_one_worker_ends_all() {
    Greeting bad = new Greeting(1, "7", "b", 4000, "", "00", List.of(), "no such file");
    assertThatThrownBy(() -> Greeting.check(List.of(of(0, "0", "a", "cpu"), bad)))
        .hasMessage("worker 1 (executor 7 on b): no such file");
  }

  @Test
  void a_disk_that_hangs_is_an_error() throws IOException {
    assertThat(WorkerTask.within(Duration.ofMinutes(1), () -> "found")).isEqualTo("found");
    CountDownLatch never = new CountDownLatch(1);
    assertThatThrownBy(
            () ->
                WorkerTask.within(
                    Duration.ofMillis(20),
                    () -> {
                      never.await();
                      return "";
                    }))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("a disk has not answered for 0 s: look at the host's mounts");
    assertThatThrownBy(
            () ->
                WorkerTask.within(
                    Duration.ofMinutes(1),
                    () -> {
                      throw new FileNotFoundException("book.txt");
                    }))
        .isInstanceOf(FileNotFoundException.class)
        .hasMessage("book.txt");
  }

  @Test
  void the_newest_common_checkpoint_is_found() {
    String ten = "checkpoint-1-00000010";
    String twenty = "checkpoint-1-00000020";
    String thirty = "checkpoint-1-00000030";
    assertThat(
            Greeting.commonCheckpoint(List.of(with(0, ten, twenty, thirty), with(1, ten, twenty))))
        .hasValue(twenty);
    assertThat(Greeting.commonCheckpoint(List.of(with(0, thirty), with(1, twenty)))).isEmpty();
    String later = "checkpoint-1-100000000";
    assertThat(Greeting.commonCheckpoint(List.of(with(0, thirty, later), with(1, thirty, later))))
        .hasValue(later);
  }
}
