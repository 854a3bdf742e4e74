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

/**
 * What {@code train} wrote about a run.
 *
 * @param name the folder's, or the file's where it has one of its own
 * @param settings what was trained, and with what; null where the file has none
 * @param steps at least one; steps, bytes and seconds add up over stages
 * @param test the figure at the end; null before
 */
public record RunMetrics(String name, Settings settings, List<Step> steps, Test test) {

  /** The file's name in a run's folder. */
  public static final String FILE = "metrics.jsonl";

  /**
   * A run's settings.
   *
   * @param provenance command, versions and the like
   * @param training the trainer's options
   * @param model the config
   * @param text what samples go on from and whose attention is drawn, a char for each byte
   */
  record Settings(JsonObject provenance, JsonObject training, JsonObject model, String text) {}

  /** What was generated after the step of the line before. */
  private record Sample(String text) {}

  /**
   * The test part's figures.
   *
   * @param bitsPerCharacter of the tokens
   * @param predictedBytes how many
   * @param streams how many
   * @param wordPerplexity null where not known or not finite
   * @param lostBytes what the tokens lose; null or below 0 where not known
   * @param bitsPerCharacterSpelled with that spelled out; null where not known
   */
  record Test(
      double bitsPerCharacter,
      long predictedBytes,
      int streams,
      Double wordPerplexity,
      Long lostBytes,
      Double bitsPerCharacterSpelled) {}

  /** What training took. */
  record Memory(long bytes, String source) {}

  /** A step; null for what the file does not say, as where a figure was not finite. */
  public record Step(
      int stage,
      long step,
      long bytes,
      double seconds,
      Double trainBpc,
      Double validationBpc,
      Double bytesPerSecond,
      Double gradientNorm,
      Double learningRate,
      Double lossScale,
      Memory memory,
      String sample) {

    private static final Step NONE =
        new Step(0, 0, 0, 0, null, null, null, null, null, null, null, null);

    private boolean isAtOrAfter(Step other) {
      return stage == other.stage && step >= other.step;
    }

    private Step with(Step last, String text) {
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

  /** A line that is no step has one of these. */
  private record Other(Settings run, Sample sample, Test test) {

    boolean isKnown() {
      return run != null || sample != null || test != null;
    }
  }

  /**
   * Reads a run.
   *
   * @param path the run's folder, or the file itself
   */
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
    // the last character may be cut too, which is no UTF-8 then
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
        checkArgument(other != null && other.isKnown(), "neither a step nor anything else known");
        settings = other.run == null ? settings : other.run;
        test = other.test == null ? test : other.test;
        if (other.sample != null && !steps.isEmpty()) {
          int last = steps.size() - 1;
          steps.set(last, steps.get(last).with(Step.NONE, other.sample.text));
        }
      } catch (JsonParseException | IllegalArgumentException e) {
        throw new IllegalArgumentException(
            "%s must hold lines as train --metrics writes them, but has: %s".formatted(file, text),
            e);
      }
    }
    checkArgument(!steps.isEmpty(), "%s has no step yet: train for longer", file);
    return new RunMetrics(name, settings, overStages(steps), test);
  }

  /** How many lines are whole: a run that was killed may have cut the last. */
  private static int whole(List<String> lines) {
    int last = lines.size() - 1;
    if (last >= 0 && lines.get(last).startsWith("{")) {
      try {
        JsonUtils.GSON.fromJson(lines.get(last), JsonObject.class);
      } catch (JsonParseException e) { // it has a beginning, but no end
        return last;
      }
    }
    return lines.size();
  }

  /** A run that was resumed repeats what came after its checkpoint. */
  private static void add(Step step, List<Step> steps) {
    checkArgument(step.step > 0 && step.seconds >= 0, "a step counts from 1, and forward");
    if (!steps.isEmpty() && steps.get(steps.size() - 1).isAtOrAfter(step)) {
      steps.removeIf(each -> each.isAtOrAfter(step));
    }
    steps.add(step);
  }

  /** Steps, bytes and seconds go on where the stage before ended. */
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

  /** Returns what samples go on from and whose attention is drawn; empty where not known. */
  public byte[] text() {
    return settings == null || settings.text == null
        ? new byte[0]
        : settings.text.getBytes(StandardCharsets.ISO_8859_1);
  }

  /** Returns the last step. */
  Step last() {
    return steps.get(steps.size() - 1);
  }
}
