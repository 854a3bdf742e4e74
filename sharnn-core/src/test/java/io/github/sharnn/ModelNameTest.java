package io.github.sharnn;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Model;
import java.io.IOException;
import java.net.URI;
import java.nio.file.FileSystem;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ModelNameTest {

  @TempDir private Path folder;

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        ".hidden",
        "a/b",
        "a\nb",
        "a\n",
        "\r",
        "a\tb",
        "a\u0000",
        "a\u001b[31m",
        "a\u007f",
        "a\u0085b",
        "a\u2028b",
        "a\u2029b"
      })
  void a_name_that_is_no_line_is_refused(String name) throws IOException {
    assertThatIllegalArgumentException().isThrownBy(() -> TestModels.tiny().build().newModel(name));
    try (Model model = TestModels.model(TestModels.tiny(), 1)) {
      if (!name.isEmpty()) { // else the model's own
        assertThatIllegalArgumentException().isThrownBy(() -> model.save(folder, name));
      }
    }
    assertThat(folder).isEmptyDirectory();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"a b", "a.b", "'\"", "caf\u00e9 \ud83d\ude42", "a: b #c", "---", "~", "a\u00a0b"})
  void any_other_name_loads_again(String name) throws Exception {
    try (Model model = TestModels.model(TestModels.tiny(), 1)) {
      model.save(folder, name);
    }
    try (Model model = SHARNN.load(folder)) {
      assertThat(model.getName()).isEqualTo(name);
    }
  }

  @Test
  void a_folder_in_a_zip_loads_or_is_refused_by_its_name() throws Exception {
    try (Model model = TestModels.model(TestModels.tiny(), 1)) {
      model.save(folder.resolve("model"), null);
    }
    URI zip = URI.create("jar:" + folder.resolve("models.zip").toUri());
    try (FileSystem inside = FileSystems.newFileSystem(zip, Map.of("create", "true"))) {
      Path copy = Files.createDirectory(inside.getPath("/copy"));
      for (String file : new String[] {"config.json", "model.safetensors", "SHA256SUMS"}) {
        Files.copy(folder.resolve("model").resolve(file), copy.resolve(file));
      }
      try (Model model = SHARNN.load(copy)) {
        assertThat(model.getBlock().isInitialized()).isTrue();
      }
      assertThatThrownBy(() -> SHARNN.load(inside.getPath("/none"))).hasMessageContaining("/none");
    }
  }
}
