package io.github.sharnn.train;

import static java.nio.file.LinkOption.NOFOLLOW_LINKS;
import static java.nio.file.StandardOpenOption.CREATE_NEW;
import static java.nio.file.StandardOpenOption.READ;
import static java.nio.file.StandardOpenOption.WRITE;

import ai.djl.Device;
import ai.djl.util.JsonUtils;
import com.google.common.io.ByteStreams;
import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.github.sharnn.engine.DeviceMemory;
import io.github.sharnn.io.AtomicFile;
import io.github.sharnn.io.Interrupts;
import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.Map;
import java.util.Objects;
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
  private static final int LONGEST_LINE = 1 << 20; // bytes
  private static final Gson FIGURES =
      new GsonBuilder().serializeSpecialFloatingPointValues().create();

  private final Path file;
  private final @Nullable Device device; // null: no memory
  private @Nullable FileChannel channel; // null before the first line
  private @Nullable Object key; // of the file that the channel writes; null on Windows
  private boolean resumes; // the first line copies the earlier lines
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
   * Continues the file of a run that resumes from a checkpoint. The file stays as it is until the
   * first line, which replaces the file by a copy without the lines of later steps, which the run
   * repeats. The first line creates the file if there is none. Damaged lines, such as those that a
   * power cut left, stay and are counted in the log. A last line without an end is left out.
   *
   * @param file the file
   * @param device as for a new file
   * @param checkpoint the checkpoint
   * @return the file at its end
   * @throws IOException if the file is a link, a folder or a device
   */
  public static MetricsFile resume(Path file, @Nullable Device device, Checkpoint checkpoint)
      throws IOException {
    MetricsFile metrics = new MetricsFile(file, device);
    metrics.stage = checkpoint.stage() + 1;
    metrics.step = checkpoint.step();
    metrics.resumes = Files.exists(file, NOFOLLOW_LINKS);
    if (metrics.resumes) {
      checkRegular(file);
    }
    return metrics;
  }

  private static void checkRegular(Path file) throws IOException {
    if (!Files.isRegularFile(file, NOFOLLOW_LINKS)) {
      throw new IOException(
          "the metrics of a resumed run must be a plain file, but "
              + file
              + " is a link, a folder or a device: replace it by a copy, or name another file");
    }
  }

  /** Opens the file for the first line, with the earlier lines of a resumed run. */
  private FileChannel open() throws IOException {
    if (!resumes) {
      return FileChannel.open(file, CREATE_NEW, READ, WRITE);
    }
    checkRegular(file);
    return AtomicFile.open(
        file,
        copy -> {
          try (FileChannel old = FileChannel.open(file, READ, NOFOLLOW_LINKS)) {
            end = endOfEarlierLines(old);
            ByteStreams.limit(Channels.newInputStream(old.position(0)), end)
                .transferTo(Channels.newOutputStream(copy));
          }
        });
  }

  /** Returns the end of the last line that is complete and not of a later stage or step. */
  private long endOfEarlierLines(FileChannel lines) throws IOException {
    InputStream in = new BufferedInputStream(Channels.newInputStream(lines.position(0)));
    ByteArrayOutputStream line = new ByteArrayOutputStream();
    long read = 0;
    long lineEnd = 0;
    int damaged = 0;
    for (int next = in.read(); next >= 0; next = in.read()) {
      read++;
      if (next != '\n') {
        if (line.size() <= LONGEST_LINE) {
          line.write(next);
        }
        continue;
      }
      JsonObject object = parse(line);
      line.reset();
      if (object == null) {
        damaged++;
      } else if (isLater(object)) {
        break;
      }
      lineEnd = read;
    }
    if (damaged > 0) {
      LOGGER.warn("{} has {} damaged lines, which were passed over", file, damaged);
    }
    return lineEnd;
  }

  /** Returns a line's object, or null if the line is damaged. */
  private static @Nullable JsonObject parse(ByteArrayOutputStream line) {
    if (line.size() > LONGEST_LINE) {
      return null;
    }
    try {
      return JsonParser.parseString(line.toString(StandardCharsets.UTF_8)).getAsJsonObject();
    } catch (RuntimeException e) { // Gson throws several types
      return null;
    }
  }

  /** Cuts off the lines after the current stage and step. */
  private void cut() {
    if (channel == null) {
      return; // the first line copies none of them
    }
    try {
      Interrupts.defer(
          () -> {
            reopen();
            end = endOfEarlierLines(channel);
            channel.truncate(end);
            return null;
          });
    } catch (IOException e) {
      throw new UncheckedIOException("can't cut " + file + ": " + e, e);
    }
  }

  private boolean isLater(JsonObject line) {
    try {
      int lineStage = line.get("stage").getAsInt();
      return lineStage > stage || (lineStage == stage && line.get("step").getAsLong() > step);
    } catch (RuntimeException e) { // the line is not a step
      return false;
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
      step = 0;
    } else if (report.step() <= step) {
      step = report.step() - 1;
      cut();
    }
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
    step = report.step(); // after the first line has opened the file
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
        channel = open();
        key = key();
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

  private @Nullable Object key() throws IOException {
    return Files.readAttributes(file, BasicFileAttributes.class, NOFOLLOW_LINKS).fileKey();
  }

  /** Checks that the lines so far are in the file of that name. */
  private void checkInPlace() throws IOException {
    if (Files.notExists(file, NOFOLLOW_LINKS) || !Objects.equals(key(), key)) {
      throw new IOException(
          file
              + " was deleted, moved or replaced during the run: the figures of its steps are lost"
              + " unless it was moved");
    }
  }

  /** Opens the file again if an interrupt has closed it. */
  private void reopen() throws IOException {
    if (!channel.isOpen()) {
      checkInPlace();
      channel = FileChannel.open(file, READ, WRITE, NOFOLLOW_LINKS);
    }
  }

  /**
   * Writes the lines that wait, forces the file to disk and closes it.
   *
   * @throws IOException if the lines can't be written, or the file was deleted, moved or replaced
   *     meanwhile; they are lost
   */
  @Override
  public void close() throws IOException {
    if (channel != null) {
      try {
        writeWaiting();
        Interrupts.defer(
            () -> {
              reopen();
              channel.force(true);
              return null;
            });
        checkInPlace();
      } finally {
        channel.close();
      }
    }
  }
}
