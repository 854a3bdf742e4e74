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
import ai.djl.training.DefaultTrainingConfig;
import ai.djl.training.GradientCollector;
import ai.djl.training.Trainer;
import ai.djl.training.listener.SaveModelTrainingListener;
import ai.djl.training.loss.Loss;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
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

  private static NDArray logits(Model model, NDManager manager) {
    NDArray tokens = TestModels.tokens(manager, new Random(1), 2, 9);
    return TestModels.logits(SHARNN.of(model), manager, tokens);
  }

  @ParameterizedTest
  @MethodSource("seeds")
  void changes_no_logit_on_the_way_through_a_folder(int seed) throws Exception {
    try (NDManager manager = NDManager.newBaseManager();
        Model model = TestModels.model(TestModels.vary(seed), seed)) {
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
    try (Model model = TestModels.model(TestModels.tiny(), 1)) {
      model.save(inner, "tiny");
    }
    assertThatThrownBy(() -> SHARNN.load(folder))
        .isInstanceOf(NoSuchFileException.class)
        .hasMessageContaining("the folder holds no saved model");
    Files.copy(inner.resolve("SHA256SUMS"), folder.resolve("SHA256SUMS"));
    Files.copy(inner.resolve("config.json"), folder.resolve("config.json"));
    Files.createDirectory(folder.resolve("model.safetensors"));
    assertThatThrownBy(() -> SHARNN.load(folder))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("model.safetensors is a folder or a device, not a file of a saved");
  }

  @Test
  void loads_into_a_block_of_the_same_config() throws Exception {
    try (NDManager manager = NDManager.newBaseManager();
        Model model = TestModels.model(TestModels.tiny(), 1);
        Model loaded = TestModels.tiny().build().newModel("other")) {
      model.save(folder, "tiny");
      loaded.load(folder, "tiny");
      NDArrayAssert.assertThat(logits(loaded, manager)).isExactly(logits(model, manager));
    }
  }

  @Test
  void loads_over_the_weights_of_an_initialized_block() throws Exception {
    try (NDManager manager = NDManager.newBaseManager();
        Model model = TestModels.model(TestModels.tiny(), 1);
        Model loaded = TestModels.model(TestModels.tiny(), 2)) {
      model.save(folder, "tiny");
      int arrays = loaded.getNDManager().getManagedArrays().size();
      loaded.load(folder, "tiny");
      assertThat(loaded.getNDManager().getManagedArrays()).hasSize(arrays);
      NDArrayAssert.assertThat(logits(loaded, manager)).isExactly(logits(model, manager));
    }
  }

  @Test
  void rejects_a_block_of_other_sizes() throws Exception {
    try (Model model = TestModels.model(TestModels.tiny(), 1);
        Model loaded = TestModels.tiny().boomSize(32).build().newModel("tiny")) {
      model.save(folder, "tiny");
      assertThatThrownBy(() -> loaded.load(folder, "tiny"))
          .isInstanceOf(MalformedModelException.class)
          .hasMessageContaining("blocks.0.ff.linear1.weight (64, 16) (model: (32, 16))");
    }
  }

  @Test
  void trains_on_and_keeps_the_config_in_the_copy() throws Exception {
    Path copy = folder.resolve("copy");
    try (NDManager manager = NDManager.newBaseManager();
        Model model = TestModels.model(TestModels.tiny(), 1)) {
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
  void loads_the_newest_save_of_a_training_with_all_its_properties() throws Exception {
    try (NDManager manager = NDManager.newBaseManager();
        Model first = TestModels.model(TestModels.tiny(), 1);
        Model second = TestModels.model(TestModels.tiny(), 2)) {
      first.setProperty("Epoch", "3");
      first.save(folder, "tiny");
      second.setProperty("Epoch", "12");
      second.save(folder, "tiny");
      try (Model loaded = SHARNN.load(folder)) {
        NDArrayAssert.assertThat(logits(loaded, manager)).isExactly(logits(second, manager));
        assertThat(loaded.getProperty("Epoch")).isEqualTo("12");
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
        .isInstanceOf(NoSuchFileException.class)
        .hasMessageContaining(folder.resolve("SHA256SUMS") + ": the folder holds no saved model")
        .hasMessageContaining("sha256sum config.json model.safetensors > SHA256SUMS");
  }

  @Test
  void a_folder_holds_the_model_that_was_saved_last() throws Exception {
    try (NDManager manager = NDManager.newBaseManager();
        Model a = TestModels.model(TestModels.tiny(), 1);
        Model b = TestModels.model(TestModels.tiny().layers(1), 2)) {
      a.save(folder, "a");
      Path own = Files.writeString(folder.resolve("metrics.jsonl"), "{}");
      Path serving = Files.writeString(folder.resolve("serving.properties"), "#mine");
      Path checkpoint = Files.createDirectories(folder.resolve("checkpoint-1-00000001"));
      b.save(folder, "b");
      try (Model loaded = SHARNN.load(folder)) {
        assertThat(loaded.getName()).isEqualTo("b");
        NDArrayAssert.assertThat(logits(loaded, manager)).isExactly(logits(b, manager));
      }
      assertThat(own).hasContent("{}");
      assertThat(serving).hasContent("#mine");
      assertThat(checkpoint).isEmptyDirectory();
      assertThat(folder.toFile().list())
          .containsExactlyInAnyOrder(
              "README.md",
              "SHA256SUMS",
              "config.json",
              "model.safetensors",
              "serving.properties",
              "metrics.jsonl",
              "checkpoint-1-00000001");
    }
  }

  @Test
  void saves_no_model_without_weights() {
    try (Model model = TestModels.tiny().build().newModel("empty")) {
      assertThatThrownBy(() -> model.save(folder, null))
          .isInstanceOf(IllegalStateException.class)
          .hasMessage(
              "model empty must have weights before it is saved: train it or get it from"
                  + " SHARNN.load");
    }
    assertThat(folder).isEmptyDirectory();
  }

  /** DJL's own models save a block through its parameters. */
  @Test
  void a_model_of_djl_saves_and_loads_the_block_in_its_own_format() throws Exception {
    try (NDManager manager = NDManager.newBaseManager();
        Model model = Model.newInstance("plain", "PyTorch");
        Model loaded = Model.newInstance("plain", "PyTorch")) {
      SHARNN block = TestModels.tiny().build();
      model.setBlock(block);
      TestModels.initialized(block, model.getNDManager(), DataType.FLOAT32, 1, new Shape(1, 1));
      model.save(folder, null);
      loaded.setBlock(TestModels.tiny().build());
      loaded.load(folder);
      NDArrayAssert.assertThat(logits(loaded, manager)).isExactly(logits(model, manager));
    }
    assertThatThrownBy(() -> SHARNN.load(folder))
        .hasMessageContaining("the folder holds no saved model");
  }

  @Test
  void every_epoch_of_djls_listener_replaces_the_model() throws Exception {
    try (NDManager manager = NDManager.newBaseManager();
        Model model = TestModels.model(TestModels.tiny(), 1);
        Trainer trainer =
            model.newTrainer(new DefaultTrainingConfig(Loss.softmaxCrossEntropyLoss()))) {
      trainer.initialize(new Shape(2, 9));
      SaveModelTrainingListener listener =
          new SaveModelTrainingListener(folder.toString(), "listened", 1);
      listener.onEpoch(trainer);
      listener.onEpoch(trainer);
      assertThat(folder.resolve("model.safetensors")).exists();
      try (Model loaded = SHARNN.load(folder)) {
        assertThat(loaded.getName()).isEqualTo("listened");
        assertThat(loaded.getProperty("Epoch")).isEqualTo("2");
        NDArrayAssert.assertThat(logits(loaded, manager)).isExactly(logits(model, manager));
      }
    }
  }

  /** A model saved under such a name would not be found again. */
  @ParameterizedTest
  @ValueSource(strings = {"", ".hidden", "a/b", "/"})
  void refuses_names_that_it_would_not_find_again(String name) {
    SHARNN block = TestModels.tiny().build();
    assertThatThrownBy(() -> block.newModel(name))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("a model's name must be a file name")
        .hasMessageEndingWith("but is '" + name + "'");
    try (Model model = TestModels.model(TestModels.tiny(), 1)) {
      if (!name.isEmpty()) { // which is the model's own, to DJL
        assertThatThrownBy(() -> model.save(folder, name))
            .isInstanceOf(IllegalArgumentException.class)
            .hasMessageEndingWith("but is '" + name + "'");
      }
    }
    assertThat(folder).isEmptyDirectory();
  }

  @Test
  void a_block_of_other_layers_says_what_is_missing() throws Exception {
    try (Model saved = TestModels.model(TestModels.tiny().attentionLayers(0), 1);
        Model other = TestModels.tiny().attentionLayers(1).build().newModel("tiny")) {
      saved.save(folder, null);
      assertThatThrownBy(() -> other.load(folder))
          .isInstanceOf(MalformedModelException.class)
          .hasMessageContaining("does not fit the model; missing: [blocks.1.lnmem.weight")
          .hasMessageContaining("unknown: [blocks.0.attn.qs");
    }
  }
}
