package io.github.sharnn.cli.fuzz;

import ai.djl.MalformedModelException;
import ai.djl.Model;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import com.google.common.hash.Hashing;
import io.github.sharnn.SHARNN;
import io.github.sharnn.SHARNNConfig;
import io.github.sharnn.io.CheckedFolder;
import io.github.sharnn.vocabulary.TextVocabulary;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;

/** Good files, and the exceptions that a reader may throw for others. */
final class Inputs {

  private Inputs() {}

  /** Reads an input. */
  interface Reader {
    void read() throws IOException, MalformedModelException;
  }

  /** Reads an input. Any exception but those that docs/reliability.md names is a failure. */
  static void read(Reader reader) {
    try {
      reader.read();
    } catch (IOException | MalformedModelException | IllegalArgumentException e) {
      if (e.getMessage() == null || e.getMessage().isBlank()) {
        throw new AssertionError("the error has no message", e);
      }
    }
  }

  static void use(TextVocabulary vocabulary) {
    int[] tokens = vocabulary.encode("the  Old man's 1984 \u0001e\u0301 <s>\n" + "x".repeat(100));
    byte[] text = vocabulary.decode(tokens);
    if (vocabulary.lossless() && !new String(text, StandardCharsets.UTF_8).endsWith("xxx")) {
      throw new AssertionError("the text is lost");
    }
    vocabulary.decode((int) vocabulary.size() - 1, 0);
  }

  static SHARNNConfig.Builder tiny() {
    return SHARNN.builder().vocabularySize(256).embeddingSize(2).boomSize(4).layers(1);
  }

  static Map<String, byte[]> saveModel(Path folder) throws IOException {
    SHARNN block = tiny().vocabularySize(3).memoryLength(3).build();
    try (Model model = block.newModel("good")) {
      block.initialize(model.getNDManager(), DataType.FLOAT32, new Shape(1, 1));
      model.save(folder, "good");
    }
    return files(folder);
  }

  static Map<String, byte[]> files(Path folder) throws IOException {
    Map<String, byte[]> files = new TreeMap<>();
    try (Stream<Path> list = Files.list(folder)) {
      for (Path file : list.filter(Files::isRegularFile).toList()) {
        files.put(file.getFileName().toString(), Files.readAllBytes(file));
      }
    }
    return files;
  }

  /** Writes files and their sums. */
  static void write(Path folder, Map<String, byte[]> files) throws IOException {
    StringBuilder sums = new StringBuilder();
    files.remove(CheckedFolder.SUMS);
    for (Map.Entry<String, byte[]> file : files.entrySet()) {
      Files.write(folder.resolve(file.getKey()), file.getValue());
      sums.append(Hashing.sha256().hashBytes(file.getValue()) + "  " + file.getKey() + "\n");
    }
    Files.writeString(folder.resolve(CheckedFolder.SUMS), sums);
  }
}
