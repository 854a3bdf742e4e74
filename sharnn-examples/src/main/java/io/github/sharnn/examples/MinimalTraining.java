package io.github.sharnn.examples;

import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.DefaultTrainingConfig;
import ai.djl.training.GradientCollector;
import ai.djl.training.ParameterStore;
import ai.djl.training.Trainer;
import ai.djl.training.loss.Loss;
import ai.djl.training.optimizer.Optimizer;
import ai.djl.training.tracker.Tracker;
import io.github.sharnn.SHARNN;
import io.github.sharnn.SHARNNState;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;

/**
 * The training loop in plain DJL. SHARNN is a {@code Block} here like any other; a copy of this
 * program needs only the artifact {@code sharnn-core}. {@code SHARNNTrainer} adds what a long run
 * needs: checkpoints, schedules, mixed precision and early stopping.
 *
 * <p>Shapes: B streams side by side, T bytes of a segment, V = 256 byte values.
 */
public final class MinimalTraining {

  private static final int STREAMS = 16; // B
  private static final int SEGMENT = 64; // T
  private static final float CLIP_NORM = 1;
  private static final Loss LOSS = Loss.softmaxCrossEntropyLoss();

  private MinimalTraining() {}

  /**
   * Trains on a file and prints the loss.
   *
   * @param args a file to train on; without one, the bundled novel
   * @throws IOException if the file can't be read
   */
  public static void main(String[] args) throws IOException {
    try (InputStream in =
        args.length == 0
            ? MinimalTraining.class.getResourceAsStream("dickens.txt")
            : Files.newInputStream(Path.of(args[0]))) {
      run(in.readAllBytes(), 500);
    }
  }

  /** Trains on the first nine tenths of a text; returns the mean loss on the rest, in nats. */
  static double run(byte[] text, int steps) {
    byte[] training = Arrays.copyOf(text, text.length / 10 * 9);
    byte[] validation = Arrays.copyOfRange(text, training.length, text.length);
    SHARNN block =
        SHARNN.builder().embeddingSize(128).boomSize(512).layers(2).memoryLength(128).build();
    Optimizer adam = Optimizer.adam().optLearningRateTracker(Tracker.fixed(3e-3f)).build();
    DefaultTrainingConfig config = new DefaultTrainingConfig(LOSS).optOptimizer(adam);
    try (Model model = block.newModel("minimal");
        Trainer trainer = model.newTrainer(config)) {
      model.getNDManager().getEngine().setRandomSeed(1);
      trainer.initialize(new Shape(STREAMS, SEGMENT));
      int streamLength = training.length / STREAMS;
      SHARNNState state = block.zeroState(trainer.getManager(), STREAMS);
      for (int step = 1; step <= steps; step++) {
        int position = (step - 1) * SEGMENT % (streamLength - SEGMENT); // in every stream
        // the batch owns every array of this step except the state, which the next step reads
        try (NDManager batch = trainer.getManager().newSubManager()) {
          NDArray tokens = segments(batch, training, STREAMS, streamLength, position);
          NDArray labels = segments(batch, training, STREAMS, streamLength, position + 1);
          NDList outputs;
          NDArray loss;
          try (GradientCollector collector = trainer.newGradientCollector()) {
            outputs = trainer.forward(new NDList(tokens).addAll(state.toNDList()));
            loss = loss(labels, outputs.head());
            collector.backward(loss);
          }
          clip(block, batch);
          trainer.step(); // after the collector is closed; Adam also zeroes the gradients
          state.close();
          state = SHARNNState.fromNDList(block.config(), outputs.subNDList(1)).detach();
          state.attach(trainer.getManager());
          if (step == 1 || step % 50 == 0) {
            print("step " + step, loss.getFloat());
          }
        }
      }
      double nats = evaluate(block, trainer.getManager(), validation);
      print("validation", nats);
      return nats;
    }
  }

  private static void print(String name, double nats) {
    System.out.printf(Locale.ROOT, "%s  loss %.3f bits per byte%n", name, nats / Math.log(2));
  }

  /** Returns the segment of each stream at a position, as token numbers {@code (B, T)}. */
  private static NDArray segments(
      NDManager manager, byte[] text, int streams, int streamLength, int position) {
    long[] tokens = new long[streams * SEGMENT];
    for (int i = 0; i < tokens.length; i++) {
      tokens[i] = text[i / SEGMENT * streamLength + position + i % SEGMENT] & 0xFF;
    }
    return manager.create(tokens, new Shape(streams, SEGMENT));
  }

  /** Returns the mean cross-entropy in nats, of labels {@code (B, T)}. */
  private static NDArray loss(NDArray labels, NDArray logits) {
    NDList rows = new NDList(logits.reshape(-1, logits.size(2))); // (B, T, V) -> (B*T, V)
    return LOSS.evaluate(new NDList(labels.reshape(-1, 1)), rows);
  }

  /** Scales the gradients down to a global norm of at most {@code CLIP_NORM}. */
  private static void clip(SHARNN block, NDManager manager) {
    NDList gradients = new NDList();
    double squares = 0;
    block.getParameters().values().forEach(p -> gradients.add(p.getArray().getGradient()));
    gradients.attach(manager);
    for (NDArray gradient : gradients) {
      squares += gradient.square().sum().getFloat();
    }
    float factor = (float) Math.min(1, CLIP_NORM / Math.sqrt(squares));
    gradients.forEach(gradient -> gradient.muli(factor)); // in place, outside the collector
  }

  /** Reads a text as one stream, with the state carried over; returns the mean loss in nats. */
  private static double evaluate(SHARNN block, NDManager parent, byte[] text) {
    double nats = 0;
    int predicted = 0;
    SHARNNState state = block.zeroState(parent, 1);
    for (; predicted + SEGMENT < text.length; predicted += SEGMENT) {
      try (NDManager manager = parent.newSubManager()) {
        NDArray tokens = segments(manager, text, 1, 0, predicted);
        NDArray labels = segments(manager, text, 1, 0, predicted + 1);
        NDList inputs = new NDList(tokens).addAll(state.toNDList());
        NDList outputs = block.forward(new ParameterStore(manager, false), inputs, false);
        nats += SEGMENT * loss(labels, outputs.head()).getFloat();
        state.close();
        state = SHARNNState.fromNDList(block.config(), outputs.subNDList(1)).attach(parent);
      }
    }
    state.close();
    return nats / predicted;
  }
}
