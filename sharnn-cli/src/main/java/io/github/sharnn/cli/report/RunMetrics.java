package io.github.sharnn.cli.report;

import static com.google.common.base.Preconditions.checkArgument;

import ai.djl.util.JsonUtils;
import com.google.gson.JsonObject;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The metrics of a run, as {@code train} wrote them. There is at least one step; steps, bytes and
 * seconds add up over stages. An old file has no settings, and an unfinished run has no test.
 *
 * @param damagedLines number of lines that are no metrics, which reading passes over
 */
public record RunMetrics(
    String name,
    @Nullable Settings settings,
    List<Step> steps,
    @Nullable Test test,
    int damagedLines) {

  /** The file's name in a run's folder. */
  public static final String FILE = "metrics.jsonl";

  private static final int SHOWN = 60; // characters of a line in a message

  /** A run's settings. Each char of {@code text} stands for one byte. */
  record Settings(
      @Nullable JsonObject provenance,
      @Nullable JsonObject training,
      @Nullable JsonObject model,
      @Nullable String text) {}

  /** The text that was generated after the last step. */
  private record Sample(String text) {}

  /**
   * The test part's figures. A figure is null if it is unknown or not finite. A negative number of
   * lost bytes also means unknown.
   */
  record Test(
      @Nullable Double bitsPerCharacter,
      long predictedBytes,
      int streams,
      @Nullable Double wordPerplexity,
      @Nullable Long lostBytes,
      @Nullable Double bitsPerCharacterSpelled) {

    Test {
      bitsPerCharacter = finite(bitsPerCharacter);
      wordPerplexity = finite(wordPerplexity);
      bitsPerCharacterSpelled = finite(bitsPerCharacterSpelled);
    }
  }

  /** Memory that training holds. */
  record Memory(long bytes, String source) {}

  /** Returns null for a figure that no FLOAT32 has; larger numbers would overflow in a chart. */
  private static @Nullable Double finite(@Nullable Double value) {
    return value == null || Math.abs(value) <= Float.MAX_VALUE ? value : null;
  }

  /** A step; a figure is null if the file lacks it, for example because it was not finite. */
  public record Step(
      int stage,
      long step,
      long bytes,
      double seconds,
      @Nullable Double trainBpc,
      @Nullable Double validationBpc,
      @Nullable Double bytesPerSecond,
      @Nullable Double gradientNorm,
      @Nullable Double learningRate,
      @Nullable Double lossScale,
      @Nullable Memory memory,
      @Nullable String sample) {

    private static final Step NONE =
        new Step(0, 0, 0, 0, null, null, null, null, null, null, null, null);

    /** Checks the position, and drops figures that are not finite. */
    public Step {
      checkArgument(
          step >= 0 && bytes >= 0 && seconds >= 0 && seconds <= Float.MAX_VALUE,
          "step, bytes and seconds count forward");
      trainBpc = finite(trainBpc);
      validationBpc = finite(validationBpc);
      bytesPerSecond = finite(bytesPerSecond);
      gradientNorm = finite(gradientNorm);
      learningRate = finite(learningRate);
      lossScale = finite(lossScale);
    }

    /** Returns the figure of the training curve; NaN for a gap. */
    public Double trainPoint() {
      return trainBpc == null ? Double.NaN : trainBpc;
    }

    /**
     * Returns the figure of the validation curve, or null without an evaluation; NaN for a gap,
     * where only the evaluation's other results are in the file.
     */
    public @Nullable Double validationPoint() {
      boolean evaluated = memory != null || sample != null;
      return validationBpc == null && evaluated ? Double.valueOf(Double.NaN) : validationBpc;
    }

    /** Tells if the update was skipped, because loss or gradients were not finite. */
    boolean isSkipped() {
      return trainBpc == null || gradientNorm == null;
    }

    private boolean isAtOrAfter(Step other) {
      return stage == other.stage && step >= other.step;
    }

    private Step with(Step last, @Nullable String text) {
      return new Step(
          stage,
          step + last.step,
          bytes + last.bytes,
          seconds + last.seconds,
          trainBpc,
          validationBpc,
          bytesPerSecond,
          gradientNorm,
          learningRate,
          lossScale,
          memory,
          text);
    }
  }

  /** A line that is not a step; it has one of these parts. */
  private record Other(@Nullable Settings run, @Nullable Sample sample, @Nullable Test test) {

    boolean isKnown() {
      return run != null || sample != null || test != null;
    }
  }

  /** Reads a run from its folder, or from the file itself. */
  public static RunMetrics read(Path path) throws IOException {
    Path file = (Files.isDirectory(path) ? path.resolve(FILE) : path).toAbsolutePath();
    Path named = file.normalize(); // which may be another file where a link is before ".."
    Path folder = named.getParent();
    String fileName = named.getFileName().toString();
    String name =
        fileName.equals(FILE) && folder.getFileName() != null
            ? folder.getFileName().toString()
            : fileName.replaceFirst("\\.jsonl$", "");
    // lenient: a killed run may have cut the last character
    List<String> lines =
        new String(Files.readAllBytes(file), StandardCharsets.UTF_8).lines().toList();
    Reader reader = new Reader();
    List<Integer> damaged = new ArrayList<>();
    for (int i = 0; i < lines.size(); i++) {
      try {
        reader.read(lines.get(i));
      } catch (RuntimeException e) { // Gson throws several types
        damaged.add(i);
      }
    }
    if (damaged.contains(lines.size() - 1) && lines.get(lines.size() - 1).startsWith("{")) {
      damaged.remove(damaged.size() - 1); // a killed run cut it
    }
    // a file of something else has no such line at its start
    checkArgument(
        !damaged.contains(0) || 2 * damaged.size() < lines.size(),
        "%s must hold lines as train --metrics writes them, but has: %s",
        file,
        lines.isEmpty() ? "" : start(lines.get(0)));
    checkArgument(!reader.steps.isEmpty(), "%s has no step yet: train for longer", file);
    return new RunMetrics(
        name, reader.settings, overStages(reader.steps), reader.test, damaged.size());
  }

  /** Returns the start of a line, which may be of any file, as text for a terminal. */
  private static String start(String line) {
    String start = line.substring(0, Math.min(line.length(), SHOWN));
    return start.replaceAll("[\\p{Cntrl}\\p{Co}\\p{Cs}]", "\uFFFD")
        + (line.length() > SHOWN ? "..." : "");
  }

  /** The parts that the lines so far hold. */
  private static final class Reader {

    private @Nullable Settings settings;
    private final List<Step> steps = new ArrayList<>();
    private @Nullable Test test;

    private void read(String text) {
      JsonObject line = JsonUtils.GSON.fromJson(text, JsonObject.class);
      if (line != null && line.has("step")) {
        Step step = JsonUtils.GSON.fromJson(line, Step.class);
        checkArgument(step.step > 0, "a step counts from 1");
        add(step, steps);
        return;
      }
      Other other = JsonUtils.GSON.fromJson(line, Other.class);
      checkArgument(
          other != null && other.isKnown(), "the line is neither a step nor another known part");
      settings = other.run == null ? settings : other.run;
      test = other.test == null ? test : other.test;
      if (other.sample != null && !steps.isEmpty()) {
        int last = steps.size() - 1;
        steps.set(last, steps.get(last).with(Step.NONE, other.sample.text));
      }
    }
  }

  /** Adds a step. A resumed run repeats the steps after its checkpoint; the later ones win. */
  private static void add(Step step, List<Step> steps) {
    if (!steps.isEmpty() && steps.get(steps.size() - 1).isAtOrAfter(step)) {
      steps.removeIf(each -> each.isAtOrAfter(step));
    }
    steps.add(step);
  }

  /** Adds up steps, bytes and seconds over the stages. */
  private static List<Step> overStages(List<Step> steps) {
    List<Step> all = new ArrayList<>();
    Step before = Step.NONE;
    for (Step step : steps) {
      if (!all.isEmpty() && step.stage != all.get(all.size() - 1).stage) {
        before = all.get(all.size() - 1);
      }
      all.add(step.with(before, step.sample));
    }
    return all;
  }

  /** Returns the steps after which the validation part was evaluated. */
  List<Step> evaluations() {
    return steps.stream().filter(step -> step.validationBpc != null).toList();
  }

  /** Counts the steps without an update, because their loss or gradients were not finite. */
  public long skipped() {
    return steps.stream().filter(Step::isSkipped).count();
  }

  /** Returns the prompt of the samples and the text of the heat maps; empty if unknown. */
  public byte[] text() {
    return settings == null || settings.text == null
        ? new byte[0]
        : settings.text.getBytes(StandardCharsets.ISO_8859_1);
  }

  Step last() {
    return steps.get(steps.size() - 1);
  }
}
