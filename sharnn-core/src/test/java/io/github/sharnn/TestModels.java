package io.github.sharnn;

import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import java.util.Random;
import java.util.stream.IntStream;
import java.util.stream.LongStream;

/** Tiny models with weights that hide nothing: no scale, bias or norm is at its first value. */
public final class TestModels {

  public static final int VOCABULARY = 29;
  static final int SIZE = 16;

  private TestModels() {}

  public static SHARNNConfig.Builder tiny() {
    return SHARNN
        .builder()
        .vocabularySize(VOCABULARY)
        .embeddingSize(SIZE)
        .boomSize(4 * SIZE)
        .layers(3)
        .memoryLength(18)
        .dropouts(0);
  }

  /** A shape that varies with the seed: depth, attention (none, all, some), window, splits. */
  public static SHARNNConfig.Builder vary(int seed) {
    Random random = new Random(seed);
    int layers = 1 + random.nextInt(3);
    int[] attention =
        switch (seed % 3) {
          case 0 -> new int[0];
          case 1 -> IntStream.range(0, layers).toArray();
          default -> new int[] {random.nextInt(layers)};
        };
    return tiny()
        .layers(layers)
        .attentionLayers(attention)
        .memoryLength(8 + random.nextInt(11))
        .boomShortcut(random.nextInt(4) > 0)
        .keyProjection(random.nextInt(4) == 0)
        .valueProjection(random.nextInt(4) == 0)
        .tiedOutput(random.nextInt(4) > 0)
        .splits(splits(random, seed % 4));
  }

  /** A head and as many tails, each of at least one token. */
  private static int[] splits(Random random, int tails) {
    return random.ints(1, VOCABULARY).distinct().limit(tails).sorted().toArray();
  }

  public static SHARNN initialized(SHARNNConfig.Builder builder, NDManager manager, int seed) {
    return initialized(builder.build(), manager, DataType.FLOAT32, seed, new Shape(1, 1));
  }

  /** An initialized model, of the name tiny. */
  static Model model(SHARNNConfig.Builder builder, int seed) {
    SHARNN block = builder.build();
    Model model = block.newModel("tiny");
    initialized(block, model.getNDManager(), DataType.FLOAT32, seed, new Shape(1, 1));
    return model;
  }

  public static <B extends Block> B initialized(
      B block, NDManager manager, DataType dataType, int seed, Shape... inputShapes) {
    block.initialize(manager, dataType, inputShapes);
    Random random = new Random(seed);
    for (Parameter parameter : block.getParameters().values()) {
      // norms stay near 1, so that activations keep their size
      double mean = parameter.getType() == Parameter.Type.GAMMA ? 1 : 0;
      assign(
          parameter,
          random.doubles(parameter.getShape().size()).map(u -> mean + 0.8 * (u - 0.5)).toArray());
    }
    return block;
  }

  static void assign(Parameter parameter, double[] values) {
    NDArray array = parameter.getArray();
    try (NDArray replacement = array.getManager().create(values, array.getShape())) {
      SafetensorsWeights.assign(parameter, replacement);
    }
  }

  public static NDArray tokens(NDManager manager, Random random, int batch, int time) {
    long[] ids =
        LongStream.generate(() -> random.nextInt(VOCABULARY)).limit((long) batch * time).toArray();
    return manager.create(ids, new Shape(batch, time));
  }

  static NDArray activations(
      NDManager manager, Random random, DataType dataType, long... dimensions) {
    Shape shape = new Shape(dimensions);
    double[] values = random.doubles(shape.size(), -1.5, 1.5).toArray();
    return manager.create(values, shape).toType(dataType, false);
  }

  public static SHARNNState zeros(SHARNN model, NDManager manager, int batch) {
    return SHARNNState.zeros(model.config(), manager, batch, DataType.FLOAT32);
  }

  static SHARNN.Output forward(SHARNN model, NDManager manager, NDArray tokens, SHARNNState state) {
    return model.forward(new ParameterStore(manager, false), tokens, state, false);
  }

  /** The state after so many random tokens. */
  static SHARNNState carriedState(
      SHARNN model, NDManager manager, Random random, int batch, int past) {
    SHARNNState state = zeros(model, manager, batch);
    if (past == 0) {
      return state;
    }
    NDArray tokens = tokens(manager, random, batch, past);
    return forward(model, manager, tokens, state).state();
  }

  public static NDArray logits(SHARNN model, NDManager manager, NDArray tokens) {
    return model
        .forward(new ParameterStore(manager, false), new NDList(tokens), false)
        .singletonOrThrow();
  }
}
