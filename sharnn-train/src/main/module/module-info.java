/**
 * Training: corpora, optimizers, checkpoints and evaluation.
 *
 * <p>The module is open because Gson and {@code io.github.sharnn.io.Records} read its records.
 */
@SuppressWarnings("requires-automatic")
open module io.github.sharnn.train {
  requires transitive io.github.sharnn;
  requires ai.djl.pytorch_engine;
  requires com.google.common;
  requires com.google.gson;
  requires java.net.http;
  requires org.slf4j;
  requires static micrometer.core;
  requires static org.jspecify;

  exports io.github.sharnn.train;
  exports io.github.sharnn.train.checkpoint;
  exports io.github.sharnn.train.data;
  exports io.github.sharnn.train.evaluate;
  exports io.github.sharnn.train.optim;
  exports io.github.sharnn.train.progress;
  exports io.github.sharnn.train.step;
}
