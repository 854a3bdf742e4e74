package io.github.sharnn.vocabulary;

import java.io.IOException;

/** A reader of one kind of {@link TextVocabulary}, which Java's {@code ServiceLoader} finds. */
public interface VocabularyFormat {

  /**
   * Returns the kind that this format reads.
   *
   * @return the {@link TextVocabulary#kind()}
   */
  String kind();

  /**
   * Returns the name of the file in a model's folder.
   *
   * @return the name
   */
  String fileName();

  /**
   * Reads a vocabulary.
   *
   * @param content the whole file, as in {@link TextVocabulary#content()}
   * @return the vocabulary
   * @throws IOException if the file holds no vocabulary of this kind
   */
  TextVocabulary read(byte[] content) throws IOException;
}
