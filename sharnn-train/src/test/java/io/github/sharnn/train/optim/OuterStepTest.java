package io.github.sharnn.train.optim;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.offset;

import ai.djl.Model;
import ai.djl.TrainingDivergedException;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import io.github.sharnn.train.Tiny;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The outer step of workers that are threads, each with a model of its own. */
class OuterStepTest {

  /** Hands over messages between threads. */
  private static final class Threads {
    private final ByteBuffer[] messages;
    private final CyclicBarrier barrier;

    Threads(int workers) {
      messages = new ByteBuffer[workers];
      barrier = new CyclicBarrier(workers);
    }

    OuterStep.Exchange worker(int index) {
      return own -> {
        try {
          ByteBuffer copy = ByteBuffer.allocateDirect(own.remaining()).put(own).flip();
          barrier.await(30, TimeUnit.SECONDS);
          messages[index] = copy;
          barrier.await(30, TimeUnit.SECONDS);
          return List.of(messages.clone());
        } catch (Exception e) {
          throw new IllegalStateException(e);
        }
      };
    }
  }

  /** A worker with the weights that it trains. */
  private record Worker(Model model, MixedPrecisionWeights weights, OuterStep step)
      implements AutoCloseable {

    static Worker of(int seed, DataType precision, OuterStep step) {
      Model model = Tiny.model(Tiny.sharnn(), seed);
      MixedPrecisionWeights weights = MixedPrecisionWeights.of(model, precision, new Shape(1, 1));
      step.begin(weights, model.getNDManager());
      return new Worker(model, weights, step);
    }

    float[] values() {
      return concat(weights.masters().stream().map(NDArray::toFloatArray).toList());
    }

    /** Subtracts changes, as the worker's own optimizer does. */
    void change(float[] changes) {
      int from = 0;
      for (NDArray weight : weights.masters()) {
        float[] values = weight.toFloatArray();
        for (int i = 0; i < values.length; i++) {
          values[i] -= changes[from++];
        }
        try (NDArray array = weight.getManager().create(values, weight.getShape())) {
          weight.set(new NDIndex("..."), array);
        }
      }
      step.moved();
    }

    @Override
    public void close() {
      weights.close();
      model.close();
    }
  }

  private static float[] concat(List<float[]> parts) {
    float[] all = new float[parts.stream().mapToInt(part -> part.length).sum()];
    int from = 0;
    for (float[] part : parts) {
      System.arraycopy(part, 0, all, from, part.length);
      from += part.length;
    }
    return all;
  }

  private static List<Worker> workers(int count, DataType precision, float rate, float momentum) {
    Threads threads = new Threads(count);
    List<Worker> workers = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      OuterStep.Settings settings = new OuterStep.Settings(10, rate, momentum, count);
      workers.add(Worker.of(1, precision, new OuterStep(settings, threads.worker(i))));
    }
    return workers;
  }

  /** Calls each worker on a thread of its own. */
  private static List<Double> each(List<Worker> workers, List<Double> used) throws Exception {
    ExecutorService threads = Executors.newFixedThreadPool(workers.size());
    try {
      List<Callable<Double>> calls = new ArrayList<>();
      for (int i = 0; i < workers.size(); i++) {
        OuterStep step = workers.get(i).step();
        double share = used.get(i);
        calls.add(() -> step.step(share));
      }
      List<Double> results = new ArrayList<>();
      for (Future<Double> future : threads.invokeAll(calls)) {
        results.add(future.get());
      }
      return results;
    } finally {
      threads.shutdown();
    }
  }

  private static float[] random(Random random, int length, double scale) {
    float[] values = new float[length];
    for (int i = 0; i < length; i++) {
      values[i] = (float) (scale * random.nextGaussian());
    }
    return values;
  }

  @ParameterizedTest
  @EnumSource(names = {"FLOAT32", "FLOAT16"})
  void is_nesterov_momentum_on_the_mean_change(DataType precision) throws Exception {
    double rate = 0.7;
    double momentum = 0.9;
    List<Worker> workers = workers(2, precision, (float) rate, (float) momentum);
    float[] start = workers.get(0).values();
    int size = start.length;
    double[] agreed = new double[size];
    for (int i = 0; i < size; i++) {
      agreed[i] = start[i];
    }
    double[] velocity = new double[size];
    Random random = new Random(1);
    for (int round = 0; round < 4; round++) {
      float[] first = random(random, size, 0.01);
      float[] second = random(random, size, 0.01);
      workers.get(0).change(first);
      workers.get(1).change(second);
      assertThat(each(workers, List.of(0.25 * round, 0.2 * round))).containsOnly(0.25 * round);
      for (int i = 0; i < size; i++) {
        double mean = ((double) first[i] + second[i]) / 2;
        velocity[i] = momentum * velocity[i] + mean;
        agreed[i] -= rate * (mean + momentum * velocity[i]);
      }
      float[] actual = workers.get(0).values();
      for (int i = 0; i < size; i++) {
        // FLOAT16 rounds each change by at most 2^-11 of it
        assertThat((double) actual[i]).isCloseTo(agreed[i], offset(1e-4));
      }
      assertThat(workers.get(1).values()).isEqualTo(actual);
      for (Worker worker : workers) {
        float[] working =
            concat(
                MixedPrecisionWeights.aliases(worker.weights().model()).stream()
                    .map(array -> array.toType(DataType.FLOAT32, false).toFloatArray())
                    .toList());
        for (int i = 0; i < size; i++) {
          float error = precision == DataType.FLOAT32 ? 0 : Math.abs(actual[i]) / 2048 + 6e-8f;
          assertThat(working[i]).isCloseTo(actual[i], offset(error));
        }
      }
    }
    assertThat(workers.get(0).step().count()).isEqualTo(4);
    workers.forEach(Worker::close);
  }

  @Test
  void adds_the_changes_in_the_order_of_the_workers() throws Exception {
    List<Worker> workers = workers(3, DataType.FLOAT32, 1, 0);
    float[] start = workers.get(0).values();
    int size = start.length;
    Random random = new Random(2);
    float[][] changes = new float[3][size];
    for (int worker = 0; worker < 3; worker++) {
      for (int i = 0; i < size; i++) { // FLOAT16 of any size, divided by 1024
        changes[worker][i] =
            Math.scalb((float) (random.nextInt(2048) - 1024), random.nextInt(26) - 30);
      }
      workers.get(worker).change(start); // to 0, so that the subtraction is exact
      workers.get(worker).step().restore(Map.of());
      workers.get(worker).change(changes[worker]);
    }
    each(workers, List.of(0.0, 0.0, 0.0));
    float[] expected = new float[size];
    int differs = 0;
    for (int i = 0; i < size; i++) {
      float scaled0 = changes[0][i] * 1024;
      float scaled1 = changes[1][i] * 1024;
      float scaled2 = changes[2][i] * 1024;
      expected[i] = 0 - ((scaled0 + scaled1) + scaled2) * (1 / (1024f * 3));
      differs += (scaled0 + scaled1) + scaled2 == scaled0 + (scaled1 + scaled2) ? 0 : 1;
    }
    assertThat(differs).isPositive(); // or the order would not matter
    for (Worker worker : workers) {
      assertThat(worker.values()).isEqualTo(expected);
    }
    workers.forEach(Worker::close);
  }

  @Test
  void a_change_too_large_for_FLOAT16_ends_the_training() throws Exception {
    List<Worker> workers = workers(2, DataType.FLOAT32, 1, 0);
    float[] changes = new float[workers.get(0).values().length];
    changes[3] = 65;
    workers.get(1).change(changes);
    assertThatThrownBy(() -> each(workers, List.of(0.0, 0.0)))
        .hasCauseInstanceOf(TrainingDivergedException.class)
        .hasMessageContaining("a weight changed by 64 or more between two outer steps");
    workers.forEach(Worker::close);
  }

  @Test
  void rejects_workers_with_other_weights() throws Exception {
    Threads threads = new Threads(2);
    OuterStep.Settings settings = new OuterStep.Settings(10, 0.7f, 0.9f, 2);
    ExecutorService executor = Executors.newFixedThreadPool(2);
    try (Worker first = Worker.of(1, DataType.FLOAT32, new OuterStep(settings, threads.worker(0)));
        Worker other = Worker.of(2, DataType.FLOAT32, new OuterStep(settings, threads.worker(1)))) {
      Future<?> one = executor.submit(() -> first.step().agree(0));
      Future<?> two = executor.submit(() -> other.step().agree(0));
      for (Future<?> each : List.of(one, two)) {
        assertThatThrownBy(each::get)
            .hasRootCauseInstanceOf(IllegalStateException.class)
            .hasMessageContaining("worker 1 has others than worker 0");
      }
    } finally {
      executor.shutdown();
    }
  }

  @Test
  void settings_are_checked() {
    assertThatThrownBy(() -> new OuterStep.Settings(0, 1, 0, 1))
        .hasMessage("interval must be at least 1 step, but is 0");
    assertThatThrownBy(() -> new OuterStep.Settings(1, 0, 0, 1))
        .hasMessage("outerRate must be above 0 and finite, but is 0.0");
    assertThatThrownBy(() -> new OuterStep.Settings(1, 1, 1, 1))
        .hasMessage("outerMomentum must be at least 0 and below 1, but is 1.0");
    assertThatThrownBy(() -> new OuterStep.Settings(1, 1, 0, 0))
        .hasMessage("numWorkers must be at least 1, but is 0");
  }
}
