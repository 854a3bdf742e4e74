package io.github.sharnn.pretrained;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Model;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import io.github.sharnn.SHARNN;
import io.github.sharnn.TestModels;
import io.github.sharnn.generate.SHARNNGenerator;
import io.github.sharnn.io.FolderLock;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PretrainedModelsTest {

  @TempDir static Path saved;
  private static String generated;

  @TempDir Path folder;
  private Path source;
  private Path cache;

  /** The model that the tests' META-INF/services registers. */
  public static final class Registered implements PretrainedModel {

    @Override
    public String name() {
      return "tiny-bytes";
    }

    @Override
    public InputStream open(String file) throws IOException {
      return open(saved, file);
    }

    static InputStream open(Path folder, String file) throws IOException {
      return Files.exists(folder.resolve(file)) ? Files.newInputStream(folder.resolve(file)) : null;
    }
  }

  /** A model whose files a test changes. */
  private PretrainedModel changed() {
    return changed("changed");
  }

  private PretrainedModel changed(String name) {
    return new PretrainedModel() {

      @Override
      public String name() {
        return name;
      }

      @Override
      public InputStream open(String file) throws IOException {
        return Registered.open(source, file);
      }
    };
  }

  @BeforeAll
  static void save_a_model() throws IOException {
    try (Model model = TestModels.tiny().vocabularySize(256).build().newModel("tiny")) {
      model.getBlock().initialize(model.getNDManager(), DataType.FLOAT32, new Shape(1, 1));
      model.save(saved, null);
      generated = generate(model);
    }
  }

  private static String generate(Model model) {
    return SHARNNGenerator.builder(model).length(50).seed(1).build().generate("The ");
  }

  @BeforeEach
  void copy() throws IOException {
    source = Files.createDirectory(folder.resolve("source"));
    cache = folder.resolve("cache");
    for (String file : files(saved)) {
      Files.copy(saved.resolve(file), source.resolve(file));
    }
  }

  private static Set<String> files(Path folder) throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files.map(file -> file.getFileName().toString()).collect(Collectors.toSet());
    }
  }

  @Test
  void loads_the_model_of_a_jar() throws Exception {
    assertThat(PretrainedModels.names()).containsExactly("tiny-bytes");
    try (Model model = SHARNN.pretrained("tiny-bytes")) {
      assertThat(generate(model)).isEqualTo(generated);
    }
    Path unpacked = PretrainedModels.folder("tiny-bytes");
    assertThat(files(unpacked)).isEqualTo(files(saved)).contains("README.md");
    for (String file : files(saved)) {
      assertThat(unpacked.resolve(file)).hasSameBinaryContentAs(saved.resolve(file));
    }
    assertThat(files(unpacked.getParent())).noneMatch(file -> file.startsWith("."));
  }

  @Test
  void an_unknown_name_is_rejected_with_the_way_out() {
    assertThatThrownBy(() -> SHARNN.pretrained("tiny-byte"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(
            "no pretrained model named 'tiny-byte' is on the class path: did you mean tiny-bytes?");
    assertThatThrownBy(() -> PretrainedModels.find("wiki-bytes", List.of()))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(
            "no pretrained model named 'wiki-bytes' is on the class path: add the dependency"
                + " io.github.sharnn:sharnn-models for wiki-bytes");
  }

  @Test
  void a_damaged_copy_is_unpacked_again() throws IOException {
    Path unpacked = PretrainedModels.folder(changed(), cache);
    for (String file : List.of("config.json", "model.safetensors", "SHA256SUMS")) {
      Files.writeString(unpacked.resolve(file), "damaged");
      assertThat(PretrainedModels.folder(changed(), cache)).isEqualTo(unpacked);
      assertThat(unpacked.resolve(file)).hasSameBinaryContentAs(saved.resolve(file));
      Files.delete(unpacked.resolve(file));
      assertThat(PretrainedModels.folder(changed(), cache)).isEqualTo(unpacked);
      assertThat(unpacked.resolve(file)).hasSameBinaryContentAs(saved.resolve(file));
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"../out", "..", ".", "", "a/b", "a\\b", "/tmp/x", ".hidden", "C:x"})
  void a_name_that_leads_out_of_the_cache_is_rejected(String name) throws IOException {
    assertThatThrownBy(() -> PretrainedModels.folder(changed(name), cache))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("the name of a pretrained model must have letters")
        .hasMessageContaining("but is '" + name + "': rename it in " + getClass().getName());
    assertThat(files(folder)).containsExactly("source");
  }

  @Test
  void a_cache_that_can_not_be_written_is_an_error_with_the_way_out() throws IOException {
    Files.writeString(cache, "a file");
    assertThatThrownBy(() -> PretrainedModels.folder(changed(), cache))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("the pretrained model changed can't be unpacked into " + cache)
        .hasMessageContaining("set DJL_CACHE_DIR to a folder that you may write to");
  }

  /** Another process repairs the copy while this one waits for the lock. */
  @Test
  void a_copy_that_another_process_has_repaired_stays() throws Exception {
    Path unpacked = PretrainedModels.folder(changed(), cache);
    Path config = unpacked.resolve("config.json");
    Files.writeString(config, "damaged");
    ExecutorService other = Executors.newSingleThreadExecutor();
    try {
      Future<Path> repaired;
      FolderLock lock = FolderLock.ofSave(unpacked.getParent());
      try (lock) {
        repaired = other.submit(() -> PretrainedModels.folder(changed(), cache));
        Thread.sleep(300);
        assertThat(repaired.isDone()).isFalse();
        Files.copy(saved.resolve("config.json"), config, StandardCopyOption.REPLACE_EXISTING);
        Files.writeString(unpacked.resolve("README.md"), "still the same folder");
      }
      assertThat(repaired.get()).isEqualTo(unpacked);
      assertThat(unpacked.resolve("README.md")).hasContent("still the same folder");
    } finally {
      other.shutdownNow();
    }
  }

  @Test
  void a_complete_copy_stays() throws IOException {
    Path unpacked = PretrainedModels.folder(changed(), cache);
    Files.writeString(unpacked.resolve("README.md"), "mine");
    PretrainedModels.folder(changed(), cache);
    assertThat(unpacked.resolve("README.md")).hasContent("mine");
  }

  @Test
  void a_damaged_jar_is_rejected_and_leaves_nothing() throws IOException {
    Files.writeString(source.resolve("model.safetensors"), "damaged");
    assertThatThrownBy(() -> PretrainedModels.folder(changed(), cache))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("the jar of the pretrained model changed is damaged")
        .hasMessageContaining("its model.safetensors has the SHA-256 ");
    Files.delete(source.resolve("model.safetensors"));
    assertThatThrownBy(() -> PretrainedModels.folder(changed(), cache))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("has no model.safetensors");
    Files.writeString(source.resolve("SHA256SUMS"), "no sums\n");
    assertThatThrownBy(() -> PretrainedModels.folder(changed(), cache))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("SHA256SUMS is damaged");
    assertThat(files(cache.resolve("changed"))).isEmpty();
  }

  @Test
  void another_version_of_the_model_gets_its_own_folder() throws IOException {
    Path before = PretrainedModels.folder(changed(), cache);
    Path sums = source.resolve("SHA256SUMS");
    List<String> lines = Files.readAllLines(sums);
    Files.write(sums, List.of(lines.get(1), lines.get(0)));
    assertThat(PretrainedModels.folder(changed(), cache)).isNotEqualTo(before).isDirectory();
    assertThat(before).isDirectory();
  }

  @Test
  void threads_unpack_at_the_same_time() throws Exception {
    ExecutorService threads = Executors.newFixedThreadPool(4);
    try {
      Callable<Path> unpack = () -> PretrainedModels.folder(changed(), cache);
      Set<Path> folders = new HashSet<>();
      for (Future<Path> each : threads.invokeAll(List.of(unpack, unpack, unpack, unpack))) {
        folders.add(each.get());
      }
      assertThat(folders).hasSize(1);
      assertThat(files(cache.resolve("changed"))).hasSize(1);
    } finally {
      threads.shutdownNow();
    }
  }

  @Test
  void an_interrupt_does_not_leave_half_of_a_model() throws IOException {
    Thread.currentThread().interrupt();
    Path unpacked = PretrainedModels.folder(changed(), cache);
    assertThat(Thread.interrupted()).isTrue();
    assertThat(unpacked.resolve("model.safetensors"))
        .hasSameBinaryContentAs(saved.resolve("model.safetensors"));
  }
}
