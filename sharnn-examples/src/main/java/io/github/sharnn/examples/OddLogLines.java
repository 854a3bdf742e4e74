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
import java.util.TreeMap;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.zip.Deflater;

/**
 * Anomaly detection in a log. Without an argument, the program makes a log with faults and looks
 * for them. Otherwise it reads a file of lines "TAG TEXT" with the tag "-" for normal lines, learns
 * the normal lines of a random half and looks for the others in the other half, five times.
 *
 * <p>A score of single lines finds no wrong order, no repetition and no missing line.
 */
public final class OddLogLines {

  private static final String ROW = "%-6s %9.3f %6.3f %16.3f %6.3f %15.1f%%%n";
  private static final Pattern FIELD = Pattern.compile("<(\\w+)(?:-(\\d+))?>");
  private static final List<String> WORDS = List.of("lamp", "chair", "desk", "rug", "sofa", "bed");

  private OddLogLines() {}

  public static void main(String[] args) throws IOException {
    if (args.length == 0) {
      findFaults(600, 4_000);
    } else {
      measure(Path.of(args[0]), 600, 5);
    }
  }

  /** Measures on random halves of a labelled log. */
  static void measure(Path file, int steps, int seeds) throws IOException {
    List<String> text = Files.readAllLines(file, StandardCharsets.ISO_8859_1);
    List<Line> lines = new ArrayList<>(text.stream().map(Line::of).toList());
    double[][] columns = new double[5][seeds];
    print("seed       AUROC     AP  deflate's AUROC     AP  false alarms at 1%%%n");
    for (int seed = 0; seed < seeds; seed++) {
      Collections.shuffle(lines, new Random(seed));
      List<Line> first = lines.subList(0, lines.size() / 2);
      List<Line> rest = lines.subList(lines.size() / 2, lines.size());
      List<Line> normal = first.stream().filter(line -> line.tag().equals("-")).toList();
      List<Scored> scored = OddLines.score(normal, rest, steps, seed);
      double[] own = figures(scored);
      double[] other = figures(deflate(normal, rest));
      print(ROW, seed, own[0], own[1], other[0], other[1], falseAlarms(scored));
      columns[0][seed] = own[0];
      columns[1][seed] = own[1];
      columns[2][seed] = other[0];
      columns[3][seed] = other[1];
      columns[4][seed] = falseAlarms(scored);
      if (seed == seeds - 1) {
        for (double[] column : columns) {
          Arrays.sort(column);
        }
        int middle = seeds / 2;
        print(
            ROW,
            "median",
            columns[0][middle],
            columns[1][middle],
            columns[2][middle],
            columns[3][middle],
            columns[4][middle]);
        report(scored);
      }
    }
  }

  /** Makes a log, learns five days of it, and looks for the faults of the sixth day. */
  static void findFaults(int steps, int linesADay) throws IOException {
    Random random = new Random(1);
    List<Line> normal = new ArrayList<>();
    for (int day = 1; day <= 5; day++) {
      normal.addAll(makeLog(day, linesADay / 5, false, random));
    }
    List<Line> lines = makeLog(6, linesADay, true, random);
    List<Line> today = List.copyOf(lines);
    lines.addAll(makeLog(16, linesADay, false, random));
    List<Scored> all = OddLines.score(normal, lines, steps, 1);
    List<Scored> scored = all.subList(0, today.size());
    report(scored);
    double[] own = figures(scored);
    double[] other = figures(deflate(normal, today));
    print(
        "AUROC %.3f, average precision %.3f; deflate's %.3f, %.3f%n",
        own[0], own[1], other[0], other[1]);
    print(
        "false alarms: %.2f%% of the normal lines, ten days later %.2f%%%n",
        falseAlarms(scored), falseAlarms(all.subList(today.size(), all.size())));
  }

  /** Prints the alerts, merged by kind, and the lines found with each tag. */
  private static void report(List<Scored> scored) {
    Map<String, List<Scored>> kinds =
        scored.stream()
            .filter(Scored::alert)
            .sorted(Comparator.comparing(each -> -each.rank()))
            .collect(Collectors.groupingBy(each -> each.line().kind()));
    print("%nlines, p-value, most surprising of its kind:%n");
    kinds.values().stream()
        .sorted(Comparator.comparing(same -> -same.get(0).rank()))
        .limit(30)
        .forEach(s -> print("%4d  %.4f  %s%n", s.size(), s.get(0).p(), s.get(0).line().values()));
    Map<String, List<Scored>> tags =
        scored.stream()
            .filter(each -> !each.normal())
            .collect(
                Collectors.groupingBy(
                    each -> each.line().tag(), TreeMap::new, Collectors.toList()));
    tags.forEach(
        (tag, own) ->
            print(
                "%-10s found %d of %d%n",
                tag, own.stream().filter(Scored::alert).count(), own.size()));
  }

  /** Ranks lines by deflate's bytes for each byte, with the normal lines as its dictionary. */
  private static List<Scored> deflate(List<Line> normal, List<Line> lines) {
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
      scored.add(new Scored(line, 1, line.weight() * size / own.length));
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
      case "word" -> WORDS.get(random.nextInt(WORDS.size()));
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
