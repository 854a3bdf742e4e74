package io.github.sharnn.examples;

import ai.djl.Model;
import io.github.sharnn.SHARNN;
import io.github.sharnn.score.Score;
import io.github.sharnn.score.Scorer;
import io.github.sharnn.train.Budget;
import io.github.sharnn.train.SHARNNTrainer;
import io.github.sharnn.train.data.Corpus;
import io.github.sharnn.train.data.Documents;
import io.github.sharnn.train.data.Split;
import io.github.sharnn.train.optim.LearningRateSchedule;
import io.github.sharnn.train.optim.OptimizerSettings;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * A score of log lines by small models.
 *
 * <p>A line has two views. Its kind is the text with every word masked that has a digit; its two
 * most surprising bytes find new kinds and wrong severities. Its values are the text with
 * identifiers masked; compared with lines of the same kind, the surprise finds odd values. Neither
 * has the time.
 */
final class OddLines {

  static final double FALSE_ALARMS = 0.01;

  private static final int FOLDS = 3;
  private static final int ENOUGH = 200; // lines of a kind to compare with; rarer kinds share them
  private static final Pattern TIME =
      Pattern.compile("\\b(1\\d{9}|\\d{4}[-./]\\d\\d[-./]\\d\\d([T -]\\d\\d[:.][\\d:.]+Z?)?)\\b");
  private static final Pattern IDENTIFIER = Pattern.compile("\\b(?=\\w*\\d)(0x)?[0-9a-f]{5,}\\b");
  private static final Pattern NUMBER = Pattern.compile("[^\\s=,;()\"']*\\d[^\\s=,;()\"']*");
  private static final Pattern ERROR = Pattern.compile("\\b(ERROR|SEVERE|CRITICAL|FATAL)\\b");

  private OddLines() {}

  /** A line and its two views. */
  record Line(String tag, String kind, String values) {

    static Line of(String tagged) {
      String[] parts = tagged.split(" ", 2);
      if (parts.length < 2) {
        throw new IllegalArgumentException(
            "each line must be \"TAG TEXT\", but one is '"
                + tagged
                + "': put \"- \" before a normal line");
      }
      String text = TIME.matcher(parts[1]).replaceAll("").replaceAll(" +", " ").strip();
      return new Line(
          parts[0],
          NUMBER.matcher(text).replaceAll("#"),
          IDENTIFIER.matcher(text).replaceAll(found -> "#".repeat(found.group().length())));
    }

    /** An error is twice as worth a look as another line that is as surprising. */
    double weight() {
      return ERROR.matcher(kind).find() ? 2 : 1;
    }
  }

  /** A line, its conformal p-value, and its surprise in units of the surprise at the threshold. */
  record Scored(Line line, double p, double rank) {

    boolean normal() {
      return line.tag.equals("-");
    }

    boolean alert() {
      return p <= FALSE_ALARMS;
    }
  }

  /**
   * Scores lines by models that each learn all folds of the normal lines but one (cross-fitting).
   * Each model's surprise at the fold that it has not seen tells which surprise is usual.
   */
  static List<Scored> score(List<Line> normal, List<Line> lines, int leastSteps, long seed)
      throws IOException {
    int[] folds = new Random(seed).ints(normal.size(), 0, FOLDS).toArray();
    double[] usualKinds = new double[normal.size()];
    Map<String, List<Double>> usualValues = new TreeMap<>(); // by kind
    double[][] sums = new double[2][lines.size()]; // over the models
    for (int fold = 0; fold < FOLDS; fold++) {
      int own = fold;
      int[] held = IntStream.range(0, folds.length).filter(i -> folds[i] == own).toArray();
      IntStream seen = IntStream.range(0, folds.length).filter(i -> folds[i] != own);
      try (Model model = train(seen.mapToObj(normal::get).toList(), leastSteps, seed + fold)) {
        double[][] usual = surprises(model, Arrays.stream(held).mapToObj(normal::get).toList());
        for (int i = 0; i < held.length; i++) {
          usualKinds[held[i]] = usual[0][i];
          String kind = normal.get(held[i]).kind;
          usualValues.computeIfAbsent(kind, k -> new ArrayList<>()).add(usual[1][i]);
        }
        double[][] found = surprises(model, lines);
        for (int i = 0; i < lines.size(); i++) {
          sums[0][i] += found[0][i] / FOLDS;
          sums[1][i] += found[1][i] / FOLDS;
        }
      }
    }
    Arrays.sort(usualKinds);
    List<Double> rare = new ArrayList<>();
    usualValues.values().stream().filter(own -> own.size() < ENOUGH).forEach(rare::addAll);
    Map<String, double[]> sorted = new TreeMap<>();
    usualValues.forEach((kind, own) -> sorted.put(kind, sorted(own.size() < ENOUGH ? rare : own)));
    return IntStream.range(0, lines.size())
        .mapToObj(
            i -> {
              double[] same = sorted.getOrDefault(lines.get(i).kind, new double[0]);
              double p = 2 * Math.min(p(sums[0][i], usualKinds), p(sums[1][i], same));
              double rank = Math.max(rank(sums[0][i], usualKinds), rank(sums[1][i], same));
              return new Scored(lines.get(i), p, rank);
            })
        .toList();
  }

  private static double[] sorted(List<Double> values) {
    return values.stream().mapToDouble(Double::doubleValue).sorted().toArray();
  }

  /** Returns the share of usual lines that are at least as surprising, this one included. */
  private static double p(double surprise, double[] usual) {
    return (Arrays.stream(usual).filter(each -> each >= surprise).count() + 1.0)
        / (usual.length + 1);
  }

  private static double rank(double surprise, double[] usual) {
    int threshold = (int) (usual.length * (1 - FALSE_ALARMS / 2));
    return usual.length == 0 ? 0 : surprise / Math.max(usual[threshold], 1);
  }

  private static Model train(List<Line> lines, int leastSteps, long seed) throws IOException {
    int steps = Math.max(leastSteps, lines.size() / 4); // or two passes
    String both =
        lines.stream().map(l -> l.kind + "\n" + l.values + "\n").collect(Collectors.joining());
    Split split = Split.random(seed, 0.94, 0.04, 0.02);
    Corpus corpus = Corpus.builder().text(both).documents(Documents.LINES).split(split).build();
    Model model =
        SHARNN
            .builder()
            .embeddingSize(64)
            .boomSize(256)
            .layers(2)
            .memoryLength(128)
            .dropouts(0)
            .build()
            .newModel("log");
    SHARNNTrainer.builder(model)
        .batchSize(16) // lines
        .sequenceLength(256)
        .optimizer(
            OptimizerSettings.of(OptimizerSettings.Type.MUON).iterations(3).weightDecay(0.1f))
        .learningRate(LearningRateSchedule.peak(8e-3f).warmUp(steps / 10).linear())
        .seed((int) seed)
        .build()
        .fit(corpus, Budget.steps(steps));
    return model;
  }

  /** Returns the surprise at each line's kind, and at its values in standard deviations. */
  private static double[][] surprises(Model model, List<Line> lines) {
    Scorer scorer = Scorer.builder(model).topSurprises(2).cacheBytes(1 << 24).build();
    List<Score.Totals> kinds = scorer.totals(lines.stream().map(l -> utf8(l.kind)).toList());
    List<Score.Totals> values = scorer.totals(lines.stream().map(l -> utf8(l.values)).toList());
    double[][] surprises = new double[2][lines.size()];
    for (int i = 0; i < lines.size(); i++) {
      double kind = kinds.get(i).top().stream().mapToDouble(Score.Surprise::bits).sum() / 2;
      surprises[0][i] = kind * lines.get(i).weight();
      surprises[1][i] = values.get(i).excessBits() / Math.sqrt(values.get(i).varianceInBits() + 1);
    }
    return surprises;
  }

  static byte[] utf8(String line) {
    return (line + "\n").getBytes(StandardCharsets.UTF_8);
  }
}
