package io.github.sharnn;

import static com.google.common.base.Preconditions.checkArgument;

import io.github.sharnn.engine.DropoutMask;

/** Options of a {@link SingleHeadAttention}. */
public final class SingleHeadAttentionBuilder {

  final int embeddingSize;
  float dropout;
  boolean keyProjection;
  boolean valueProjection;
  boolean collapsed;

  SingleHeadAttentionBuilder(int embeddingSize) {
    checkArgument(embeddingSize >= 1, "embeddingSize must be at least 1, but is %s", embeddingSize);
    this.embeddingSize = embeddingSize;
  }

  /**
   * Sets the dropout rate on queries, values and attention weights. Default 0.
   *
   * @param rate the rate, in [0, 1)
   * @return this builder
   */
  public SingleHeadAttentionBuilder dropout(float rate) {
    dropout = rate;
    return this;
  }

  /**
   * Sends keys through a linear layer. Default false.
   *
   * @param project whether to
   * @return this builder
   */
  public SingleHeadAttentionBuilder keyProjection(boolean project) {
    keyProjection = project;
    return this;
  }

  /**
   * Sends values through a linear layer. Default false.
   *
   * @param project whether to
   * @return this builder
   */
  public SingleHeadAttentionBuilder valueProjection(boolean project) {
    valueProjection = project;
    return this;
  }

  /**
   * Leaves out {@link Overparam} and uses the value scale as it is. Default false.
   *
   * @param fold whether to
   * @return this builder
   */
  public SingleHeadAttentionBuilder collapsed(boolean fold) {
    collapsed = fold;
    return this;
  }

  /**
   * Builds the block.
   *
   * @return the block, uninitialized
   * @throws IllegalArgumentException if the dropout rate is outside [0, 1)
   */
  public SingleHeadAttention build() {
    DropoutMask.check(dropout);
    return new SingleHeadAttention(this);
  }
}
