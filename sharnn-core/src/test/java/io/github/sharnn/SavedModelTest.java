package io.github.sharnn;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.MalformedModelException;
import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import ai.djl.nn.core.Linear;
import ai.djl.training.DefaultTrainingConfig;
import ai.djl.training.GradientCollector;
import ai.djl.training.Trainer;
import ai.djl.training.loss.Loss;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class SavedModelTest {

  @TempDir private Path folder;

  static IntStream seeds() {
    return IntStream.range(0, 20);
  }

  private static Model newModel(SHARNNBuilder builder, int seed) {
    SHARNN block = builder.build();
    Model model = block.newModel("tiny");
    TestModels.initialized(block, model.getNDManager(), DataType.FLOAT32, seed, new Shape(1, 1));
    return model;
  }

  private static NDArray logits(Model model, NDManager manager) {
    NDArray tokens = TestModels.tokens(manager, new Random(1), 2, 9);
    return TestModels.logits(SHARNN.of(model), manager, tokens);
  }

  @ParameterizedTest
  @MethodSource("seeds")
  void changes_no_logit_on_the_way_through_a_folder(int seed) throws Exception {
    try (NDManager manager = NDManager.newBaseManager();
        Model model = newModel(TestModels.vary(seed), seed)) {
      model.save(folder, "tiny");
      try (Model loaded = SHARNN.load(folder)) {
        assertThat(loaded.getName()).isEqualTo("tiny");
        assertThat(SHARNN.of(loaded).config()).isEqualTo(SHARNN.of(model).config());
        NDArrayAssert.assertThat(logits(loaded, manager)).isExactly(logits(model, manager));
      }
    }
  }

  @ParameterizedTest
  @MethodSource("seeds")
  void changes_no_logit_of_a_collapsed_model(int seed) throws Exception {
    try (NDManager manager = NDManager.newBaseManager()) {
      SHARNN trained = TestModels.initialized(TestModels.vary(seed), manager, seed);
      try (Model model = trained.collapse(manager).newModel("collapsed")) {
        model.save(folder, null);
        try (Model loaded = SHARNN.load(folder)) {
          assertThat(SHARNN.of(loaded).config().collapsed()).isTrue();
          NDArrayAssert.assertThat(logits(loaded, manager)).isExactly(logits(model, manager));
        }
      }
    }
  }

  @Test
  void keeps_the_type_of_the_weights() throws Exception {
    for (DataType dataType : new DataType[] {DataType.FLOAT16, DataType.FLOAT64}) {
      SHARNN block = TestModels.tiny().build();
      try (Model model = block.newModel("tiny")) {
        TestModels.initialized(block, model.getNDManager(), dataType, 1, new Shape(1, 1));
        model.save(folder, "tiny");
        try (Model loaded = SHARNN.load(folder)) {
          NDArray embedding = SHARNN.of(loaded).embedding.getArray();
          assertThat(embedding.getDataType()).isEqualTo(dataType);
          NDArrayAssert.assertThat(embedding).isExactly(block.embedding.getArray());
        }
      }
    }
  }

  @Test
  void looks_into_no_folder_in_the_folder() throws Exception {
    Path inner = folder.resolve("inner");
    try (Model model = newModel(TestModels.tiny(), 1)) {
      model.save(inner, ".tiny");
    }
    Files.copy(inner.resolve(".tiny-0000.params"), folder.resolve(".tiny-0000.params"));
    assertThatThrownBy(() -> SHARNN.load(folder))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("but holds none");
    Files.createDirectory(folder.resolve("tiny-0000.params"));
    assertThatThrownBy(() -> SHARNN.load(folder))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("is a folder or a device, not a saved model");
  }

  @Test
  void loads_into_a_plain_block_of_the_same_config() throws Exception {
    try (NDManager manager = NDManager.newBaseManager();
        Model model = newModel(TestModels.tiny(), 1);
        Model loaded = Model.newInstance("tiny", "PyTorch")) {
      model.save(folder, "tiny");
      loaded.setBlock(TestModels.tiny().build());
      loaded.load(folder, "tiny");
      NDArrayAssert.assertThat(logits(loaded, manager)).isExactly(logits(model, manager));
    }
  }

  @Test
  void loads_over_the_weights_of_an_initialized_block() throws Exception {
    try (NDManager manager = NDManager.newBaseManager();
        Model model = newModel(TestModels.tiny(), 1);
        Model loaded = newModel(TestModels.tiny(), 2)) {
      model.save(folder, "tiny");
      int arrays = loaded.getNDManager().getManagedArrays().size();
      loaded.load(folder, "tiny");
      assertThat(loaded.getNDManager().getManagedArrays()).hasSize(arrays);
      NDArrayAssert.assertThat(logits(loaded, manager)).isExactly(logits(model, manager));
    }
  }

  @Test
  void rejects_a_plain_block_of_other_sizes() throws Exception {
    try (Model model = newModel(TestModels.tiny(), 1);
        Model loaded = Model.newInstance("tiny", "PyTorch")) {
      model.save(folder, "tiny");
      loaded.setBlock(TestModels.tiny().boomSize(32).build());
      assertThatThrownBy(() -> loaded.load(folder, "tiny"))
          .isInstanceOf(MalformedModelException.class)
          .hasMessageContaining("has the shape (64, 16) in the file, but (32, 16) in this model")
          .hasMessageContaining("load it with SHARNN.load");
    }
  }

  @Test
  void rejects_a_config_that_does_not_fit_the_parameters() throws Exception {
    try (Model model = newModel(TestModels.tiny(), 1)) {
      model.setProperty(
          SHARNN.CONFIG_PROPERTY, TestModels.tiny().vocabularySize(30).config().toJson());
      model.save(folder, "tiny");
    }
    assertThatThrownBy(() -> SHARNN.load(folder))
        .isInstanceOf(MalformedModelException.class)
        .hasMessageContaining("(29, 16) in the file, but (30, 16)");
  }

  @Test
  void rejects_a_config_of_as_many_weights_in_other_shapes() throws Exception {
    // 17 units of the Boom less, each with 2 * 16 + 1 weights, for 33 tokens more, with 16 + 1
    SHARNNBuilder options = TestModels.tiny().layers(1).boomShortcut(false);
    SHARNNConfig other = options.vocabularySize(49).boomSize(1).config();
    try (Model model = newModel(options.vocabularySize(16).boomSize(18), 1)) {
      assertThat(other.parameterCount()).isEqualTo(SHARNN.of(model).parameterCount());
      model.setProperty(SHARNN.CONFIG_PROPERTY, other.toJson());
      model.save(folder, "tiny");
    }
    assertThatThrownBy(() -> SHARNN.load(folder))
        .isInstanceOf(MalformedModelException.class)
        .hasMessageContaining("(16, 16) in the file, but (49, 16)");
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 5})
  void rejects_a_config_of_another_depth(int layers) throws Exception {
    try (Model model = newModel(TestModels.tiny(), 1)) {
      model.setProperty(SHARNN.CONFIG_PROPERTY, TestModels.tiny().layers(layers).config().toJson());
      model.save(folder, "tiny");
    }
    assertThatThrownBy(() -> SHARNN.load(folder)).isInstanceOf(MalformedModelException.class);
  }

  @Test
  void rejects_a_config_that_breaks_a_rule() throws Exception {
    try (Model model = newModel(TestModels.tiny(), 1)) {
      String json = SHARNN.of(model).config().toJson();
      model.setProperty(SHARNN.CONFIG_PROPERTY, json.replace("64", "65"));
      model.save(folder, "tiny");
    }
    assertThatThrownBy(() -> SHARNN.load(folder))
        .isInstanceOf(MalformedModelException.class)
        .hasMessageContaining("boomSize (65) must be a multiple of embeddingSize (16)");
  }

  @Test
  void trains_on_and_keeps_the_config_in_the_copy() throws Exception {
    Path copy = folder.resolve("copy");
    try (NDManager manager = NDManager.newBaseManager();
        Model model = newModel(TestModels.tiny(), 1)) {
      model.save(folder, "tiny");
      try (Model loaded = SHARNN.load(folder)) {
        NDArray before = logits(loaded, manager).duplicate();
        step(loaded);
        assertThat(logits(loaded, manager).sub(before).abs().max().getFloat()).isPositive();
        loaded.save(copy, "copy");
        try (Model again = SHARNN.load(copy)) {
          assertThat(SHARNN.of(again).config()).isEqualTo(SHARNN.of(model).config());
          NDArrayAssert.assertThat(logits(again, manager)).isExactly(logits(loaded, manager));
        }
      }
    }
  }

  private static void step(Model model) {
    Loss loss = Loss.softmaxCrossEntropyLoss();
    try (Trainer trainer = model.newTrainer(new DefaultTrainingConfig(loss))) {
      trainer.initialize(new Shape(2, 9));
      NDArray tokens = TestModels.tokens(trainer.getManager(), new Random(1), 2, 9);
      try (GradientCollector collector = trainer.newGradientCollector()) {
        NDList logits = trainer.forward(new NDList(tokens));
        collector.backward(loss.evaluate(new NDList(tokens.expandDims(2)), logits));
      }
      for (var parameter : model.getBlock().getParameters()) {
        NDArray gradient = parameter.getValue().getArray().getGradient();
        assertThat(gradient.abs().sum().getFloat()).as(parameter.getKey()).isPositive();
      }
      trainer.step();
    }
  }

  @Test
  void loads_the_newest_epoch() throws Exception {
    try (NDManager manager = NDManager.newBaseManager();
        Model first = newModel(TestModels.tiny(), 1);
        Model second = newModel(TestModels.tiny(), 2)) {
      first.setProperty("Epoch", "3");
      first.save(folder, "tiny");
      second.setProperty("Epoch", "12");
      second.save(folder, "tiny");
      try (Model loaded = SHARNN.load(folder)) {
        NDArrayAssert.assertThat(logits(loaded, manager)).isExactly(logits(second, manager));
      }
    }
  }

  @Test
  void rejects_what_is_no_folder() throws Exception {
    Path file = Files.writeString(folder.resolve("file"), "x");
    for (Path path : new Path[] {file, folder.resolve("absent")}) {
      assertThatThrownBy(() -> SHARNN.load(path))
          .isInstanceOf(NotDirectoryException.class)
          .hasMessageContaining(path + " is not a folder");
    }
  }

  @Test
  void rejects_an_empty_folder() {
    assertThatThrownBy(() -> SHARNN.load(folder))
        .isInstanceOf(IOException.class)
        .hasMessage(folder + " must hold the NAME-0000.params of one model, but holds none");
  }

  @Test
  void rejects_two_models() throws Exception {
    try (Model model = newModel(TestModels.tiny(), 1)) {
      model.save(folder, "a");
      model.save(folder, "b");
    }
    assertThatThrownBy(() -> SHARNN.load(folder))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("of one model, but holds those of [")
        .hasMessageContaining("a")
        .hasMessageContaining("b");
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "DJ", "DJL@", "hello, this is no model", "DJL@\0\0\0\1garbage"})
  void rejects_garbage(String bytes) throws Exception {
    Files.writeString(folder.resolve("tiny-0000.params"), bytes);
    assertThatThrownBy(() -> SHARNN.load(folder))
        .isInstanceOf(MalformedModelException.class)
        .hasMessageContaining(folder.toString())
        .hasMessageNotContaining(": null");
  }

  @Test
  void rejects_random_bytes_after_the_magic() throws Exception {
    for (int seed = 0; seed < 20; seed++) {
      byte[] bytes = new byte[400];
      new Random(seed).nextBytes(bytes);
      System.arraycopy(new byte[] {'D', 'J', 'L', '@', 0, 0, 0, 1, 0, 1, 'm'}, 0, bytes, 0, 11);
      Files.write(folder.resolve("tiny-0000.params"), bytes);
      assertThatThrownBy(() -> SHARNN.load(folder)).isInstanceOf(MalformedModelException.class);
    }
  }

  @Test
  void rejects_a_file_cut_anywhere() throws Exception {
    try (Model model = newModel(TestModels.tiny(), 1)) {
      model.save(folder, "tiny");
    }
    Path file = folder.resolve("tiny-0000.params");
    byte[] bytes = Files.readAllBytes(file);
    for (int length : new int[] {3, 20, 200, 700, bytes.length / 2, bytes.length - 1}) {
      Files.write(file, Arrays.copyOf(bytes, length));
      assertThatThrownBy(() -> SHARNN.load(folder))
          .as("%s of %s bytes", length, bytes.length)
          .isInstanceOf(MalformedModelException.class)
          .hasMessageContaining(folder.toString())
          .hasMessageNotContaining(": null");
    }
  }

  @Test
  void rejects_a_model_that_was_saved_without_its_config() throws Exception {
    SHARNN block = TestModels.tiny().build();
    try (Model model = Model.newInstance("plain", "PyTorch")) {
      model.setBlock(block);
      block.initialize(model.getNDManager(), DataType.FLOAT32, new Shape(1, 1));
      model.save(folder, "plain");
    }
    assertThatThrownBy(() -> SHARNN.load(folder))
        .isInstanceOf(MalformedModelException.class)
        .hasMessageContaining("no property sharnn.config")
        .hasMessageContaining("SHARNN.newModel");
  }

  /** With and without the property that only a SHARNN has. */
  @Test
  void rejects_another_architecture() throws Exception {
    try (Model model = Model.newInstance("linear", "PyTorch")) {
      Block block = Linear.builder().setUnits(64).build();
      model.setBlock(block);
      block.initialize(model.getNDManager(), DataType.FLOAT32, new Shape(1, 64));
      model.save(folder, null);
      assertThatThrownBy(() -> SHARNN.load(folder))
          .isInstanceOf(MalformedModelException.class)
          .hasMessageContaining(
              "linear-0000.params is no readable SHARNN model: it has no property");
      SHARNNConfig small = SHARNN.builder().embeddingSize(2).boomSize(2).layers(1).config();
      model.setProperty(SHARNN.CONFIG_PROPERTY, small.toJson());
      model.save(folder, null);
      assertThatThrownBy(() -> SHARNN.load(folder))
          .isInstanceOf(MalformedModelException.class)
          .hasMessageContaining("linear-0001.params is no readable SHARNN model: ");
    }
  }
}
