package io.github.sharnn.cli.report;

import static io.github.sharnn.cli.progress.Texts.format;

import com.google.gson.Gson;
import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import io.github.sharnn.AttentionWeights;
import io.github.sharnn.cli.report.RunMetrics.Step;
import io.github.sharnn.vocabulary.TextVocabulary;
import java.math.BigDecimal;
import java.math.MathContext;
import java.util.DoubleSummaryStatistics;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.function.ToDoubleFunction;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/** The numbers of a report as JSON, for the script that draws them. */
final class ReportData {

  private static final MathContext DIGITS = new MathContext(5);
  private static final MathContext X_DIGITS = new MathContext(9);
  private static final Gson HTML_SAFE = new Gson(); // writes <, > and & as \u003c and so on

  private static final Map<String, Function<Step, @Nullable Double>> OF_STEPS =
      new TreeMap<>(
          Map.of(
              "bits", Step::trainBpc,
              "bytesPerSecond", Step::bytesPerSecond,
              "gradientNorm", Step::gradientNorm,
              "learningRate", Step::learningRate,
              "lossScale", Step::lossScale));

  private static final Map<String, Function<Step, @Nullable Double>> OF_EVALUATIONS =
      new TreeMap<>(
          Map.of(
              "bits",
              Step::validationBpc,
              "memory",
              step -> step.memory() == null ? null : (double) step.memory().bytes()));

  private final JsonArray runs = new JsonArray();

  /** Adds a run; {@code layers} is empty if there is no attention to show. */
  void add(RunMetrics run, String name, List<String> tokens, List<AttentionWeights> layers) {
    JsonObject json = new JsonObject();
    json.addProperty("name", name);
    json.add("train", figures(run.steps(), OF_STEPS));
    json.add(
        "valid",
        figures(
            run.steps().stream().filter(step -> step.validationPoint() != null).toList(),
            OF_EVALUATIONS));
    JsonArray texts = new JsonArray();
    tokens.forEach(texts::add);
    json.add("tokens", texts);
    JsonArray attention = new JsonArray();
    layers.forEach(layer -> attention.add(attention(layer)));
    json.add("layers", attention);
    runs.add(json);
  }

  private static JsonObject figures(
      List<Step> steps, Map<String, Function<Step, @Nullable Double>> figures) {
    StepGroups groups = StepGroups.of(steps);
    JsonObject json = new JsonObject();
    json.add("step", numbers(groups.last(), Step::step, X_DIGITS));
    json.add("bytes", numbers(groups.last(), Step::bytes, X_DIGITS));
    json.add("seconds", numbers(groups.last(), Step::seconds, X_DIGITS));
    figures.forEach(
        (name, figure) -> {
          List<DoubleSummaryStatistics> values = groups.figure(figure);
          if (values.stream().anyMatch(value -> value.getCount() > 0)) {
            JsonObject curve = new JsonObject();
            curve.add("mean", numbers(values, DoubleSummaryStatistics::getAverage));
            if (!groups.single()) {
              curve.add("low", numbers(values, DoubleSummaryStatistics::getMin));
              curve.add("high", numbers(values, DoubleSummaryStatistics::getMax));
            }
            json.add(name, curve);
          }
        });
    return json;
  }

  private static JsonArray numbers(
      List<DoubleSummaryStatistics> groups, ToDoubleFunction<DoubleSummaryStatistics> number) {
    return numbers(
        groups, group -> group.getCount() == 0 ? Double.NaN : number.applyAsDouble(group), DIGITS);
  }

  /** Returns rounded numbers; one that is not finite is null. */
  private static <T> JsonArray numbers(
      List<T> objects, ToDoubleFunction<T> number, MathContext digits) {
    JsonArray array = new JsonArray();
    for (T object : objects) {
      double value = number.applyAsDouble(object);
      array.add(
          Double.isFinite(value) ? new BigDecimal(value).round(digits).stripTrailingZeros() : null);
    }
    return array;
  }

  /** Returns a layer's weights in thousandths, a row for each token that reads. */
  private static JsonObject attention(AttentionWeights layer) {
    JsonArray rows = new JsonArray();
    for (int t = 0; t < layer.weights().length; t++) {
      float[] row = layer.weights()[t];
      JsonArray weights = new JsonArray();
      for (int j = 0; j <= t; j++) {
        weights.add(Float.isFinite(row[j]) ? Math.round(row[j] * 1000) : null);
      }
      rows.add(weights);
    }
    JsonObject json = new JsonObject();
    json.addProperty("layer", layer.layer());
    json.add("thousandths", rows);
    return json;
  }

  /** Returns a text's tokens as they are shown: a byte outside ASCII in hexadecimal. */
  static List<String> tokens(TextVocabulary vocabulary, byte[] text) {
    return IntStream.of(vocabulary.encode(text))
        .mapToObj(
            token ->
                vocabulary == TextVocabulary.bytes()
                    ? byteText(token)
                    : ReportPage.visible(vocabulary.getToken(token)))
        .toList();
  }

  private static String byteText(int value) {
    return value >= ' ' && value < 0x7f || value == '\n'
        ? String.valueOf((char) value)
        : format("%02x", value);
  }

  /** Returns JSON that may stand in a script element. */
  String json() {
    return HTML_SAFE.toJson(runs);
  }
}
