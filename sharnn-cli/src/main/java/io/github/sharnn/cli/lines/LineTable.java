package io.github.sharnn.cli.lines;

import static io.github.sharnn.cli.progress.Texts.format;

import io.github.sharnn.score.Score;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.stream.Collectors;

/** The table of {@code score --lines}: columns separated by tabs, and the line as the last one. */
public final class LineTable {

  private static final List<String> COLUMNS =
      List.of(
          "bits_per_byte",
          "line",
          "excess_per_byte",
          "z_score",
          "bits",
          "variance",
          "max_bits",
          "max_place",
          "top",
          "text");

  private long lines; // so far

  private LineTable() {}

  /** {@return a new table without rows} */
  public static LineTable start() {
    return new LineTable();
  }

  /** {@return the names of the columns, with a newline} */
  public static String header() {
    return String.join("\t", COLUMNS) + "\n";
  }

  /**
   * {@return the next row without the line, which comes after the last tab}
   *
   * @param totals the line's totals
   */
  public byte[] row(Score.Totals totals) {
    lines++;
    String row =
        totals.top().isEmpty() // a lossy vocabulary may find no token
            ? format("-\t%d\t-\t-\t-\t-\t-\t-\t-\t", lines)
            : format(
                "%.4f\t%d\t%.4f\t%s\t%.4f\t%.4f\t%.4f\t%d\t%s\t",
                totals.bitsPerByte(),
                lines,
                totals.excessBitsPerByte(),
                number(totals.zScore()),
                totals.bits(),
                totals.varianceInBits(),
                totals.greatestSurprise(),
                totals.top().get(0).place(),
                top(totals));
    return row.getBytes(StandardCharsets.UTF_8);
  }

  private static String top(Score.Totals totals) {
    return totals.top().stream()
        .map(surprise -> format("%d:%.4f", surprise.place(), surprise.bits()))
        .collect(Collectors.joining(","));
  }

  private static String number(double value) {
    return Double.isFinite(value) ? format("%.4f", value) : "-";
  }
}
