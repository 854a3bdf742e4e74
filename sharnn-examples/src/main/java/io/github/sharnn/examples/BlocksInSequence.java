package io.github.sharnn.examples;

import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import ai.djl.nn.SequentialBlock;
import ai.djl.nn.core.Linear;
import ai.djl.training.DefaultTrainingConfig;
import ai.djl.training.GradientCollector;
import ai.djl.training.Trainer;
import ai.djl.training.loss.Loss;
import ai.djl.training.optimizer.Optimizer;
import ai.djl.training.tracker.Tracker;
import io.github.sharnn.AttentionMemory;
import io.github.sharnn.Boom;
import io.github.sharnn.Overparam;
import io.github.sharnn.SHABlock;
import io.github.sharnn.SHARNN;
import io.github.sharnn.SHARNNConfig;
import io.github.sharnn.SingleHeadAttention;
import java.util.Locale;

/**
 * A network of your own with parts of a SHA-RNN as layers. Each part is a DJL block and trains in
 * DJL's own trainer. This network learns the running mean of a series.
 */
public final class BlocksInSequence {

  private static final int SIZE = 16;

  private BlocksInSequence() {}

  public static void main(String[] args) {
    SHARNNConfig parts = SHARNN.builder().embeddingSize(SIZE).boomSize(64).dropouts(0).config();
    Block network =
        new SequentialBlock()
            .add(Linear.builder().setUnits(SIZE).build()) // (B, T, 1) -> (B, T, C)
            .add(SingleHeadAttention.of(parts))
            .add(SHABlock.of(parts, 2))
            .add(Overparam.of(SIZE))
            .add(Boom.of(parts))
            .add(Linear.builder().setUnits(1).build()); // (B, T, C) -> (B, T, 1)
    DefaultTrainingConfig config =
        new DefaultTrainingConfig(Loss.l2Loss())
            .optOptimizer(Optimizer.adam().optLearningRateTracker(Tracker.fixed(3e-3f)).build());
    try (Model model = Model.newInstance("running-mean", "PyTorch")) {
      model.setBlock(network);
      model.getNDManager().getEngine().setRandomSeed(1);
      try (Trainer trainer = model.newTrainer(config)) {
        trainer.initialize(new Shape(8, 20, 1));
        for (int step = 1; step <= 200; step++) {
          float loss = train(trainer);
          if (step == 1 || step % 50 == 0) {
            System.out.printf(Locale.ROOT, "step %d  loss %.4f%n", step, loss);
          }
        }
        remember(trainer);
      }
    }
  }

  private static float train(Trainer trainer) {
    try (var batch = trainer.getManager().newSubManager()) {
      NDArray series = batch.randomNormal(new Shape(8, 20, 1));
      NDArray mean = series.cumSum(1).div(batch.arange(1f, 21f).reshape(1, 20, 1));
      NDArray loss;
      try (GradientCollector collector = trainer.newGradientCollector()) {
        NDList output = trainer.forward(new NDList(series));
        loss = trainer.getLoss().evaluate(new NDList(mean), output);
        collector.backward(loss);
      }
      trainer.step();
      return loss.getFloat();
    }
  }

  /** Appends to an attention memory. Appending returns a new memory and keeps the old one. */
  private static void remember(Trainer trainer) {
    try (var manager = trainer.getManager().newSubManager()) {
      AttentionMemory memory =
          new AttentionMemory(manager.zeros(new Shape(1, 3, SIZE)))
              .append(manager.ones(new Shape(1, 2, SIZE)))
              .last(4);
      System.out.println("the last of 5 positions that a window of 4 keeps: " + memory.length());
    }
  }
}
