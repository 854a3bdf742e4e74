package io.github.sharnn.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.engine.Engine;
import ai.djl.engine.EngineException;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.training.GradientCollector;
import ai.djl.training.ParameterStore;
import io.github.sharnn.SHARNN;
import io.github.sharnn.SHARNNState;
import io.github.sharnn.TestModels;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.function.Supplier;
import org.junit.jupiter.api.Test;

/** On a fresh thread, where DJL's engine records gradients. */
class InferenceModeTest {

  private static <T> T onFreshThread(Supplier<T> work) {
    return CompletableFuture.supplyAsync(work, command -> new Thread(command).start()).join();
  }

  private static SHARNN modelInTraining(NDManager manager) {
    SHARNN model = TestModels.initialized(TestModels.tiny(), manager, 1);
    for (Parameter parameter : model.getParameters().values()) {
      assertThat(parameter.getArray().hasGradient()).isTrue();
    }
    return model;
  }

  private static boolean records(SHARNN model, NDManager manager, boolean training) {
    ParameterStore parameterStore = new ParameterStore(manager, false);
    NDArray tokens = TestModels.tokens(manager, new Random(1), 2, 5);
    SHARNNState state = TestModels.zeros(model, manager, 2);
    SHARNN.Output output = model.forward(parameterStore, tokens, state, training);
    NDList arrays = new NDList(output.logits(), output.output()).addAll(output.state().toNDList());
    boolean any = arrays.stream().anyMatch(InferenceModeTest::isRecorded);
    assertThat(arrays).allMatch(array -> isRecorded(array) == any);
    return any;
  }

  /** Only what is at the end of a gradient graph can't be told not to require a gradient. */
  private static boolean isRecorded(NDArray array) {
    try {
      array.setRequiresGradient(false);
      return false;
    } catch (EngineException e) {
      assertThat(e).hasMessageContaining("requires_grad flags of leaf variables");
      return true;
    }
  }

  @Test
  void only_training_records() {
    try (NDManager manager = NDManager.newBaseManager()) {
      SHARNN model = modelInTraining(manager);
      assertThat(onFreshThread(() -> records(model, manager, false))).isFalse();
      assertThat(onFreshThread(() -> records(model, manager, true))).isTrue();
    }
  }

  @Test
  void gives_the_same_bits_there_as_here() {
    try (NDManager manager = NDManager.newBaseManager()) {
      SHARNN model = modelInTraining(manager);
      NDArray tokens = TestModels.tokens(manager, new Random(1), 2, 17);
      float[] here = TestModels.logits(model, manager, tokens).toFloatArray();
      assertThat(onFreshThread(() -> TestModels.logits(model, manager, tokens).toFloatArray()))
          .isEqualTo(here);
      try (GradientCollector collector = Engine.getInstance().newGradientCollector()) {
        assertThat(TestModels.logits(model, manager, tokens).toFloatArray()).isEqualTo(here);
        collector.backward(model.embedding.getArray().sum()); // what comes after is recorded
      }
    }
  }

  @Test
  void puts_the_switch_back_after_an_error() {
    try (NDManager manager = NDManager.newBaseManager();
        GradientCollector collector = Engine.getInstance().newGradientCollector()) {
      NDArray weight = manager.ones(new Shape(3));
      weight.setRequiresGradient(true);
      assertThatThrownBy(
              () ->
                  InferenceMode.call(
                      () -> {
                        throw new UnsupportedOperationException("stopped");
                      }))
          .hasMessage("stopped");
      collector.backward(weight.square().sum());
      assertThat(weight.getGradient().toFloatArray()).containsOnly(2f);
    }
  }

  @Test
  void collapses_there_as_elsewhere() {
    try (NDManager manager = NDManager.newBaseManager()) {
      SHARNN model = modelInTraining(manager);
      SHARNN here = model.collapse(manager);
      SHARNN there = onFreshThread(() -> model.collapse(manager));
      here.getParameters()
          .forEach(
              pair ->
                  assertThat(there.getParameters().get(pair.getKey()).getArray().toFloatArray())
                      .as(pair.getKey())
                      .isEqualTo(pair.getValue().getArray().toFloatArray()));
    }
  }
}
