package io.github.sharnn.spark;

import java.io.IOException;
import java.nio.file.FileVisitOption;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentSkipListSet;
import java.util.stream.Stream;
import org.apache.spark.ml.Pipeline;
import org.apache.spark.ml.PipelineModel;
import org.apache.spark.ml.PipelineStage;
import org.apache.spark.scheduler.SparkListener;
import org.apache.spark.scheduler.SparkListenerTaskEnd;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.streaming.StreamingQuery;
import org.apache.spark.sql.streaming.Trigger;

/** The driver's program of {@link ClusterIT}. It writes its results as JSON, and checks nothing. */
public final class ClusterJob {

  private final SparkSession session;
  private final Path folder;
  private final String model;

  private ClusterJob(SparkSession session, Path folder) {
    this.session = session;
    this.folder = folder;
    model = folder.resolve("model").toUri().toString();
  }

  /**
   * Runs the job.
   *
   * @param arguments the folder of the test
   */
  public static void main(String[] arguments) throws Exception {
    SparkSession session = SparkSession.builder().appName("sharnn").getOrCreate();
    Set<String> executors = new ConcurrentSkipListSet<>();
    session
        .sparkContext()
        .addSparkListener(
            new SparkListener() {
              @Override
              public void onTaskEnd(SparkListenerTaskEnd end) {
                executors.add(end.taskInfo().executorId());
              }
            });
    ClusterJob job = new ClusterJob(session, Path.of(arguments[0]));
    job.score();
    Files.writeString(job.folder.resolve("executors"), String.join(" ", executors));
    job.rows();
    job.pipeline();
    job.generate();
    job.failures();
    job.stream();
    session.stop();
  }

  private void write(Dataset<Row> rows, String name) {
    rows.write().json(folder.resolve(name).toUri().toString());
  }

  private Dataset<Row> lines(String file) {
    return session.read().text(folder.resolve(file).toUri().toString());
  }

  private SharnnScorer scorer() {
    return new SharnnScorer().setModel(model);
  }

  private void score() {
    write(scorer().transform(lines("lines.txt").repartition(8)), "scores");
  }

  /** Scores rows of all kinds, as data frame and in SQL, with a model from another file system. */
  private void rows() {
    Dataset<Row> rows =
        session.sql(
            "SELECT * FROM VALUES (1, 'first'), (2, null), (3, 'caf\u00e9'), (4, ''), (5, 'last\n') AS"
                + " t(id, value)");
    SharnnScorer copied =
        new SharnnScorer()
            .setModel("copied:" + folder.resolve("model"))
            .setTokenScoresCol("tokens");
    write(copied.transform(rows.coalesce(1)), "rows");
    scorer().setLineEnd(false).registerFunction(session, "sharnn_score");
    session.conf().set("spark.sql.caseSensitive", true);
    Dataset<Row> cases = rows.limit(1).selectExpr("'other' AS VALUE", "value", "id");
    write(scorer().transform(cases), "cases");
    session.conf().unset("spark.sql.caseSensitive");
    rows.createOrReplaceTempView("texts");
    write(session.sql("SELECT id, value, sharnn_score(value) AS score FROM texts"), "sql");
  }

  private void pipeline() throws IOException {
    String saved = folder.resolve("pipeline").toUri().toString();
    SharnnScorer second = scorer().setInputCol("surprisingToken").setBitsCol("tokenBits");
    second.setBitsPerByteCol("b").setPositionCol("p").setTokenCol("t").setErrorCol("e");
    Dataset<Row> few = lines("lines.txt").limit(20).cache();
    PipelineModel fitted =
        new Pipeline().setStages(new PipelineStage[] {scorer(), second}).fit(few);
    fitted.save(saved);
    write(fitted.transform(few), "fitted");
    write(PipelineModel.load(saved).transform(few), "loaded");
  }

  private void generate() {
    Dataset<Row> prompts =
        lines("lines.txt")
            .limit(12)
            .withColumn("id", functions.col("value").substr(1, 6).cast("long"));
    SharnnGenerator generator =
        new SharnnGenerator().setModel("sparkfiles:model").setLength(20).setBatchSize(1).setSeed(7);
    write(generator.transform(prompts.coalesce(1)), "generated1");
    write(generator.transform(prompts.repartition(5)), "generated5");
    Dataset<Row> equal = session.range(4).withColumn("value", functions.lit("the same"));
    write(generator.setSeedCol("id").transform(equal), "seeded");
  }

  private void failures() throws IOException {
    List<String> errors = new ArrayList<>();
    Dataset<Row> bad = session.sql("SELECT 'caf\u00e9' AS value");
    errors.add(message(() -> scorer().setFailOnError(true).transform(bad).collectAsList()));
    Path moved = folder.resolve("moved");
    Files.createDirectory(moved);
    for (Path file : files(folder.resolve("model"))) {
      Files.copy(file, moved.resolve(file.getFileName()));
    }
    Dataset<Row> later = new SharnnScorer().setModel(moved.toString()).transform(bad);
    for (Path file : files(moved)) {
      Files.delete(file);
    }
    errors.add(message(later::collectAsList));
    errors.add(message(() -> new SharnnScorer().setModel(moved.toString()).transform(bad)));
    Files.write(folder.resolve("errors"), errors);
  }

  private static List<Path> files(Path folder) throws IOException {
    try (Stream<Path> files = Files.walk(folder, FileVisitOption.FOLLOW_LINKS)) {
      return files.filter(Files::isRegularFile).sorted(Comparator.naturalOrder()).toList();
    }
  }

  private static String message(Runnable action) {
    try {
      action.run();
      return "no error";
    } catch (Exception e) {
      return e.toString().replace('\n', ' ');
    }
  }

  /** Scores the files of a folder, twice with a restart and a new file in between. */
  private void stream() throws Exception {
    Path logs = Files.createDirectory(folder.resolve("logs"));
    for (int run = 0; run < 2; run++) {
      for (int file = 0; file < 2; file++) {
        Path part = folder.resolve("part");
        int first = 40 * run + 20 * file;
        Files.write(
            part, Files.readAllLines(folder.resolve("lines.txt")).subList(first, first + 20));
        Files.move(part, logs.resolve("log" + run + file));
      }
      Dataset<Row> lines = session.readStream().text(logs.toUri().toString());
      StreamingQuery query =
          scorer()
              .transform(lines)
              .writeStream()
              .format("json")
              .option("checkpointLocation", folder.resolve("checkpoint").toUri().toString())
              .option("path", folder.resolve("streamed").toUri().toString())
              .trigger(Trigger.AvailableNow())
              .start();
      query.awaitTermination();
    }
  }
}
