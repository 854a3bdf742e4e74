package io.github.sharnn.train;

import static com.google.common.base.Preconditions.checkArgument;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.TypeAdapter;
import com.google.gson.stream.JsonReader;
import com.google.gson.stream.JsonWriter;
import io.github.sharnn.SHARNNConfig;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.Objects;

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
record TrainingRecord(
    int format,
    SHARNNConfig config,
    TrainingOptions options,
    List<Recipe.Stage> stages,
    Position position,
    int updates,
    float learningRate,
    LossScale.Saved lossScale,
    DivergenceWatch.Saved watch,
    double bestBpc,
    boolean bestIsCurrent,
    double earlierBestBpc,
    int stale,
    List<List<StepReport>> evaluations,
    CorpusRecord corpus,
    Map<String, String> made) {

  static final int FORMAT = 1;

  private static final Gson GSON =
      new GsonBuilder()
          .setPrettyPrinting()
          .registerTypeAdapter(double.class, new AnyDouble())
          .registerTypeAdapter(Double.class, new AnyDouble())
          .registerTypeAdapter(float.class, new AnyFloat())
          .registerTypeAdapter(Float.class, new AnyFloat())
          .create();

  TrainingRecord {
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
        position.stage >= 0
            && position.stage < stages.size()
            && evaluations.size() == position.stage + 1,
        "the stages don't fit each other");
    for (Recipe.Stage stage : stages) {
      checkArgument(stage != null && stage.budget() != null, "a stage has no budget");
    }
    for (List<StepReport> stage : evaluations) {
      checkArgument(
          stage != null && stage.stream().noneMatch(Objects::isNull), "an evaluation is missing");
    }
    checkArgument(updates >= 0 && stale >= 0, "a count is negative");
  }

  /**
   * Where a run is: what it did, and so what comes next.
   *
   * @param stage from 0
   * @param step the last one, from 1
   * @param epoch passes over the data that are done
   * @param offset bytes of each stream that are done in the current pass
   * @param bytes trained on so far
   * @param nanos time that the stage has taken
   */
  record Position(int stage, long step, int epoch, long offset, long bytes, long nanos) {

    Position {
      checkArgument(
          stage >= 0 && step >= 1 && epoch >= 0 && offset >= 0 && bytes >= 0 && nanos >= 0,
          "a position is negative");
    }
  }

  /**
   * What is trained on.
   *
   * @param file where it was
   * @param train bytes of the training part
   * @param validation of the validation part
   * @param test of the test part
   * @param sha256 of the whole file
   * @param vocabulary its {@link io.github.sharnn.vocabulary.TextVocabulary#property}, or null for
   *     bytes
   */
  record CorpusRecord(
      String file, long train, long validation, long test, String sha256, String vocabulary) {

    CorpusRecord {
      checkArgument(file != null && sha256 != null, "the corpus is missing");
    }
  }

  String toJson() {
    return GSON.toJson(this);
  }

  /**
   * Reads what {@link #toJson} wrote.
   *
   * @throws RuntimeException of many kinds if it is something else
   */
  static TrainingRecord fromJson(String json) {
    TrainingRecord record = GSON.fromJson(json, TrainingRecord.class);
    checkArgument(record != null, "the file is empty");
    return record;
  }

  static Gson gson() {
    return GSON;
  }

  /** JSON has no infinity and no NaN: as strings. */
  private static final class AnyDouble extends TypeAdapter<Double> {

    @Override
    public void write(JsonWriter out, Double value) throws IOException {
      if (Double.isFinite(value)) {
        out.value(value);
      } else {
        out.value(value.toString());
      }
    }

    @Override
    public Double read(JsonReader in) throws IOException {
      return Double.valueOf(in.nextString());
    }
  }

  private static final class AnyFloat extends TypeAdapter<Float> {

    @Override
    public void write(JsonWriter out, Float value) throws IOException {
      if (Float.isFinite(value)) {
        out.value(value);
      } else {
        out.value(value.toString());
      }
    }

    @Override
    public Float read(JsonReader in) throws IOException {
      return Float.valueOf(in.nextString());
    }
  }
}
