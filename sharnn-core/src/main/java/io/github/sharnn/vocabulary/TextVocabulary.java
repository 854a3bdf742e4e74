package io.github.sharnn.vocabulary;

import ai.djl.modality.nlp.Vocabulary;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.function.IntConsumer;
import java.util.stream.IntStream;

/**
 * DJL's {@link Vocabulary} of a language model, with the way from a text to its tokens and back.
 *
 * <p>There are {@link #bytes()}, the default of every model, {@link WordVocabulary}, and subwords
 * in the artifact {@code sharnn-tokenizers}. A vocabulary is part of its model: its file lies in
 * the model's folder, and the model's properties name its kind and SHA-256, which loading checks.
 *
 * <p>Safe for use by many threads; its encoders and decoders are for one.
 */
public interface TextVocabulary extends Vocabulary {

  /** The model property that holds {@link #property()}; a model without it has bytes. */
  String MODEL_PROPERTY = "sharnn.vocabulary";

  /**
   * Returns the vocabulary of bytes: token n is the byte n. It promises the same bytes back.
   *
   * @return the one of 256 tokens
   */
  static TextVocabulary bytes() {
    return ByteVocabulary.INSTANCE;
  }

  /**
   * Returns what kind of vocabulary this is.
   *
   * @return {@code bytes}, {@code words}, {@code tokenizer} or that of a {@link VocabularyFormat},
   *     without which no model of the vocabulary can be saved
   */
  String kind();

  /**
   * Tells whether every text comes back the same, whatever its bytes.
   *
   * @return whether {@code decode(encode(text))} is always {@code text}
   */
  boolean lossless();

  /**
   * Starts a text.
   *
   * @param tokens receives each token in order
   * @return its encoder
   */
  TokenEncoder encoder(IntConsumer tokens);

  /**
   * Starts a text.
   *
   * @return its decoder
   */
  TokenDecoder decoder();

  /**
   * Returns what {@link #save} writes.
   *
   * @return the file's bytes, empty where there is none to write
   */
  byte[] content();

  /**
   * Encodes the beginning of a text, which may go on.
   *
   * @param text any bytes
   * @return its tokens
   */
  default int[] encode(byte[] text) {
    IntStream.Builder tokens = IntStream.builder();
    TokenEncoder encoder = encoder(tokens::add);
    encoder.write(text, 0, text.length);
    encoder.flush();
    return tokens.build().toArray();
  }

  /**
   * Encodes the beginning of a text, which may go on.
   *
   * @param text the text, as UTF-8; half a surrogate pair is {@code ?}
   * @return its tokens
   */
  default int[] encode(String text) {
    return encode(text.getBytes(StandardCharsets.UTF_8));
  }

  /**
   * Decodes a text.
   *
   * @param tokens each in [0, size)
   * @return its bytes
   * @throws IllegalArgumentException if there is no such token
   */
  default byte[] decode(int... tokens) {
    ByteArrayOutputStream text = new ByteArrayOutputStream();
    TokenDecoder decoder = decoder();
    for (int token : tokens) {
      text.writeBytes(decoder.decode(token));
    }
    return text.toByteArray();
  }

  /**
   * Identifies this vocabulary.
   *
   * @return the SHA-256 of {@link #content()} in lower-case hexadecimal
   */
  String sha256();

  /**
   * Returns what a model's property says of its vocabulary.
   *
   * @return the kind, a space and the SHA-256
   */
  default String property() {
    return kind() + " " + sha256();
  }

  /**
   * Writes this vocabulary's file into a model's folder, whole or not at all; bytes have none.
   *
   * @param folder the folder, made where needed
   * @throws IOException if it can't be written, or there is another vocabulary of this name
   */
  default void save(Path folder) throws IOException {
    SavedVocabulary.save(this, folder);
  }

  /**
   * Reads a vocabulary from a model's folder.
   *
   * @param folder the folder
   * @param property the model's property, or null for bytes
   * @return the vocabulary
   * @throws IOException if the file is missing, can't be read, or is not the one that the property
   *     names
   */
  static TextVocabulary load(Path folder, String property) throws IOException {
    return SavedVocabulary.load(folder, property);
  }
}
