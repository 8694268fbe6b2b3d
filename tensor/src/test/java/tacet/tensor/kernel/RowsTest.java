package tacet.tensor.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import org.junit.jupiter.api.Test;

/** Layer normalisation, forward and backward, against double and twin against twin. */
class RowsTest {
  private static final Kernels[] TWINS = {Kernels.best(), new ScalarKernels()};

  @Test
  void layerNorm() {
    for (int n : Samples.SIZES) {
      float[] x = Samples.uniform(n, n, 2);
      float[] gamma = Samples.uniform(n + 1, n, 1);
      float[] beta = Samples.uniform(n + 2, n, 1);
      float[] dY = Samples.uniform(n + 3, n, 1);
      double mean = 0;
      for (float v : x) {
        mean += v / (double) n;
      }
      double var = 0;
      for (float v : x) {
        var += (v - mean) * (v - mean) / n;
      }
      double rstd = 1 / Math.sqrt(var + 1e-3);
      float[][] y = new float[2][n];
      float[][] dX = new float[2][n];
      float[][] statistics = new float[2][2];
      for (int k = 0; k < 2; k++) {
        TWINS[k].layerNormRow(x, 0, n, gamma, beta, 1e-3f, y[k], 0, statistics[k], 0);
        TWINS[k].layerNormBackwardRow(dY, 0, x, 0, n, gamma, statistics[k], 0, dX[k], 0);
      }
      assertThat(y[0]).as("n = " + n).isEqualTo(y[1]);
      assertThat(dX[0]).isEqualTo(dX[1]);
      assertThat(statistics[0]).isEqualTo(statistics[1]);
      double a = 0;
      double b = 0;
      for (int i = 0; i < n; i++) {
        a += (double) dY[i] * gamma[i] / n;
        b += (double) dY[i] * gamma[i] * (x[i] - mean) * rstd / n;
      }
      for (int i = 0; i < n; i++) {
        double hat = (x[i] - mean) * rstd;
        assertThat((double) y[0][i]).isCloseTo(hat * gamma[i] + beta[i], within(2e-5));
        assertThat((double) dX[0][i])
            .isCloseTo(rstd * (dY[i] * gamma[i] - a - hat * b), within(1e-4));
      }
    }
  }

  @Test
  void rmsNorm() {
    for (int n : Samples.SIZES) {
      float[] x = Samples.uniform(n, n, 2);
      float[] w = Samples.uniform(n + 1, n, 1);
      float[] dY = Samples.uniform(n + 3, n, 1);
      double square = 0;
      for (float v : x) {
        square += (double) v * v / n;
      }
      double r = 1 / Math.sqrt(square + 1e-3);
      float[][] y = new float[2][n];
      float[][] dX = new float[2][n];
      float[][] dW = {w.clone(), w.clone()};
      float[][] statistics = new float[2][3];
      for (int k = 0; k < 2; k++) {
        TWINS[k].rmsNormRow(x, 0, n, w, 1e-3f, y[k], 0, statistics[k], 1);
        TWINS[k].rmsNormBackwardRow(dY, 0, x, 0, n, w, statistics[k], 1, dX[k], 0);
        TWINS[k].normWeightRow(dY, 0, x, 0, n, 0.25f, statistics[k][1], dW[k], 0);
      }
      assertThat(y[0]).as("n = " + n).isEqualTo(y[1]);
      assertThat(dX[0]).isEqualTo(dX[1]);
      assertThat(dW[0]).isEqualTo(dW[1]);
      assertThat(statistics[0]).isEqualTo(statistics[1]).startsWith(0f).endsWith(0f);
      double dot = 0;
      for (int i = 0; i < n; i++) {
        dot += (double) dY[i] * w[i] * x[i] * r / n;
      }
      for (int i = 0; i < n; i++) {
        assertThat((double) y[0][i]).isCloseTo(x[i] * r * w[i], within(2e-6));
        assertThat((double) dX[0][i])
            .isCloseTo(r * (dY[i] * w[i] - x[i] * r * dot), within(1e-5 * (1 + r)));
        assertThat((double) dW[0][i]).isCloseTo(w[i] + dY[i] * (x[i] - 0.25) * r, within(1e-5));
      }
    }
  }

  @Test
  void adamWFollowsItsFormula() {
    int n = 37;
    float[] w = Samples.uniform(1, n, 1);
    double[] expected = new double[n];
    double[] m = new double[n];
    double[] v = new double[n];
    for (int i = 0; i < n; i++) {
      expected[i] = w[i];
    }
    float[] fm = new float[n];
    float[] fv = new float[n];
    for (int t = 1; t <= 10; t++) {
      float[] g = Samples.uniform(100 + t, n, 1);
      double lr = 0.01 * t;
      double c1 = 1 - Math.pow(0.9, t);
      double c2 = Math.sqrt(1 - Math.pow(0.999, t));
      TWINS[0].adamW(
          w,
          g,
          fm,
          fv,
          0,
          n,
          (float) (1 - lr * 0.1),
          0.9f,
          0.999f,
          (float) (lr / c1),
          (float) c2,
          1e-8f);
      for (int i = 0; i < n; i++) {
        m[i] = 0.9 * m[i] + 0.1 * g[i];
        v[i] = 0.999 * v[i] + 0.001 * g[i] * g[i];
        expected[i] = expected[i] * (1 - lr * 0.1) - lr / c1 * m[i] / (Math.sqrt(v[i]) / c2 + 1e-8);
      }
    }
    for (int i = 0; i < n; i++) {
      assertThat((double) w[i]).isCloseTo(expected[i], within(1e-5));
    }
    assertThat(Arrays.equals(fm, new float[n])).isFalse();
  }
}
