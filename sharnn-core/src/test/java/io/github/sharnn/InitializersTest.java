package io.github.sharnn;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Model;
import ai.djl.engine.Engine;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.training.DefaultTrainingConfig;
import ai.djl.training.Trainer;
import ai.djl.training.initializer.ConstantInitializer;
import ai.djl.training.loss.Loss;
import java.util.Arrays;
import java.util.Map;
import java.util.stream.DoubleStream;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.Test;

class InitializersTest {

  private static final int SIZE = 64;
  private static final Shape ANY = new Shape(1, 1);

  private static SHARNN model() {
    return SHARNN
        .builder()
        .vocabularySize(256)
        .embeddingSize(SIZE)
        .boomSize(4 * SIZE)
        .layers(2)
        .attentionLayers(0, 1)
        .boomShortcut(false)
        .keyProjection(true)
        .valueProjection(true)
        .tiedOutput(false)
        .build();
  }

  @Test
  void draws_each_kind_of_parameter_as_the_reference_does() {
    try (NDManager manager = NDManager.newBaseManager()) {
      Engine.getInstance().setRandomSeed(42);
      SHARNN model = model();
      model.initialize(manager, DataType.FLOAT32, ANY);
      SafetensorsWeights.names(model).forEach(InitializersTest::check);
    }
  }

  private static void check(String name, Parameter parameter) {
    double[] values = NaiveSharnn.values(parameter);
    if (name.contains(".rnn.")) {
      checkUniform(name, values, 1 / Math.sqrt(SIZE));
    } else if (name.matches(".*\\.attn\\.(qs|ks|vs)")) {
      assertThat(values).as(name).containsOnly(0);
    } else if (name.matches(".*(\\.ln\\w+|\\.qln)\\.weight")) {
      assertThat(values).as(name).containsOnly(1);
    } else if (name.endsWith("bias")) {
      assertThat(values).as(name).containsOnly(0);
    } else {
      checkNormal(name, values, 0.1 / Math.sqrt(SIZE));
    }
  }

  private static void checkUniform(String name, double[] values, double bound) {
    // the largest of n draws comes within about bound / n of the bound, rounded to float32
    double widest = bound * (1 + 1e-7);
    double highest = DoubleStream.of(values).max().getAsDouble();
    double lowest = DoubleStream.of(values).min().getAsDouble();
    assertThat(highest).as(name).isBetween(0.9 * bound, widest);
    assertThat(-lowest).as(name).isBetween(0.9 * bound, widest);
    checkMoments(name, values, bound / Math.sqrt(3));
  }

  private static void checkNormal(String name, double[] values, double sigma) {
    checkMoments(name, values, sigma);
    double far = DoubleStream.of(values).map(Math::abs).max().getAsDouble();
    assertThat(far).as("%s has tails", name).isBetween(3 * sigma, 6 * sigma);
  }

  private static void checkMoments(String name, double[] values, double sigma) {
    double mean = Arrays.stream(values).average().getAsDouble();
    double variance = Arrays.stream(values).map(v -> (v - mean) * (v - mean)).average().orElse(0);
    // five standard errors of either estimate
    double error = 5 / Math.sqrt(values.length);
    assertThat(mean).as("mean of %s", name).isCloseTo(0, Offset.offset(error * sigma));
    assertThat(Math.sqrt(variance) / sigma)
        .as("standard deviation of %s over its own", name)
        .isCloseTo(1, Offset.offset(error));
  }

  @Test
  void give_way_to_the_blocks_own_initializer() {
    try (NDManager manager = NDManager.newBaseManager()) {
      SHARNN model = model();
      model.setInitializer(new ConstantInitializer(0.5f), Parameter.Type.WEIGHT);
      model.initialize(manager, DataType.FLOAT32, ANY);
      Map<String, Parameter> names = SafetensorsWeights.names(model);
      for (String weight :
          new String[] {
            "encoder.weight",
            "decoder.weight",
            "blocks.0.rnn.weight_hh_l0",
            "blocks.1.attn.q.weight",
            "blocks.1.attn.vq.l1.weight",
            "blocks.0.ff.linear2.weight"
          }) {
        assertThat(NaiveSharnn.values(names.get(weight))).as(weight).containsOnly(0.5);
      }
      assertThat(NaiveSharnn.values(names.get("decoder.bias"))).containsOnly(0);
    }
  }

  @Test
  void give_way_to_the_training_configs_initializer() {
    try (Model model = model().newModel("tiny")) {
      DefaultTrainingConfig config =
          new DefaultTrainingConfig(Loss.l2Loss())
              .optInitializer(new ConstantInitializer(0.25f), "embedding")
              .optInitializer(new ConstantInitializer(2), Parameter.Type.OTHER);
      try (Trainer trainer = model.newTrainer(config)) {
        trainer.initialize(ANY);
      }
      SHARNN block = SHARNN.of(model);
      assertThat(NaiveSharnn.values(block.embedding)).containsOnly(0.25);
      assertThat(NaiveSharnn.values(block.blocks.get(0).attention.queryScale)).containsOnly(2);
      assertThat(
              NaiveSharnn.values(
                  block.blocks.get(0).boom.linear1.getDirectParameters().get("bias")))
          .containsOnly(0);
    }
  }

  @Test
  void follow_the_data_type() {
    try (NDManager manager = NDManager.newBaseManager()) {
      SHARNN model = model();
      model.initialize(manager, DataType.FLOAT64, ANY);
      assertThat(model.getParameters().values())
          .allMatch(parameter -> parameter.getArray().getDataType() == DataType.FLOAT64);
    }
  }
}
