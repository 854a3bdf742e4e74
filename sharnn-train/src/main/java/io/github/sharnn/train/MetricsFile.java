package io.github.sharnn.train;

import static java.nio.file.StandardOpenOption.CREATE_NEW;

import ai.djl.Device;
import ai.djl.util.JsonUtils;
import com.google.gson.JsonObject;
import java.io.BufferedWriter;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
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
 *
 * <p>Where the validation part was evaluated and the memory of a device is asked for, a line also
 * has {@code memory}, with {@code bytes} and the {@code source} of the figure.
 */
public final class MetricsFile implements Consumer<StepReport>, AutoCloseable {

  private final Path file;
  private final Device device; // null: no memory
  private BufferedWriter writer;
  private int stage;

  /**
   * Chooses the file. It is created with the first line.
   *
   * @param file a new file
   */
  public MetricsFile(Path file) {
    this(file, null);
  }

  /**
   * Chooses the file, and a device whose memory is read at each evaluation. The file is created
   * with the first line.
   *
   * @param file a new file
   * @param device what trains: a GPU for the memory in use on it, the CPU for the peak resident
   *     size of this process; or null for neither
   */
  public MetricsFile(Path file, Device device) {
    this.file = file;
    this.device = device;
  }

  /**
   * Writes a line.
   *
   * @param report of the step
   * @throws UncheckedIOException if the file exists at the first line, or can't be written
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
    if (device != null && report.evaluated()) {
      addMemory(line);
    }
    write(line.toString());
  }

  /**
   * Writes a line of another kind, such as the run's settings or a text it generated.
   *
   * @param kind the name of the line's one field, none of those of a step
   * @param values what it holds, as Gson writes it; finite numbers
   * @throws UncheckedIOException if the file exists at the first line, or can't be written
   */
  public void add(String kind, Map<String, ?> values) {
    write(JsonUtils.GSON.toJson(Map.of(kind, values)));
  }

  private void addMemory(JsonObject line) {
    try {
      DeviceMemory.peak(device)
          .ifPresent(memory -> line.add("memory", JsonUtils.GSON.toJsonTree(memory)));
    } catch (IOException e) {
      throw new UncheckedIOException("can't read how much memory is in use", e);
    }
  }

  private void write(String line) {
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
