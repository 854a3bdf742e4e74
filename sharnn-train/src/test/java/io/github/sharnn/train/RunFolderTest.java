package io.github.sharnn.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Model;
import io.github.sharnn.io.FolderLock;
import io.github.sharnn.train.checkpoint.CheckpointPolicy;
import io.github.sharnn.train.data.Corpus;
import io.github.sharnn.vocabulary.WordVocabulary;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/** A run's folder changes only once the run is accepted, and nothing outside it ever does. */
class RunFolderTest {

  @TempDir private Path folder;
  private Path run;
  private Corpus corpus;
  private CheckpointPolicy policy;

  @BeforeEach
  void train() throws Exception {
    corpus = Tiny.corpus(folder, 1_000);
    run = folder.resolve("run");
    policy = CheckpointPolicy.in(run).everySteps(2);
    fit(policy, Budget.steps(6), trainer -> trainer);
  }

  private void fit(
      CheckpointPolicy checkpoints, Budget budget, UnaryOperator<SHARNNTrainer.Builder> options) {
    fit(checkpoints, budget, corpus, options);
  }

  private void fit(
      CheckpointPolicy checkpoints,
      Budget budget,
      Corpus read,
      UnaryOperator<SHARNNTrainer.Builder> options) {
    try (Model model = Tiny.sharnn().vocabulary(read.vocabulary()).build().newModel("tiny")) {
      options.apply(Tiny.trainer(model).checkpoints(checkpoints)).build().fit(read, budget);
    }
  }

  /** All names below a folder with times and contents. */
  private static Map<String, String> contents(Path folder) throws IOException {
    Map<String, String> contents = new TreeMap<>();
    try (Stream<Path> paths = Files.walk(folder)) {
      for (Path path : paths.toList()) {
        String content =
            Files.isRegularFile(path) ? HexFormat.of().formatHex(Files.readAllBytes(path)) : "";
        contents.put(
            path.toString(),
            Files.getLastModifiedTime(path, LinkOption.NOFOLLOW_LINKS) + " " + content);
      }
    }
    return contents;
  }

  private void leaveTraces() throws IOException {
    Path unfinished = Files.createDirectory(run.resolve(".checkpoint-1-00000008.tmp"));
    Files.writeString(unfinished.resolve("weights.safetensors"), "half");
    Files.writeString(run.resolve("checkpoint-1-00000077"), "a file");
  }

  private void assertRefused(String message, Runnable refused) throws IOException {
    Map<String, String> before = contents(run);
    assertThatThrownBy(refused::run).hasMessageContaining(message);
    assertThat(contents(run)).isEqualTo(before);
  }

  @Test
  void a_refused_run_leaves_the_folder_as_it_is() throws Exception {
    leaveTraces();
    Path middle = run.resolve("checkpoint-1-00000004");
    CheckpointPolicy resume = policy.resumeFrom(middle);
    assertRefused("has checkpoints of a run", () -> fit(policy, Budget.steps(9), t -> t));
    assertRefused(
        "batchSize was 4, is now 2", () -> fit(resume, Budget.steps(9), t -> t.batchSize(2)));
    Corpus shorter = Tiny.corpus(folder, 900);
    assertRefused("sha256 was", () -> fit(resume, Budget.steps(9), shorter, t -> t));
    // the last check, after the checkpoint's arrays are read
    assertRefused("is used up at step 4", () -> fit(resume, Budget.steps(3), t -> t));
    try (FileChannel other = FileChannel.open(run.resolve(".lock"), StandardOpenOption.WRITE)) {
      assertThat(other.tryLock()).isNotNull();
      assertRefused("another run is using", () -> fit(resume, Budget.steps(9), t -> t));
    }
    Path weights = middle.resolve("weights.safetensors");
    byte[] whole = Files.readAllBytes(weights);
    Files.write(weights, new byte[whole.length]);
    assertRefused("has a different SHA-256", () -> fit(resume, Budget.steps(9), t -> t));
    Files.write(weights, whole);
    fit(resume, Budget.steps(9), t -> t);
    assertThat(run.toFile().list())
        .containsExactlyInAnyOrder(
            ".lock",
            "checkpoint-1-00000006",
            "checkpoint-1-00000008",
            "checkpoint-1-00000009",
            "set-aside-checkpoint-1-00000006",
            "set-aside-checkpoint-1-00000077");
  }

  @Test
  void a_refused_new_run_makes_no_folder_and_no_file() throws Exception {
    CheckpointPolicy fresh = CheckpointPolicy.in(folder.resolve("new/run"));
    assertThatThrownBy(() -> fit(fresh, Budget.steps(1), t -> t.batchSize(4_000)))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(
            () ->
                fit(
                    fresh.resumeFrom(fresh.folder().resolve("checkpoint-1-00000001")),
                    Budget.steps(1),
                    t -> t))
        .hasMessageContaining("holds no checkpoint");
    assertThat(folder.resolve("new")).doesNotExist();
    Path other = Files.createDirectory(folder.resolve("other"));
    WordVocabulary.of(List.of("a", "<eos>", "<unk>")).save(other);
    leave(other.resolve(".checkpoint-1-00000008.tmp"));
    Corpus words =
        corpus.withVocabulary(WordVocabulary.of(List.of("single", "headed", "<eos>", "<unk>")));
    Map<String, String> before = contents(other);
    assertThatThrownBy(
            () -> fit(CheckpointPolicy.in(other).resume(), Budget.steps(1), words, t -> t))
        .hasMessageContaining("holds another vocabulary");
    before.keySet().removeIf(path -> path.equals(other.toString())); // it got a .lock
    assertThat(contents(other)).containsAllEntriesOf(before).hasSize(before.size() + 2);
  }

  private static void leave(Path unfinished) throws IOException {
    Files.writeString(Files.createDirectory(unfinished).resolve("training.json"), "{");
  }

  @Test
  void a_run_that_a_later_stage_of_the_process_still_uses_is_locked_for_others() throws Exception {
    FolderLock log = FolderLock.ofRun(run);
    try (log) {
      fit(policy.resume(), Budget.steps(7), t -> t);
      assertThat(FolderLock.ofRun(run)).isSameAs(log);
    }
  }

  @Test
  @DisabledOnOs(OS.WINDOWS)
  void links_in_the_folder_are_renamed_or_deleted_and_never_followed() throws Exception {
    Path outside = Files.createDirectory(folder.resolve("outside"));
    leave(outside.resolve("inner"));
    Path victim = Files.writeString(outside.resolve("victim"), "precious");
    Path copy = outside.resolve("checkpoint-1-00000006");
    Files.move(run.resolve("checkpoint-1-00000006"), copy);
    Files.createSymbolicLink(run.resolve("checkpoint-1-00000006"), copy); // to be pruned
    Files.createSymbolicLink(run.resolve("checkpoint-1-00000005"), outside); // pruned first
    Files.createSymbolicLink(run.resolve("checkpoint-1-00000008"), outside.resolve("none"));
    Files.createSymbolicLink(run.resolve("checkpoint-1-00000010"), victim);
    Files.createSymbolicLink(run.resolve(".checkpoint-1-00000008.tmp"), outside);
    Files.createSymbolicLink(run.resolve(".checkpoint-1-00000010.tmp"), victim);
    leave(run.resolve(".checkpoint-1-00000012.tmp"));
    Files.createSymbolicLink(run.resolve(".checkpoint-1-00000012.tmp/link"), outside);
    Files.createLink(run.resolve(".checkpoint-1-00000012.tmp/hard"), victim);
    Map<String, String> before = contents(outside);
    fit(policy.resume(), Budget.steps(16), t -> t);
    assertThat(contents(outside)).isEqualTo(before);
    assertThat(run.toFile().list())
        .containsExactlyInAnyOrder(
            ".lock",
            "checkpoint-1-00000012",
            "checkpoint-1-00000014",
            "checkpoint-1-00000016",
            "set-aside-checkpoint-1-00000008",
            "set-aside-checkpoint-1-00000010");
  }

  @Test
  @DisabledOnOs(OS.WINDOWS)
  void a_lock_that_is_a_link_is_refused() throws Exception {
    Path outside = folder.resolve("outside");
    Files.delete(run.resolve(".lock"));
    Files.createSymbolicLink(run.resolve(".lock"), outside);
    assertRefused(
        ".lock must be a plain file, but is a link, a folder or a device: delete it",
        () -> fit(policy.resume(), Budget.steps(9), t -> t));
    assertThat(outside).doesNotExist();
  }

  @Test
  @DisabledOnOs(OS.WINDOWS)
  void a_link_to_a_run_is_the_run() throws Exception {
    Path link = Files.createSymbolicLink(folder.resolve("link"), run);
    fit(CheckpointPolicy.in(link).resume(), Budget.steps(8), t -> t);
    assertThat(Checkpoint.open(run).step()).isEqualTo(8);
  }
}
