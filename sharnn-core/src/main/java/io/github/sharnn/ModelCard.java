package io.github.sharnn;

import static com.google.common.base.Strings.lenientFormat;

import ai.djl.util.JsonUtils;
import com.google.common.base.CharMatcher;
import com.google.common.hash.Hashing;
import com.google.common.primitives.Doubles;
import io.github.sharnn.io.AtomicFile;
import io.github.sharnn.io.CheckedFolder;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * The {@code README.md} of a saved model, in the form of a model card: a YAML header for programs
 * and a text for people. The model's properties fill it in:
 *
 * <pre>{@code
 * model.setProperty(ModelCard.LICENSE, "cc-by-4.0");
 * model.setProperty(ModelCard.TEST_BITS_PER_BYTE, String.valueOf(test.bitsPerCharacter()));
 * model.save(folder, null);
 * }</pre>
 *
 * <p>Each save replaces the card, unless somebody changed it. A loaded model keeps its figures, so
 * set them again after further training.
 */
public final class ModelCard {

  /** The property with the licence of the weights, such as {@code cc-by-4.0}. Default "unknown". */
  public static final String LICENSE = "license";

  /** The property with the name of the training data, such as {@code enwik8}. */
  public static final String DATASET = "dataset";

  /** The property with the bits per byte on the validation part. */
  public static final String VALIDATION_BITS_PER_BYTE = "validationBitsPerByte";

  /** The property with the bits per byte on the test part. */
  public static final String TEST_BITS_PER_BYTE = "testBitsPerByte";

  static final String FILE = "README.md";

  private static final int MAX_BYTES = 1 << 16;
  private static final String MARK =
      "<!-- SHARNN replaces this file at each save until somebody edits it: %s -->\n";

  private final String name;
  private final SHARNN block;
  private final Map<String, String> properties;

  ModelCard(String name, SHARNN block, Map<String, String> properties) {
    this.name = name;
    this.block = block;
    this.properties = properties;
  }

  /** Writes the card, unless somebody changed the one that is there. */
  void write(Path folder) throws IOException {
    Path file = folder.resolve(FILE);
    if (Files.notExists(file) || isOwn(file)) {
      AtomicFile.write(file, marked(text()));
    }
  }

  private static boolean isOwn(Path file) throws IOException {
    if (!Files.isRegularFile(file) || Files.size(file) > MAX_BYTES) {
      return false;
    }
    String card = new String(CheckedFolder.readAtMost(file, MAX_BYTES), StandardCharsets.UTF_8);
    int mark = card.lastIndexOf(MARK.substring(0, 5));
    return mark >= 0 && card.equals(marked(card.substring(0, mark)));
  }

  private static String marked(String text) {
    return text + format(MARK, Hashing.sha256().hashString(text, StandardCharsets.UTF_8));
  }

  private String text() {
    SHARNNConfig config = block.config();
    StringBuilder text = new StringBuilder("---\n");
    text.append("license: ").append(yaml(properties.getOrDefault(LICENSE, "unknown"))).append('\n');
    text.append("library_name: sharnn\n");
    text.append("pipeline_tag: text-generation\n");
    text.append("tags:\n- sha-rnn\n- language-model\n- djl\n- safetensors\n");
    appendMetrics(text);
    text.append("---\n\n# ").append(line(name)).append("\n\n");
    text.append(
        format(
            """
        A [SHA-RNN](https://arxiv.org/abs/1911.11423) language model, saved by SHARNN for Java %s.

        | | |
        |---|---|
        """,
            RunHeader.version()));
    row(text, "Parameters", format("%,d (%s)", block.parameterCount(), type()));
    row(
        text,
        "Layers",
        format("%d, attention in %d", config.layers(), config.attentionLayers().size()));
    row(text, "Embedding size", format("%,d", config.embeddingSize()));
    row(text, "Boom size", format("%,d", config.boomSize()));
    row(text, "Memory", format("%,d positions", config.memoryLength()));
    row(
        text,
        "Vocabulary",
        format("%,d tokens (%s)", config.vocabularySize(), block.vocabulary().kind()));
    row(text, "Training data", properties.get(DATASET));
    row(text, "Validation", unit(properties.get(VALIDATION_BITS_PER_BYTE)));
    row(text, "Test", unit(properties.get(TEST_BITS_PER_BYTE)));
    row(text, "Licence of the weights", properties.getOrDefault(LICENSE, "unknown"));
    return text.append(
            """

            ## Use

            ```java
            try (Model model = SHARNN.load(Path.of("FOLDER"))) {
              System.out.println(SHARNNGenerator.builder(model).build().generate("The "));
            }
            ```

            The command line does the same: `java -jar sharnn.jar generate FOLDER --prompt "The "`. DJL's `Criteria`
            and DJL Serving can load the folder too, with the options in `serving.properties`.

            ## Files

            `config.json` describes the model. `model.safetensors` holds its weights. `SHA256SUMS` holds the
            checksums of the files. Loading checks them; `sha256sum -c SHA256SUMS` makes the same check.

            """)
        .toString();
  }

  private String type() {
    return block.isQuantized() ? "INT8" : block.embedding.getArray().getDataType().name();
  }

  /** Appends the results as Hugging Face's model-index has them. */
  private void appendMetrics(StringBuilder text) {
    List<String> splits =
        List.of(VALIDATION_BITS_PER_BYTE, TEST_BITS_PER_BYTE).stream()
            .filter(key -> isNumber(properties.get(key)))
            .toList();
    if (splits.isEmpty()) {
      return;
    }
    text.append("model-index:\n- name: ").append(yaml(name)).append("\n  results:\n");
    for (String key : splits) {
      text.append(
          format(
              """
            - task:
                type: text-generation
              dataset:
                name: %s
                type: text
                split: %s
              metrics:
              - name: bits per byte
                type: bits_per_byte
                value: %s
          """,
              yaml(properties.getOrDefault(DATASET, "unknown")),
              key.equals(TEST_BITS_PER_BYTE) ? "test" : "validation",
              Double.parseDouble(properties.get(key))));
    }
  }

  private static boolean isNumber(String value) {
    Double number = value == null ? null : Doubles.tryParse(value);
    return number != null && Double.isFinite(number);
  }

  private static void row(StringBuilder text, String label, String value) {
    if (value != null) {
      text.append(lenientFormat("| %s | %s |\n", label, line(value).replace("|", "\\|")));
    }
  }

  private static String unit(String value) {
    return isNumber(value) ? format("%.4f bits per byte", Double.parseDouble(value)) : value;
  }

  /** Quotes a string for YAML. Every JSON string is valid YAML. */
  private static String yaml(String value) {
    return JsonUtils.GSON.toJson(value);
  }

  private static String format(String pattern, Object... arguments) {
    return String.format(Locale.ROOT, pattern, arguments);
  }

  private static String line(String value) {
    return CharMatcher.javaIsoControl().replaceFrom(value, ' ');
  }
}
