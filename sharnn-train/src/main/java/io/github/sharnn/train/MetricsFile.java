package io.github.sharnn.train;

import static java.nio.file.StandardOpenOption.CREATE_NEW;

import com.google.gson.JsonObject;
import java.io.BufferedWriter;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.function.Consumer;

/**
 * A file that gets a line of JSON after each step, for anything that plots.
 *
 * <pre>{@code
 * try (MetricsFile metrics = new MetricsFile(Path.of("metrics.jsonl"))) {
 *   SHARNNTrainer.builder(model).onStep(metrics).build().fit(corpus, budget);
 * }
 * }</pre>
 *
 * <p>A line has {@code stage}, from 1, and the numbers of a {@link StepReport} under their names;
 * those that are not finite are left out, so {@code validationBpc} is there where the validation
 * part was evaluated. Step, bytes and seconds start anew with each stage. Each line is handed to
 * the operating system at once.
 */
public final class MetricsFile implements Consumer<StepReport>, AutoCloseable {

  private final Path file;
  private BufferedWriter writer;
  private int stage;

  /**
   * Chooses the file. It is created at the first step.
   *
   * @param file a new file
   */
  public MetricsFile(Path file) {
    this.file = file;
  }

  /**
   * Writes a line.
   *
   * @param report of the step
   * @throws UncheckedIOException if the file exists at the first step, or can't be written
   */
  @Override
  public void accept(StepReport report) {
    if (report.step() == 1) {
      stage++;
    }
    JsonObject line = new JsonObject();
    line.addProperty("stage", stage);
    line.addProperty("step", report.step());
    line.addProperty("bytes", report.bytes());
    add(line, "used", report.used());
    add(line, "seconds", report.seconds());
    add(line, "trainBpc", report.trainBpc());
    add(line, "validationBpc", report.validationBpc());
    add(line, "bytesPerSecond", report.bytesPerSecond());
    add(line, "gradientNorm", report.gradientNorm());
    add(line, "learningRate", report.learningRate());
    add(line, "lossScale", report.lossScale());
    try {
      if (writer == null) {
        writer = Files.newBufferedWriter(file, CREATE_NEW);
      }
      writer.write(line + "\n");
      writer.flush();
    } catch (IOException e) {
      throw new UncheckedIOException("can't write " + file + ": " + e, e);
    }
  }

  private static void add(JsonObject line, String name, Number value) {
    if (Double.isFinite(value.doubleValue())) {
      line.addProperty(name, value);
    }
  }

  @Override
  public void close() throws IOException {
    if (writer != null) {
      writer.close();
    }
  }
}
