package io.github.sharnn.vocabulary;

import ai.djl.modality.nlp.Vocabulary;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Optional;
import java.util.function.IntConsumer;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * A {@link Vocabulary} that encodes a text into tokens and decodes tokens into text.
 *
 * <p>The implementations are {@link #bytes()}, the default of every model, {@link WordVocabulary},
 * and subwords in the artifact {@code sharnn-tokenizers}. A vocabulary is part of its model. The
 * model's folder holds the vocabulary's file. The model's properties hold its kind and SHA-256,
 * which are checked when the model is loaded.
 *
 * <p>Many threads may share a vocabulary. An encoder or decoder is for one thread.
 */
public interface TextVocabulary extends Vocabulary {

  /** The model property that holds {@link #property()}. A byte model lacks the property. */
  String MODEL_PROPERTY = "sharnn.vocabulary";

  /** {@return the lossless vocabulary of 256 bytes, in which token n is the byte n} */
  static TextVocabulary bytes() {
    return ByteVocabulary.INSTANCE;
  }

  /**
   * {@return {@code bytes}, {@code words}, {@code tokenizer} or another kind} A model can be saved
   * only if a {@link VocabularyFormat} reads its vocabulary's kind.
   */
  String kind();

  /** {@return true if {@code decode(encode(text))} is always {@code text}} */
  boolean lossless();

  /**
   * {@return a new encoder, for one text}
   *
   * @param tokens receives each token in order
   */
  TokenEncoder encoder(IntConsumer tokens);

  /** {@return a new decoder, for one text} */
  TokenDecoder decoder();

  /** {@return the content of the file that {@link #save} writes, empty without a file} */
  byte[] content();

  /**
   * {@return the tokens of a text that may go on, such as a prompt}
   *
   * @param text any bytes
   */
  default int[] encode(byte[] text) {
    IntStream.Builder tokens = IntStream.builder();
    TokenEncoder encoder = encoder(tokens::add);
    encoder.write(text, 0, text.length);
    encoder.flush();
    return tokens.build().toArray();
  }

  /**
   * {@return the tokens of a text's UTF-8; the text may go on, such as a prompt}
   *
   * @param text the text; half a surrogate pair becomes {@code ?}
   */
  default int[] encode(String text) {
    return encode(text.getBytes(StandardCharsets.UTF_8));
  }

  /**
   * {@return the bytes of a text}
   *
   * @param tokens each in [0, size)
   * @throws IllegalArgumentException if a token is outside the vocabulary
   */
  default byte[] decode(int... tokens) {
    ByteArrayOutputStream text = new ByteArrayOutputStream();
    TokenDecoder decoder = decoder();
    for (int token : tokens) {
      text.writeBytes(decoder.decode(token));
    }
    return text.toByteArray();
  }

  /** {@return the SHA-256 of {@link #content()} in lower-case hexadecimal} */
  String sha256();

  /** {@return the value of {@link #MODEL_PROPERTY}: the kind, a space and the SHA-256} */
  default String property() {
    return kind() + " " + sha256();
  }

  /**
   * Writes this vocabulary's file into a model's folder, completely or not at all. The byte
   * vocabulary has no file.
   *
   * @param folder the folder, created if missing
   * @return the file, or empty for bytes
   * @throws IOException if the file can't be written, or the folder has another vocabulary's file
   *     of the same name
   */
  default Optional<Path> save(Path folder) throws IOException {
    return SavedVocabulary.save(this, folder);
  }

  /**
   * Reads a vocabulary from a model's folder.
   *
   * @param folder the folder
   * @param property the model's property, or null for bytes
   * @return the vocabulary
   * @throws IOException if the file is missing, can't be read, or differs from the property
   */
  static TextVocabulary load(Path folder, @Nullable String property) throws IOException {
    return SavedVocabulary.load(folder, property);
  }
}
