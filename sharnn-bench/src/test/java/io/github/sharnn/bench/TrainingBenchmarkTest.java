package io.github.sharnn.bench;

import static io.github.sharnn.engine.kernels.Kernels.Use.AUTO;
import static io.github.sharnn.train.optim.OptimizerSettings.Type.LAMB;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import ai.djl.Device;
import ai.djl.engine.EngineException;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.DataType;
import ai.djl.nn.Parameter;
import ai.djl.nn.recurrent.LSTM;
import io.github.sharnn.SHARNNConfig;
import io.github.sharnn.engine.DeviceMemory;
import java.io.IOException;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class TrainingBenchmarkTest {

  private static final int V = 128;
  private static final int C = 8;
  private static final int H = 16;
  private static final int L = 2;
  private static final int M = 64;
  private static final int B = 4;
  private static final int T = 16;

  private static TrainingBenchmark benchmark(SHARNNConfig.Builder sharnn) {
    return benchmark(sharnn, null, true);
  }

  private static TrainingBenchmark benchmark(
      SHARNNConfig.Builder sharnn, @Nullable DataType precision, boolean floor) {
    return new TrainingBenchmark(sharnn.config(), T, LAMB, AUTO, Device.cpu(), precision, 3, floor);
  }

  private static BareParts parts(SHARNNConfig.Builder sharnn) {
    return new BareParts(sharnn.config(), B, T, DataType.FLOAT32, Device.cpu());
  }

  @ParameterizedTest
  @EnumSource(names = {"FLOAT32", "FLOAT16"})
  void times_steps_and_bare_parts(DataType precision) throws IOException {
    TrainingBenchmark.Result result =
        benchmark(Tiny.sharnn().dropouts(0.1f), precision, true).run(B);
    assertThat(result.batchSize()).isEqualTo(B);
    assertThat(result.steps()).isEqualTo(3);
    assertThat(result.warmUpTokens()).as("a full memory").isGreaterThanOrEqualTo(M);
    assertThat(result.milliseconds()).isPositive();
    assertThat(result.tokensPerSecond())
        .isCloseTo(B * T / (result.milliseconds() / 1000), within(1e-6));
    TrainingBenchmark.Floor floor = result.floor();
    assertThat(floor.lstms()).isPositive();
    assertThat(floor.boom()).isPositive();
    assertThat(floor.attention()).isPositive();
    assertThat(floor.output()).isPositive();
    double sum = floor.lstms() + floor.boom() + floor.attention() + floor.output();
    assertThat(result.ratio()).isCloseTo(result.milliseconds() / sum, within(1e-9)).isPositive();
  }

  @Test
  void measures_steps_alone() throws IOException {
    TrainingBenchmark.Result result = benchmark(Tiny.sharnn(), null, false).run(B);
    assertThat(result.milliseconds()).isPositive();
    assertThat(result.ratio()).isNaN();
  }

  @Test
  void has_no_time_for_attention_where_there_is_none() throws IOException {
    TrainingBenchmark.Result result = benchmark(Tiny.sharnn().attentionLayers()).run(B);
    assertThat(result.floor().attention()).isZero();
    assertThat(result.floor().milliseconds()).isPositive();
  }

  @Test
  void fills_the_memory_although_segments_are_short() throws IOException {
    TrainingBenchmark.Result result =
        benchmark(Tiny.sharnn().memoryLength(500), null, false).run(1);
    assertThat(result.warmUpTokens()).isGreaterThanOrEqualTo(500);
    assertThat(result.steps()).isEqualTo(3);
  }

  @Test
  @EnabledOnOs(OS.LINUX)
  void reads_the_peak_of_resident_memory() throws IOException {
    DeviceMemory memory = DeviceMemory.peak(Device.cpu()).orElseThrow();
    assertThat(memory.bytes()).isBetween(1L << 26, 1L << 36);
    assertThat(memory.source()).contains("resident");
  }

  @Test
  void goes_on_after_running_out_of_memory() throws IOException {
    SHARNNConfig.Builder vast =
        Tiny.sharnn().vocabularySize(1).embeddingSize(1 << 22).boomSize(1 << 22);
    assertThatExceptionOfType(EngineException.class)
        .isThrownBy(() -> benchmark(vast).run(B))
        .withMessageContaining("can't allocate memory");
    TrainingBenchmark.Result result = benchmark(Tiny.sharnn(), null, false).run(B);
    assertThat(result.milliseconds()).isPositive();
  }

  @Test
  void multiplies_matrices_of_the_model_s_shapes() {
    long tokens = (long) B * T;
    try (BareParts parts = parts(Tiny.sharnn())) {
      assertThat(parts.boom()).isEqualTo(L * 3 * tokens * C * H);
      // only the segment's keys and values have gradients
      assertThat(parts.attention()).isEqualTo(3 * tokens * C * C + (4 * M + 2 * T) * tokens * C);
      assertThat(parts.output()).isEqualTo(3 * tokens * C * V);
    }
  }

  @Test
  void multiplies_what_options_add() {
    long tokens = (long) B * T;
    long keys = (long) B * M;
    SHARNNConfig.Builder sharnn =
        Tiny.sharnn().attentionLayers(0, 1).boomShortcut(false).keyProjection(true);
    try (BareParts parts = parts(sharnn.valueProjection(true))) {
      assertThat(parts.boom()).isEqualTo(L * 2 * 3 * tokens * C * H);
      assertThat(parts.attention())
          .isEqualTo(L * ((5 * tokens + 4 * keys) * C * C + 6 * tokens * M * C));
    }
  }

  @Test
  void multiplies_each_tail_for_the_rows_expected_in_it() {
    // 64 labels; 1/11 + .. + 1/20 is 12.9% and 1/21 + .. + 1/100 30.6% of 1/1 + .. +
    // 1/100
    long multiplyAdds = 64 * (10 + 2) + 9 * 10 + 20 * 80;
    try (BareParts parts = parts(Tiny.sharnn().vocabularySize(100).splits(10, 20))) {
      assertThat(parts.output()).isEqualTo(3 * C * multiplyAdds);
    }
  }

  @Test
  void times_words_with_and_without_splits() throws IOException {
    for (int[] splits : new int[][] {{}, {50, 200}}) {
      SHARNNConfig.Builder words = Tiny.sharnn().vocabularySize(1000).splits(splits);
      TrainingBenchmark.Result result = benchmark(words).run(B);
      assertThat(result.milliseconds()).isPositive();
      assertThat(result.floor().output()).isPositive();
    }
  }

  @Test
  void draws_words_by_the_law_of_zipf() {
    ZipfTokens tokens = new ZipfTokens(1000);
    int[] counts = new int[1000];
    for (int position = 0; position < 100_000; position++) {
      counts[(int) tokens.applyAsLong(position)]++;
    }
    double harmonic = IntStream.rangeClosed(1, 1000).mapToDouble(n -> 1.0 / n).sum();
    assertThat(tokens.share(0, 1000)).isEqualTo(1);
    assertThat(tokens.share(1, 3)).isCloseTo((1 / 2.0 + 1 / 3.0) / harmonic, within(1e-12));
    assertThat(counts[0] / 1e5).isCloseTo(1 / harmonic, within(0.005));
    assertThat(counts[9] / 1e5).isCloseTo(0.1 / harmonic, within(0.002));
    assertThat(IntStream.of(counts).skip(500).sum() / 1e5)
        .isCloseTo(tokens.share(500, 1000), within(0.005));
    assertThat(tokens.applyAsLong(77)).isEqualTo(tokens.applyAsLong(77));
  }

  @Test
  void attends_to_the_segment_where_it_is_longer_than_the_memory() {
    try (BareParts parts = parts(Tiny.sharnn().memoryLength(5))) {
      assertThat(parts.attention()).isEqualTo(3L * B * T * C * C + 6L * B * T * T * C);
    }
  }

  @Test
  void runs_every_lstm_backward_to_its_weights() {
    try (BareParts parts = parts(Tiny.sharnn())) {
      parts.lstms();
      parts.await();
      assertThat(parts.lstms).hasSize(L);
      for (LSTM lstm : parts.lstms) {
        for (Parameter parameter : lstm.getParameters().values()) {
          try (NDArray gradient = parameter.getArray().getGradient()) {
            assertThat(gradient.abs().sum().getFloat()).as(parameter.getName()).isPositive();
          }
        }
      }
    }
  }

  @Test
  void computes_in_float32_on_a_cpu_by_default() {
    TrainingBenchmark built = benchmark(Tiny.sharnn());
    assertThat(built.precision()).isEqualTo(DataType.FLOAT32);
    assertThat(built.device()).isEqualTo(Device.cpu());
  }

  @Test
  void refuses_bad_options() {
    SHARNNConfig config = Tiny.sharnn().config();
    Device cpu = Device.cpu();
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new TrainingBenchmark(config, T, LAMB, AUTO, cpu, null, 0, true))
        .withMessage("steps must be at least 1, but is 0");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new TrainingBenchmark(config, 0, LAMB, AUTO, cpu, null, 3, true))
        .withMessage("sequenceLength must be at least 1, but is 0");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> benchmark(Tiny.sharnn()).run(0))
        .withMessage("batchSize must be at least 1, but is 0");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> benchmark(Tiny.sharnn()).run(1 << 30))
        .withMessageContaining("must stay below 2^31: use fewer streams");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> benchmark(Tiny.sharnn(), DataType.BFLOAT16, true).run(B))
        .withMessageContaining("precision must be FLOAT32 or FLOAT16, but is");
  }
}
