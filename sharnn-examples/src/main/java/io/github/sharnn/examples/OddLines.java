package io.github.sharnn.examples;

import ai.djl.Model;
import io.github.sharnn.SHARNN;
import io.github.sharnn.SHARNNConfig;
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
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * A detector of odd log lines (anomalies), by counts and small models.
 *
 * <p>A line has two views without its time. Its kind is the text with every word masked that has a
 * digit. A new kind and a new severity of a known kind are odd, the more so the more their words
 * surprise. Its values are the text with identifiers masked. They are odd if they surprise more
 * than is usual for the kind.
 */
final class OddLines {

  static final double FALSE_ALARMS = 0.01;
  private static final int FOLDS = 3;
  private static final Pattern TIME =
      Pattern.compile("\\b(1\\d{9}|\\d{4}[-./]\\d\\d[-./]\\d\\d([T -]\\d\\d[:.][\\d:.]+Z?)?)\\b");
  private static final Pattern IDENTIFIER = Pattern.compile("\\b(?=\\w*\\d)(0x)?[0-9a-f]{5,}\\b");
  private static final Pattern NUMBER = Pattern.compile("[^\\s=,;()\"']*\\d[^\\s=,;()\"']*");
  private static final Pattern SEVERITY =
      Pattern.compile("\\b(DEBUG|INFO|NOTICE|WARN(ING)?|ERROR|SEVERE|CRITICAL|FATAL|FAILURE)\\b");

  private OddLines() {}

  /** A line, its two views, its severity, and its kind without the severity. */
  record Line(String tag, String kind, String values, String severity, String body) {

    static Line of(String tagged) {
      String[] parts = tagged.split(" ", 2);
      if (parts.length < 2) {
        throw new IllegalArgumentException(
            "each line must be \"TAG TEXT\", but one is '"
                + tagged
                + "': put \"- \" before a normal line");
      }
      String text = TIME.matcher(parts[1]).replaceAll("").replaceAll(" +", " ").strip();
      String kind = NUMBER.matcher(text).replaceAll("#");
      Matcher severity = SEVERITY.matcher(kind);
      return new Line(
          parts[0],
          kind,
          IDENTIFIER.matcher(text).replaceAll(found -> "#".repeat(found.group().length())),
          severity.find() ? severity.group() : "",
          "* " + severity.replaceFirst("*"));
    }

    boolean normal() {
      return tag.equals("-");
    }

    /** Returns 0 if the kind is known, 1 if only its severity is new, or 2. */
    int novelty(Set<String> known) {
      return known.contains(kind) ? 0 : known.contains(body) ? 1 : 2;
    }
  }

  /**
   * A line and its score.
   *
   * @param p the conformal p-value
   * @param isNew true if no normal line has its kind
   * @param rarity the bits of its severity, and of a new kind or a kind with a new severity
   * @param surprise the model's bits for a new kind, 0 for a known one
   * @param values the bits of its values' p-value, times 3 for a value to rank among new kinds
   */
  record Scored(Line line, double p, boolean isNew, double rarity, double surprise, double values) {

    boolean alert() {
      return p <= FALSE_ALARMS;
    }

    double rank(double moreBits) {
      return Math.max(rarity + surprise + moreBits, values);
    }
  }

  /**
   * Scores lines by models that each learn all folds of the normal lines but one (cross-fitting).
   * The fold that a model has not seen tells which scores are usual.
   */
  static List<Scored> score(List<Line> normal, List<Line> lines, int steps, long seed)
      throws IOException {
    int[] folds = new Random(seed).ints(normal.size(), 0, FOLDS).toArray();
    List<Line> all = new ArrayList<>(); // held out, fold by fold
    List<Integer> novelties = new ArrayList<>();
    List<double[]> usual = new ArrayList<>();
    double[][] found = new double[lines.size()][2]; // means over the models
    for (int fold = 0; fold < FOLDS; fold++) {
      int own = fold;
      IntStream seen = IntStream.range(0, folds.length).filter(i -> folds[i] != own);
      IntStream held = IntStream.range(0, folds.length).filter(i -> folds[i] == own);
      List<Line> train = seen.mapToObj(normal::get).toList();
      List<Line> test = held.mapToObj(normal::get).toList();
      Set<String> known = known(train);
      all.addAll(test);
      test.forEach(line -> novelties.add(line.novelty(known)));
      try (Model model = train(train, steps, seed + fold)) {
        usual.addAll(surprises(model, test));
        List<double[]> surprises = surprises(model, lines);
        for (int i = 0; i < found.length; i++) {
          found[i][0] += surprises.get(i)[0] / FOLDS;
          found[i][1] += surprises.get(i)[1] / FOLDS;
        }
      }
    }
    Map<String, Long> counts =
        Stream.concat(all.stream().map(Line::severity), novelties.stream().map(String::valueOf))
            .collect(Collectors.groupingBy(each -> each, Collectors.counting()));
    Map<String, List<Double>> sameKind = new TreeMap<>(); // the values' surprises
    for (int i = 0; i < all.size(); i++) {
      sameKind.computeIfAbsent(all.get(i).kind, kind -> new ArrayList<>()).add(usual.get(i)[1]);
    }
    Map<String, Double> medians = new TreeMap<>();
    sameKind.forEach((kind, surprises) -> medians.put(kind, median(surprises)));
    double[] kinds = new double[all.size()];
    double[] values = new double[all.size()]; // of all kinds: one kind has too few for a small p
    for (int i = 0; i < kinds.length; i++) {
      double surprise = novelties.get(i) == 0 ? 0 : usual.get(i)[0];
      kinds[i] = rarity(all.get(i), novelties.get(i), counts, kinds.length) + surprise;
      values[i] = usual.get(i)[1] - medians.get(all.get(i).kind);
    }
    Set<String> known = known(normal);
    List<Scored> scored = new ArrayList<>();
    for (int i = 0; i < found.length; i++) {
      Line line = lines.get(i);
      int novelty = line.novelty(known);
      double rarity = rarity(line, novelty, counts, kinds.length);
      double surprise = novelty == 0 ? 0 : found[i][0];
      double value = novelty == 0 ? p(found[i][1] - medians.get(line.kind), values) : 1;
      double p = 2 * Math.min(p(rarity + surprise, kinds), value);
      scored.add(new Scored(line, p, novelty > 0, rarity, surprise, 3 * bits(value)));
    }
    return scored;
  }

  /** Returns kinds, with severity and without. */
  static Set<String> known(List<Line> lines) {
    return lines.stream().flatMap(l -> Stream.of(l.kind, l.body)).collect(Collectors.toSet());
  }

  /** Returns the bits of a line's severity and of its novelty. */
  private static double rarity(Line line, int novelty, Map<String, Long> counts, int lines) {
    double severity = (counts.getOrDefault(line.severity, 0L) + 1.0) / (lines + 1);
    double kind = (counts.getOrDefault(String.valueOf(novelty), 0L) + 1.0) / (lines + 1);
    return bits(novelty == 0 ? severity : severity * kind);
  }

  /** Returns the share of usual lines that are at least as odd, this one included. */
  private static double p(double score, double[] usual) {
    return (Arrays.stream(usual).filter(each -> each >= score).count() + 1.0) / (usual.length + 1);
  }

  private static double bits(double probability) {
    return -Math.log(probability) / Math.log(2);
  }

  private static double median(List<Double> values) {
    return values.stream().sorted().skip(values.size() / 2).findFirst().orElseThrow();
  }

  private static Model train(List<Line> lines, int steps, long seed) throws IOException {
    String both =
        lines.stream().map(l -> l.kind + "\n" + l.values + "\n").collect(Collectors.joining());
    Split split = Split.random(seed, 0.94, 0.04, 0.02);
    Corpus corpus = Corpus.builder().text(both).documents(Documents.LINES).split(split).build();
    SHARNNConfig.Builder builder = SHARNN.builder().embeddingSize(64).boomSize(256).layers(2);
    Model model = builder.memoryLength(128).dropouts(0).build().newModel("log");
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

  /** Returns the surprise at each line's kind and at its values. */
  private static List<double[]> surprises(Model model, List<Line> lines) {
    Scorer scorer = Scorer.builder(model).topSurprises(2).cacheBytes(1 << 24).build();
    List<Score.Totals> kinds = scorer.totals(lines.stream().map(l -> utf8(l.kind)).toList());
    List<Score.Totals> values = scorer.totals(lines.stream().map(l -> utf8(l.values)).toList());
    return IntStream.range(0, lines.size())
        .mapToObj(i -> new double[] {surprise(kinds.get(i)), surprise(values.get(i))})
        .toList();
  }

  /** Returns the mean of the two most surprising bytes and four times the excess for each byte. */
  private static double surprise(Score.Totals totals) {
    double top = totals.top().stream().mapToDouble(Score.Surprise::bits).sum() / 2;
    return top + 4 * totals.excessBitsPerByte();
  }

  static byte[] utf8(String line) {
    return (line + "\n").getBytes(StandardCharsets.UTF_8);
  }
}
