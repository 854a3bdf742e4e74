package io.github.sharnn;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.MalformedModelException;
import ai.djl.Model;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import io.github.sharnn.vocabulary.WordVocabulary;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** A saved model of which one bit has changed. */
class FlippedBitTest {

  @TempDir private Path folder;

  @BeforeEach
  void save() throws IOException {
    byte[] text = "a b c d e f g a b c\n".getBytes(StandardCharsets.UTF_8);
    WordVocabulary words = WordVocabulary.train(new ByteArrayInputStream(text), 1, 20);
    SHARNN block = TestModels.tiny().vocabulary(words).build();
    try (Model model = block.newModel("tiny")) {
      TestModels.initialized(block, model.getNDManager(), DataType.FLOAT32, 1, new Shape(1, 1));
      model.save(folder, null);
    }
  }

  @ParameterizedTest
  @CsvSource({
    "SHA256SUMS, 2000",
    "config.json, 300",
    "model.safetensors, 100",
    "vocabulary.txt, 100"
  })
  void is_refused(String name, int most) throws Exception {
    Path file = folder.resolve(name);
    byte[] bytes = Files.readAllBytes(file);
    int bits = Byte.SIZE * bytes.length;
    IntStream flipped =
        bits <= most
            ? IntStream.range(0, bits)
            : IntStream.concat(
                IntStream.of(0, bits - 8, bits - 1), new Random(1).ints(most, 0, bits));
    for (int bit : flipped.toArray()) {
      byte[] changed = bytes.clone();
      changed[bit / Byte.SIZE] ^= (byte) (1 << bit % Byte.SIZE);
      Files.write(file, changed);
      assertThatThrownBy(() -> SHARNN.load(folder).close())
          .as("bit %s of %s", bit, name)
          .isInstanceOfAny(IOException.class, MalformedModelException.class);
    }
    Files.write(file, bytes);
    assertThatCode(() -> SHARNN.load(folder).close()).doesNotThrowAnyException();
  }

  @ParameterizedTest
  @ValueSource(strings = {"serving.properties", "README.md"})
  void may_be_an_edit_of_a_file_for_users(String name) throws Exception {
    Path file = folder.resolve(name);
    byte[] changed = Files.readAllBytes(file);
    changed[changed.length / 2] ^= 1;
    Files.write(file, changed);
    assertThat(folder.resolve("SHA256SUMS")).content().doesNotContain(name);
    try (Model model = SHARNN.load(folder)) {
      model.save(folder, null);
    }
    assertThat(file).hasBinaryContent(changed);
    assertThatCode(() -> SHARNN.load(folder).close()).doesNotThrowAnyException();
  }
}
