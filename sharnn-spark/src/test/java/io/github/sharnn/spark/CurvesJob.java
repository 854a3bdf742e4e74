package io.github.sharnn.spark;

import io.github.sharnn.SHARNNConfig;
import io.github.sharnn.train.Recipe;
import io.github.sharnn.train.StepReport;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.apache.spark.sql.SparkSession;

/** The driver's program of {@link CurvesIT}: trains with one, two and four workers. */
public final class CurvesJob {

  private static final int EVALUATION = 240;
  private static final int TIMED_EVALUATION = 60;

  private final SparkSession session;
  private final Path folder;
  private final String corpus;
  private final int steps;
  private final double seconds;
  private final int seed;
  private final List<String> lines = new ArrayList<>();

  private CurvesJob(SparkSession session, String[] arguments) {
    this.session = session;
    folder = Path.of(arguments[0]);
    corpus = arguments[1];
    steps = Integer.parseInt(arguments[2]);
    seconds = Double.parseDouble(arguments[3]);
    seed = Integer.parseInt(arguments[4]);
  }

  /**
   * Runs the program.
   *
   * @param arguments the folder of the test, the corpus, the steps of a training, its seconds or 0,
   *     and its seed
   */
  public static void main(String[] arguments) throws Exception {
    CurvesJob job =
        new CurvesJob(SparkSession.builder().appName("curves").getOrCreate(), arguments);
    job.train("1 worker, batch 16", 1, 16, 0);
    job.train("2 workers, batch 16", 2, 16, 0.3);
    if (job.seconds > 0) {
      job.session.stop();
      return;
    }
    job.train("1 worker, batch 32", 1, 32, 0);
    job.train("4 workers, batch 16", 4, 16, 0.3);
    job.train("1 worker, batch 16, outer step", 1, 16, 0.3);
    job.session.stop();
  }

  private void train(String name, int workers, int batch, double momentum) throws Exception {
    SHARNNConfig config =
        Recipe.SMALL.model().embeddingSize(96).boomSize(384).memoryLength(128).config();
    SharnnDistributedTrainer trainer =
        new SharnnDistributedTrainer()
            .setConfig(config)
            .setCorpus(corpus)
            .setSplit(20_000_000, 100_000, 2)
            .setModel(folder.resolve("model").toString())
            .setOption("batchSize", batch)
            .setOption("evaluationStreams", 16)
            .setOption("seed", seed)
            .setOption("evaluationInterval", seconds > 0 ? TIMED_EVALUATION : EVALUATION)
            .setNumWorkers(workers)
            .setOuterMomentum(momentum)
            .setDevice("cpu");
    SharnnModel model =
        (seconds > 0 ? trainer.setSeconds(seconds) : trainer.setSteps(steps))
            .fit(session.emptyDataFrame());
    for (StepReport report : model.evaluations()) {
      lines.add(
          String.format(
              Locale.ROOT,
              "%s\t%d\t%.1f\t%.4f",
              name,
              report.step(),
              report.seconds(),
              report.validationBpc()));
    }
    lines.add(
        String.format(
            Locale.ROOT,
            "%s\t%d outer steps\t%.1f of %.1f s",
            name,
            model.outerSteps(),
            model.outerSeconds(),
            model.seconds()));
    Files.write(folder.resolve("curves"), lines);
  }
}
