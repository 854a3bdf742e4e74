package io.github.sharnn.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import com.google.common.hash.Hashing;
import com.google.common.io.MoreFiles;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.github.sharnn.SafetensorsWeights;
import io.github.sharnn.io.Safetensors;
import io.github.sharnn.train.checkpoint.CheckpointFolder;
import io.github.sharnn.train.checkpoint.CheckpointPolicy;
import io.github.sharnn.train.checkpoint.DamagedCheckpointException;
import io.github.sharnn.train.data.Corpus;
import io.github.sharnn.vocabulary.WordVocabulary;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.Channels;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Whatever happens to files, the run says so, and what was good stays so. */
class DamagedCheckpointTest {

  @TempDir Path folder;
  private Path run;
  private Corpus corpus;

  @BeforeEach
  void create_corpus() throws Exception {
    corpus = Tiny.corpus(folder, 3_000);
    run = folder.resolve("run");
  }

  private FitResult fit(CheckpointPolicy policy, long steps, Consumer<StepReport> onStep) {
    try (Model model = Tiny.model(Tiny.sharnn(), 1)) {
      return Tiny.trainer(model)
          .evaluationInterval(3)
          .checkpoints(policy)
          .onStep(onStep)
          .build()
          .fit(corpus, Budget.steps(steps));
    }
  }

  private static Map<Path, String> hashes(Path folder) throws IOException {
    Map<Path, String> hashes = new TreeMap<>();
    try (Stream<Path> files = Files.walk(folder)) {
      for (Path file : files.filter(Files::isRegularFile).toList()) {
        hashes.put(file, MoreFiles.asByteSource(file).hash(Hashing.sha256()).toString());
      }
    }
    return hashes;
  }

  @Test
  void truncated_and_changed_files_are_noticed_and_the_one_before_is_offered() throws Exception {
    fit(CheckpointPolicy.in(run).everySteps(2), 8, report -> {});
    List<Path> checkpoints = Checkpoint.list(run);
    Path newest = checkpoints.get(2);
    Path before = checkpoints.get(1);
    Random random = new Random(1);
    List<Path> files;
    try (Stream<Path> paths = Files.list(newest)) {
      files = paths.sorted().toList();
    }
    assertThat(files).hasSize(5);
    for (int i = 0; i < 100; i++) {
      Path file = files.get(i % files.size());
      byte[] good = Files.readAllBytes(file);
      byte[] bad;
      if (i < 50) {
        bad = Arrays.copyOf(good, random.nextInt(good.length));
      } else {
        bad = good.clone();
        bad[random.nextInt(bad.length)] ^= (byte) (1 << random.nextInt(8));
      }
      Files.write(file, bad);
      assertDamaged(newest, before);
      Files.write(file, good);
    }
    Files.move(newest.resolve(CheckpointFolder.file(Checkpoint.STATE)), folder.resolve("moved"));
    assertDamaged(newest, before);

    // resuming from the one before keeps the damaged one under another name
    Map<Path, String> damaged = hashes(newest);
    FitResult result =
        fit(CheckpointPolicy.in(run).everySteps(2).resumeFrom(before), 8, report -> {});
    assertThat(result.last().step()).isEqualTo(8);
    assertThat(Checkpoint.open(run).folder()).isEqualTo(newest);
    assertThat(hashes(run.resolve("set-aside-checkpoint-1-00000008")).values())
        .containsExactlyElementsOf(damaged.values());
  }

  private void assertDamaged(Path newest, Path before) throws IOException {
    Map<Path, String> all = hashes(run);
    assertThatThrownBy(() -> Checkpoint.open(run))
        .isInstanceOf(DamagedCheckpointException.class)
        .hasMessageContaining("the checkpoint %s is damaged: ", newest)
        .hasMessageContaining("the newest undamaged checkpoint before it is " + before);
    assertThatThrownBy(() -> fit(CheckpointPolicy.in(run).resume(), 10, report -> {}))
        .isInstanceOf(UncheckedIOException.class)
        .hasCauseInstanceOf(DamagedCheckpointException.class)
        .hasMessageContaining("is damaged: ");
    assertThat(hashes(run)).as("nothing was changed").isEqualTo(all);
  }

  @Test
  void a_file_that_its_sums_do_not_list_is_noticed() throws Exception {
    fit(CheckpointPolicy.in(run).everySteps(4), 8, report -> {});
    Path newest = Checkpoint.list(run).get(1);
    Path alien = newest.resolve(CheckpointFolder.file(Checkpoint.EARLIER));
    Files.copy(newest.resolve(CheckpointFolder.file(Checkpoint.WEIGHTS)), alien);
    assertThatThrownBy(() -> Checkpoint.open(run))
        .isInstanceOf(DamagedCheckpointException.class)
        .hasMessageContaining("earlier.safetensors is not in SHA256SUMS");
    Files.delete(alien);
    assertThat(Checkpoint.open(run).step()).isEqualTo(8);
  }

  /** The sums are put right, as whoever forges a checkpoint would. */
  private static void forge(Path checkpoint, String file, byte[] bytes) throws IOException {
    String before =
        MoreFiles.asByteSource(checkpoint.resolve(file)).hash(Hashing.sha256()).toString();
    Files.write(checkpoint.resolve(file), bytes);
    Path sums = checkpoint.resolve(CheckpointFolder.SUMS);
    String text = Files.readString(sums);
    assertThat(text).contains(before);
    Files.writeString(sums, text.replace(before, Hashing.sha256().hashBytes(bytes).toString()));
  }

  @Test
  void a_record_that_does_not_fit_its_files_is_refused_before_anything_is_allocated()
      throws Exception {
    fit(CheckpointPolicy.in(run).everySteps(4), 8, report -> {});
    Path newest = Checkpoint.list(run).get(1);
    String good = Files.readString(newest.resolve(CheckpointFolder.RECORD));
    Map<String, String> changes =
        Map.of(
            "\"batchSize\": 4", "\"batchSize\": 5",
            "\"accumulation\": 1", "\"accumulation\": 3",
            "\"embeddingSize\": 8", "\"embeddingSize\": 16",
            "\"layers\": 2", "\"layers\": 1000",
            "\"memoryLength\": 64", "\"memoryLength\": 3",
            "\"stage\": 0", "\"stage\": 1",
            "\"isCurrent\": true", "\"isCurrent\": false",
            "\"offset\": ", "\"offset\": 9");
    Map<String, String> messages =
        Map.of(
            "batchSize", "the recurrent state: it has no floating 0.0.hidden of shape (5, 8)",
            "accumulation", "divide batchSize (4), but is 3",
            "embeddingSize", "parameters",
            "layers", "parameters",
            "memoryLength", "the recurrent state: 0.0.memory has ",
            "stage", "the stages of the position and the evaluations contradict each other",
            "isCurrent", "training.json lists best weights that do not match its files",
            "offset", "is past the end of the streams");
    for (Map.Entry<String, String> change : changes.entrySet()) {
      String name = change.getKey().split("\"")[1];
      assertThat(good).contains(change.getKey());
      String bad = good.replace(change.getKey(), change.getValue());
      forge(newest, CheckpointFolder.RECORD, bad.getBytes(StandardCharsets.UTF_8));
      assertThatThrownBy(() -> Checkpoint.open(newest))
          .as(name)
          .isInstanceOf(DamagedCheckpointException.class)
          .hasMessageContaining("the checkpoint %s is damaged: ", newest)
          .hasMessageContaining(messages.get(name));
    }
    forge(
        newest,
        CheckpointFolder.RECORD,
        (good + " ".repeat(4 << 20)).getBytes(StandardCharsets.UTF_8));
    assertThatThrownBy(() -> Checkpoint.open(newest))
        .hasMessageContaining("bytes, more than the maximum of 4194304");
    forge(newest, CheckpointFolder.RECORD, good.getBytes(StandardCharsets.UTF_8));
    assertThat(Checkpoint.open(newest).step()).isEqualTo(8);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "run.stages | [] | the stages of the position and the evaluations contradict each other",
        "position.stage | 1 | the stages of the position and the evaluations contradict each other",
        "evaluations.stages | [] | the stages of the position and the evaluations contradict each other",
        "evaluations.stages | [[]] | the evaluations and the best figure contradict each other",
        "best.bpc | \"Infinity\" | the evaluations and the best figure contradict each other",
        "best.bpc | \"NaN\" | the best of the evaluations is no number",
        "position.offset | 674 | the position 674 is past the end of the streams", // 2699 / 4
        "position.offset | 673 | -",
        "rate | null | rate is missing",
        "optimizer | null | optimizer is missing",
        "optimizer.updates | 0 | moments.safetensors does not hold the arrays of the model",
        "scale.value | 0.5 | the loss scale must be at least 1 and finite, but is 0.5"
      })
  void parts_that_contradict_each_other_or_are_missing_are_refused(
      String field, String value, String message) throws Exception {
    fit(CheckpointPolicy.in(run).everySteps(4), 8, report -> {});
    Path newest = Checkpoint.list(run).get(1);
    JsonObject json =
        JsonParser.parseString(Files.readString(newest.resolve(CheckpointFolder.RECORD)))
            .getAsJsonObject();
    String[] names = field.split("\\.");
    JsonObject owner = names.length == 1 ? json : json.getAsJsonObject(names[0]);
    assertThat(owner.has(names[names.length - 1])).as(field).isTrue();
    owner.add(names[names.length - 1], JsonParser.parseString(value));
    forge(newest, CheckpointFolder.RECORD, json.toString().getBytes(StandardCharsets.UTF_8));
    if (message.equals("-")) {
      assertThat(Checkpoint.open(newest).step()).isEqualTo(8);
      return;
    }
    assertThatThrownBy(() -> fit(CheckpointPolicy.in(run).resume(), 10, report -> {}))
        .isInstanceOf(UncheckedIOException.class)
        .hasCauseInstanceOf(DamagedCheckpointException.class)
        .hasMessageContaining("the checkpoint %s is damaged: ", newest)
        .hasMessageContaining(message);
  }

  @Test
  void a_position_past_the_end_of_the_tokens_is_refused() throws Exception {
    WordVocabulary words = WordVocabulary.train(corpus.train().open(), 1, 100);
    Corpus tokens = corpus.withVocabulary(words);
    fit(tokens, words, CheckpointPolicy.in(run).everySteps(4), 4);
    Path newest = Checkpoint.list(run).get(0);
    String good = Files.readString(newest.resolve(CheckpointFolder.RECORD));
    long end = (tokens.train().length() - 1) / 4;
    String bad = good.replaceFirst("\"offset\": \\d+", "\"offset\": " + end);
    forge(newest, CheckpointFolder.RECORD, bad.getBytes(StandardCharsets.UTF_8));
    assertThatThrownBy(() -> fit(tokens, words, CheckpointPolicy.in(run).resume(), 6))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("past the end of the streams");
  }

  private static void fit(
      Corpus tokens, WordVocabulary words, CheckpointPolicy policy, long steps) {
    try (Model model = Tiny.sharnn().vocabulary(words).build().newModel("words")) {
      Tiny.trainer(model).checkpoints(policy).build().fit(tokens, Budget.steps(steps));
    }
  }

  @Test
  void arrays_of_another_type_are_refused() throws Exception {
    fit(CheckpointPolicy.in(run).everySteps(4), 8, report -> {});
    Path newest = Checkpoint.list(run).get(1);
    for (String file : List.of("weights.safetensors", "moments.safetensors")) {
      byte[] good = Files.readAllBytes(newest.resolve(file));
      forge(newest, file, inHalf(newest.resolve(file)));
      assertThatThrownBy(() -> fit(CheckpointPolicy.in(run).resume(), 10, report -> {}))
          .hasCauseInstanceOf(DamagedCheckpointException.class)
          .hasMessageContaining(file + " does not hold the arrays of the model, in float32");
      forge(newest, file, good);
    }
  }

  private static byte[] inHalf(Path file) throws Exception {
    Map<String, NDArray> half = new LinkedHashMap<>();
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (NDManager manager = NDManager.newBaseManager()) {
      SafetensorsWeights.readTensors(manager, file)
          .forEach((name, array) -> half.put(name, array.toType(DataType.FLOAT16, true)));
      Safetensors.write(half, Map.of(), Channels.newChannel(bytes));
    }
    return bytes.toByteArray();
  }

  @Test
  void nothing_that_a_link_leads_to_is_deleted() throws Exception {
    fit(CheckpointPolicy.in(run).everySteps(4), 8, report -> {});
    Path precious = Files.createDirectory(folder.resolve("precious"));
    Files.writeString(precious.resolve("text"), "mine");
    Files.createSymbolicLink(run.resolve("checkpoint-1-00000001"), precious);
    Files.createSymbolicLink(run.resolve(".checkpoint-1-00000002.tmp"), precious);
    fit(CheckpointPolicy.in(run).everySteps(4).keep(1).resume(), 12, report -> {});
    assertThat(run.resolve("checkpoint-1-00000001")).doesNotExist();
    assertThat(run.resolve(".checkpoint-1-00000002.tmp")).doesNotExist();
    assertThat(precious.resolve("text")).hasContent("mine");
  }

  @Test
  void says_that_there_is_no_checkpoint() {
    assertThatThrownBy(() -> Checkpoint.open(folder))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("the folder %s holds no checkpoint", folder);
  }
}
