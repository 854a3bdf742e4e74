package io.github.sharnn.train.data;

import static com.google.common.base.Preconditions.checkArgument;

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
 */
public record CorpusRecord(
    String file,
    long train,
    long validation,
    long test,
    String sha256,
    @Nullable String vocabulary) {

  /**
   * Checks the components, which may come from a file.
   *
   * @param file not null
   * @param train at least 2
   * @param validation at least 2
   * @param test at least 2
   * @param sha256 not null
   * @param vocabulary may be null
   * @throws IllegalArgumentException if a component breaks its rule
   */
  public CorpusRecord {
    checkArgument(file != null && sha256 != null, "the corpus is missing");
    checkArgument(train >= 2 && validation >= 2 && test >= 2, "a part of the corpus is empty");
  }
}
