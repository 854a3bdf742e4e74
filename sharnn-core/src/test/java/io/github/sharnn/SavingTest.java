package io.github.sharnn;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Device;
import ai.djl.Model;
import ai.djl.ndarray.NDManager;
import com.google.common.io.MoreFiles;
import com.google.common.io.RecursiveDeleteOption;
import io.github.sharnn.io.FailingFileSystem;
import io.github.sharnn.vocabulary.WordVocabulary;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A model's folder while it is saved to. */
class SavingTest {

  private static final WordVocabulary WORDS =
      WordVocabulary.of(List.of("the", "<eos>", "<unk>", "cat"));

  @TempDir private Path temporary;

  private static SHARNNConfig.Builder options(int layers) {
    return TestModels.tiny().vocabularySize(4).vocabulary(WORDS).layers(layers);
  }

  /** The weights of a model, as a number: those of one seed are equal. */
  private static float sum(Model model) {
    try (NDManager manager = NDManager.newBaseManager(Device.cpu())) {
      float sum = 0;
      for (var parameter : model.getBlock().getParameters().values()) {
        var array = parameter.getArray().duplicate();
        array.attach(manager);
        sum += array.sum().getFloat();
      }
      return sum;
    }
  }

  private static List<Path> hidden(Path folder) throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files.filter(file -> file.getFileName().toString().startsWith(".")).toList();
    }
  }

  @Test
  @Timeout(value = 5, unit = TimeUnit.MINUTES)
  void every_reader_sees_a_whole_model_while_others_are_saved() throws Exception {
    Path folder = temporary.resolve("model");
    int saves = 60;
    AtomicBoolean saving = new AtomicBoolean(true);
    ExecutorService threads = Executors.newFixedThreadPool(3);
    try (Model one = TestModels.model(options(1), 1);
        Model two = TestModels.model(options(2), 2)) {
      List<Float> sums = List.of(sum(one), sum(two));
      assertThat(sums.get(0)).isNotEqualTo(sums.get(1));
      one.save(folder, "layers1");
      List<Future<List<Integer>>> readers = new ArrayList<>();
      for (int i = 0; i < 2; i++) {
        readers.add(
            threads.submit(
                () -> {
                  List<Integer> seen = new ArrayList<>();
                  while (saving.get()) {
                    try (Model loaded = SHARNN.load(folder, Device.cpu())) {
                      int layers = SHARNN.of(loaded).config().layers();
                      assertThat(loaded.getName()).isEqualTo("layers" + layers);
                      assertThat(sum(loaded)).isEqualTo(sums.get(layers - 1));
                      seen.add(layers);
                    }
                  }
                  return seen;
                }));
      }
      try {
        for (int i = 0; i < saves; i++) {
          (i % 2 == 0 ? two : one).save(folder, i % 2 == 0 ? "layers2" : "layers1");
        }
      } finally {
        saving.set(false);
      }
      for (Future<List<Integer>> reader : readers) {
        assertThat(reader.get()).contains(1, 2);
      }
    } finally {
      threads.shutdownNow();
    }
    assertThat(hidden(folder)).isEmpty();
  }

  @Test
  void a_process_that_dies_at_any_operation_leaves_the_old_model_or_the_new_one() throws Exception {
    try (Model old = TestModels.model(options(1), 1);
        Model next = TestModels.model(options(2), 2)) {
      List<Float> sums = List.of(sum(old), sum(next));
      List<Integer> seen = new ArrayList<>();
      boolean died = true;
      for (int operations = 0; died; operations++) {
        Path folder = temporary.resolve("model" + operations);
        old.save(folder, "old");
        Path failing = FailingFileSystem.of(folder, operations);
        try {
          next.save(failing, "new");
        } catch (IOException e) {
          assertThat(e).hasMessageContaining("dead before");
        }
        died = FailingFileSystem.isDead(failing);
        try (Model loaded = SHARNN.load(folder)) {
          int layers = SHARNN.of(loaded).config().layers();
          assertThat(loaded.getName()).isEqualTo(layers == 1 ? "old" : "new");
          assertThat(sum(loaded)).isEqualTo(sums.get(layers - 1));
          seen.add(layers);
        }
        next.save(folder, "again");
        assertThat(hidden(folder)).as("after %s operations", operations).isEmpty();
        try (Model loaded = SHARNN.load(folder)) {
          assertThat(loaded.getName()).isEqualTo("again");
        }
        MoreFiles.deleteRecursively(folder, RecursiveDeleteOption.ALLOW_INSECURE);
      }
      assertThat(seen).isSorted().startsWith(1).endsWith(2).hasSizeGreaterThan(20);
      // the sums were replaced, and neither file had its name yet
      assertThat(seen.stream().filter(layers -> layers == 2).count()).isGreaterThan(4);
    }
  }

  @Test
  void a_first_save_that_dies_leaves_no_model_or_the_new_one() throws Exception {
    try (Model model = TestModels.model(options(1), 1)) {
      boolean died = true;
      boolean whole = false;
      for (int operations = 0; died; operations++) {
        Path folder = temporary.resolve("model" + operations);
        Path failing = FailingFileSystem.of(folder, operations);
        try {
          model.save(failing, "new");
        } catch (IOException e) {
          assertThat(e).hasMessageContaining("dead before");
        }
        died = FailingFileSystem.isDead(failing);
        if (Files.exists(folder.resolve("SHA256SUMS"))) {
          SHARNN.load(folder).close();
          whole = true;
        } else {
          assertThat(whole).isFalse();
          assertThatThrownBy(() -> SHARNN.load(folder)).isInstanceOf(IOException.class);
        }
      }
      assertThat(whole).isTrue();
    }
  }
}
