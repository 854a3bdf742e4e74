package io.github.sharnn.spark;

import io.github.sharnn.SHARNN;
import io.github.sharnn.SHARNNConfig;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.spark.scheduler.SparkListener;
import org.apache.spark.scheduler.SparkListenerStageSubmitted;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;

/** The driver's program of {@link TrainingIT}. It trains, kills executors, and checks nothing. */
public final class TrainingClusterJob {

  static final SHARNNConfig CONFIG =
      SHARNN
          .builder()
          .embeddingSize(16)
          .boomSize(32)
          .layers(2)
          .attentionLayers(0)
          .memoryLength(32)
          .dropouts(0.1f)
          .config();

  private final SparkSession session;
  private final Path folder;
  private final Dataset<Row> text;

  private TrainingClusterJob(SparkSession session, Path folder) {
    this.session = session;
    this.folder = folder;
    text = session.read().text(folder.resolve("corpus.txt").toUri().toString());
  }

  /**
   * Runs the job.
   *
   * @param arguments the folder of the test
   */
  public static void main(String[] arguments) throws Exception {
    SparkSession session = SparkSession.builder().appName("training").getOrCreate();
    TrainingClusterJob job = new TrainingClusterJob(session, Path.of(arguments[0]));
    job.one();
    job.killed();
    job.failures();
    session.stop();
  }

  static SharnnDistributedTrainer trainer() {
    return new SharnnDistributedTrainer()
        .setConfig(CONFIG)
        .setOption("batchSize", 4)
        .setOption("sequenceLength", 16)
        .setOption("evaluationInterval", 50)
        .setOption("averageDecay", 0.9)
        .setLearningRate(0.01)
        .setWarmUpSteps(10)
        .setSteps(100)
        .setInterval(10)
        .setDevice("cpu");
  }

  private SharnnDistributedTrainer trainer(String model) {
    return trainer().setModel(folder.resolve(model).toUri().toString());
  }

  private SharnnDistributedTrainer two(String model) {
    return trainer(model)
        .setNumWorkers(2)
        .setCheckpoints(folder.resolve(model + "-checkpoints").toString());
  }

  private void one() {
    trainer("one").setOuterMomentum(0).fit(text);
  }

  private void killed() throws Exception {
    SharnnModel whole = two("whole").fit(text);
    Files.writeString(
        folder.resolve("outer"), whole.outerSteps() + " " + whole.evaluations().size());
    whole.transform(text.limit(3)).write().json(folder.resolve("scored").toUri().toString());
    AtomicInteger retries = new AtomicInteger();
    SparkListener listener =
        new SparkListener() {
          @Override
          public void onStageSubmitted(SparkListenerStageSubmitted submitted) {
            if (submitted.stageInfo().attemptNumber() > 0) {
              retries.incrementAndGet();
            }
          }
        };
    session.sparkContext().addSparkListener(listener);
    signalAt("killed", "KILL");
    two("killed").fit(text);
    Files.writeString(folder.resolve("retries"), retries.toString());
    session.sparkContext().removeSparkListener(listener);
  }

  /** Sends a signal to an executor, once worker 1 has saved a checkpoint. */
  private void signalAt(String model, String signal) {
    Path checkpoint = folder.resolve(model + "-checkpoints/worker-1/checkpoint-1-00000030");
    Thread thread =
        new Thread(
            () -> {
              try {
                while (!Files.exists(checkpoint)) {
                  Thread.sleep(2);
                }
                new ProcessBuilder("kill", "-" + signal, Long.toString(executor().pid()))
                    .start()
                    .waitFor();
              } catch (IOException | InterruptedException e) {
                throw new IllegalStateException(e);
              }
            });
    thread.setDaemon(true);
    thread.start();
  }

  /** Returns the newest executor of this application. */
  private ProcessHandle executor() {
    String application = session.sparkContext().applicationId();
    return ProcessHandle.allProcesses()
        .filter(
            process -> {
              String line = String.join(" ", process.info().arguments().orElse(new String[0]));
              return line.contains("CoarseGrainedExecutorBackend") && line.contains(application);
            })
        .max(Comparator.comparing(process -> process.info().startInstant().orElseThrow()))
        .orElseThrow();
  }

  private void failures() throws IOException {
    List<String> errors = new ArrayList<>();
    errors.add(message(two("no").setCorpus(folder.resolve("missing.txt").toString())));
    errors.add(message(two("no").setSplit(3, 60, 60)));
    errors.add(message(two("no").setModel("/proc/self/cwd/target/driver-only")));
    errors.add(message(two("no").setDevice("gpu7")));
    errors.add(message(two("whole").setNumWorkers(3)));
    signalAt("hangs", "STOP");
    errors.add(message(two("hangs").setTimeoutSeconds(3)));
    executor().destroyForcibly();
    Files.write(folder.resolve("errors"), errors);
  }

  private String message(SharnnDistributedTrainer trainer) {
    try {
      trainer.fit(text);
      return "no error";
    } catch (Exception e) {
      return e.toString().replace('\n', ' ');
    }
  }
}
