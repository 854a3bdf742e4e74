package io.github.sharnn.spark;

import ai.djl.Device;
import ai.djl.Model;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import io.github.sharnn.SHARNN;
import io.github.sharnn.engine.Devices;
import io.github.sharnn.io.AtomicFile;
import io.github.sharnn.train.Budget;
import io.github.sharnn.train.FitResult;
import io.github.sharnn.train.Recipe;
import io.github.sharnn.train.data.Corpus;
import io.github.sharnn.train.optim.MixedPrecisionWeights;
import io.github.sharnn.train.optim.OuterStep;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/**
 * A process that takes part in an exchange without Spark, with the model of the recipe {@code
 * fast}. It measures outer steps alone, or those of a training.
 */
public final class ExchangeJob {

  private static final int STEPS = 7;
  private static final String HOST = "127.0.0.1";

  private ExchangeJob() {}

  /**
   * Measures.
   *
   * @param arguments a new folder for all processes; the number of this process, and of all; the
   *     device; then nothing, or a corpus, the steps of a training and the interval
   */
  public static void main(String[] arguments) throws Exception {
    Path folder = Path.of(arguments[0]);
    int worker = Integer.parseInt(arguments[1]);
    int workers = Integer.parseInt(arguments[2]);
    Device device = Devices.of(arguments[3]);
    try (TcpExchange exchange = new TcpExchange(worker, HOST, Duration.ofMinutes(5), () -> false)) {
      exchange.connect(meet(folder, worker, workers, exchange.port()), new byte[32]);
      String line =
          arguments.length == 4
              ? alone(exchange, workers, device)
              : training(exchange, worker, workers, device, arguments);
      System.out.println(line);
      Files.writeString(folder.resolve("result" + worker), line);
    }
  }

  /** Exchanges the ports through files. */
  private static List<TcpExchange.Peer> meet(Path folder, int worker, int workers, int port)
      throws IOException, InterruptedException {
    AtomicFile.write(folder.resolve("port" + worker), Integer.toString(port));
    List<TcpExchange.Peer> peers = new ArrayList<>();
    for (int i = 0; i < workers; i++) {
      Path file = folder.resolve("port" + i);
      while (!Files.exists(file)) {
        Thread.sleep(20);
      }
      peers.add(
          new TcpExchange.Peer("process " + i, HOST, Integer.parseInt(Files.readString(file))));
    }
    return peers;
  }

  private static String alone(TcpExchange exchange, int workers, Device device) {
    OuterStep outer = new OuterStep(new OuterStep.Settings(1, 0.7f, 0.9f, workers), exchange);
    DataType precision = MixedPrecisionWeights.orDefault(null, device);
    try (Model model = SHARNN.of(Recipe.FAST.model().config()).newModel("fast", device);
        MixedPrecisionWeights weights =
            MixedPrecisionWeights.of(model, precision, new Shape(1, 1))) {
      outer.begin(weights, model.getNDManager());
      double[] seconds = new double[STEPS];
      for (int i = 0; i < STEPS; i++) {
        outer.step(0); // waits for the others, which the next one then need not
        double before = outer.seconds();
        outer.step(0);
        seconds[i] = outer.seconds() - before;
      }
      Arrays.sort(seconds);
      return String.format(
          Locale.ROOT,
          "%,d weights on %s: an outer step takes %.3f s, the median of %d (%.3f to %.3f s)",
          SHARNN.of(model).parameterCount(),
          device,
          seconds[STEPS / 2],
          STEPS,
          seconds[0],
          seconds[STEPS - 1]);
    }
  }

  private static String training(
      TcpExchange exchange, int worker, int workers, Device device, String[] arguments)
      throws IOException {
    Corpus corpus = Corpus.open(Path.of(arguments[4])).share(worker, workers);
    int steps = Integer.parseInt(arguments[5]);
    int interval = Integer.parseInt(arguments[6]);
    OuterStep outer =
        new OuterStep(new OuterStep.Settings(interval, 0.7f, 0.9f, workers), exchange);
    try (Model model = SHARNN.of(Recipe.FAST.model().config()).newModel("fast", device)) {
      FitResult result =
          Recipe.FAST.trainer(model).outerStep(outer).build().fit(corpus, Budget.steps(steps));
      return String.format(
          Locale.ROOT,
          "%d steps, interval %d: %.1f s, of which %d outer steps took %.2f s, %.1f%%, with the waiting",
          result.last().step(),
          interval,
          result.last().seconds(),
          outer.count(),
          outer.seconds(),
          100 * outer.seconds() / result.last().seconds());
    }
  }
}
