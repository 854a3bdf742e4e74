package io.github.sharnn.train.data;

import static com.google.common.base.Preconditions.checkArgument;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * The identity of a corpus, for a checkpoint.
 *
 * @param file path of the file or folder
 * @param train bytes of the training part
 * @param validation bytes of the validation part
 * @param test bytes of the test part
 * @param sha256 SHA-256 of the whole corpus
 * @param vocabulary its {@link io.github.sharnn.vocabulary.TextVocabulary#property}, or null for
 *     bytes
 * @param layout the documents and the split of a corpus of {@link Corpus#builder}, else null
 * @param files the files of such a corpus, or null if one is a text or a stream, or there are more
 *     than 10,000, or their paths have more than a million characters
 */
public record CorpusRecord(
    String file,
    long train,
    long validation,
    long test,
    String sha256,
    @Nullable String vocabulary,
    @Nullable Layout layout,
    @Nullable Files files) {

  /**
   * The way in which files become the parts of a corpus.
   *
   * @param documents the boundaries of documents
   * @param split the split of the files, or null if each part has its own files
   * @param counts the number of files of the training, validation and test parts
   */
  public record Layout(Documents documents, @Nullable Split split, List<Integer> counts) {

    /**
     * Checks the components, which may come from a file.
     *
     * @param documents not null
     * @param split may be null
     * @param counts not null
     * @throws IllegalArgumentException if a component is missing
     */
    public Layout {
      checkArgument(
          documents != null && counts != null && counts.stream().allMatch(Objects::nonNull),
          "the layout of the corpus is incomplete");
      counts = List.copyOf(counts);
    }
  }

  /**
   * The absolute paths of a corpus's files, which may move.
   *
   * @param train the files of the training part, or of all parts
   * @param validation the files of the validation part, or none
   * @param test the files of the test part, or none
   */
  public record Files(List<String> train, List<String> validation, List<String> test) {

    /**
     * Checks the components, which may come from a file.
     *
     * @param train not null
     * @param validation not null
     * @param test not null
     * @throws IllegalArgumentException if a component is missing
     */
    public Files {
      checkArgument(
          isComplete(train) && isComplete(validation) && isComplete(test),
          "the corpus files are incomplete");
      train = List.copyOf(train);
      validation = List.copyOf(validation);
      test = List.copyOf(test);
    }

    private static boolean isComplete(@Nullable List<String> files) {
      return files != null && files.stream().allMatch(Objects::nonNull);
    }
  }

  /**
   * Opens the corpus again, for example after a move.
   *
   * @param train the files of the training part, or of all parts; empty for those of {@code files}
   *     or for {@code file}
   * @param validation the files of the validation part; empty for those of {@code files}
   * @param test the files of the test part; empty for those of {@code files}
   * @return the corpus of bytes, split as it was
   * @throws IOException if a file is missing or can't be read
   * @throws IllegalArgumentException if the corpus is too short for the split, a path is not valid
   *     on this system, or the corpus has a text or a stream
   */
  public Corpus open(List<Path> train, List<Path> validation, List<Path> test) throws IOException {
    if (layout == null) {
      checkArgument(
          train.size() <= 1 && validation.isEmpty() && test.isEmpty(),
          "the run's corpus is one file or folder, but was given %s files for training, %s for"
              + " validation and %s for test: name one",
          train.size(),
          validation.size(),
          test.size());
      Path origin = train.isEmpty() ? Path.of(file) : train.get(0);
      return java.nio.file.Files.isDirectory(origin)
          ? Corpus.folder(origin)
          : Corpus.withSizes(origin, this.train, this.validation, this.test);
    }
    checkArgument(
        files != null || !train.isEmpty(),
        "the run's corpus has a text, a stream or very many files, which the checkpoint does not keep:"
            + " build the same corpus again");
    Corpus.Builder builder = Corpus.builder().documents(layout.documents());
    if (layout.split() != null) {
      builder.split(layout.split());
    }
    for (Path path : train.isEmpty() ? paths(files.train()) : train) {
      builder.file(path);
    }
    for (Path path :
        validation.isEmpty() && files != null ? paths(files.validation()) : validation) {
      builder.validation(path);
    }
    for (Path path : test.isEmpty() && files != null ? paths(files.test()) : test) {
      builder.test(path);
    }
    return builder.build();
  }

  private static List<Path> paths(List<String> names) {
    return names.stream().map(Path::of).toList();
  }

  /**
   * Checks the components, which may come from a file.
   *
   * @param file not null
   * @param train at least 2
   * @param validation at least 2
   * @param test at least 2
   * @param sha256 not null
   * @param vocabulary may be null
   * @param layout may be null
   * @param files may be null
   * @throws IllegalArgumentException if a component breaks its rule
   */
  public CorpusRecord {
    checkArgument(file != null && sha256 != null, "the corpus is missing");
    checkArgument(train >= 2 && validation >= 2 && test >= 2, "a part of the corpus is empty");
  }
}
