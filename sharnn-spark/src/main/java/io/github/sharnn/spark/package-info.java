/**
 * Scoring and generation on Apache Spark. {@link io.github.sharnn.spark.SharnnScorer} and {@link
 * io.github.sharnn.spark.SharnnGenerator} are Spark ML transformers: they add columns to a data
 * frame, in batch, in structured streaming and in a pipeline. Each of them also registers a SQL
 * function.
 *
 * <pre>{@code
 * Dataset<Row> scores =
 *     new SharnnScorer().setModel("hdfs:///models/log").setInputCol("value").transform(lines);
 * }</pre>
 *
 * <p>Each executor loads a model once, from a Hadoop file system or from Spark's own files, and
 * checks its sums. The tasks of an executor share the model.
 */
@NullMarked
package io.github.sharnn.spark;

import org.jspecify.annotations.NullMarked;
