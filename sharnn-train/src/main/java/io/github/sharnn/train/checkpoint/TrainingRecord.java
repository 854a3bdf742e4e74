package io.github.sharnn.train.checkpoint;

import static com.google.common.base.Preconditions.checkArgument;

import ai.djl.MalformedModelException;
import com.google.common.base.Ascii;
import com.google.common.base.CharMatcher;
import com.google.common.base.Throwables;
import com.google.common.collect.Sets;
import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.TypeAdapter;
import com.google.gson.stream.JsonReader;
import com.google.gson.stream.JsonWriter;
import com.google.gson.stream.MalformedJsonException;
import io.github.sharnn.SHARNNConfig;
import io.github.sharnn.train.DivergenceDetector;
import io.github.sharnn.train.StepReport;
import io.github.sharnn.train.TrainingOptions;
import io.github.sharnn.train.TrainingStage;
import io.github.sharnn.train.data.CorpusRecord;
import io.github.sharnn.train.optim.LearningRateSchedule;
import io.github.sharnn.train.optim.LossScaler;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Function;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The part of a checkpoint that is no tensor: {@code training.json}.
 *
 * @param format the version of this layout
 * @param config the model's
 * @param options the trainer's
 * @param stages what to train for
 * @param position where the run is
 * @param updates what the optimizer counted
 * @param learningRate of the last update, or NaN before the first
 * @param plateaus that the evaluations came to; null in a file from before there were any
 * @param lossScale the loss scale
 * @param watch what the run knows about divergence
 * @param bestBpc the lowest validation figure of this stage; infinite before the first
 * @param bestIsCurrent whether the weights that gave it are the current ones
 * @param earlierBestBpc the lowest of earlier stages, or infinite
 * @param stale evaluations since the best
 * @param evaluations the reports with a validation figure, of each stage up to this one
 * @param corpus what is trained on
 * @param made what made this: versions, system, device, time
 */
public record TrainingRecord(
    int format,
    SHARNNConfig config,
    TrainingOptions options,
    List<TrainingStage> stages,
    Position position,
    int updates,
    float learningRate,
    LearningRateSchedule.Plateaus plateaus,
    LossScaler.Saved lossScale,
    DivergenceDetector.Saved watch,
    double bestBpc,
    boolean bestIsCurrent,
    double earlierBestBpc,
    int stale,
    List<List<StepReport>> evaluations,
    CorpusRecord corpus,
    Map<String, String> made) {

  public static final int FORMAT = 1;
  private static final Logger LOGGER = LoggerFactory.getLogger(TrainingRecord.class);
  private static final int MAX_BYTES = 4 << 20;
  private static final int MAX_ELEMENTS = 100_000; // of all lists and objects together
  private static final int MAX_MESSAGE = 1000; // characters
  private static final int MAX_EVALUATIONS = 5000; // of all stages, with eleven elements each

  private static final Set<String> MAY_CHANGE =
      Set.of(
          "evaluationInterval",
          "precision",
          "inputDropout",
          "hiddenDropout",
          "outputDropout",
          "weightDrop",
          "labelSmoothing",
          "zeroStateProbability",
          "file");

  private static final Gson GSON =
      new GsonBuilder()
          .setPrettyPrinting()
          .registerTypeAdapter(double.class, new AnyNumber<>(Double::valueOf))
          .registerTypeAdapter(Double.class, new AnyNumber<>(Double::valueOf))
          .registerTypeAdapter(float.class, new AnyNumber<>(Float::valueOf))
          .registerTypeAdapter(Float.class, new AnyNumber<>(Float::valueOf))
          .create();

  public TrainingRecord {
    plateaus = plateaus == null ? LearningRateSchedule.Plateaus.NONE : plateaus;
    checkArgument(format == FORMAT, "the format is %s, but this version reads %s", format, FORMAT);
    checkArgument(
        config != null
            && options != null
            && options.precision() != null
            && stages != null
            && position != null
            && lossScale != null
            && watch != null
            && evaluations != null
            && corpus != null
            && made != null,
        "a field is missing");
    checkArgument(
        position.stage < stages.size() && evaluations.size() == position.stage + 1,
        "the stages don't fit each other");
    for (TrainingStage stage : stages) {
      checkArgument(stage != null && stage.budget() != null, "a stage has no budget");
    }
    boolean evaluated = true;
    for (List<StepReport> stage : evaluations) {
      checkArgument(evaluated, "a stage before the last has no evaluation");
      checkArgument(
          stage != null && stage.stream().allMatch(each -> each != null && each.evaluated()),
          "an evaluation is missing");
      evaluated = !stage.isEmpty();
    }
    checkArgument(
        evaluated
            ? Double.isFinite(bestBpc)
            : bestBpc == Double.POSITIVE_INFINITY && !bestIsCurrent,
        "the best of the evaluations is not there");
    checkArgument(!Double.isNaN(earlierBestBpc), "the best of earlier stages is no number");
    checkArgument(
        position.offset < (corpus.train() - 1) / options.batchSize(),
        "the position %s is past the end of the streams",
        position.offset);
    checkArgument(updates >= 0 && stale >= 0, "a count is negative");
  }

  /**
   * Where a run is: what it did, and so what comes next.
   *
   * @param stage from 0
   * @param step the last one, from 1
   * @param epoch passes over the data that are done
   * @param offset tokens of each stream that are done in the current pass
   * @param bytes trained on so far
   * @param nanos time that the stage has taken
   */
  public record Position(int stage, long step, int epoch, long offset, long bytes, long nanos) {

    public Position {
      checkArgument(
          stage >= 0 && step >= 1 && epoch >= 0 && offset >= 0 && bytes >= 0 && nanos >= 0,
          "a position is negative");
    }
  }

  /**
   * Compares with a run that is to go on from here; logs what may change.
   *
   * @param stages how many the run has
   * @return what may not differ, but does
   */
  public List<String> differences(
      SHARNNConfig runConfig, TrainingOptions runOptions, CorpusRecord runCorpus, int stages) {
    List<String> differences = new ArrayList<>();
    compare(config, runConfig, differences);
    compare(options, runOptions, differences);
    compare(corpus, runCorpus, differences);
    if (position.stage >= stages) {
      differences.add(
          "stages: the checkpoint is in stage %d, now there are %d"
              .formatted(position.stage + 1, stages));
    }
    return differences;
  }

  private static void compare(Record saved, Record now, List<String> differences) {
    JsonObject before = GSON.toJsonTree(saved).getAsJsonObject();
    JsonObject after = GSON.toJsonTree(now).getAsJsonObject();
    // a field that is null has no name there
    for (String name : new TreeSet<>(Sets.union(before.keySet(), after.keySet()))) {
      JsonElement old = before.get(name);
      JsonElement fresh = after.get(name);
      if (Objects.equals(old, fresh)) {
        continue;
      }
      if (MAY_CHANGE.contains(name)) {
        LOGGER.info("{} was {}, is now {}", name, old, fresh);
      } else {
        differences.add("%s was %s, is now %s".formatted(name, old, fresh));
      }
    }
  }

  /**
   * Leaves evaluations out where there are so many that the file would grow with every one.
   *
   * @param all of one stage, in order
   * @param stages of the run
   * @return the newest ones and, before them, the best one
   */
  public static List<StepReport> bestAndNewest(List<StepReport> all, int stages) {
    int most = Math.max(MAX_EVALUATIONS / stages, 2);
    if (all.size() <= most) {
      return List.copyOf(all);
    }
    List<StepReport> kept = new ArrayList<>(all.subList(all.size() - most, all.size()));
    StepReport best = Collections.min(all, Comparator.comparingDouble(StepReport::validationBpc));
    if (!kept.contains(best)) {
      kept.set(0, best);
    }
    return List.copyOf(kept);
  }

  /**
   * Writes this as JSON that can be read back.
   *
   * @throws IOException if it can't, as where it is too long
   */
  public byte[] toJson() throws IOException {
    byte[] json = GSON.toJson(this).getBytes(StandardCharsets.UTF_8);
    try {
      fromJson(json);
    } catch (MalformedModelException e) {
      throw new IOException("it could not be read back: " + e.getMessage(), e);
    }
    return json;
  }

  /**
   * Reads a file that {@link #toJson} made.
   *
   * @throws MalformedModelException if it is something else
   */
  static TrainingRecord read(Path file) throws IOException, MalformedModelException {
    checkLength(Files.size(file));
    return fromJson(Files.readAllBytes(file));
  }

  public static TrainingRecord fromJson(byte[] json) throws MalformedModelException {
    checkLength(json.length);
    // what short elements, such as {}, become takes many times their length
    JsonReader bounded =
        new JsonReader(
            new InputStreamReader(new ByteArrayInputStream(json), StandardCharsets.UTF_8)) {
          private int elements;

          @Override
          public boolean hasNext() throws IOException {
            if (++elements > MAX_ELEMENTS) {
              throw new MalformedJsonException(
                  "it has more than %d elements".formatted(MAX_ELEMENTS));
            }
            return super.hasNext();
          }
        };
    try {
      TrainingRecord record = GSON.fromJson(bounded, TrainingRecord.class);
      checkArgument(record != null, "it is empty");
      return record;
    } catch (RuntimeException e) { // Gson has many, and wraps what a record's constructor throws
      String why = Ascii.truncate(Throwables.getRootCause(e).toString(), MAX_MESSAGE, "...");
      throw new MalformedModelException(CharMatcher.javaIsoControl().replaceFrom(why, ' '), e);
    }
  }

  private static void checkLength(long bytes) throws MalformedModelException {
    if (bytes > MAX_BYTES) {
      throw new MalformedModelException(
          "it has %d bytes, but may have %d".formatted(bytes, MAX_BYTES));
    }
  }

  /** JSON has no infinity and no NaN: as strings. */
  private static final class AnyNumber<N extends Number> extends TypeAdapter<N> {

    private final Function<String, N> parse;

    private AnyNumber(Function<String, N> parse) {
      this.parse = parse;
    }

    @Override
    public void write(JsonWriter out, N value) throws IOException {
      if (Double.isFinite(value.doubleValue())) {
        out.value(value);
      } else {
        out.value(value.toString());
      }
    }

    @Override
    public N read(JsonReader in) throws IOException {
      return parse.apply(in.nextString());
    }
  }
}
