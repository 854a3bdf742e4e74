package io.github.sharnn.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.djl.engine.EngineException;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class BenchmarkCommandTest {

  private static final String GENERATING =
      "benchmark --device cpu --embedding-size 16 --boom-size 32 --layers 2 --memory-length 32"
          + " --steps 3";
  private static final String TINY = GENERATING + " --sequence-length 16";
  private static final double ROUNDING = 0.006;

  private static Outcome run(String line) {
    return Outcome.capture(() -> Sharnn.run(line.trim().split(" +")));
  }

  /** The columns of the lines that begin with a batch size. */
  private static List<List<String>> rows(Outcome outcome) {
    List<List<String>> rows = new ArrayList<>();
    for (String line : outcome.out().lines().toList()) {
      if (line.matches(" *\\d+ .*")) {
        rows.add(List.of(line.replace(" GiB", "").trim().split(" +")));
      }
    }
    return rows;
  }

  private static double number(String column) {
    return Double.parseDouble(column.replace(",", ""));
  }

  @Test
  void prints_a_line_for_each_batch_size() {
    Outcome outcome = run(TINY + " --batch-size 32,64");
    assertThat(outcome.err()).isEmpty();
    assertThat(outcome.code()).isZero();
    assertThat(outcome.out())
        .contains(
            "device cpu, precision FLOAT32", "trained", "DJL 0.", "PyTorch 2.", "memoryLength=32")
        .contains("step/floor", "median of 3 steps with a full memory");
    List<List<String>> rows = rows(outcome);
    assertThat(rows).extracting(row -> row.get(0)).containsExactly("32", "64");
    for (List<String> row : rows) {
      double step = number(row.get(1));
      double floor = number(row.get(8));
      double rounding = ROUNDING / step + ROUNDING / floor; // relative, of two decimals
      assertThat(number(row.get(9)))
          .isCloseTo(step / floor, within(rounding * step / floor + ROUNDING));
      double tokens = number(row.get(0)) * 16 / step * 1000;
      assertThat(number(row.get(2))).isCloseTo(tokens, within(rounding * tokens + 1));
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "--vocabulary-size 400 --splits 20,100 | splits=[20, 100]",
        "--vocabulary-size 400 --default-splits | memoryLength=32",
        "--vocabulary-size 76001 --default-splits | splits=[2800, 20000, 76000]"
      })
  void takes_a_vocabulary_of_words(String options, String printed) {
    Outcome outcome = run(TINY + " --batch-size 2 --no-floor " + options);
    assertThat(outcome.err()).isEmpty();
    assertThat(outcome.code()).isZero();
    assertThat(outcome.out()).contains(printed + System.lineSeparator());
    assertThat(number(rows(outcome).get(0).get(1))).isPositive();
  }

  @Test
  void leaves_the_floor_out() {
    Outcome outcome = run(TINY + " --batch-size 4 --no-floor");
    assertThat(outcome.code()).isZero();
    List<String> row = rows(outcome).get(0);
    assertThat(number(row.get(1))).isPositive();
    assertThat(row.subList(4, 10)).containsOnly("-");
  }

  @Test
  void times_generated_tokens_and_onnx_runtime_beside_them() {
    Outcome outcome = run(GENERATING + " --generate --batch-size 2,1 --onnx");
    assertThat(outcome.err()).isEmpty();
    assertThat(outcome.code()).isZero();
    assertThat(outcome.out()).contains("precision FLOAT32", "position", "ONNX Runtime 1.");
    List<List<String>> rows = rows(outcome);
    assertThat(rows)
        .extracting(row -> row.subList(0, 2))
        .containsExactly(
            List.of("2", "38"),
            List.of("2", "128"),
            List.of("1", "38"),
            List.of("1", "128"),
            List.of("1", "full"));
    assertThat(rows)
        .allSatisfy(
            row -> {
              assertThat(number(row.get(2))).isPositive();
              assertThat(number(row.get(3))).isPositive();
            });
    outcome = run(GENERATING + " --generate --batch-size 1 --positions 3,5 --precision FLOAT16");
    assertThat(outcome.out()).contains("precision FLOAT16");
    assertThat(rows(outcome)).extracting(row -> row.get(1)).containsExactly("3", "5");
    outcome = run(GENERATING + " --generate --onnx --positions 40 --precision FLOAT32,INT8");
    rows = rows(outcome);
    assertThat(rows)
        .extracting(row -> row.get(6))
        .containsExactly("FLOAT32", "INT8", "FLOAT32", "INT8");
    assertThat(number(rows.get(1).get(4))).isPositive().isLessThan(number(rows.get(0).get(4)));
    assertThat(number(rows.get(3).get(4))).isPositive().isLessThan(number(rows.get(2).get(4)));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "--positions 9 | --positions and --onnx need --generate: add it",
        "--generate --positions 2 | a position must be at least steps (3)",
        "--generate --sequence-length 9 | --sequence-length is for training steps",
        "--generate --no-floor | --no-floor is for training steps",
        "--generate --dropout 0 | --dropout is for training steps",
        "--generate --optimizer lamb | --optimizer is for training steps",
        "--precision FLOAT16,FLOAT32 | several of --precision need --generate: add it",
        "--generate --precision BFLOAT16 | precision must be INT8, FLOAT16, FLOAT32 or FLOAT64",
        "--batch-size 4,0 | --batch-size must be at least 1, but is 0",
        "--boom-size 33 | --boom-size (33) must be a multiple of --embedding-size (16)",
        "--sequence-length 0 | --sequence-length must be at least 1, but is 0",
        "--splits 20,10 | splits ([20, 10]) must be ascending, above 0 and below --vocabulary-size (256), but 10 is not",
        "--splits 10,256 | but 256 is not",
        "--splits ten | Invalid value for option '--splits'",
        "--splits 10 --default-splits | --splits and --default-splits exclude each other",
        "--steps 0 | steps must be at least 1, but is 0",
        "--precision INT8 | precision must be FLOAT32 or FLOAT16",
        "--precision BFLOAT16 | this version of DJL's PyTorch engine has no BFLOAT16",
        "--precision half | Invalid value for option '--precision'",
        "--device abacus | device must be auto, cpu, gpu, gpu0, gpu1 and so on, but is abacus"
      })
  void refuses_bad_options(String options, String message) {
    List<String> words =
        new ArrayList<>(List.of((options.startsWith("--generate") ? GENERATING : TINY).split(" ")));
    String name = options.split(" ")[0];
    int given = words.indexOf(name);
    if (given >= 0) {
      words.subList(given, given + 2).clear();
    }
    Outcome outcome = run(String.join(" ", words) + " " + options);
    assertThat(outcome.err()).contains(message).doesNotContain("\tat ");
    assertThat(outcome.code()).isEqualTo(2);
    assertThat(rows(outcome)).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 79.10 GiB\n"
            + "more",
        "CUDA error: out of memory\nCUDA kernel errors might be reported later",
        "[enforce fail at alloc_cpu.cpp:118] err == 0. DefaultCPUAllocator: can't allocate memory:"
            + " you tried to allocate 281474976710656 bytes. Error code 12 (Cannot allocate"
            + " memory)",
        "cuDNN error: CUDNN_STATUS_ALLOC_FAILED"
      })
  void says_in_one_line_that_memory_ran_out(String message) {
    assertThat(BenchmarkCommand.outOfMemory(new EngineException(message)))
        .hasValue("out of memory: " + message.lines().findFirst().orElseThrow());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"CUDA error: device-side assert triggered", "mat1 and mat2 shapes differ"})
  void takes_no_other_failure_for_a_lack_of_memory(String message) {
    assertThat(BenchmarkCommand.outOfMemory(new EngineException(message))).isEmpty();
  }
}
