package io.github.sharnn.vocabulary;

import java.io.IOException;

/** A reader of one kind of {@link TextVocabulary}, which Java's {@code ServiceLoader} finds. */
public interface VocabularyFormat {

  /** {@return the {@link TextVocabulary#kind()} that this format reads} */
  String kind();

  /** {@return the name of the file in a model's folder} */
  String fileName();

  /**
   * {@return the vocabulary that a file holds}
   *
   * @param content the whole file, as in {@link TextVocabulary#content()}
   * @throws IOException if the file holds no vocabulary of this kind
   */
  TextVocabulary read(byte[] content) throws IOException;
}
