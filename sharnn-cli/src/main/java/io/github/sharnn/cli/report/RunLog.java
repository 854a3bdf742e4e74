package io.github.sharnn.cli.report;

import static com.google.common.base.Preconditions.checkArgument;

import ai.djl.Model;
import com.google.gson.JsonParser;
import io.github.sharnn.AttentionWeights;
import io.github.sharnn.SHARNN;
import io.github.sharnn.generate.SHARNNGenerator;
import io.github.sharnn.train.MetricsFile;
import io.github.sharnn.train.StepReport;
import io.github.sharnn.train.evaluate.Evaluation;
import io.github.sharnn.vocabulary.Perplexity;
import java.awt.AWTError;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;

/**
 * What {@code train} leaves of a run beside the model: its metrics, with a sample at each
 * evaluation, and the report drawn from them.
 */
public final class RunLog implements Consumer<StepReport>, AutoCloseable {

  /** Bytes that fit into a heat map. */
  public static final int LONGEST_TEXT = 80;

  private static final int SAMPLE_LENGTH = 200; // tokens
  private static final int DRAWING_SHARE = 50; // at most one in so many seconds
  private static final float SAMPLE_TEMPERATURE = 0.8f;

  private final MetricsFile metrics;
  private final Path metricsFile;
  private final Path folder;
  private final Model model;
  private final byte[] text;
  private final Map<String, Object> provenance = new LinkedHashMap<>();
  private final Map<String, ?> training;
  private boolean begun;
  private boolean fonts = true; // until Java turns out to have none
  private long nextReport = System.nanoTime(); // not before

  /**
   * Begins with the first step.
   *
   * @param metrics gets the lines; closed with this
   * @param metricsFile where they are
   * @param folder for the report; made where it is missing
   * @param model what is trained
   * @param text what samples go on from and whose attention is drawn
   * @param training the trainer's options, for the report
   */
  public RunLog(
      MetricsFile metrics,
      Path metricsFile,
      Path folder,
      Model model,
      byte[] text,
      Map<String, ?> training) {
    this.metrics = metrics;
    this.metricsFile = metricsFile;
    this.folder = folder;
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

  /** Adds to what the report says of where the run's numbers come from; before the first step. */
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

  /** A run must not end because its sample can't be drawn, as where the device has no room left. */
  private void addSample() {
    if (!hasTokens(model, text)) {
      return;
    }
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try {
      SHARNNGenerator.builder(model)
          .length(SAMPLE_LENGTH)
          .temperature(SAMPLE_TEMPERATURE)
          .build()
          .generate(text, bytes::write);
    } catch (RuntimeException e) {
      System.err.println("the sample of this evaluation was not drawn: " + e);
      return;
    }
    metrics.add("sample", Map.of("text", bytes.toString(StandardCharsets.UTF_8)));
  }

  /** Where the attention looks in a text; nowhere, if it has no tokens. */
  public static List<AttentionWeights> attention(Model model, byte[] text) {
    return hasTokens(model, text) ? AttentionWeights.of(model, text) : List.of();
  }

  /** To words a blank text has none. */
  private static boolean hasTokens(Model model, byte[] text) {
    return SHARNN.of(model).vocabulary().encode(text).length > 0;
  }

  private void begin() {
    begun = true;
    try {
      Files.createDirectories(folder);
    } catch (IOException e) {
      throw new UncheckedIOException("can't make the folder " + folder + ": " + e, e);
    }
    metrics.add(
        "run",
        Map.of(
            "provenance",
            provenance,
            "training",
            training,
            "model",
            JsonParser.parseString(SHARNN.of(model).config().toJson()),
            "text",
            new String(text, StandardCharsets.ISO_8859_1)));
  }

  /** Adds the test part's figures, but those that are not finite. */
  public void test(Evaluation evaluation) {
    Perplexity perplexity = evaluation.perplexity();
    Map<String, Number> values = new LinkedHashMap<>();
    values.put("bitsPerCharacter", evaluation.bitsPerCharacter());
    values.put("predictedBytes", evaluation.predictedBytes());
    values.put("streams", evaluation.settings().streams());
    values.put("tokenPerplexity", perplexity.ofToken());
    values.put("wordPerplexity", perplexity.ofWord()); // infinite where a text hardly has words
    values.put("lostBytes", perplexity.units().lostBytes());
    values.put("bitsPerCharacterSpelled", perplexity.bitsPerByteSpelled());
    values.values().removeIf(value -> !Double.isFinite(value.doubleValue()));
    metrics.add("test", values);
  }

  /** Ends the metrics and writes the last report, of a run that failed too. */
  @Override
  public void close() throws IOException {
    metrics.close();
    if (begun) {
      writeReport();
    }
  }

  /** A run must not end because its picture can't be drawn, as where Java finds no fonts. */
  private void writeReport() {
    if (!fonts) {
      return; // said once
    }
    Path report = folder.resolve("report.html");
    try {
      ReportPage page = new ReportPage();
      page.add(
          RunMetrics.read(metricsFile),
          text,
          SHARNN.of(model).vocabulary(),
          attention(model, text));
      page.write(report);
    } catch (LinkageError | AWTError | InternalError e) {
      fonts = false;
      System.err.printf(
          "%s was not written: Java finds no fonts to draw with (%s); install a font package, such as"
              + " fontconfig or fonts-dejavu, and draw it from %s with: sharnn.jar report %s%n",
          report, e, metricsFile, folder);
    } catch (IOException | RuntimeException e) {
      System.err.printf("%s was not written: %s%n", report, e);
    }
  }
}
