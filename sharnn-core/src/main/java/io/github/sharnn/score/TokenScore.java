package io.github.sharnn.score;

/**
 * How a model predicted one token from those before it.
 *
 * @param token of the model's vocabulary, which knows its text; of a model of bytes, the byte as a
 *     number from 0 to 255
 * @param logProbability natural logarithm of the token's probability, at most 0
 * @param rank 1 and the number of tokens with a higher probability: 1 is the model's best guess
 * @param entropy of the model's whole prediction, in nats: 0 where it was sure, {@code ln V} where
 *     all V tokens were equal to it
 */
public record TokenScore(int token, float logProbability, int rank, float entropy) {}
