package io.github.sharnn.spark;

import static com.google.common.base.Preconditions.checkArgument;
import static com.google.common.base.Strings.lenientFormat;

import ai.djl.util.JsonUtils;
import io.github.sharnn.io.Records;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The first words of a worker to the others. Spark's driver passes them on as JSON.
 *
 * @param worker the number of the worker
 * @param executor the identifier of its executor
 * @param host the host that it runs and listens on
 * @param port the port that it listens on
 * @param device the name of its device
 * @param token a random number in hexadecimal; that of worker 0 is the secret of the job
 * @param checkpoints the names of its checkpoints
 * @param error why it can't take part, or an empty text
 */
record Greeting(
    int worker,
    String executor,
    String host,
    int port,
    String device,
    String token,
    List<String> checkpoints,
    String error) {

  /** {@return the worker and its executor, for messages} */
  String name() {
    return lenientFormat("worker %s (executor %s on %s)", worker, executor, host);
  }

  String toJson() {
    return JsonUtils.GSON.toJson(this);
  }

  static Greeting fromJson(String json) {
    return Records.fromJson(Greeting.class, "a worker's greeting", json);
  }

  /**
   * Checks that the workers can work together.
   *
   * @param all the greetings in the order of the workers
   * @throws IllegalArgumentException naming the workers that can't, and the way out
   */
  static void check(List<Greeting> all) {
    Map<String, Greeting> executors = new HashMap<>();
    Map<String, Greeting> gpus = new HashMap<>();
    for (Greeting each : all) {
      checkArgument(each.error.isEmpty(), "%s: %s", each.name(), each.error);
      Greeting same = executors.put(each.executor, each);
      checkArgument(
          same == null,
          "each worker needs an executor of its own, since a process trains one model at a time, but"
              + " executor %s has the workers %s and %s: set spark.task.cpus to spark.executor.cores",
          each.executor,
          same == null ? -1 : same.worker,
          each.worker);
      Greeting other = each.device.equals("cpu") ? null : gpus.put(each.place(), each);
      checkArgument(
          other == null,
          "each worker needs a GPU of its own, but %s and %s both have %s: set"
              + " spark.executor.resource.gpu.amount and spark.task.resource.gpu.amount to 1, and device"
              + " to auto",
          other == null ? "" : other.name(),
          each.name(),
          each.device);
    }
  }

  private String place() {
    return host + " " + device;
  }

  /** Returns the newest checkpoint that all workers have, if there is one. */
  static Optional<String> commonCheckpoint(List<Greeting> all) {
    return all.get(0).checkpoints.stream()
        .filter(name -> all.stream().allMatch(each -> each.checkpoints.contains(name)))
        // the number of steps has leading zeros
        .max(Comparator.comparing(String::length).thenComparing(Comparator.naturalOrder()));
  }
}
