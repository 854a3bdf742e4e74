package io.github.sharnn;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Model;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ModelCardTest {

  @TempDir private Path folder;

  private String card() throws Exception {
    return Files.readString(folder.resolve("README.md"));
  }

  @Test
  void tells_sizes_and_results() throws Exception {
    Locale locale = Locale.getDefault();
    try (Model model = TestModels.model(TestModels.tiny().attentionLayers(1), 1)) {
      Locale.setDefault(Locale.GERMANY);
      model.setProperty(ModelCard.LICENSE, "cc-by-4.0");
      model.setProperty(ModelCard.DATASET, "my \"text\": 1");
      model.setProperty(ModelCard.VALIDATION_BITS_PER_BYTE, "1.25");
      model.setProperty(ModelCard.TEST_BITS_PER_BYTE, "1.2345678");
      model.save(folder, "book");
      assertThat(card())
          .startsWith(
              """
              ---
              license: "cc-by-4.0"
              library_name: sharnn
              pipeline_tag: text-generation
              tags:
              - sha-rnn
              - language-model
              - djl
              - safetensors
              model-index:
              - name: "book"
                results:
                - task:
                    type: text-generation
                  dataset:
                    name: "my \\"text\\": 1"
                    type: text
                    split: validation
                  metrics:
                  - name: bits per byte
                    type: bits_per_byte
                    value: 1.25
                - task:
                    type: text-generation
                  dataset:
                    name: "my \\"text\\": 1"
                    type: text
                    split: test
                  metrics:
                  - name: bits per byte
                    type: bits_per_byte
                    value: 1.2345678
              ---

              # book

              """)
          .contains("| Parameters | 11,533 (FLOAT32) |")
          .contains("| Layers | 3, attention in 1 |")
          .contains("| Memory | 18 positions |")
          .contains("| Vocabulary | 29 tokens (bytes) |")
          .contains("| Training data | my \"text\": 1 |")
          .contains("| Validation | 1.2500 bits per byte |")
          .contains("| Test | 1.2346 bits per byte |")
          .contains("| Licence of the weights | cc-by-4.0 |")
          .contains("SHARNN.load(Path.of(\"FOLDER\"))")
          .contains("java -jar sharnn.jar generate FOLDER");
    } finally {
      Locale.setDefault(locale);
    }
  }

  @Test
  void claims_nothing_that_it_was_not_told() throws Exception {
    try (Model model = TestModels.model(TestModels.tiny(), 1)) {
      model.setProperty(ModelCard.TEST_BITS_PER_BYTE, "NaN");
      model.save(folder, "a b");
      assertThat(card())
          .startsWith("---\nlicense: \"unknown\"\n")
          .contains("\n# a b\n", "| Test | NaN |")
          .doesNotContain("model-index", "Training data", "Validation");
    }
  }

  @Test
  void replaces_its_own_text_and_keeps_that_of_others() throws Exception {
    try (Model model = TestModels.model(TestModels.tiny(), 1)) {
      model.save(folder, "one");
      assertThat(card()).contains("# one");
      model.save(folder, "two");
      assertThat(card()).contains("# two").doesNotContain("# one");
      String edited = card().replace("\"unknown\"", "mit");
      Files.writeString(folder.resolve("README.md"), edited);
      model.save(folder, "three");
      assertThat(card()).isEqualTo(edited);
      Files.writeString(folder.resolve("README.md"), "x".repeat(1 << 20));
      model.save(folder, "four");
      assertThat(card()).hasSize(1 << 20);
    }
  }
}
