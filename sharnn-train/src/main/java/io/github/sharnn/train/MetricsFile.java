package io.github.sharnn.train;

import static java.nio.file.StandardOpenOption.CREATE_NEW;
import static java.nio.file.StandardOpenOption.WRITE;

import ai.djl.Device;
import ai.djl.util.JsonUtils;
import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.github.sharnn.engine.DeviceMemory;
import io.github.sharnn.io.Interrupts;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Map;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A file that gets a line of JSON after each step, for plots.
 *
 * <pre>{@code
 * try (MetricsFile metrics = new MetricsFile(Path.of("metrics.jsonl"))) {
 *   SHARNNTrainer.builder(model).onStep(metrics).build().fit(corpus, budget);
 * }
 * }</pre>
 *
 * <p>A line has {@code stage}, from 1, and the finite numbers of a {@link StepReport} under their
 * names. {@code validationBpc} is present only after an evaluation. Step, bytes and seconds restart
 * in each stage. Each line is passed to the operating system immediately.
 *
 * <p>With a device, a line after an evaluation also has {@code memory}, with {@code bytes} and the
 * {@code source} of the figure.
 *
 * <p>If the run goes back to a checkpoint, the new lines replace those of the repeated steps. If
 * the disk is full, the lines wait in memory.
 */
public final class MetricsFile implements Consumer<StepReport>, AutoCloseable {

  private static final Logger LOGGER = LoggerFactory.getLogger(MetricsFile.class);
  private static final Gson FIGURES =
      new GsonBuilder().serializeSpecialFloatingPointValues().create();

  private final Path file;
  private final @Nullable Device device; // null: no memory
  private @Nullable FileChannel channel; // null before the first line
  private long end; // of what is written
  private final StringBuilder waiting = new StringBuilder();
  private int stage;
  private long step;

  /**
   * Chooses the file. The first line creates it.
   *
   * @param file a new file
   */
  public MetricsFile(Path file) {
    this(file, null);
  }

  /**
   * Chooses the file, and a device whose memory is read at each evaluation. The first line creates
   * the file.
   *
   * @param file a new file
   * @param device the GPU or CPU to measure, as {@link DeviceMemory#peak} does, or null for no
   *     memory
   */
  public MetricsFile(Path file, @Nullable Device device) {
    this.file = file;
    this.device = device;
  }

  /**
   * Continues the file of a run that resumes from a checkpoint. Cuts off the lines of later steps,
   * which the run repeats. The first line creates the file if there is none.
   *
   * @param file the file
   * @param device as for a new file
   * @param checkpoint the checkpoint
   * @return the file at its end
   * @throws IOException if it can't be read or cut
   */
  public static MetricsFile resume(Path file, @Nullable Device device, Checkpoint checkpoint)
      throws IOException {
    MetricsFile metrics = new MetricsFile(file, device);
    metrics.stage = checkpoint.stage() + 1;
    metrics.step = checkpoint.step();
    if (Files.exists(file)) {
      metrics.channel = FileChannel.open(file, WRITE);
      try {
        metrics.cut();
      } catch (IOException e) {
        metrics.channel.close();
        throw e;
      }
    }
    return metrics;
  }

  /** Cuts off the lines after the current stage and step, and a last line without an end. */
  private void cut() throws IOException {
    end = 0;
    try (BufferedReader lines = Files.newBufferedReader(file, StandardCharsets.ISO_8859_1)) {
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        long next = end + line.length() + 1; // in ISO 8859-1 a byte is a character
        if (next > channel.size() || isLater(line)) {
          break;
        }
        end = next;
      }
    }
    channel.truncate(end);
  }

  private boolean isLater(String line) throws IOException {
    try {
      JsonObject object = JsonParser.parseString(line).getAsJsonObject();
      if (!object.has("stage") || !object.has("step")) {
        return false;
      }
      int lineStage = object.get("stage").getAsInt();
      return lineStage > stage || (lineStage == stage && object.get("step").getAsLong() > step);
    } catch (RuntimeException e) { // Gson throws several types
      throw new IOException(
          String.format(Locale.ROOT, "%s has a line that is no JSON object: %s", file, line), e);
    }
  }

  /**
   * Writes a line.
   *
   * @param report the figures of the step
   * @throws UncheckedIOException if the file exists at the first line, or can't be created
   */
  @Override
  public void accept(StepReport report) {
    if (report.step() == 1) {
      stage++;
    } else if (report.step() <= step) {
      step = report.step() - 1;
      try {
        Interrupts.defer(
            () -> {
              reopen();
              cut();
              return null;
            });
      } catch (IOException e) {
        throw new UncheckedIOException("can't cut " + file + ": " + e, e);
      }
    }
    step = report.step();
    JsonObject line = new JsonObject();
    line.addProperty("stage", stage);
    for (Map.Entry<String, JsonElement> figure :
        FIGURES.toJsonTree(report).getAsJsonObject().entrySet()) {
      if (Double.isFinite(figure.getValue().getAsDouble())) {
        line.add(figure.getKey(), figure.getValue());
      }
    }
    if (device != null && report.evaluated()) {
      addMemory(line);
    }
    write(line.toString());
  }

  /**
   * Writes a line of another kind, such as the run's settings or a sample.
   *
   * @param kind the name of the line's one field, none of those of a step
   * @param values the content of the field; numbers are finite
   * @throws UncheckedIOException if the file exists at the first line, or can't be created
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
    boolean first = waiting.isEmpty();
    waiting.append(line).append('\n');
    try {
      if (channel == null) {
        channel = FileChannel.open(file, CREATE_NEW, WRITE);
      }
      writeWaiting();
    } catch (IOException e) {
      if (channel == null) {
        throw new UncheckedIOException("can't write " + file + ": " + e, e);
      }
      if (first) {
        LOGGER.error(
            "can't write {}: {}; its lines are kept in memory until the file can be written",
            file,
            e.toString());
      }
    }
  }

  private void writeWaiting() throws IOException {
    ByteBuffer bytes = StandardCharsets.UTF_8.encode(CharBuffer.wrap(waiting));
    Interrupts.defer(
        () -> {
          reopen();
          while (bytes.hasRemaining()) {
            channel.write(bytes, end + bytes.position());
          }
          return null;
        });
    end += bytes.limit();
    waiting.setLength(0);
  }

  /** Opens the file again if an interrupt has closed it. */
  private void reopen() throws IOException {
    if (!channel.isOpen()) {
      channel = FileChannel.open(file, WRITE);
    }
  }

  /**
   * Writes the lines that wait, and closes the file.
   *
   * @throws IOException if the lines can't be written; they are lost
   */
  @Override
  public void close() throws IOException {
    if (channel != null) {
      try {
        writeWaiting();
      } finally {
        channel.close();
      }
    }
  }
}
