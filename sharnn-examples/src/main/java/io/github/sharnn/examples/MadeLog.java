package io.github.sharnn.examples;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.function.Supplier;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** A made-up log with labels. Its seed chooses the kinds of lines, the lines and the faults. */
final class MadeLog {

  private static final Pattern FIELD = Pattern.compile("<(\\w+?)(\\d*)>");
  private static final int FREQUENT = 15; // kinds of which an odd value can be told

  private final Random random;
  private final List<String> words;
  private final List<String> troubles;
  private final List<String> kinds = new ArrayList<>(); // the most frequent first
  private final double[] bounds; // of each kind's share of the lines

  /**
   * Chooses the kinds of normal lines. A kind's rank to the power of {@code -exponent} is its
   * weight.
   */
  MadeLog(long seed, int kinds, double exponent) throws IOException {
    random = new Random(seed);
    try (InputStream words = MadeLog.class.getResourceAsStream("made-log.txt")) {
      String[] rows = new String(words.readAllBytes(), StandardCharsets.UTF_8).split("\n");
      this.words = new ArrayList<>(List.of(rows[0].split(" ")));
      troubles = new ArrayList<>(List.of(rows[1].split(" ")));
    }
    Collections.shuffle(words, random);
    Collections.shuffle(troubles, random);
    bounds = new double[kinds];
    for (int i = 0; i < kinds; i++) {
      this.kinds.add(i % 2 == 0 ? level(90, 97) + " " + message(0.6) : sibling());
      bounds[i] = (i == 0 ? 0 : bounds[i - 1]) + Math.pow(i + 1, -exponent);
    }
  }

  /** Returns normal lines of a day of November 2026, in random order. */
  List<String> normal(int day, int count) {
    List<String> lines = new ArrayList<>();
    add(lines, "-", day, count, () -> fill(kinds.get(likely(kinds.size())), day, false));
    return lines;
  }

  /** Returns faults, as many of each tag. A new kind has one line or a burst of lines. */
  List<String> faults(int day, int newKinds, int others) {
    List<String> lines = new ArrayList<>();
    List<String> bursts = new ArrayList<>();
    while (bursts.size() < newKinds) {
      String kind = level(40, 60) + " " + message(1);
      bursts.addAll(Collections.nCopies((int) (1 / (random.nextDouble() + 0.02)), kind));
    }
    add(lines, "new", day, newKinds, () -> fill(bursts.remove(0), day, false));
    add(lines, "garbage", day, others, this::garbage);
    add(lines, "trace", day, others, () -> fill(trace(), day, false));
    add(lines, "level", day, others, () -> fill(wrongLevel(), day, false));
    add(lines, "value", day, others, () -> oddValue(day));
    String repeated = normal(day, 1).get(0).split(" ", 3)[2];
    add(lines, "hidden-repeat", day, others, () -> repeated);
    return lines;
  }

  private void add(List<String> lines, String tag, int day, int count, Supplier<String> line) {
    for (int i = 0; i < count; i++) {
      String time = String.format(Locale.ROOT, "2026-11-%02dT%02d:%02d", day, i % 24, i % 60);
      lines.add(tag + " " + time + ":00.000Z " + line.get());
    }
  }

  /** Returns the index of one of the first kinds, by weight. */
  private int likely(int first) {
    double at = random.nextDouble() * bounds[first - 1];
    int index = 0;
    while (bounds[index] < at) {
      index++;
    }
    return index;
  }

  private String level(int information, int warnings) {
    int percent = random.nextInt(100);
    return percent < information ? "INFO" : percent < warnings ? "WARN" : "ERROR";
  }

  /** Returns words and fields. The words are among a share of all words. */
  private String message(double share) {
    StringBuilder message = new StringBuilder(word(words, share)).append(':');
    int length = 3 + random.nextInt(5);
    boolean trouble = random.nextInt(4) == 0 || share == 1;
    for (int i = 0; i < length; i++) {
      boolean bad = trouble && random.nextInt(3) == 0;
      message.append(' ').append(word(bad ? troubles : words, share));
      if (random.nextInt(3) == 0) {
        String name = word(words, share);
        message.append(
            switch (random.nextInt(6)) {
              case 0 -> " from <address>";
              case 1 -> ' ' + name + "=<user>";
              case 2 -> ' ' + name + "=<session>";
              case 3 -> " <id>";
              case 4 -> " in <number" + (int) Math.pow(10, 1 + 2.5 * random.nextDouble()) + "> ms";
              default -> ' ' + name + "=<number" + (2 + random.nextInt(98)) + '>';
            });
      }
    }
    return message.toString();
  }

  /** Returns an earlier kind with another word. */
  private String sibling() {
    String[] parts = kinds.get(random.nextInt(kinds.size())).split(" ");
    parts[2 + random.nextInt(parts.length - 2)] = word(words, 0.6);
    return String.join(" ", parts);
  }

  private String word(List<String> all, double share) {
    return all.get(random.nextInt((int) (all.size() * share)));
  }

  private String trace() {
    String owner = word(words, 1) + '.' + word(words, 1);
    String type = title(word(words, 1)) + title(word(words, 1));
    return random.nextInt(4) == 0
        ? "Caused by: java." + owner + '.' + type + "Exception: " + word(troubles, 1)
        : "at shop."
            + owner
            + '.'
            + type
            + '.'
            + word(words, 1)
            + '('
            + type
            + ".java:<number400>)";
  }

  private static String title(String word) {
    return word.substring(0, 1).toUpperCase(Locale.ROOT) + word.substring(1);
  }

  private String wrongLevel() {
    String[] parts = kinds.get(random.nextInt(kinds.size())).split(" ", 2);
    return (parts[0].equals("ERROR") ? "INFO " : "ERROR ") + parts[1];
  }

  private String oddValue(int day) {
    while (true) {
      String kind = kinds.get(likely(FREQUENT));
      if (kind.contains("<number") || kind.contains("<address")) {
        return fill(kind, day, true);
      }
    }
  }

  private String garbage() {
    int[] codes = random.ints(20 + random.nextInt(40), 33, 127).toArray();
    return new String(codes, 0, codes.length);
  }

  /** Fills the fields. If {@code odd}, the first number or address is odd. */
  private String fill(String kind, int day, boolean odd) {
    boolean[] left = {odd};
    return FIELD
        .matcher(kind)
        .replaceAll(
            field -> {
              String name = field.group(1);
              boolean change = left[0] && (name.equals("number") || name.equals("address"));
              left[0] &= !change;
              return Matcher.quoteReplacement(value(name, field.group(2), day, change));
            });
  }

  private String value(String name, String greatest, int day, boolean odd) {
    return switch (name) {
      case "id" -> String.valueOf(480_000 + 900 * day + random.nextInt(5_000)); // grows
      case "user" -> "u" + (100 + random.nextInt(400));
      case "session" -> Integer.toHexString(0x10000000 + random.nextInt(0x60000000));
      case "address" ->
          (odd ? "203.0.113." : "10.0." + random.nextInt(4) + '.') + (1 + random.nextInt(99));
      default -> {
        int most = Integer.parseInt(greatest);
        int usual = 1 + random.nextInt(most);
        yield String.valueOf(odd ? random.nextInt(3) == 0 ? -usual : 100 * most + usual : usual);
      }
    };
  }
}
