package io.github.sharnn.spark;

import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;

/** The driver's program of {@link SpeedIT}: scores lines, and writes how long that took. */
public final class SpeedJob {

  private static final int PARTITIONS = 64;

  private SpeedJob() {}

  /**
   * Runs the program.
   *
   * @param arguments the folder of the test, and the name of the result
   */
  public static void main(String[] arguments) throws Exception {
    Path folder = Path.of(arguments[0]);
    SparkSession session = SparkSession.builder().appName("speed").getOrCreate();
    Dataset<Row> lines =
        session
            .read()
            .text(folder.resolve("lines.txt").toUri().toString())
            .repartition(PARTITIONS)
            .cache();
    lines.count();
    SharnnScorer scorer =
        new SharnnScorer().setModel(folder.resolve("model").toString()).setDevice("cpu");
    // loads the model, and gives each executor 20,000 of 200,000 lines while Java compiles
    int executors = session.sparkContext().getConf().getInt("spark.cores.max", 1);
    Dataset<Row> first = lines.sample(0.1 * executors, 1);
    scorer.transform(first).write().format("noop").mode("overwrite").save();
    long start = System.nanoTime();
    scorer.transform(lines).write().json(folder.resolve(arguments[1]).toUri().toString());
    Files.writeString(
        folder.resolve(arguments[1] + ".seconds"),
        Double.toString((System.nanoTime() - start) / 1e9));
    session.stop();
  }
}
