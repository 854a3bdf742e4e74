package io.github.sharnn.score;

import java.io.Serializable;

/**
 * The score of one token, predicted from the tokens before it.
 *
 * @param token of the model's vocabulary; for a model over bytes, the byte as 0 to 255
 * @param logProbability the natural logarithm of the token's probability, at most 0
 * @param rank 1 plus the number of tokens with a higher probability: 1 is the model's best guess
 * @param entropy of the whole prediction in nats, from 0 (certain) to {@code ln V} (uniform)
 * @param variance of -ln p under the whole prediction in square nats, 0 for a certain or a uniform
 *     prediction
 * @serial exclude
 */
public record TokenScore(int token, float logProbability, int rank, float entropy, float variance)
    implements Serializable {}
