package io.github.sharnn.vocabulary;

import java.io.IOException;

/** Reads one kind of vocabulary from a model's folder; found by Java's {@code ServiceLoader}. */
public interface VocabularyFormat {

  /**
   * Returns the kind that this reads.
   *
   * @return {@link TextVocabulary#kind()} of what it reads
   */
  String kind();

  /**
   * Returns where it is in the model's folder.
   *
   * @return the file's name
   */
  String fileName();

  /**
   * Reads a vocabulary.
   *
   * @param content the whole file, {@link TextVocabulary#content()}
   * @return the vocabulary
   * @throws IOException if the file holds no such vocabulary
   */
  TextVocabulary read(byte[] content) throws IOException;
}
