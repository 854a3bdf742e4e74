package io.github.sharnn.spark;

import io.github.sharnn.train.StepReport;
import java.nio.file.Path;
import java.util.Locale;
import org.apache.spark.sql.SparkSession;

/**
 * A driver's program that trains a recipe, as for the figures of several GPUs in the benchmarks.
 */
public final class RecipeJob {

  private RecipeJob() {}

  /**
   * Trains, and prints the figures.
   *
   * @param arguments a new folder; the corpus, whose first 90% are the training part; the number of
   *     workers; the recipe; the budget, as in {@code 250s} or {@code 1000} steps; the interval of
   *     the outer step; the steps between evaluations, or 0; then names and values of options
   */
  public static void main(String[] arguments) {
    SparkSession session = SparkSession.builder().appName("recipe").getOrCreate();
    Path folder = Path.of(arguments[0]).toAbsolutePath();
    String budget = arguments[4];
    SharnnDistributedTrainer trainer =
        new SharnnDistributedTrainer()
            .setModel(folder.resolve("model").toUri().toString())
            .setCheckpoints(folder.resolve("checkpoints").toString())
            .setCheckpointRounds(10)
            .setCorpus(arguments[1])
            .setNumWorkers(Integer.parseInt(arguments[2]))
            .setRecipe(arguments[3])
            .setInterval(Integer.parseInt(arguments[5]))
            .setOption("evaluationInterval", Integer.parseInt(arguments[6]));
    for (int i = 7; i < arguments.length; i += 2) {
      set(trainer, arguments[i], Double.parseDouble(arguments[i + 1]));
    }
    if (trainer.getOrDefault(trainer.numWorkers()).equals(1)) {
      trainer.setOuterMomentum(0);
    }
    SharnnModel model =
        (budget.endsWith("s")
                ? trainer.setSeconds(Double.parseDouble(budget.substring(0, budget.length() - 1)))
                : trainer.setSteps(Long.parseLong(budget)))
            .fit(session.emptyDataFrame());
    for (StepReport report : model.evaluations()) {
      System.out.printf(
          Locale.ROOT,
          "step %d, %.1f s, valid %.4f%n",
          report.step(),
          report.seconds(),
          report.validationBpc());
    }
    System.out.printf(
        Locale.ROOT,
        "%d steps in %.1f s; %d outer steps took %.2f s (%.2f%%)%n",
        model.steps(),
        model.seconds(),
        model.outerSteps(),
        model.outerSeconds(),
        100 * model.outerSeconds() / model.seconds());
    session.stop();
  }

  private static void set(SharnnDistributedTrainer trainer, String name, double value) {
    switch (name) {
      case "outerMomentum" -> trainer.setOuterMomentum(value);
      case "outerRate" -> trainer.setOuterRate(value);
      case "learningRate" -> trainer.setLearningRate(value);
      case "warmUpSteps" -> trainer.setWarmUpSteps((int) value);
      case "checkpointRounds" -> trainer.setCheckpointRounds((int) value);
      case "averageDecay" -> trainer.setOption(name, value);
      default -> trainer.setOption(name, (int) value);
    }
  }
}
