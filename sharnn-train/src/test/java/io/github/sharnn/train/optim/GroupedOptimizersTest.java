package io.github.sharnn.train.optim;

import static io.github.sharnn.train.optim.OptimizerUpdates.RATE;
import static io.github.sharnn.train.optim.OptimizerUpdates.movementError;
import static io.github.sharnn.train.optim.OptimizerUpdates.toDoubles;
import static io.github.sharnn.train.optim.OptimizerUpdates.update;
import static io.github.sharnn.train.optim.OptimizerUpdates.updateAll;
import static io.github.sharnn.train.optim.OptimizerUpdates.values;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Activation;
import ai.djl.nn.Block;
import ai.djl.nn.SequentialBlock;
import ai.djl.nn.core.Linear;
import ai.djl.nn.transformer.IdEmbedding;
import ai.djl.training.DefaultTrainingConfig;
import ai.djl.training.EasyTrain;
import ai.djl.training.Trainer;
import ai.djl.training.dataset.ArrayDataset;
import ai.djl.training.loss.Loss;
import ai.djl.training.tracker.Tracker;
import io.github.sharnn.SHARNN;
import io.github.sharnn.SafetensorsWeights;
import io.github.sharnn.Weight;
import io.github.sharnn.train.Tiny;
import io.github.sharnn.train.data.Corpus;
import io.github.sharnn.train.data.StreamDataset;
import io.github.sharnn.train.step.SequenceCrossEntropy;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** AdamW and Muon. */
class GroupedOptimizersTest {

  private static FusedOptimizer optimizer(String name, float decay) {
    return OptimizerSettings.of(OptimizerSettings.Type.valueOf(name))
        .weightDecay(decay)
        .create(Tracker.fixed(RATE));
  }

  private static NDArray matrix(NDManager manager, DataType type) {
    NDArray matrix =
        manager.create(values(i -> 0.01 * (1 + i % 5)), new Shape(12, 5)).toType(type, true);
    matrix.setRequiresGradient(true);
    return matrix;
  }

  @ParameterizedTest
  @CsvSource({
    "ADAMW, NaN, 1, 1",
    "ADAMW, Infinity, 1, 1",
    "ADAMW, 1, NaN, 1",
    "ADAMW, 1, 1, -Infinity",
    "MUON, NaN, 1, 1",
    "MUON, Infinity, 1, 1",
    "MUON, 1, NaN, 1",
    "MUON, 1, 1, -Infinity"
  })
  void leaves_all_but_the_gradient_as_it_is_where_norm_or_a_loss_is_not_finite(
      String name, float norm, float loss, float otherLoss) {
    int[] asked = {0};
    Tracker tracker =
        step -> ++asked[0] == 2 ? Float.MAX_VALUE : RATE; // times a size it is infinite
    try (NDManager manager = NDManager.newBaseManager();
        FusedOptimizer skipping =
            OptimizerSettings.of(OptimizerSettings.Type.valueOf(name))
                .weightDecay(0.1f)
                .create(tracker);
        FusedOptimizer other = optimizer(name, 0.1f)) {
      NDArray weight = matrix(manager, DataType.FLOAT32);
      NDArray expected = matrix(manager, DataType.FLOAT32);
      updateAll(skipping, weight, values(i -> Math.sin(i)), 1, 0.25, 1, 1, 1);
      double[] before = toDoubles(weight);
      Map<String, double[]> moments = new TreeMap<>();
      skipping.moments().forEach((key, array) -> moments.put(key, toDoubles(array)));
      double bad = Float.isFinite(norm) ? 1 : norm;
      updateAll(skipping, weight, values(i -> bad), 1, 0.25, norm, loss, otherLoss);
      skipping.skipped();
      assertThat(toDoubles(weight)).isEqualTo(before);
      assertThat(moments).hasSize(name.equals("MUON") ? 1 : 2);
      moments.forEach(
          (key, old) -> assertThat(toDoubles(skipping.moments().get(key))).as(key).isEqualTo(old));
      assertThat(weight.getGradient().toFloatArray()).containsOnly(0f);
      assertThat(skipping.updates()).isEqualTo(1);

      updateAll(skipping, weight, values(i -> Math.cos(i)), 1, 0.25, 1, 1, 1);
      updateAll(other, expected, values(i -> Math.sin(i)), 1, 0.25, 1, 1, 1);
      updateAll(other, expected, values(i -> Math.cos(i)), 1, 0.25, 1, 1, 1);
      assertThat(toDoubles(weight)).isEqualTo(toDoubles(expected)).isNotEqualTo(before);
    }
  }

  @ParameterizedTest
  @CsvSource({"ADAMW, 8, 0.25", "ADAMW, 0, 0.25", "MUON, 8, 0.25", "MUON, 8, Infinity"})
  void clips_by_the_norm_that_it_is_given(String name, float norm, double clipNorm) {
    double[] gradient = values(i -> 1e-8 * i); // near epsilon, where the scale counts
    double factor = 0.5 * GradientClipping.scale(0.5 * norm, clipNorm);
    try (NDManager manager = NDManager.newBaseManager()) {
      NDArray clipped = matrix(manager, DataType.FLOAT32);
      NDArray expected = matrix(manager, DataType.FLOAT32);
      double[] start = toDoubles(clipped);
      updateAll(optimizer(name, 0), clipped, gradient, 0.5, clipNorm, norm, 1);
      update(optimizer(name, 0), "p", expected, values(i -> factor * gradient[i]));
      assertThat(movementError(start, toDoubles(clipped), toDoubles(expected))).isLessThan(1e-4);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"ADAMW", "MUON"})
  void computes_in_float32_for_float16_weights(String name) {
    double[] gradient = values(i -> 1e-4 * (1 + i % 3)); // in FLOAT16 their squares would be 0
    try (NDManager manager = NDManager.newBaseManager()) {
      NDArray half = matrix(manager, DataType.FLOAT16);
      NDArray full = matrix(manager, DataType.FLOAT32);
      double[] start = toDoubles(full);
      FusedOptimizer optimizer = optimizer(name, 0.01f);
      for (int step = 0; step < 20; step++) {
        update(optimizer, "half", half, gradient);
        update(optimizer, "full", full, gradient);
      }
      assertThat(half.getDataType()).isEqualTo(DataType.FLOAT16);
      // the rest is the rounding of the weights themselves
      assertThat(movementError(start, toDoubles(half), toDoubles(full))).isLessThan(0.1);
    }
  }

  @Test
  void tells_the_matrices_of_a_model_from_its_embedding() {
    try (Model model = Tiny.model(Tiny.sharnn().tiedOutput(false), 1)) {
      SHARNN block = SHARNN.of(model);
      ParameterGroups groups = ParameterGroups.of(block);
      SafetensorsWeights.names(block)
          .forEach(
              (name, parameter) -> {
                Shape shape = parameter.getShape();
                Weight.Group expected =
                    name.equals("encoder.weight") || name.equals("decoder.weight")
                        ? Weight.Group.EMBEDDING
                        : shape.dimension() == 2 ? Weight.Group.MATRIX : Weight.Group.OTHER;
                assertThat(groups.group(parameter.getId(), shape)).as(name).isEqualTo(expected);
              });
      for (var pair : block.getParameters()) {
        Shape shape = pair.getValue().getShape();
        assertThat(groups.group(pair.getKey(), shape))
            .isEqualTo(groups.group(pair.getValue().getId(), shape));
      }
    }
  }

  @Test
  void tells_the_embedding_of_another_block_from_its_matrices() {
    Block block =
        new SequentialBlock()
            .add(new IdEmbedding.Builder().setDictionarySize(7).setEmbeddingSize(4).build())
            .add(Linear.builder().setUnits(5).build());
    ParameterGroups groups = ParameterGroups.of(block);
    Shape matrix = new Shape(7, 4);
    List<Weight.Group> found =
        block.getParameters().keys().stream().map(path -> groups.group(path, matrix)).toList();
    assertThat(found)
        .as("embedding, weight, bias, of which only the first is known by its block")
        .containsExactly(Weight.Group.EMBEDDING, Weight.Group.MATRIX, Weight.Group.MATRIX);
    assertThat(ParameterGroups.byShape(new Shape(5))).isEqualTo(Weight.Group.OTHER);
  }

  @ParameterizedTest
  @EnumSource(names = {"ADAMW", "MUON"})
  void trains_a_model_in_the_stock_loop(OptimizerSettings.Type type, @TempDir Path folder)
      throws Exception {
    Corpus corpus = Tiny.corpus(folder, 3_000);
    try (FusedOptimizer optimizer = OptimizerSettings.of(type).create(Tracker.fixed(2e-2f));
        Model model = Tiny.sharnn().build().newModel("easy");
        Trainer trainer =
            model.newTrainer(
                new DefaultTrainingConfig(new SequenceCrossEntropy()).optOptimizer(optimizer))) {
      trainer.initialize(new Shape(4, 16));
      double before = Tiny.evaluation(model, corpus.test(), 1, 16).bitsPerCharacter();
      EasyTrain.fit(trainer, 2, StreamDataset.random(corpus.train(), 4, 16, 1), null);
      double after = Tiny.evaluation(model, corpus.test(), 1, 16).bitsPerCharacter();
      assertThat(after).isLessThan(before - 2);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"ADAMW", "MUON"})
  void trains_another_block_in_the_stock_loop(String name) throws Exception {
    Block block =
        new SequentialBlock()
            .add(Linear.builder().setUnits(16).build())
            .add(Activation::relu)
            .add(Linear.builder().setUnits(8).build())
            .add(Activation::relu)
            .add(Linear.builder().setUnits(1).build());
    try (NDManager manager = NDManager.newBaseManager();
        Model model = Model.newInstance("other", "PyTorch");
        FusedOptimizer optimizer =
            OptimizerSettings.of(OptimizerSettings.Type.valueOf(name))
                .create(Tracker.fixed(2e-2f))) {
      model.setBlock(block);
      NDArray x = manager.randomUniform(-1, 1, new Shape(256, 6));
      NDArray y = x.prod(new int[] {1}, true).add(x.sum(new int[] {1}, true).abs());
      ArrayDataset data =
          new ArrayDataset.Builder().setData(x).optLabels(y).setSampling(32, true).build();
      DefaultTrainingConfig config =
          new DefaultTrainingConfig(Loss.l2Loss()).optOptimizer(optimizer);
      try (Trainer trainer = model.newTrainer(config)) {
        trainer.initialize(new Shape(32, 6));
        float before = loss(trainer, x, y);
        EasyTrain.fit(trainer, 10, data, null);
        assertThat(loss(trainer, x, y)).isLessThan(before / 10);
      }
    }
  }

  private static float loss(Trainer trainer, NDArray x, NDArray y) {
    NDList predictions = trainer.evaluate(new NDList(x));
    return Loss.l2Loss().evaluate(new NDList(y), predictions).getFloat();
  }

  @Test
  void says_which_settings_differ_from_the_defaults() {
    OptimizerSettings muon = OptimizerSettings.of(OptimizerSettings.Type.MUON);
    assertThat(muon).hasToString("muon");
    assertThat(muon.weightDecay(0.3f).embeddingRate(0.5f).restRate(2))
        .hasToString("muon (weight decay 0.3, embedding rate x 0.5, rest rate x 2.0)");
    assertThat(muon.iterations(3)).hasToString("muon (iterations 3)");
    assertThat(muon.weightDecay()).isCloseTo(0.1f, within(0f));
    assertThatIllegalArgumentException()
        .isThrownBy(() -> muon.weightDecay(-1))
        .withMessage("weightDecay must be at least 0 and finite, but is -1.0");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> OptimizerSettings.of(OptimizerSettings.Type.LAMB).embeddingRate(2))
        .withMessageContaining("need the optimizer adamw or muon, but the optimizer is lamb");
  }
}
