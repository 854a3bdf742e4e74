package io.github.sharnn.score;

/**
 * How a model predicted one byte from those before it.
 *
 * @param value the byte
 * @param logProbability natural logarithm of the byte's probability, at most 0
 * @param rank 1 and the number of bytes with a higher probability: 1 is the model's best guess
 * @param entropy of the model's whole prediction, in nats: 0 where it was sure, {@code ln V} where
 *     all V bytes were equal to it
 */
public record ByteScore(byte value, float logProbability, int rank, float entropy) {}
