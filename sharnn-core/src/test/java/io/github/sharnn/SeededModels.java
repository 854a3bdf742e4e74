package io.github.sharnn;

import ai.djl.ndarray.NDManager;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;

/** A manager for each test, and the seeds of the models of {@link TestModels#vary}. */
abstract class SeededModels {

  final NDManager manager = NDManager.newBaseManager();

  static IntStream seeds() {
    return IntStream.range(0, 20);
  }

  @AfterEach
  void close() {
    manager.close();
  }
}
