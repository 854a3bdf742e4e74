package io.github.sharnn.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SequenceCrossEntropyTest {

  @ParameterizedTest
  @CsvSource({"1, 1, 2, 1", "3, 4, 7, 1", "2, 5, 256, 30"})
  void is_the_mean_negative_log_likelihood_in_nats(
      int streams, int steps, int vocabulary, float scale) {
    Random random = new Random(streams);
    float[] logits = new float[streams * steps * vocabulary];
    for (int i = 0; i < logits.length; i++) {
      logits[i] = scale * (float) random.nextGaussian();
    }
    long[] labels = random.longs((long) streams * steps, 0, vocabulary).toArray();
    double expected = 0;
    for (int position = 0; position < labels.length; position++) {
      double sum = 0;
      for (int token = 0; token < vocabulary; token++) {
        sum += Math.exp(logits[position * vocabulary + token]);
      }
      expected +=
          (Math.log(sum) - logits[position * vocabulary + (int) labels[position]]) / labels.length;
    }
    try (NDManager manager = NDManager.newBaseManager()) {
      NDArray predictions = manager.create(logits, new Shape(streams, steps, vocabulary));
      NDArray targets = manager.create(labels, new Shape(streams, steps));
      NDArray loss =
          new SequenceCrossEntropy().evaluate(new NDList(targets), new NDList(predictions));
      assertThat((double) loss.getFloat()).isCloseTo(expected, within(1e-6 * expected));
    }
  }

  @Test
  void passes_over_the_state_after_the_logits() {
    try (NDManager manager = NDManager.newBaseManager()) {
      NDArray logits = manager.zeros(new Shape(2, 3, 4));
      NDArray state = manager.ones(new Shape(2, 8));
      NDList labels = new NDList(manager.create(new long[6], new Shape(2, 3)));
      NDArray loss = new SequenceCrossEntropy().evaluate(labels, new NDList(logits, state, state));
      assertThat((double) loss.getFloat()).isCloseTo(Math.log(4), within(1e-6));
    }
  }

  @Test
  void a_uniform_guess_over_bytes_costs_8_bits() {
    try (NDManager manager = NDManager.newBaseManager()) {
      NDList labels = new NDList(manager.create(new long[6], new Shape(2, 3)));
      NDArray loss =
          new SequenceCrossEntropy()
              .evaluate(labels, new NDList(manager.zeros(new Shape(2, 3, 256))));
      assertThat(loss.getFloat() / SequenceCrossEntropy.NATS_PER_BIT).isCloseTo(8, within(1e-5));
    }
  }
}
