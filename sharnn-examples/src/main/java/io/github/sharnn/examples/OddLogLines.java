package io.github.sharnn.examples;

import io.github.sharnn.examples.OddLines.Line;
import io.github.sharnn.examples.OddLines.Scored;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.function.ToDoubleFunction;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import java.util.zip.Deflater;

/**
 * Anomaly detection in a log. Each call may end with a seed, 1 by default:
 *
 * <ul>
 *   <li>{@code faults} makes a log, learns five days of it and looks for faults on the sixth. This
 *       is the default.
 *   <li>{@code FILE} reads lines "TAG TEXT" with the tag "-" for normal lines, learns the normal
 *       lines of a random half, and looks for the others in the other half, for five seeds.
 *   <li>{@code halves} does the same with a log that it makes.
 * </ul>
 *
 * <p>A score of single lines finds no wrong order, no repetition and no missing line.
 */
public final class OddLogLines {

  private static final String HEADER =
      "        lines: AUROC   AP  merged: AUROC   AP  deflate: AUROC   AP  merged: AUROC   AP"
          + "  false alarms%n";

  private static final int STEPS = 500; // of each model's training

  private OddLogLines() {}

  public static void main(String[] args) throws IOException {
    String source = args.length == 0 ? "faults" : args[0];
    int seed = args.length < 2 ? 1 : Integer.parseInt(args[1]);
    if (source.equals("faults")) {
      findFaults(seed, 4_000, STEPS);
    } else if (source.equals("halves")) {
      MadeLog log = new MadeLog(seed, 250, 1.2);
      List<String> lines = log.normal(1, 1_857);
      lines.addAll(log.faults(1, 119, 6));
      measure(lines, seed, 1, STEPS);
    } else {
      measure(Files.readAllLines(Path.of(source), StandardCharsets.ISO_8859_1), seed, 5, STEPS);
    }
  }

  /** Measures on random halves of a labelled log. */
  static void measure(List<String> tagged, int firstSeed, int seeds, int steps) throws IOException {
    List<double[]> rows = new ArrayList<>();
    print(HEADER);
    for (int seed = firstSeed; seed < firstSeed + seeds; seed++) {
      List<Line> lines = new ArrayList<>(tagged.stream().map(Line::of).toList());
      Collections.shuffle(lines, new Random(seed));
      int half = lines.size() / 2;
      List<Line> normal = lines.stream().limit(half).filter(Line::normal).toList();
      List<Scored> scored = OddLines.score(normal, lines.subList(half, lines.size()), steps, seed);
      rows.add(row(normal, scored));
      printRow(String.valueOf(seed), rows.get(rows.size() - 1));
      if (rows.size() == seeds) {
        printRow("median", IntStream.range(0, 9).mapToDouble(i -> median(rows, i)).toArray());
        report(scored);
      }
    }
  }

  private static double median(List<double[]> rows, int column) {
    return rows.stream().mapToDouble(row -> row[column]).sorted().toArray()[rows.size() / 2];
  }

  /** Makes a log, learns five days of it, and looks for faults on the sixth and sixteenth day. */
  static void findFaults(int seed, int linesADay, int steps) throws IOException {
    MadeLog log = new MadeLog(seed, 60, 1.5);
    List<Line> normal = new ArrayList<>();
    for (int day = 1; day <= 5; day++) {
      log.normal(day, linesADay / 5).forEach(line -> normal.add(Line.of(line)));
    }
    List<String> days = log.normal(6, linesADay);
    days.addAll(log.faults(6, 12, 12));
    int today = days.size();
    days.addAll(log.normal(16, linesADay));
    List<Scored> all = OddLines.score(normal, days.stream().map(Line::of).toList(), steps, seed);
    report(all.subList(0, today));
    print(HEADER);
    printRow("", row(normal, all.subList(0, today)));
    print("false alarms ten days later: %.2f%%%n", falseAlarms(all.subList(today, all.size())));
  }

  /** Returns AUROC and average precision of four ranks, and the rate of false alarms. */
  private static double[] row(List<Line> normal, List<Scored> scored) {
    Map<String, Long> counts =
        scored.stream().collect(Collectors.groupingBy(s -> s.line().kind(), Collectors.counting()));
    // the line is of a new kind that has none among the normal lines: a bit or so for each other
    double bits = Math.log(1 + scored.size() / (double) normal.size()) / Math.log(2);
    ToDoubleFunction<Scored> others = s -> s.isNew() ? bits * (counts.get(s.line().kind()) - 1) : 0;
    Map<Line, Double> sizes = deflate(normal, scored);
    ToDoubleFunction<Scored> perByte = s -> sizes.get(s.line()) / s.line().kind().length();
    double[][] figures = {
      figures(scored, s -> s.rank(0)),
      figures(scored, s -> s.rank(others.applyAsDouble(s))),
      better(figures(scored, perByte), figures(scored, s -> sizes.get(s.line()))),
      figures(scored, s -> 32 * perByte.applyAsDouble(s) + s.rarity() + others.applyAsDouble(s)),
      {falseAlarms(scored)}
    };
    return Stream.of(figures).flatMapToDouble(Arrays::stream).toArray();
  }

  private static double[] better(double[] one, double[] other) {
    return one[1] > other[1] ? one : other;
  }

  /** Returns deflate's bytes for each line's kind, with the different normal ones before it. */
  private static Map<Line, Double> deflate(List<Line> normal, List<Scored> scored) {
    byte[] all =
        OddLines.utf8(normal.stream().map(Line::kind).distinct().collect(Collectors.joining("\n")));
    byte[] newest = Arrays.copyOfRange(all, Math.max(0, all.length - (1 << 15)), all.length);
    Map<Line, Double> sizes = new HashMap<>();
    for (Scored each : scored) {
      byte[] own = OddLines.utf8(each.line().kind());
      Deflater deflater = new Deflater(Deflater.BEST_COMPRESSION, true);
      deflater.setDictionary(newest);
      deflater.setInput(own);
      deflater.finish();
      sizes.put(each.line(), (double) deflater.deflate(new byte[2 * own.length + 100]));
      deflater.end();
    }
    return sizes;
  }

  /**
   * Returns the area under the ROC curve and the average precision. Equal ranks are one step.
   * Leaves out the faults that no score of single lines can find.
   */
  static double[] figures(List<Scored> scored, ToDoubleFunction<Scored> rank) {
    TreeMap<Double, int[]> steps = new TreeMap<>(Comparator.reverseOrder());
    for (Scored each : scored) {
      if (!each.line().tag().startsWith("hidden")) {
        int[] step = steps.computeIfAbsent(rank.applyAsDouble(each), key -> new int[2]);
        step[each.line().normal() ? 0 : 1]++;
      }
    }
    double area = 0;
    double precision = 0;
    int[] sums = new int[2];
    for (int[] step : steps.values()) {
      area += step[0] * (sums[1] + step[1] / 2.0);
      sums[0] += step[0];
      sums[1] += step[1];
      precision += step[1] * (double) sums[1] / (sums[0] + sums[1]);
    }
    return new double[] {area / sums[0] / sums[1], precision / sums[1]};
  }

  /** Returns the percentage of normal lines with an alert. */
  private static double falseAlarms(List<Scored> scored) {
    List<Scored> normal = scored.stream().filter(s -> s.line().normal()).toList();
    return 100.0 * normal.stream().filter(Scored::alert).count() / normal.size();
  }

  /** Prints the alerts, merged by kind, and the lines found with each tag. */
  private static void report(List<Scored> scored) {
    Map<String, List<Scored>> kinds =
        scored.stream()
            .filter(Scored::alert)
            .sorted(Comparator.comparing(each -> -each.rank(0)))
            .collect(Collectors.groupingBy(each -> each.line().kind()));
    print("%nlines, p-value, oddest line of a kind:%n");
    kinds.values().stream()
        .sorted(Comparator.comparing(same -> -same.get(0).rank(0)))
        .limit(30)
        .forEach(s -> print("%4d  %.4f  %s%n", s.size(), s.get(0).p(), s.get(0).line().values()));
    Map<String, int[]> tags = new TreeMap<>();
    for (Scored each : scored) {
      int[] counts = tags.computeIfAbsent(each.line().tag(), tag -> new int[2]);
      counts[0] += each.alert() ? 1 : 0;
      counts[1]++;
    }
    tags.forEach((tag, counts) -> print("%-13s %d of %d alert%n", tag, counts[0], counts[1]));
  }

  private static void printRow(String name, double[] row) {
    print("%-6s", name);
    for (int i = 0; i < 8; i += 2) {
      print("%14.3f %5.3f", row[i], row[i + 1]);
    }
    print("%12.2f%%%n", row[8]);
  }

  private static void print(String format, Object... values) {
    System.out.printf(Locale.ROOT, format, values);
  }
}
