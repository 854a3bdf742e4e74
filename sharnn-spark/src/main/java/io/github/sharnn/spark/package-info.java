/**
 * Scoring, generation and training on Apache Spark. {@link io.github.sharnn.spark.SharnnScorer} and
 * {@link io.github.sharnn.spark.SharnnGenerator} are Spark ML transformers: they add columns to a
 * data frame, in batch, in structured streaming and in a pipeline. Each of them also registers a
 * SQL function.
 *
 * <pre>{@code
 * Dataset<Row> scores =
 *     new SharnnScorer().setModel("hdfs:///models/log").setInputCol("value").transform(lines);
 * }</pre>
 *
 * <p>Each executor loads a model once, from a Hadoop file system or from Spark's own files, and
 * checks its sums. The tasks of an executor share the model.
 *
 * <p>{@link io.github.sharnn.spark.SharnnDistributedTrainer} is an estimator. It trains one model
 * with several executors, in a barrier stage with a {@code WorkerTask} for each of them.
 */
@NullMarked
package io.github.sharnn.spark;

import org.jspecify.annotations.NullMarked;
