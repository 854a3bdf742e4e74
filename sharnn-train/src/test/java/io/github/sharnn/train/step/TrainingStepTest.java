package io.github.sharnn.train.step;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.DefaultTrainingConfig;
import ai.djl.training.Trainer;
import ai.djl.training.dataset.Batch;
import ai.djl.training.loss.Loss;
import io.github.sharnn.SHARNN;
import io.github.sharnn.train.Tiny;
import io.github.sharnn.train.data.StreamDataset;
import io.github.sharnn.train.optim.Lamb;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TrainingStepTest {

  @TempDir Path folder;

  /** Runs something between forward and backward. */
  private static final class Between extends Loss {

    private final Loss loss = new SequenceCrossEntropy();
    private final Runnable action;

    Between(Runnable action) {
      super("between");
      this.action = action;
    }

    @Override
    public NDArray evaluate(NDList labels, NDList predictions) {
      action.run();
      return loss.evaluate(labels, predictions);
    }
  }

  private Map<String, float[]> gradients(float weight, Runnable betweenForwardAndBackward)
      throws Exception {
    StreamDataset dataset = StreamDataset.fixed(Tiny.part(folder, Tiny.text(100)), 2, 16);
    DefaultTrainingConfig config =
        new DefaultTrainingConfig(new Between(betweenForwardAndBackward))
            .optOptimizer(Lamb.builder().build());
    try (Model model = Tiny.model(Tiny.sharnn(), 1);
        Trainer trainer = model.newTrainer(config)) {
      trainer.initialize(new Shape(2, 16));
      try (Batch batch = dataset.getData(trainer.getManager()).iterator().next()) {
        new TrainingStep(trainer)
            .run(batch, SHARNN.of(model).zeroState(batch.getManager(), 2), weight);
      }
      Map<String, float[]> gradients = new LinkedHashMap<>();
      model
          .getBlock()
          .getParameters()
          .forEach(
              pair ->
                  gradients.put(
                      pair.getKey(), pair.getValue().getArray().getGradient().toFloatArray()));
      return gradients;
    }
  }

  /** Collects garbage and takes the place of native memory that this has freed. */
  private static void collectGarbage() {
    System.gc();
    try {
      Thread.sleep(50); // buffers are freed on another thread
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
    List<ByteBuffer> buffers = new ArrayList<>();
    for (int i = 0; i < 5_000; i++) {
      buffers.add(ByteBuffer.allocateDirect(4).order(ByteOrder.nativeOrder()).putFloat(0, 777));
    }
    assertThat(buffers).hasSize(5_000);
  }

  @Test
  void a_garbage_collection_before_backward_changes_no_gradient() throws Exception {
    Map<String, float[]> expected = gradients(1, () -> {});
    Tiny.assertSameWeights(gradients(1, TrainingStepTest::collectGarbage), expected);
  }

  @Test
  void weighs_the_gradients() throws Exception {
    Map<String, float[]> whole = gradients(1, () -> {});
    gradients(0.25f, () -> {})
        .forEach(
            (name, values) -> {
              for (int i = 0; i < values.length; i++) {
                assertThat(values[i]).as(name).isCloseTo(whole.get(name)[i] / 4, within(1e-6f));
              }
            });
  }
}
