package io.github.sharnn.vocabulary;

import static com.google.common.base.Strings.lenientFormat;

import com.google.common.hash.Hashing;
import io.github.sharnn.io.AtomicFile;
import io.github.sharnn.io.CheckedFolder;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Optional;
import java.util.ServiceLoader;
import org.jspecify.annotations.Nullable;

/** The file of a vocabulary in a model's folder. */
final class SavedVocabulary {

  static final int MAX_BYTES = 256 << 20;

  private SavedVocabulary() {}

  static Optional<Path> save(TextVocabulary vocabulary, Path folder) throws IOException {
    if (vocabulary.kind().equals(ByteVocabulary.KIND)) {
      return Optional.empty();
    }
    Path file = folder.resolve(format(vocabulary.kind()).fileName());
    byte[] content = vocabulary.content();
    if (Files.exists(file)) {
      if (Files.isRegularFile(file)
          && Files.size(file) == content.length
          && Arrays.equals(CheckedFolder.readAtMost(file, content.length), content)) {
        return Optional.of(file);
      }
      throw new IOException(
          lenientFormat(
              "%s exists and holds another vocabulary: save to another folder, or delete it",
              file));
    }
    AtomicFile.createFolders(folder);
    AtomicFile.write(file, content);
    return Optional.of(file);
  }

  static TextVocabulary load(Path folder, @Nullable String property) throws IOException {
    if (property == null) {
      return TextVocabulary.bytes();
    }
    String[] parts = property.split(" ", 2);
    if (parts.length != 2) {
      throw new IOException(
          lenientFormat(
              "the model in %s must name its vocabulary by kind and SHA-256, but names it '%s'",
              folder, property));
    }
    VocabularyFormat format = format(parts[0]);
    Path file = folder.resolve(format.fileName());
    if (!Files.isRegularFile(file)) {
      throw new NoSuchFileException(
          file.toString(),
          null,
          "the model's vocabulary is missing: copy it from the folder that the model was saved to");
    }
    byte[] content = CheckedFolder.readAtMost(file, MAX_BYTES);
    String actual = Hashing.sha256().hashBytes(content).toString();
    if (!actual.equals(parts[1])) {
      throw new IOException(
          lenientFormat(
              "%s is not the model's vocabulary: it has the SHA-256 %s, but the model was trained with %s;"
                  + " copy the file from the folder that the model was saved to",
              file, actual, parts[1]));
    }
    return format.read(content);
  }

  private static VocabularyFormat format(String kind) throws IOException {
    return ServiceLoader.load(VocabularyFormat.class, SavedVocabulary.class.getClassLoader())
        .stream()
        .map(ServiceLoader.Provider::get)
        .filter(format -> format.kind().equals(kind))
        .findFirst()
        .orElseThrow(
            () ->
                new IOException(
                    lenientFormat(
                        "no VocabularyFormat on the class path reads a vocabulary of the kind '%s': add the artifact"
                            + " io.github.sharnn:sharnn-tokenizers for 'tokenizer', or"
                            + " register a VocabularyFormat with ServiceLoader for a kind of your own",
                        kind)));
  }
}
