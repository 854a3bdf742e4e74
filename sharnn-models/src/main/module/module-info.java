/** Pretrained models. An application finds them without a {@code requires}. */
module io.github.sharnn.models {
  requires io.github.sharnn;
  requires static org.jspecify;

  exports io.github.sharnn.models;

  provides io.github.sharnn.pretrained.PretrainedModel with
      io.github.sharnn.models.WikiBytes;
}
