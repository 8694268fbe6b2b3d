package tacet.tensor.kernel;

import static tacet.tensor.kernel.Kernels.LANES;
import static tacet.tensor.kernel.ScalarKernels.multiplyAdd;

import java.util.Arrays;

/** Normalisation row by row, as plain loops: the twin of {@link VectorRows}. */
final class ScalarRows {
  private ScalarRows() {}

  /** See {@link Kernels#layerNormRow}. */
  static void layerNorm(
      float[] x,
      int xo,
      int n,
      float[] gamma,
      float[] beta,
      float eps,
      float[] y,
      int yo,
      float[] statistics,
      int so) {
    float[] lanes = new float[LANES];
    for (int i = 0; i < n; i++) {
      lanes[i % LANES] += x[xo + i];
    }
    float mean = ScalarMath.tree(lanes) / n;
    Arrays.fill(lanes, 0f);
    for (int i = 0; i < n; i++) {
      float d = x[xo + i] - mean;
      lanes[i % LANES] = multiplyAdd(d, d, lanes[i % LANES]);
    }
    float rstd = (float) (1 / Math.sqrt(ScalarMath.tree(lanes) / n + (double) eps));
    for (int i = 0; i < n; i++) {
      y[yo + i] = multiplyAdd((x[xo + i] - mean) * rstd, gamma[i], beta[i]);
    }
    statistics[so] = mean;
    statistics[so + 1] = rstd;
  }

  /** See {@link Kernels#layerNormBackwardRow}. */
  static void layerNormBackward(
      float[] dY,
      int dyo,
      float[] x,
      int xo,
      int n,
      float[] gamma,
      float[] statistics,
      int so,
      float[] dX,
      int dxo) {
    float mean = statistics[so];
    float rstd = statistics[so + 1];
    float[] sum = new float[LANES];
    float[] dot = new float[LANES];
    for (int i = 0; i < n; i++) {
      float g = dY[dyo + i] * gamma[i];
      sum[i % LANES] += g;
      dot[i % LANES] = multiplyAdd(g, (x[xo + i] - mean) * rstd, dot[i % LANES]);
    }
    float a = ScalarMath.tree(sum) / n;
    float b = -(ScalarMath.tree(dot) / n);
    for (int i = 0; i < n; i++) {
      float g = dY[dyo + i] * gamma[i] - a;
      dX[dxo + i] = multiplyAdd((x[xo + i] - mean) * rstd, b, g) * rstd;
    }
  }

  /** See {@link Kernels#rmsNormRow}. */
  static void rmsNorm(
      float[] x,
      int xo,
      int n,
      float[] weight,
      float eps,
      float[] y,
      int yo,
      float[] statistics,
      int so) {
    float[] lanes = new float[LANES];
    for (int i = 0; i < n; i++) {
      lanes[i % LANES] = multiplyAdd(x[xo + i], x[xo + i], lanes[i % LANES]);
    }
    float r = (float) (1 / Math.sqrt(ScalarMath.tree(lanes) / n + (double) eps));
    for (int i = 0; i < n; i++) {
      y[yo + i] = x[xo + i] * r * weight[i];
    }
    statistics[so] = r;
  }

  /** See {@link Kernels#rmsNormBackwardRow}. */
  static void rmsNormBackward(
      float[] dY,
      int dyo,
      float[] x,
      int xo,
      int n,
      float[] weight,
      float[] statistics,
      int so,
      float[] dX,
      int dxo) {
    float r = statistics[so];
    float[] dot = new float[LANES];
    for (int i = 0; i < n; i++) {
      dot[i % LANES] = multiplyAdd(dY[dyo + i] * weight[i], x[xo + i] * r, dot[i % LANES]);
    }
    float b = -(ScalarMath.tree(dot) / n);
    for (int i = 0; i < n; i++) {
      dX[dxo + i] = multiplyAdd(x[xo + i] * r, b, dY[dyo + i] * weight[i]) * r;
    }
  }

  /** See {@link Kernels#normWeightRow}. */
  static void normWeight(
      float[] dY, int dyo, float[] x, int xo, int n, float mean, float r, float[] sums, int so) {
    for (int i = 0; i < n; i++) {
      sums[so + i] = multiplyAdd(dY[dyo + i], (x[xo + i] - mean) * r, sums[so + i]);
    }
  }
}
