package io.github.sharnn.cli;

import static io.github.sharnn.cli.Outcome.run;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIOException;

import ai.djl.Device;
import ai.djl.Model;
import io.github.sharnn.SHARNN;
import io.github.sharnn.cli.options.FineTuningOptions;
import io.github.sharnn.train.data.Corpus;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

/** Runs that begin with a saved model. */
class FineTuningTest extends TrainedModelTest {

  @TempDir private Path folder;
  private Path saved; // without checkpoints
  private Path novel;

  @BeforeEach
  void save() throws Exception {
    saved = folder.resolve("saved");
    try (Model base = SHARNN.load(model)) {
      base.save(saved, null);
    }
    novel = Files.writeString(folder.resolve("novel.txt"), "new words\nin new lines\n".repeat(300));
  }

  private Outcome tune(Path output, Object... more) {
    List<Object> args = new ArrayList<>(List.of("train", "--from", saved, "--corpus", novel));
    args.addAll(List.of("--output", output, "--batch-size", 4, "--sequence-length", 16));
    args.addAll(List.of("--no-linear", "--warm-up", 1, "--learning-rate", 0.01));
    args.addAll(List.of(more));
    return run(args.toArray());
  }

  private static Map<String, float[]> weights(Path folder) throws Exception {
    Map<String, float[]> weights = new LinkedHashMap<>();
    try (Model loaded = SHARNN.load(folder, Device.cpu())) {
      SHARNN
          .of(loaded)
          .getParameters()
          .forEach(each -> weights.put(each.getKey(), each.getValue().getArray().toFloatArray()));
    }
    return weights;
  }

  @Test
  void tunes_a_saved_model_and_resumes_to_the_bit() throws Exception {
    List<Object> options =
        List.of(
            "--dropout",
            0.1,
            "--freeze",
            "embedding,0",
            "--old-corpus",
            corpus,
            "--old-share",
            0.3);
    List<Object> whole = new ArrayList<>(options);
    whole.addAll(List.of("--steps", 6));
    Outcome outcome = tune(folder.resolve("whole"), whole.toArray());
    assertThat(outcome.err()).isEmpty();
    List<Object> half = new ArrayList<>(options);
    half.addAll(List.of("--steps", 3));
    assertThat(tune(folder.resolve("parts"), half.toArray()).err()).isEmpty();
    assertThat(run("train", "--resume", folder.resolve("parts"), "--steps", 6).err()).isEmpty();

    Map<String, float[]> before = weights(saved);
    Map<String, float[]> after = weights(folder.resolve("whole"));
    Map<String, float[]> resumed = weights(folder.resolve("parts"));
    assertThat(after.keySet()).isEqualTo(before.keySet());
    List<String> unchanged = new ArrayList<>();
    after.forEach(
        (name, values) -> {
          assertThat(resumed.get(name)).as(name).isEqualTo(values);
          if (java.util.Arrays.equals(values, before.get(name))) {
            unchanged.add(name);
          }
        });
    assertThat(unchanged).contains("embedding").anyMatch(name -> name.startsWith("01block"));
    assertThat(unchanged).noneMatch(name -> name.startsWith("02block"));
    assertThat(before.keySet())
        .filteredOn(name -> name.startsWith("01block"))
        .allMatch(unchanged::contains);
    assertThat(folder.resolve("whole/mixed-corpus/train.txt"))
        .content()
        .contains("new words\nin new lines\n", "abcd efgh");
    try (Model tuned = SHARNN.load(folder.resolve("whole"))) {
      assertThat(SHARNN.of(tuned).config().hiddenDropout()).isEqualTo(0.1f);
    }
  }

  @Test
  void resumes_with_its_mixture_after_a_move() throws IOException {
    Path moved = folder.resolve("moved");
    assertThat(tune(folder.resolve("run"), "--steps", 1, "--old-corpus", corpus).err()).isEmpty();
    Files.move(folder.resolve("run"), moved);
    Outcome resumed = run("train", "--resume", moved, "--steps", 2);
    assertThat(resumed.err()).isEmpty();
    assertThat(resumed.out()).contains(moved.resolve("mixed-corpus").toString(), "step 2");
  }

  @Test
  void writes_the_mixture_after_all_checks_and_under_the_lock() throws IOException {
    Path output = folder.resolve("refused");
    for (List<Object> options :
        List.of(
            List.<Object>of("--evaluation-streams", 10_000),
            List.<Object>of("--kernels", "required"),
            List.<Object>of("--keep", 0),
            List.<Object>of("--old-share", 0.999))) {
      List<Object> all = new ArrayList<>(List.of("--steps", 1, "--old-corpus", corpus));
      all.addAll(options);
      assertThat(tune(output, all.toArray()).code()).isNotZero();
      assertThat(output).doesNotExist();
    }
    FineTuningOptions options = new FineTuningOptions();
    CommandLine.populateCommand(options, "--old-corpus", corpus.toString());
    Corpus fresh = Corpus.open(novel);
    assertThatIOException()
        .isThrownBy(
            () ->
                options.mix(
                    fresh,
                    output,
                    () -> {
                      throw new IOException("another run is using the folder");
                    }));
    assertThat(output).doesNotExist();
  }

  @Test
  void rejects_what_does_not_fit() throws IOException {
    Path output = folder.resolve("no");
    assertThat(tune(output, "--steps", 1, "--embedding-size", 32).err())
        .contains("--from takes the sizes of the model in " + saved);
    assertThat(tune(output, "--steps", 1, "--freeze", "2").err())
        .contains(
            "--freeze takes 'embedding' and numbers of layers from 0 to 1, but was given '2'");
    assertThat(tune(output, "--steps", 1, "--freeze", "head").err())
        .contains("numbers of layers from 0 to 1, but was given 'head'");
    assertThat(tune(output, "--steps", 1, "--old-share", 0.5).err())
        .contains("--old-share needs --old-corpus");
    assertThat(tune(output, "--steps", 1, "--old-corpus", corpus, "--old-share", 1).err())
        .contains("--old-share must be above 0 and below 1, but is 1.0");
    assertThat(tune(output, "--old-corpus", corpus, "--steps", 1, "--layers", 3).err())
        .contains("--from takes the sizes of the model in " + saved);
    assertThat(tune(output, "--old-corpus", corpus, "--steps", 1, "--watch=70000").err())
        .contains("--watch must name a port");
    assertThat(output).doesNotExist();
    assertThat(train("--output", output, "--freeze", "0").err())
        .contains("--freeze and --old-corpus need --from");
    Path tuned = folder.resolve("tuned");
    assertThat(tune(tuned, "--steps", 1).err()).isEmpty();
    assertThat(run("train", "--resume", tuned, "--steps", 2, "--freeze", "0").err())
        .contains("--freeze and --resume exclude each other");
    Path nothing = folder.resolve("nothing");
    assertThat(run("train", "--from", nothing, "--output", output).err())
        .contains(nothing.toString());
  }
}
