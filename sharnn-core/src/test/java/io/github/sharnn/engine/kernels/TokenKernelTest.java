package io.github.sharnn.engine.kernels;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.types.DataType;
import io.github.sharnn.engine.kernels.TokenKernel.Dimensions;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class TokenKernelTest {

  private static final int H200 = 227 * 1024;
  private static final int SMALL = 99 * 1024; // compute capability 8.6

  @ParameterizedTest
  @CsvSource({
    "FLOAT16, 0, 0", "FLOAT16, 1, 8", "FLOAT16, 8, 8", "FLOAT16, 9, 16", "FLOAT16, 48, 48",
    "FLOAT16, 49, 32", "FLOAT16, 64, 32", "FLOAT16, 100, 40", "FLOAT32, 24, 24", "FLOAT32, 64, 24"
  })
  void as_many_streams_as_fit_go_through_shared_memory(DataType type, int streams, int chunk) {
    Dimensions dimensions = new Dimensions(1024, 4, 4, 1, 256, type, 1e-12);
    assertThat(dimensions.chunk(streams, H200)).isEqualTo(chunk);
    assertThat(dimensions.sharedBytes(chunk)).isLessThanOrEqualTo(H200);
  }

  @ParameterizedTest
  @CsvSource({"FLOAT16, 1024", "FLOAT32, 1024", "FLOAT16, 128", "FLOAT32, 640"})
  void every_size_fits_a_small_gpu(DataType type, int size) {
    Dimensions dimensions = new Dimensions(size, 4, 4, 1, 256, type, 1e-12);
    assertThat(dimensions.mostStreams(SMALL)).isGreaterThanOrEqualTo(8);
    assertThat(dimensions.attentionBytes(dimensions.depth(SMALL))).isLessThanOrEqualTo(SMALL);
    assertThat(dimensions.depth(SMALL)).isEqualTo(size == 1024 ? 2 : 4);
    assertThat(dimensions.depth(H200)).isEqualTo(4);
  }
}
