package io.github.sharnn.train;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.MalformedModelException;
import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.ParameterStore;
import com.google.common.hash.Hashing;
import com.google.common.io.MoreFiles;
import com.google.common.io.RecursiveDeleteOption;
import io.github.sharnn.SHARNN;
import io.github.sharnn.SHARNNConfig;
import io.github.sharnn.SafetensorsWeights;
import io.github.sharnn.fuzzing.Fuzzing;
import io.github.sharnn.fuzzing.Mutation;
import io.github.sharnn.io.Safetensors;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.lifecycle.AfterContainer;
import net.jqwik.api.lifecycle.BeforeContainer;

/**
 * Good files with a few things wrong, for each reader: it gives what the file says, or throws what
 * it documents, and allocates little. See docs/reliability.md for many more inputs.
 */
class UntrustedFilesTest {

  private static final String CONFIG = "config.json";
  private static final String WEIGHTS = "model.safetensors";

  private static Path folder;
  private static NDManager manager;
  private static SHARNN model;
  private static byte[] anyTypes;
  private static byte[] weights;
  private static byte[][][] saved;

  private static SHARNNConfig.Builder tiny() {
    return SHARNN
        .builder()
        .vocabularySize(3)
        .embeddingSize(2)
        .boomSize(4)
        .layers(2)
        .memoryLength(3)
        .dropouts(0);
  }

  @BeforeContainer
  static void writeGoodFiles() throws Exception {
    folder = Files.createTempDirectory("untrusted");
    manager = NDManager.newBaseManager();
    model = tiny().build();
    model.initialize(manager, DataType.FLOAT32, new Shape(1, 1));
    Path file = folder.resolve("good.safetensors");
    SafetensorsWeights.write(model, file);
    weights = Files.readAllBytes(file);

    Map<String, NDArray> tensors = new LinkedHashMap<>();
    NDArray array = manager.arange(6f).reshape(2, 3);
    for (DataType type :
        new DataType[] {
          DataType.FLOAT64,
          DataType.FLOAT32,
          DataType.FLOAT16,
          DataType.INT64,
          DataType.INT32,
          DataType.INT8,
          DataType.UINT8,
          DataType.BOOLEAN
        }) {
      tensors.put(type.name(), array.toType(type, true));
    }
    tensors.put("scalar", manager.create(1f));
    tensors.put("empty", manager.create(new Shape(0, 2)));
    try (FileChannel channel =
        FileChannel.open(file, StandardOpenOption.WRITE, StandardOpenOption.TRUNCATE_EXISTING)) {
      Safetensors.write(tensors, Map.of("step", "7"), channel);
    }
    anyTypes = Files.readAllBytes(file);
    saved = new byte[][][] {save(tiny()), save(tiny().tiedOutput(false).attentionLayers())};
  }

  /** Saves a model, and returns its config and its weights. */
  private static byte[][] save(SHARNNConfig.Builder builder) throws IOException {
    SHARNN block = builder.build();
    try (Model good = block.newModel("good")) {
      block.initialize(good.getNDManager(), DataType.FLOAT32, new Shape(1, 1));
      good.setProperty("mine", "3");
      good.save(folder, "good");
    }
    return new byte[][] {
      Files.readAllBytes(folder.resolve(CONFIG)), Files.readAllBytes(folder.resolve(WEIGHTS))
    };
  }

  @AfterContainer
  static void close() throws IOException {
    manager.close();
    MoreFiles.deleteRecursively(folder, RecursiveDeleteOption.ALLOW_INSECURE);
    Fuzzing.print();
  }

  @Provide
  Arbitrary<Long> seeds() {
    return Arbitraries.randomValue(Random::nextLong);
  }

  @Property
  void safetensors(@ForAll("seeds") long seed) throws IOException {
    Path file =
        Fuzzing.write(
            folder.resolve("any.safetensors"), Fuzzing.safetensors(anyTypes, new Random(seed)));
    Fuzzing.check(
        "Safetensors",
        () -> {
          try (NDManager own = manager.newSubManager();
              Safetensors tensors = Safetensors.open(file)) {
            tensors.readAll(own).values().forEach(NDArray::toDebugString);
            return Fuzzing.bytes(own);
          }
        });
  }

  @Property
  void weights(@ForAll("seeds") long seed) throws IOException {
    Random random = new Random(seed);
    Path file =
        Fuzzing.write(folder.resolve("weights.safetensors"), Fuzzing.safetensors(weights, random));
    SHARNN target = random.nextInt(10) > 0 ? model : tiny().vocabularySize(500_000).build();
    Fuzzing.check(
        "SafetensorsWeights",
        () -> {
          try (NDManager own = manager.newSubManager()) {
            SafetensorsWeights.read(target, own, file);
            forward(target);
            return Fuzzing.bytes(own);
          }
        });
  }

  @Property
  void savedModel(@ForAll("seeds") long seed) throws IOException {
    Random random = new Random(seed);
    byte[][] good = saved[random.nextInt(saved.length)];
    boolean inConfig = random.nextBoolean();
    byte[] config = inConfig ? Mutation.of(good[0], random) : good[0];
    byte[] tensors = inConfig ? good[1] : Fuzzing.safetensors(good[1], random);
    Fuzzing.write(folder.resolve(CONFIG), config);
    Fuzzing.write(folder.resolve(WEIGHTS), tensors);
    byte[] sums =
        String.format(
                Locale.ROOT,
                "%s  %s\n%s  %s\n",
                Hashing.sha256().hashBytes(config),
                CONFIG,
                Hashing.sha256().hashBytes(tensors),
                WEIGHTS)
            .getBytes(StandardCharsets.US_ASCII);
    Fuzzing.write(
        folder.resolve("SHA256SUMS"), random.nextInt(9) > 0 ? sums : Mutation.of(sums, random));
    Fuzzing.check(
        "SHARNN.load",
        () -> {
          try (Model loaded = SHARNN.load(folder)) {
            forward(SHARNN.of(loaded));
            return Fuzzing.bytes(loaded.getNDManager());
          }
        });
  }

  @Property
  void config(@ForAll("seeds") long seed) {
    byte[] good = tiny().attentionLayers(0, 1).config().toJson().getBytes(StandardCharsets.UTF_8);
    String json = new String(Mutation.of(good, new Random(seed)), StandardCharsets.UTF_8);
    Fuzzing.check(
        "SHARNNConfig",
        () -> {
          try {
            SHARNNConfig.fromJson(json);
          } catch (IllegalArgumentException e) {
            throw new MalformedModelException(e.getMessage(), e);
          }
          return 0;
        });
  }

  /** Computes with a model that was read. */
  private static void forward(SHARNN read) {
    try (NDManager own = manager.newSubManager()) {
      NDArray tokens = own.zeros(new Shape(1, 2), DataType.INT64);
      NDList logits = read.forward(new ParameterStore(own, false), new NDList(tokens), false);
      assertThat(logits.head().getShape())
          .isEqualTo(new Shape(1, 2, read.config().vocabularySize()));
    }
  }
}
