package io.github.sharnn.generate;

import ai.djl.Model;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;

/** A tiny model for each test. */
abstract class TinyModelTest {

  Model model;

  @BeforeEach
  void create() {
    model = TinyModel.of(TinyModel.builder());
  }

  @AfterEach
  void close() {
    model.close();
  }
}
