package io.github.sharnn.examples;

import io.github.sharnn.examples.OddLines.Line;
import io.github.sharnn.examples.OddLines.Scored;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.ToDoubleFunction;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.DoubleStream;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import java.util.zip.Deflater;

/**
 * Anomaly detection in a log. Without an argument, the program makes a log with faults and looks
 * for them. Otherwise it reads a file of lines "TAG TEXT" with the tag "-" for normal lines, learns
 * the normal lines of a random half and looks for the others in the other half, five times. A score
 * of single lines finds no wrong order, no repetition and no missing line.
 */
public final class OddLogLines {

  private static final String HEADER =
      "         AUROC     AP  merged     AP deflate     AP  merged     AP  false alarms%n";
  private static final Pattern FIELD = Pattern.compile("<(\\w+)(?:-(\\d+))?>");

  private OddLogLines() {}

  public static void main(String[] args) throws IOException {
    if (args.length == 0) {
      findFaults(250, 4_000);
    } else {
      measure(Path.of(args[0]), 250, 5);
    }
  }

  /** Measures on random halves of a labelled log. */
  static void measure(Path file, int leastSteps, int seeds) throws IOException {
    List<String> text = Files.readAllLines(file, StandardCharsets.ISO_8859_1);
    List<Line> lines = new ArrayList<>(text.stream().map(Line::of).toList());
    double[][] rows = new double[seeds][];
    print(HEADER);
    for (int seed = 0; seed < seeds; seed++) {
      Collections.shuffle(lines, new Random(seed));
      int half = lines.size() / 2;
      List<Line> rest = lines.subList(half, lines.size());
      List<Line> normal = lines.stream().limit(half).filter(l -> l.tag().equals("-")).toList();
      List<Scored> scored = OddLines.score(normal, rest, leastSteps, seed);
      rows[seed] = row(normal, scored);
      printRow(String.valueOf(seed), rows[seed]);
      if (seed == seeds - 1) {
        double[] medians =
            IntStream.range(0, 9)
                .mapToDouble(
                    i -> Stream.of(rows).mapToDouble(r -> r[i]).sorted().toArray()[seeds / 2])
                .toArray();
        printRow("median", medians);
        report(scored);
      }
    }
  }

  /** Returns AUROC and average precision of four ranks, and the rate of false alarms. */
  private static double[] row(List<Line> normal, List<Scored> scored) {
    List<Line> lines = scored.stream().map(Scored::line).toList();
    List<Scored> plain = deflate(normal, lines, line -> 1);
    List<Scored> weighted = deflate(normal, lines, Line::weight);
    return DoubleStream.concat(
            Stream.of(scored, merged(normal, scored), plain, merged(normal, weighted))
                .flatMapToDouble(each -> Arrays.stream(figures(each))),
            DoubleStream.of(falseAlarms(scored)))
        .toArray();
  }

  private static void printRow(String name, double[] row) {
    print("%-6s", name);
    for (int i = 0; i < 8; i += 2) {
      print("%8.3f %6.3f", row[i], row[i + 1]);
    }
    print("%12.2f%%%n", row[8]);
  }

  /**
   * Merges lines of the same new kind: the more there are, the higher is their rank. A normal kind
   * that has n lines here has none among as many normal lines with probability 2^-n only.
   */
  private static List<Scored> merged(List<Line> normal, List<Scored> scored) {
    Set<String> known = normal.stream().map(Line::kind).collect(Collectors.toSet());
    Map<String, Long> counts =
        scored.stream().collect(Collectors.groupingBy(s -> s.line().kind(), Collectors.counting()));
    List<Scored> merged = new ArrayList<>();
    for (Scored each : scored) {
      String kind = each.line().kind();
      double factor = known.contains(kind) ? 1 : Math.log1p(counts.get(kind)) / Math.log(2);
      merged.add(new Scored(each.line(), each.p(), each.rank() * factor));
    }
    return merged;
  }

  /** Makes a log, learns five days of it, and looks for the faults of the sixth day. */
  static void findFaults(int leastSteps, int linesADay) throws IOException {
    Random random = new Random(1);
    List<Line> normal = new ArrayList<>();
    for (int day = 1; day <= 5; day++) {
      normal.addAll(makeLog(day, linesADay / 5, false, random));
    }
    List<Line> lines = makeLog(6, linesADay, true, random);
    int today = lines.size();
    lines.addAll(makeLog(16, linesADay, false, random));
    List<Scored> scored = OddLines.score(normal, lines, leastSteps, 1);
    List<Scored> later = scored.subList(today, scored.size());
    report(scored.subList(0, today));
    print(HEADER);
    printRow("", row(normal, scored.subList(0, today)));
    print("false alarms ten days later: %.2f%%%n", falseAlarms(later));
  }

  /** Prints the alerts, merged by kind, and the lines found with each tag. */
  private static void report(List<Scored> scored) {
    Map<String, List<Scored>> kinds =
        scored.stream()
            .filter(Scored::alert)
            .sorted(Comparator.comparing(each -> -each.rank()))
            .collect(Collectors.groupingBy(each -> each.line().kind()));
    print("%nlines, p-value, oddest line of a kind:%n");
    kinds.values().stream()
        .sorted(Comparator.comparing(same -> -same.get(0).rank()))
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

  /** Ranks lines by deflate's bytes for each byte, with the normal lines as its dictionary. */
  private static List<Scored> deflate(
      List<Line> normal, List<Line> lines, ToDoubleFunction<Line> weight) {
    byte[] all = OddLines.utf8(normal.stream().map(Line::kind).collect(Collectors.joining("\n")));
    byte[] newest = Arrays.copyOfRange(all, Math.max(0, all.length - (1 << 15)), all.length);
    List<Scored> scored = new ArrayList<>();
    for (Line line : lines) {
      byte[] own = OddLines.utf8(line.kind());
      Deflater deflater = new Deflater(Deflater.BEST_COMPRESSION, true);
      deflater.setDictionary(newest);
      deflater.setInput(own);
      deflater.finish();
      double size = deflater.deflate(new byte[2 * own.length + 100]);
      deflater.end();
      scored.add(new Scored(line, 1, weight.applyAsDouble(line) * size / own.length));
    }
    return scored;
  }

  /**
   * Returns the area under the ROC curve and the average precision. Equal ranks are one step.
   * Leaves out the faults that no score of single lines can find.
   */
  static double[] figures(List<Scored> scored) {
    TreeMap<Double, int[]> steps = new TreeMap<>(Comparator.reverseOrder());
    for (Scored each : scored) {
      if (!each.line().tag().startsWith("hidden")) {
        steps.computeIfAbsent(each.rank(), rank -> new int[2])[each.normal() ? 0 : 1]++;
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
    List<Scored> normal = scored.stream().filter(Scored::normal).toList();
    return 100.0 * normal.stream().filter(Scored::alert).count() / normal.size();
  }

  /** Makes lines of a day by the table {@code made-log.txt}, with 12 faults of each tag. */
  private static List<Line> makeLog(int day, int count, boolean faults, Random random)
      throws IOException {
    Map<String, List<String>> kinds = new TreeMap<>();
    try (InputStream table = OddLogLines.class.getResourceAsStream("made-log.txt")) {
      for (String row : new String(table.readAllBytes(), StandardCharsets.UTF_8).lines().toList()) {
        String[] cells = row.split("\\|", 3); // tag, weight, line
        List<String> same = Collections.nCopies(Integer.parseInt(cells[1]), cells[2]);
        kinds.computeIfAbsent(cells[0], tag -> new ArrayList<>()).addAll(same);
      }
    }
    List<Line> lines = new ArrayList<>();
    kinds.forEach(
        (tag, own) -> {
          boolean normal = tag.equals("-");
          for (int i = 0; i < (normal ? count : faults ? 12 : 0); i++) {
            String kind = own.get(normal ? random.nextInt(own.size()) : i % own.size());
            String text = FIELD.matcher(kind).replaceAll(field -> fill(field, day, random));
            String time = String.format(Locale.ROOT, "2026-11-%02dT%02d:%02d", day, i % 24, i % 60);
            lines.add(Line.of(tag + " " + time + ":00.000Z " + text));
          }
        });
    Collections.shuffle(lines, random);
    return lines;
  }

  private static String fill(MatchResult field, int day, Random random) {
    return switch (field.group(1)) {
      case "order" -> String.valueOf(480_000 + 900 * day + random.nextInt(5_000)); // grows
      case "user" -> "u" + (100 + random.nextInt(400));
      case "address" -> "10.0." + random.nextInt(4) + "." + (1 + random.nextInt(99));
      case "session" -> Integer.toHexString(0x10000000 + random.nextInt(0x60000000));
      case "word" -> List.of("lamp", "chair", "desk", "rug", "sofa", "bed").get(random.nextInt(6));
      case "garbage" ->
          random
              .ints(20 + random.nextInt(40), 33, 127)
              .filter(c -> c != '$' && c != '\\') // special in a replacement
              .mapToObj(Character::toString)
              .collect(Collectors.joining());
      default -> {
        int from = Integer.parseInt(field.group(1));
        yield String.valueOf(from + random.nextInt(Integer.parseInt(field.group(2)) - from + 1));
      }
    };
  }

  private static void print(String format, Object... values) {
    System.out.printf(Locale.ROOT, format, values);
  }
}
