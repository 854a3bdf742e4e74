package io.github.sharnn.cli.report;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.common.io.Resources;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** The colours of the curves, seen by people with each kind of colour vision. */
class ColoursTest {

  /**
   * Linear RGB as people see it: all colours, and without red, green or blue cones (Machado 2009).
   */
  private static final double[][][] VISIONS = {
    {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}},
    {
      {0.152286, 1.052583, -0.204868},
      {0.114503, 0.786281, 0.099216},
      {-0.003882, -0.048116, 1.051998}
    },
    {
      {0.367322, 0.860646, -0.227968},
      {0.280085, 0.672501, 0.047413},
      {-0.011820, 0.042940, 0.968881}
    },
    {
      {1.255528, -0.076749, -0.178779},
      {-0.078411, 0.930809, 0.147602},
      {0.004733, 0.691367, 0.303900}
    }
  };

  private static final double[][] XYZ = { // of linear sRGB, divided by that of white
    {0.4124564 / 0.95047, 0.3575761 / 0.95047, 0.1804375 / 0.95047},
    {0.2126729, 0.7151522, 0.0721750},
    {0.0193339 / 1.08883, 0.1191920 / 1.08883, 0.9503041 / 1.08883}
  };

  private static double[] linear(String color) {
    double[] rgb = new double[3];
    for (int i = 0; i < 3; i++) {
      double value = Integer.parseInt(color.substring(1 + 2 * i, 3 + 2 * i), 16) / 255.0;
      rgb[i] = value <= 0.04045 ? value / 12.92 : Math.pow((value + 0.055) / 1.055, 2.4);
    }
    return rgb;
  }

  private static double[] times(double[][] matrix, double[] vector) {
    double[] product = new double[3];
    for (int i = 0; i < 3; i++) {
      for (int j = 0; j < 3; j++) {
        product[i] += matrix[i][j] * vector[j];
      }
      product[i] = Math.min(Math.max(product[i], 0), 1);
    }
    return product;
  }

  private static double[] lab(double[] rgb) {
    double[] xyz = times(XYZ, rgb);
    for (int i = 0; i < 3; i++) {
      xyz[i] = xyz[i] > 216.0 / 24389 ? Math.cbrt(xyz[i]) : (24389.0 / 27 * xyz[i] + 16) / 116;
    }
    return new double[] {116 * xyz[1] - 16, 500 * (xyz[0] - xyz[1]), 200 * (xyz[1] - xyz[2])};
  }

  private static double contrast(String one, String other) {
    double a = times(XYZ, linear(one))[1] + 0.05;
    double b = times(XYZ, linear(other))[1] + 0.05;
    return Math.max(a, b) / Math.min(a, b);
  }

  /** A difference of 2.3 can just be seen. */
  private static void check(List<String> colors, String background) {
    for (int i = 0; i < colors.size(); i++) {
      assertThat(contrast(colors.get(i), background)).as(colors.get(i)).isGreaterThan(3);
      for (int j = 0; j < i; j++) {
        for (double[][] vision : VISIONS) {
          double[] a = lab(times(vision, linear(colors.get(i))));
          double[] b = lab(times(vision, linear(colors.get(j))));
          double difference = Math.hypot(Math.hypot(a[0] - b[0], a[1] - b[1]), a[2] - b[2]);
          assertThat(difference).as(colors.get(i) + " " + colors.get(j)).isGreaterThan(15);
        }
      }
    }
  }

  @Test
  void everyone_can_tell_the_curves_apart() throws Exception {
    String css =
        Resources.toString(
            Resources.getResource(ReportPage.class, "report.css"), StandardCharsets.UTF_8);
    List<String> backgrounds =
        Pattern.compile("--back: (#\\w{6});").matcher(css).results().map(m -> m.group(1)).toList();
    assertThat(backgrounds).hasSize(2); // light and dark
    List<MatchResult> all = Pattern.compile("--c\\d: (#\\w{6});").matcher(css).results().toList();
    List<String> colors = new ArrayList<>(all.stream().map(m -> m.group(1)).toList());
    assertThat(colors).hasSize(12);
    check(colors.subList(0, 6), backgrounds.get(0));
    check(colors.subList(6, 12), backgrounds.get(1));
    assertThat(CurvesSvg.COLORS).isEqualTo(colors.subList(0, 6));
  }
}
