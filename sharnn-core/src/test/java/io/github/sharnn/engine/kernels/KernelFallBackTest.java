package io.github.sharnn.engine.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import ai.djl.Device;
import ai.djl.engine.Engine;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.DataType;
import io.github.sharnn.engine.InferenceMode;
import java.lang.reflect.Proxy;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Sources that a fake compiler rejects. */
class KernelFallBackTest {

  private static final Device GPU = Device.gpu(77); // no machine has as many
  private static final TokenKernel.Dimensions TOKEN =
      new TokenKernel.Dimensions(1024, 4, 4, 1, 256, DataType.FLOAT32, 1e-12);

  private final Queue<String> loaded = new ConcurrentLinkedQueue<>();

  @BeforeAll
  static void loadPyTorch() {
    Engine.getInstance();
  }

  @AfterEach
  void forget() {
    Kernels.BY_GPU.remove(GPU.getDeviceId());
  }

  /** Installs a GPU whose compiler rejects a function, or a definition. */
  private void compilerThatRejects(String rejected) {
    Kernels.Loader loader =
        (source, options, function, threads, sharedBytes) -> {
          loaded.add(function);
          if (function.equals(rejected) || options.contains(rejected)) {
            throw new CudaException(
                "nvrtcCompileProgram", "NVRTC_ERROR_COMPILATION\nline 1\nline 2");
          }
          return new Kernel(null, null, threads, sharedBytes);
        };
    Kernels kernels = new Kernels(null, loader, 132, 227 * 1024);
    Kernels.BY_GPU.put(GPU.getDeviceId(), new Kernels.Found(kernels, ""));
  }

  private static Kernels forBlock(Kernels.Use use, long batch) {
    NDArray input =
        (NDArray)
            Proxy.newProxyInstance(
                NDArray.class.getClassLoader(),
                new Class<?>[] {NDArray.class},
                (proxy, method, arguments) ->
                    switch (method.getName()) {
                      case "getDevice" -> GPU;
                      case "getDataType" -> DataType.FLOAT16;
                      case "size" -> new long[] {1024, batch, 1024}[(int) arguments[0]];
                      default -> throw new UnsupportedOperationException(method.getName());
                    });
    return InferenceMode.call(() -> Kernels.forBlock(use, input, false));
  }

  @Test
  void compiles_all_sources_of_a_segment_before_it_runs() {
    compilerThatRejects("none");
    assertThat(Kernels.reasonAgainst(GPU, DataType.FLOAT16, 1024)).isEmpty();
    assertThat(loaded)
        .containsExactlyInAnyOrder(
            "lstm_forward",
            "lstm_backward",
            "norm_forward", // for one norm, and for two
            "norm_backward",
            "norm_gradients",
            "norm_forward",
            "norm_backward",
            "norm_gradients",
            "boom_forward",
            "boom_backward",
            "embedding_backward");
    assertThat(forBlock(Kernels.Use.AUTO, 128)).isNotNull();
    assertThat(loaded).as("loads nothing again").hasSize(11);
    assertThat(Kernels.reasonAgainst(GPU, TOKEN, "")).isEmpty();
    assertThat(loaded).hasSize(12).contains("token_step");
  }

  @ParameterizedTest
  @CsvSource({
    "lstm_forward, lstm.cu",
    "lstm_backward, lstm.cu",
    "norm_gradients, norm.cu",
    "-DNORMS=2, norm.cu",
    "boom_backward, boom.cu",
    "embedding_backward, embedding.cu"
  })
  void auto_falls_back_if_one_source_does_not_compile(String rejected, String source) {
    compilerThatRejects(rejected);
    String reason =
        source + " can't run: nvrtcCompileProgram failed: NVRTC_ERROR_COMPILATION"; // one line
    assertThat(Kernels.reasonAgainst(GPU, DataType.FLOAT16, 1024)).isEqualTo(reason);
    int tried = loaded.size();
    assertThat(forBlock(Kernels.Use.AUTO, 128)).isNull();
    assertThat(loaded).as("tries once").hasSize(tried);
    assertThatIllegalStateException()
        .isThrownBy(() -> forBlock(Kernels.Use.REQUIRED, 128))
        .withMessage(
            "this library's kernels can't run, because "
                + reason
                + ": kernels must be auto or off, but is required");
    assertThat(Kernels.reasonAgainst(GPU, TOKEN, "")).as("a decoder has its own source").isEmpty();
  }

  @Test
  void a_batch_may_need_a_kernel_that_does_not_compile() {
    compilerThatRejects("-DCOLUMNS=8");
    assertThat(Kernels.reasonAgainst(GPU, DataType.FLOAT16, 1024)).isEmpty();
    assertThat(forBlock(Kernels.Use.AUTO, 128)).isNotNull();
    assertThat(forBlock(Kernels.Use.AUTO, 16)).isNull();
    assertThat(forBlock(Kernels.Use.AUTO, 128)).isNotNull();
  }

  @ParameterizedTest
  @ValueSource(strings = {"token_step", "-DCHUNKS=4"})
  void a_decoder_falls_back_alone(String rejected) {
    compilerThatRejects(rejected);
    String reason = "token.cu can't run: nvrtcCompileProgram failed: NVRTC_ERROR_COMPILATION";
    assertThat(Kernels.reasonAgainst(GPU, TOKEN, "")).isEqualTo(reason);
    assertThat(Kernels.forDecoder(Kernels.Use.AUTO, GPU, TOKEN, "")).isNull();
    assertThat(loaded).as("tries once").containsExactly("token_step");
    assertThatIllegalStateException()
        .isThrownBy(() -> Kernels.forDecoder(Kernels.Use.REQUIRED, GPU, TOKEN, ""))
        .withMessageContaining(reason);
    assertThat(Kernels.forDecoder(Kernels.Use.OFF, GPU, TOKEN, "")).isNull();
    assertThat(forBlock(Kernels.Use.AUTO, 128)).isNotNull();
  }

  @Test
  void tells_why_a_model_has_no_kernel_before_it_compiles() {
    compilerThatRejects("token_step");
    assertThat(Kernels.reasonAgainst(GPU, TOKEN, "the vocabulary has splits"))
        .isEqualTo("the vocabulary has splits");
    assertThat(Kernels.reasonAgainst(GPU, DataType.FLOAT16, 960))
        .isEqualTo("the embedding size is 960, no multiple of 128 up to 1024");
    assertThat(loaded).isEmpty();
  }
}
