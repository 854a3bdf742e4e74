package io.github.sharnn.train.data;

import static com.google.common.base.Strings.lenientFormat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** The layouts of a corpus with one file for each part. */
final class CorpusFolder {

  private static final List<String> LAYOUTS =
      List.of("wiki.%s.tokens", "wiki.%s.raw", "ptb.%s.txt", "%s.txt");

  private CorpusFolder() {}

  static List<TextRange> open(Path folder) throws IOException {
    List<TextRange> parts = new ArrayList<>();
    for (Path file : files(folder)) {
      parts.add(TextRange.whole(TextRange.PARTS.get(parts.size()), file));
    }
    return parts;
  }

  /** Returns the files of the training, validation and test parts. */
  static List<Path> files(Path folder) throws IOException {
    if (!Files.isDirectory(folder)) {
      throw new NotDirectoryException(
          folder + " is not a folder; name the one with the three files of a corpus");
    }
    List<List<Path>> found =
        LAYOUTS.stream()
            .map(layout -> files(folder, layout))
            .filter(files -> files.stream().allMatch(Files::isRegularFile))
            .toList();
    if (found.size() != 1) {
      throw new IOException(
          lenientFormat(
              "the folder %s must contain the three files of one corpus (%s with their valid and test),"
                  + " but has %s",
              folder,
              String.join(
                  " or ",
                  LAYOUTS.stream().map(l -> String.format(Locale.ROOT, l, "train")).toList()),
              found.isEmpty() ? rest(folder) : "those of " + found));
    }
    return found.get(0);
  }

  /** Describes the missing files if no layout is complete. */
  private static String rest(Path folder) {
    List<String> begun = new ArrayList<>();
    for (String layout : LAYOUTS) {
      List<Path> missing = new ArrayList<>(files(folder, layout));
      if (missing.removeIf(Files::isRegularFile)) {
        begun.add("no " + String.join(" and no ", missing.stream().map(Path::toString).toList()));
      }
    }
    return begun.isEmpty() ? "none of them" : String.join(", and ", begun);
  }

  private static List<Path> files(Path folder, String layout) {
    return List.of("train", "valid", "test").stream()
        .map(part -> folder.resolve(String.format(Locale.ROOT, layout, part)))
        .toList();
  }
}
