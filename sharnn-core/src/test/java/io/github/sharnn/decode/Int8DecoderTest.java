package io.github.sharnn.decode;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.ParameterStore;
import io.github.sharnn.SHARNN;
import io.github.sharnn.SHARNNState;
import io.github.sharnn.TestModels;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class Int8DecoderTest {

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11})
  void computes_nearly_what_the_forward_pass_does(int seed) {
    try (NDManager manager = NDManager.newBaseManager()) {
      SHARNN model = TestModels.initialized(TestModels.vary(seed), manager, seed);
      Random random = new Random(seed);
      SHARNNState state = TestModels.zeros(model, manager, 1);
      double error = 0;
      double size = 0;
      try (SHARNNDecoder decoder = SHARNNDecoder.of(model, manager, 2, DataType.INT8)) {
        decoder.add(state);
        decoder.add(state);
        for (int i = 0; i < 40; i++) {
          long token = random.nextInt(TestModels.VOCABULARY);
          NDArray tokens = manager.create(new long[] {token}, new Shape(1, 1));
          SHARNN.Output out =
              model.forward(new ParameterStore(manager, false), tokens, state, false);
          state = out.state();
          float[] exact = out.logits().toFloatArray();
          float[][] rounded = decoder.next(token, token);
          for (int v = 0; v < exact.length; v++) {
            error += Math.pow(exact[v] - rounded[1][v], 2);
            size += Math.pow(exact[v], 2);
          }
        }
      }
      assertThat(Math.sqrt(error / size)).isBetween(1e-6, 0.03);
    }
  }
}
