package io.github.sharnn.train.optim;

import static io.github.sharnn.train.optim.OptimizerUpdates.RATE;
import static io.github.sharnn.train.optim.OptimizerUpdates.movementError;
import static io.github.sharnn.train.optim.OptimizerUpdates.toDoubles;
import static io.github.sharnn.train.optim.OptimizerUpdates.update;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.tracker.Tracker;
import java.util.Arrays;
import java.util.Collections;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class MuonTest {

  private static final double MOMENTUM = 0.95f;

  /** Muon's update of one matrix in double precision, with loops instead of matrix products. */
  private static final class Loops {
    private final double[] p;
    private final double[] s;
    private final int columns;
    private final int blockRows;
    private final int blockColumns;
    private final double decay;
    private final boolean cautious;

    Loops(double[] p, int rows, int columns, double decay, boolean cautious) {
      this.p = p.clone();
      this.s = new double[p.length];
      this.columns = columns;
      this.decay = decay;
      this.cautious = cautious;
      int longer = Math.max(rows, columns);
      int shorter = Math.min(rows, columns);
      blockRows = longer % shorter == 0 ? shorter : rows;
      blockColumns = longer % shorter == 0 ? shorter : columns;
    }

    void update(double[] g) {
      double[] u = new double[p.length];
      for (int i = 0; i < p.length; i++) {
        s[i] = MOMENTUM * s[i] + g[i];
        u[i] = g[i] + MOMENTUM * s[i];
      }
      for (int top = 0; top < p.length / columns; top += blockRows) {
        for (int left = 0; left < columns; left += blockColumns) {
          updateBlock(u, top, left);
        }
      }
    }

    private void updateBlock(double[] u, int top, int left) {
      double[][] x = new double[blockRows][blockColumns];
      double squares = 0;
      for (int i = 0; i < blockRows; i++) {
        for (int j = 0; j < blockColumns; j++) {
          x[i][j] = u[(top + i) * columns + left + j];
          squares += x[i][j] * x[i][j];
        }
      }
      for (double[] row : x) {
        for (int j = 0; j < row.length; j++) {
          row[j] /= Math.sqrt(squares) + 1e-7 / (1 - MOMENTUM);
        }
      }
      for (int i = 0; i < 5; i++) {
        x = iterate(x);
      }
      double size = 0.2f * (float) Math.sqrt(Math.max(blockRows, blockColumns));
      for (int i = 0; i < blockRows; i++) {
        for (int j = 0; j < blockColumns; j++) {
          int at = (top + i) * columns + left + j;
          double kept = cautious && p[at] * x[i][j] <= 0 ? 0 : decay;
          p[at] -= RATE * (kept * p[at] + size * x[i][j]);
        }
      }
    }

    /** a X + (b A + c A A) X with A = X X^T, for any shape. */
    private static double[][] iterate(double[][] x) {
      double[][] a = times(x, transposed(x));
      double[][] aa = times(a, a);
      for (int i = 0; i < a.length; i++) {
        for (int j = 0; j < a.length; j++) {
          a[i][j] = -4.7750f * a[i][j] + 2.0315f * aa[i][j] + (i == j ? 3.4445f : 0);
        }
      }
      return times(a, x);
    }

    private static double[][] transposed(double[][] x) {
      double[][] result = new double[x[0].length][x.length];
      for (int i = 0; i < x.length; i++) {
        for (int j = 0; j < x[0].length; j++) {
          result[j][i] = x[i][j];
        }
      }
      return result;
    }

    static double[][] times(double[][] x, double[][] y) {
      double[][] result = new double[x.length][y[0].length];
      for (int i = 0; i < x.length; i++) {
        for (int j = 0; j < y[0].length; j++) {
          for (int k = 0; k < y.length; k++) {
            result[i][j] += x[i][k] * y[k][j];
          }
        }
      }
      return result;
    }
  }

  private static Muon.Builder muon() {
    return Muon.builder().optLearningRateTracker(Tracker.fixed(RATE));
  }

  private static double[] random(Random random, int size, double scale) {
    double[] values = new double[size];
    Arrays.setAll(values, i -> (float) (scale * (random.nextGaussian() + Math.sin(i))));
    return values;
  }

  private static NDArray matrix(NDManager manager, double[] values, long... shape) {
    NDArray matrix = manager.create(values, new Shape(shape)).toType(DataType.FLOAT32, true);
    matrix.setRequiresGradient(true);
    return matrix;
  }

  @ParameterizedTest
  @CsvSource({
    "8, 8, 0, false",
    "32, 8, 0.1, false", // the gates of an LSTM
    "8, 24, 0.1, true", // the second matrix of Boom
    "6, 10, 0.5, true",
    "10, 6, 0, false",
    "1, 12, 0.1, false"
  })
  void equals_loops_in_double_precision(int rows, int columns, float decay, boolean cautious) {
    Random random = new Random(7);
    double[] start = random(random, rows * columns, 0.1);
    Loops loops = new Loops(start, rows, columns, decay, cautious);
    try (NDManager manager = NDManager.newBaseManager();
        Muon muon = muon().optWeightDecays(decay).optCautiousDecay(cautious).build()) {
      NDArray weight = matrix(manager, start, rows, columns);
      double worst = 0;
      for (int step = 1; step <= 50; step++) {
        double[] gradient = random(random, rows * columns, 0.01);
        loops.update(gradient);
        update(muon, "p", weight, gradient);
        worst = Math.max(worst, movementError(start, toDoubles(weight), loops.p));
      }
      assertThat(worst).isLessThan(3e-5);
    }
  }

  @ParameterizedTest
  @CsvSource({"FLOAT16, 0.02", "BFLOAT16, 0.15"})
  void products_of_16_bits_are_near_those_of_32(DataType type, double error) {
    Random random = new Random(7);
    double[] start = random(random, 32 * 16, 0.1);
    try (NDManager manager = NDManager.newBaseManager();
        Muon exact = muon().build();
        Muon rounded = muon().optProductType(type).build()) {
      NDArray expected = matrix(manager, start, 32, 16);
      NDArray weight = matrix(manager, start, 32, 16);
      for (int step = 1; step <= 5; step++) {
        double[] gradient = random(random, 32 * 16, 0.01);
        update(exact, "p", expected, gradient);
        update(rounded, "p", weight, gradient);
      }
      assertThat(movementError(start, toDoubles(weight), toDoubles(expected)))
          .isBetween(1e-5, error);
    }
  }

  @Test
  void other_coefficients_give_another_step() {
    double[] start = random(new Random(1), 64, 0.1);
    double[] gradient = random(new Random(2), 64, 0.01);
    float[] newton = {1.5f, -0.5f, 0}; // converges to singular values of 1
    try (NDManager manager = NDManager.newBaseManager();
        Muon muon =
            muon()
                .optWeightDecays(0)
                .optCoefficients(Collections.nCopies(40, newton).toArray(float[][]::new))
                .build()) {
      NDArray weight = matrix(manager, start, 8, 8);
      update(muon, "p", weight, gradient);
      double[][] step = new double[8][8];
      double[] after = toDoubles(weight);
      double[] before = toDoubles(matrix(manager, start, 8, 8));
      for (int i = 0; i < 64; i++) {
        step[i / 8][i % 8] = (before[i] - after[i]) / (RATE * 0.2 * Math.sqrt(8));
      }
      double[][] identity = Loops.times(step, Loops.transposed(step));
      for (int i = 0; i < 8; i++) {
        for (int j = 0; j < 8; j++) {
          assertThat(identity[i][j]).isCloseTo(i == j ? 1 : 0, within(1e-3));
        }
      }
    }
    assertThatIllegalArgumentException()
        .isThrownBy(() -> muon().optIterations(0))
        .withMessage("iterations must be from 1 to 100, but are 0");
    assertThatIllegalArgumentException() // a checkpoint may claim any number
        .isThrownBy(
            () -> OptimizerSettings.of(OptimizerSettings.Type.MUON).iterations(Integer.MAX_VALUE))
        .withMessage("iterations must be from 1 to 100, but are 2147483647");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> muon().optCoefficients(new float[] {1, 2}))
        .withMessageContaining("a, b and c of each iteration");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> muon().optMomentum(1).build())
        .withMessage("momentum must be in [0, 1), but is 1.0");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> muon().optProductType(DataType.FLOAT64).build())
        .withMessage("productType must be FLOAT16, BFLOAT16 or FLOAT32, but is float64");
  }
}
