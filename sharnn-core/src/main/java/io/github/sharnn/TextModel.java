package io.github.sharnn;

import static com.google.common.base.Preconditions.checkArgument;

import ai.djl.Model;
import io.github.sharnn.engine.Lifetime;
import io.github.sharnn.vocabulary.TextVocabulary;
import java.nio.charset.StandardCharsets;

/**
 * A DJL model that reads text: a {@link SHARNN} and the vocabulary of its tokens. {@link
 * io.github.sharnn.generate.SHARNNGenerator}, {@link io.github.sharnn.score.Scorer} and {@link
 * AttentionWeights} share its checks.
 *
 * @param model holds a SHARNN; the caller closes it
 */
public record TextModel(Model model) {

  /** The maximum number of logits to compute at once: 256 MiB, and as much again for each copy. */
  public static final int MAX_LOGITS = 1 << 26;

  private static final int BYTES = 256;

  /**
   * Checks that the model holds a SHARNN and that each token is text.
   *
   * @param model the model; the caller closes it
   * @throws IllegalArgumentException if the block is no SHARNN, or its tokens are bytes and more
   *     than 256
   */
  public TextModel {
    SHARNN block = SHARNN.of(model);
    int size = block.config().vocabularySize();
    checkArgument(
        size <= BYTES || block.vocabulary() != TextVocabulary.bytes(),
        "model %s must have a vocabularySize of at most %s, since its tokens are bytes, but has %s:"
            + " build it with SHARNN.builder().vocabulary(...), or use its logits",
        model.getName(),
        BYTES,
        size);
  }

  /** {@return the vocabulary of the model's tokens} */
  public TextVocabulary vocabulary() {
    return SHARNN.of(model).vocabulary();
  }

  /** {@return the lifetime of the model's arrays, of which each call takes a lease} */
  public Lifetime lifetime() {
    return SHARNN.lifetime(model);
  }

  /**
   * {@return the tokens of a text, at least one}
   *
   * @param name the text's name in error messages, such as {@code prompt}
   * @param text the text in UTF-8, or any bytes for a byte model
   * @throws IllegalArgumentException if the text has no token, or a byte that the vocabulary lacks
   */
  public int[] encode(String name, byte[] text) {
    int[] tokens = vocabulary().encode(text);
    checkArgument(
        tokens.length > 0,
        "%s must have at least one token of the model's vocabulary (%s), but '%s' has none: use a"
            + " longer text",
        name,
        vocabulary(),
        new String(text, StandardCharsets.UTF_8));
    for (int i = 0; i < tokens.length; i++) {
      check(name, tokens[i], i);
    }
    return tokens;
  }

  /**
   * Checks that a token is in the model's vocabulary, which may have fewer than 256 bytes.
   *
   * @param name the text's name in the error message
   * @param token the token
   * @param index the token's position in the text, from 0
   * @throws IllegalArgumentException if the vocabulary lacks the token
   */
  public void check(String name, int token, long index) {
    int size = SHARNN.of(model).config().vocabularySize();
    checkArgument(
        token < size,
        "%s must have bytes between 0 and vocabularySize - 1 (%s), but byte %s is %s: use"
            + " other bytes, or a model with all 256",
        name,
        size - 1,
        index,
        token);
  }

  /**
   * Checks that another model holds the same SHARNN as this model.
   *
   * @param name the name of this model's user, such as {@code generator}
   * @param other the other model
   * @param user the name of the other model's user, such as {@code Predictor}
   * @throws IllegalArgumentException if the SHARNN is another one
   */
  public void checkSame(String name, Model other, String user) {
    checkArgument(
        SHARNN.of(other) == SHARNN.of(model), // a ZooModel wraps its model
        "the %s's model (%s) must hold the same SHARNN as the %s's (%s): build the %s from that model",
        name,
        model.getName(),
        user,
        other.getName(),
        name);
  }
}
