package io.github.sharnn.train;

import ai.djl.MalformedModelException;
import ai.djl.Model;
import ai.djl.ndarray.types.DataType;
import com.google.common.hash.Hashing;
import com.google.common.io.MoreFiles;
import com.google.common.io.RecursiveDeleteOption;
import io.github.sharnn.SHARNN;
import io.github.sharnn.fuzzing.Fuzzing;
import io.github.sharnn.fuzzing.Mutation;
import io.github.sharnn.train.checkpoint.CheckpointFolder;
import io.github.sharnn.train.checkpoint.CheckpointPolicy;
import io.github.sharnn.train.data.Corpus;
import io.github.sharnn.train.optim.LearningRateSchedule;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.stream.Stream;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.lifecycle.AfterContainer;
import net.jqwik.api.lifecycle.BeforeContainer;

/**
 * Good checkpoints with a few errors: their readers, and a run that resumes from them, behave as
 * documented and allocate little. See docs/reliability.md for many more inputs.
 */
class UntrustedCheckpointTest {

  private static Path folder;
  private static Corpus corpus;
  private static List<Saved> good;

  /** A good checkpoint: its place, and its files by name. */
  private record Saved(Path place, Map<String, byte[]> files) {}

  @BeforeContainer
  static void saveGoodCheckpoints() throws IOException {
    folder = Files.createTempDirectory("untrusted");
    byte[] text = Tiny.randomBytes(400, 3);
    corpus = Corpus.withSizes(Tiny.file(folder, text), 300, 50, 50);
    good = List.of(save("one", DataType.FLOAT32, 0.02f), save("other", DataType.FLOAT16, 1));
  }

  /** In the second stage; where its rate is high, the first one's best weights are in it too. */
  private static Saved save(String name, DataType precision, float rate) throws IOException {
    Path run = folder.resolve(name);
    int[] steps = {0};
    SHARNN block =
        SHARNN
            .builder()
            .vocabularySize(3)
            .embeddingSize(2)
            .boomSize(4)
            .layers(2)
            .memoryLength(8)
            .build();
    try (Model model = block.newModel(name)) {
      SHARNNTrainer.Builder trainer =
          SHARNNTrainer.builder(model)
              .batchSize(4)
              .accumulation(2)
              .sequenceLength(6)
              .evaluationInterval(4)
              .precision(precision)
              .checkpoints(CheckpointPolicy.in(run).every(Duration.ZERO))
              .stopWhen(() -> ++steps[0] == 14);
      List<FitResult> results =
          trainer
              .build()
              .fit(
                  corpus,
                  List.of(
                      new TrainingStage(
                          LearningRateSchedule.peak(0.02f).warmUp(2), Budget.steps(8)),
                      new TrainingStage(
                          LearningRateSchedule.peak(rate).cosine(), Budget.steps(20))));
      Path place = results.get(1).checkpoint();
      Map<String, byte[]> files = new TreeMap<>();
      try (Stream<Path> list = Files.list(place)) {
        for (Path file : list.toList()) {
          files.put(file.getFileName().toString(), Files.readAllBytes(file));
        }
      }
      return new Saved(place, files);
    }
  }

  @AfterContainer
  static void close() throws IOException {
    MoreFiles.deleteRecursively(folder, RecursiveDeleteOption.ALLOW_INSECURE);
    Fuzzing.print();
  }

  @Provide
  Arbitrary<Long> seeds() {
    return Arbitraries.randomValue(Random::nextLong);
  }

  @Property
  void checkpoint(@ForAll("seeds") long seed) throws IOException {
    Random random = new Random(seed);
    Saved saved = good.get(random.nextInt(good.size()));
    write(saved.place, change(saved.files, random));
    Fuzzing.check(
        "Checkpoint",
        () -> {
          Checkpoint checkpoint = Checkpoint.open(saved.place);
          try {
            checkpoint.corpus();
          } catch (IllegalArgumentException e) {
            // as documented: another corpus may be given
          }
          return Math.max(readBest(checkpoint), resume(checkpoint));
        });
  }

  /** One file changed, or two, or one left out; the sums put right three times of four. */
  private static Map<String, byte[]> change(Map<String, byte[]> good, Random random) {
    Map<String, byte[]> files = new TreeMap<>(good);
    List<String> names = new ArrayList<>(good.keySet());
    int changes = random.nextInt(8) > 0 ? 1 : 2;
    for (int i = 0; i < changes; i++) {
      String name =
          random.nextBoolean() ? CheckpointFolder.RECORD : names.get(random.nextInt(names.size()));
      byte[] bytes = good.get(name);
      if (random.nextInt(50) == 0) {
        files.remove(name);
      } else if (name.endsWith(".safetensors")) {
        byte[] other = good.get(names.get(random.nextInt(names.size())));
        files.put(name, random.nextInt(50) == 0 ? other : Fuzzing.safetensors(bytes, random));
      } else {
        files.put(name, Mutation.of(bytes, random));
      }
    }
    if (random.nextInt(4) > 0) {
      StringBuilder sums = new StringBuilder();
      files.remove(CheckpointFolder.SUMS);
      files.forEach(
          (name, bytes) -> sums.append(Hashing.sha256().hashBytes(bytes) + "  " + name + "\n"));
      files.put(CheckpointFolder.SUMS, sums.toString().getBytes(StandardCharsets.US_ASCII));
    }
    return files;
  }

  private static void write(Path place, Map<String, byte[]> files) throws IOException {
    for (Map.Entry<String, byte[]> file : files.entrySet()) {
      Fuzzing.write(place.resolve(file.getKey()), file.getValue());
    }
    try (Stream<Path> list = Files.list(place)) {
      for (Path file : list.toList()) {
        if (!files.containsKey(file.getFileName().toString())) {
          Files.delete(file);
        }
      }
    }
  }

  private static long readBest(Checkpoint checkpoint) throws IOException, MalformedModelException {
    try (Model model = SHARNN.of(checkpoint.config()).newModel("best")) {
      checkpoint.readBest(model);
      return Fuzzing.bytes(model.getNDManager());
    }
  }

  /** All of the checkpoint is brought back; the budget is then used up. */
  private static long resume(Checkpoint checkpoint) throws IOException {
    try (Model model = SHARNN.of(checkpoint.config()).newModel("resumed")) {
      List<TrainingStage> stages = checkpoint.stages().subList(0, checkpoint.stage() + 1);
      List<TrainingStage> over =
          stages.stream().map(s -> new TrainingStage(s.learningRate(), Budget.steps(1))).toList();
      SHARNNTrainer.Builder trainer =
          checkpoint
              .options()
              .trainer(model)
              .precision(checkpoint.options().precision())
              .checkpoints(
                  CheckpointPolicy.in(checkpoint.folder().getParent())
                      .resumeFrom(checkpoint.folder()));
      trainer.build().fit(corpus, over);
      return Fuzzing.bytes(model.getNDManager());
    } catch (IllegalArgumentException e) { // an option breaks its rule, or contradicts the corpus
      return 0;
    } catch (UncheckedIOException e) {
      throw e.getCause();
    }
  }
}
