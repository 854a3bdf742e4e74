package io.github.sharnn.score;

import static com.google.common.base.Preconditions.checkArgument;

import ai.djl.Model;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import io.github.sharnn.SHARNN;
import io.github.sharnn.SHARNNState;
import io.github.sharnn.TextModel;
import io.github.sharnn.decode.SHARNNDecoder;
import io.github.sharnn.engine.Lifetime;
import io.github.sharnn.io.Interrupts;
import java.util.SplittableRandom;
import java.util.function.ToIntFunction;

/**
 * The cost of decoding in INT8: the mean bits of a text's tokens in FLOAT32 and in INT8, both from
 * a zero state.
 *
 * <pre>{@code
 * QuantizationLoss loss = QuantizationLoss.onOwnText(model, 1_000);
 * System.out.println(loss.difference());
 * }</pre>
 *
 * @param tokens the number of tokens
 * @param float32 bits a token in FLOAT32
 * @param int8 bits a token in INT8
 */
public record QuantizationLoss(int tokens, double float32, double int8) {

  private static final double LN_2 = Math.log(2);

  /** {@return how many more bits a token takes in INT8, below 0 by chance if the loss is small} */
  public double difference() {
    return int8 - float32;
  }

  /**
   * Measures on a text.
   *
   * @param model a model with a {@link SHARNN} on a CPU, in FLOAT32 or quantized
   * @param text at least two tokens
   * @return the loss on all tokens but the first
   * @throws IllegalArgumentException if the text is too short or has a byte outside the vocabulary,
   *     or the model is on a GPU
   * @throws IllegalStateException if the model has no weights or is closed, or PyTorch has no int8
   *     products here
   */
  public static QuantizationLoss on(Model model, byte[] text) {
    int[] tokens = new TextModel(model).encode("text", text);
    checkArgument(
        tokens.length > 1, "text must have at least two tokens, but has %s", tokens.length);
    int[] next = {0};
    return measure(model, tokens[0], tokens.length - 1, logits -> tokens[++next[0]]);
  }

  /**
   * Measures on a text that the model generates in FLOAT32, with temperature 1. On such a text the
   * expected difference is the Kullback-Leibler divergence of the two models, so it is never below
   * 0 but by chance.
   *
   * @param model a model with a {@link SHARNN} on a CPU, in FLOAT32 or quantized
   * @param tokens the number of tokens, at least 1
   * @return the loss on these tokens
   * @throws IllegalArgumentException if {@code tokens} is below 1, or the model is on a GPU
   * @throws IllegalStateException if the model has no weights or is closed, or PyTorch has no int8
   *     products here
   */
  public static QuantizationLoss onOwnText(Model model, int tokens) {
    checkArgument(tokens >= 1, "tokens must be at least 1, but is %s", tokens);
    SplittableRandom random = new SplittableRandom(1);
    int newline = Math.min('\n', SHARNN.of(model).config().vocabularySize() - 1);
    return measure(model, newline, tokens, logits -> draw(logits, random.nextDouble()));
  }

  private static QuantizationLoss measure(
      Model model, int first, int count, ToIntFunction<float[]> next) {
    SHARNN block = SHARNN.initialized(model);
    Lifetime lifetime = SHARNN.lifetime(model);
    Lifetime.Lease lease = lifetime.lease();
    try (lease;
        NDManager manager = lifetime.manager().newSubManager();
        SHARNNDecoder exact = SHARNNDecoder.of(block, manager, 1, DataType.FLOAT32);
        SHARNNDecoder rounded = SHARNNDecoder.of(block, manager, 1, DataType.INT8)) {
      SHARNNState start = block.zeroState(manager, 1);
      exact.add(start);
      rounded.add(start);
      double float32 = 0;
      double int8 = 0;
      int token = first;
      for (int i = 0; i < count; i++) {
        Interrupts.check();
        float[] logits = exact.next(token)[0];
        float[] roundedLogits = rounded.next(token)[0];
        token = next.applyAsInt(logits);
        float32 += bits(logits, token);
        int8 += bits(roundedLogits, token);
      }
      return new QuantizationLoss(count, float32 / count, int8 / count);
    }
  }

  private static double bits(float[] logits, int token) {
    double largest = largest(logits);
    double sum = 0;
    for (float logit : logits) {
      sum += Math.exp(logit - largest);
    }
    return (Math.log(sum) + largest - logits[token]) / LN_2;
  }

  /** Returns the token at which the cumulative probability reaches {@code u}, in [0, 1). */
  private static int draw(float[] logits, double u) {
    double largest = largest(logits);
    double sum = 0;
    for (float logit : logits) {
      sum += Math.exp(logit - largest);
    }
    double rest = u * sum;
    int token = 0;
    while (token < logits.length - 1 && (rest -= Math.exp(logits[token] - largest)) >= 0) {
      token++;
    }
    return token;
  }

  private static double largest(float[] logits) {
    float largest = Float.NEGATIVE_INFINITY;
    for (float logit : logits) {
      largest = Math.max(largest, logit);
    }
    return largest;
  }
}
