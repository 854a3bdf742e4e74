package io.github.sharnn.cli.report;

import static com.google.common.base.Preconditions.checkArgument;

import ai.djl.Model;
import com.google.gson.JsonParser;
import io.github.sharnn.AttentionWeights;
import io.github.sharnn.SHARNN;
import io.github.sharnn.generate.SHARNNGenerator;
import io.github.sharnn.io.AtomicFile;
import io.github.sharnn.io.CheckedFolder;
import io.github.sharnn.io.FileErrors;
import io.github.sharnn.io.FolderLock;
import io.github.sharnn.train.MetricsFile;
import io.github.sharnn.train.StepReport;
import io.github.sharnn.train.evaluate.Evaluation;
import io.github.sharnn.vocabulary.Perplexity;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** The files that {@code train} writes beside the model: metrics with samples, and the report. */
public final class RunLog implements Consumer<StepReport>, AutoCloseable {

  /** Largest text of a heat map, in bytes. */
  public static final int LONGEST_TEXT = 80;

  private static final String REPORT = "report.html";
  private static final int SAMPLE_LENGTH = 200; // tokens
  private static final int DRAWING_SHARE = 50; // 1/50 of the time goes into drawing
  private static final float SAMPLE_TEMPERATURE = 0.8f;
  private static final long SAMPLE_SEED = 42;

  private static final String WAITING =
      "<!DOCTYPE html><html lang=\"en\"><meta http-equiv=\"refresh\" content=\"1\"><title>Run</title>"
          + "<p>Waiting for the first step.</html>";

  private final RunIdentity identity;
  private final MetricsFile metrics;
  private final Path metricsFile;
  private final Path folder;
  private final Model model;
  private final byte[] text;
  private final Map<String, Object> provenance = new LinkedHashMap<>();
  private final Map<String, ?> training;
  private volatile List<AttentionWeights> attention = List.of(); // of the last report
  private @Nullable ReportServer server;
  private @Nullable FolderLock lock;
  private boolean begun;
  private long nextReport = System.nanoTime(); // earliest time of the next report

  /** Creates a log. It begins with the first step, and ending it closes the metrics. */
  public RunLog(
      RunIdentity identity,
      MetricsFile metrics,
      Path metricsFile,
      Model model,
      byte[] text,
      Map<String, ?> training) {
    this.identity = identity;
    this.metrics = metrics;
    this.metricsFile = metricsFile;
    folder = identity.folder();
    this.model = model;
    this.text = text;
    this.training = training;
  }

  /** Encodes a text that is short enough for a heat map. */
  public static byte[] bytes(String text, String option) {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    checkArgument(
        bytes.length > 0 && bytes.length <= LONGEST_TEXT,
        "%s must have 1 to %s bytes of UTF-8, but has %s: leave some out",
        option,
        LONGEST_TEXT,
        bytes.length);
    return bytes;
  }

  /** Records where the run's numbers come from; call it before the first step. */
  public void provenance(String name, Object value) {
    provenance.put(name, value);
  }

  @Override
  public void accept(StepReport report) {
    if (!begun) {
      begin();
    }
    metrics.accept(report);
    if (report.evaluated()) {
      addSample();
      long begin = System.nanoTime();
      if (begin - nextReport >= 0) {
        writeReport();
        nextReport = begin + DRAWING_SHARE * (System.nanoTime() - begin);
      }
    }
  }

  /** Adds a sample. A failure, such as a full device, must not end the run. */
  private void addSample() {
    if (!hasTokens(model, text)) {
      return;
    }
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try {
      SHARNNGenerator.builder(model)
          .length(SAMPLE_LENGTH)
          .temperature(SAMPLE_TEMPERATURE)
          .seed(SAMPLE_SEED)
          .build()
          .generate(text, bytes::write);
    } catch (RuntimeException e) {
      System.err.println("the sample of this evaluation was not drawn: " + e);
      return;
    }
    metrics.add("sample", Map.of("text", bytes.toString(StandardCharsets.UTF_8)));
  }

  /** Returns the attention weights on a text; empty if the text has no tokens. */
  public static List<AttentionWeights> attention(Model model, byte[] text) {
    return hasTokens(model, text) ? AttentionWeights.of(model, text) : List.of();
  }

  /** Tells if a text has tokens. A blank text has no words. */
  private static boolean hasTokens(Model model, byte[] text) {
    return SHARNN.of(model).vocabulary().encode(text).length > 0;
  }

  /**
   * Creates the run's folder if it is missing, and locks it until this log is closed. Call it
   * before the run releases its lock, so that no other process resumes the run before the last line
   * is written.
   */
  public void lock() {
    try {
      if (lock == null) {
        AtomicFile.createFolders(folder);
        lock = FolderLock.ofRun(folder);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(FileErrors.describe(e), e);
    }
  }

  /** Locks the folder of a new run, which another run may have used since the first check. */
  public void lockNew() throws IOException {
    lock();
    try (Stream<Path> files = Files.list(folder)) {
      if (files.anyMatch(file -> !file.getFileName().toString().equals(FolderLock.RUN))) {
        throw new FileAlreadyExistsException(folder.toString(), null, "--output");
      }
    }
  }

  /** Tells if the folder is still the one that this log has locked. */
  public boolean hasFolder() {
    return lock == null || lock.isInPlace();
  }

  private void begin() {
    begun = true;
    Map<String, Object> run;
    try {
      lock();
      CheckedFolder.deleteUnfinished(folder, List.of(RunMetrics.FILE, REPORT));
      run = new LinkedHashMap<>(identity.fields());
    } catch (IOException e) {
      throw new UncheckedIOException("can't use the folder " + folder + ": " + e, e);
    }
    run.put("provenance", provenance);
    run.put("training", training);
    run.put("model", JsonParser.parseString(SHARNN.of(model).config().toJson()));
    run.put("text", new String(text, StandardCharsets.ISO_8859_1));
    metrics.add("run", run);
  }

  /** Adds the finite figures of the test part. */
  public void test(Evaluation evaluation) {
    if (!begun) {
      begin(); // a resumed run may have no step left
    }
    Perplexity perplexity = evaluation.perplexity();
    Map<String, Number> values = new LinkedHashMap<>();
    values.put("bitsPerCharacter", evaluation.bitsPerCharacter());
    values.put("predictedBytes", evaluation.predictedBytes());
    values.put("streams", evaluation.settings().streams());
    values.put("tokenPerplexity", perplexity.ofToken());
    values.put("wordPerplexity", perplexity.ofWord()); // infinite for a text of few, long words
    values.put("lostBytes", perplexity.units().lostBytes());
    values.put("bitsPerCharacterSpelled", perplexity.bitsPerByteSpelled());
    values.values().removeIf(value -> !Double.isFinite(value.doubleValue()));
    metrics.add("test", values);
  }

  /**
   * Serves the report on the loopback interface until this log is closed. Any thread draws it, with
   * the attention of the last evaluation.
   *
   * @return the address
   */
  public URI serve(int port) throws IOException {
    server = new ReportServer(port, this::livePage);
    return server.uri();
  }

  private String livePage(int refreshSeconds) throws IOException {
    try {
      return page().html(refreshSeconds);
    } catch (NoSuchFileException | IllegalArgumentException e) { // the metrics have no step yet
      return WAITING;
    }
  }

  private ReportPage page() throws IOException {
    ReportPage page = new ReportPage();
    page.add(RunMetrics.read(metricsFile), text, SHARNN.of(model).vocabulary(), attention);
    return page;
  }

  /** Ends the metrics, writes the last report, even after a failure, and ends its server. */
  @Override
  public void close() throws IOException {
    FolderLock held = lock;
    ReportServer running = server;
    try (running;
        held) {
      metrics.close();
      if (begun && hasFolder()) {
        writeReport();
      }
    }
  }

  /** Writes the report. A failure, such as a full disk, must not end the run. */
  private void writeReport() {
    Path report = folder.resolve(REPORT);
    try {
      attention = attention(model, text);
      page().write(report);
    } catch (IOException | RuntimeException e) {
      System.err.printf(Locale.ROOT, "%s was not written: %s%n", report, e);
    }
  }
}
