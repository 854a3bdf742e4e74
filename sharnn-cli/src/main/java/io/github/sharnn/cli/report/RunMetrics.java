package io.github.sharnn.cli.report;

import static com.google.common.base.Preconditions.checkArgument;

import ai.djl.util.JsonUtils;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * The metrics of a run, as {@code train} wrote them. There is at least one step; steps, bytes and
 * seconds add up over stages. An old file has no settings, and an unfinished run has no test.
 */
public record RunMetrics(
    String name, @Nullable Settings settings, List<Step> steps, @Nullable Test test) {

  /** The file's name in a run's folder. */
  public static final String FILE = "metrics.jsonl";

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
      double bitsPerCharacter,
      long predictedBytes,
      int streams,
      @Nullable Double wordPerplexity,
      @Nullable Long lostBytes,
      @Nullable Double bitsPerCharacterSpelled) {}

  /** Memory that training holds. */
  record Memory(long bytes, String source) {}

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
    Path file = (Files.isDirectory(path) ? path.resolve(FILE) : path).toAbsolutePath().normalize();
    Path folder = file.getParent();
    String fileName = file.getFileName().toString();
    String name =
        fileName.equals(FILE) && folder.getFileName() != null
            ? folder.getFileName().toString()
            : fileName.replaceFirst("\\.jsonl$", "");
    Settings settings = null;
    List<Step> steps = new ArrayList<>();
    Test test = null;
    // lenient: a killed run may have cut the last character
    List<String> lines =
        new String(Files.readAllBytes(file), StandardCharsets.UTF_8).lines().toList();
    for (String text : lines.subList(0, whole(lines))) {
      try {
        JsonObject line = JsonUtils.GSON.fromJson(text, JsonObject.class);
        if (line != null && line.has("trainBpc")) {
          add(JsonUtils.GSON.fromJson(line, Step.class), steps);
          continue;
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
      } catch (JsonParseException | IllegalArgumentException e) {
        throw new IllegalArgumentException(
            String.format(
                Locale.ROOT,
                "%s must hold lines as train --metrics writes them, but has: %s",
                file,
                text),
            e);
      }
    }
    checkArgument(!steps.isEmpty(), "%s has no step yet: train for longer", file);
    return new RunMetrics(name, settings, overStages(steps), test);
  }

  /** Counts the complete lines: a killed run may have cut the last one. */
  private static int whole(List<String> lines) {
    int last = lines.size() - 1;
    if (last >= 0 && lines.get(last).startsWith("{")) {
      try {
        JsonUtils.GSON.fromJson(lines.get(last), JsonObject.class);
      } catch (JsonParseException e) { // the end is missing
        return last;
      }
    }
    return lines.size();
  }

  /** Adds a step. A resumed run repeats the steps after its checkpoint; the later ones win. */
  private static void add(Step step, List<Step> steps) {
    checkArgument(step.step > 0 && step.seconds >= 0, "a step counts from 1, and forward");
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
