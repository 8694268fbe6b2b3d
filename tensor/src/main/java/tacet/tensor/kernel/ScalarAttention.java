package tacet.tensor.kernel;

import static tacet.tensor.kernel.Kernels.LANES;
import static tacet.tensor.kernel.ScalarKernels.multiplyAdd;

import java.util.Arrays;

/** The steps of attention between its products, as plain loops: the twin of {@link VectorAttention}. */
final class ScalarAttention {
  private ScalarAttention() {}

  /** scale · x + the biases that there are. */
  private static float score(AttentionKernel a, float x, int keyAt, int positionAt) {
    float[] key = a.keyBias();
    float[] position = a.positionBias();
    if (key == null && position == null) {
      return x * a.scale();
    }
    float bias =
        key == null
            ? position[positionAt]
            : position == null ? key[keyAt] : key[keyAt] + position[positionAt];
    return multiplyAdd(x, a.scale(), bias);
  }

  /** Turns raw scores into s for the n keys that a query sees, zeros from there to {@code end}. */
  private static void scoreRow(AttentionKernel a, int u, int i, int n, int end, float[] x, int xo) {
    int key = u / a.heads() * a.keys();
    int position = (u % a.heads() * a.queries() + i) * a.keys();
    for (int j = 0; j < n; j++) {
      x[xo + j] = score(a, x[xo + j], key + j, position + j);
    }
    Arrays.fill(x, xo + n, xo + (end + LANES - 1) / LANES * LANES, 0f);
  }

  /** See {@link Kernels#softmaxRows}. */
  static void softmaxRows(
      AttentionKernel a,
      int u,
      int i,
      int rows,
      int n,
      float[] x,
      int xo,
      int ldx,
      float[] statistics,
      int so) {
    float[] lanes = new float[LANES];
    for (int r = 0; r < rows; r++) {
      int row = xo + r * ldx;
      int seen = Math.min(n, a.seen(i + r));
      scoreRow(a, u, i + r, seen, n, x, row);
      float max = Float.NEGATIVE_INFINITY;
      for (int j = 0; j < seen; j++) {
        max = x[row + j] > max ? x[row + j] : max;
      }
      Arrays.fill(lanes, 0f);
      for (int j = 0; j < seen; j++) {
        float e = ScalarMath.exp(x[row + j] - max);
        x[row + j] = e;
        lanes[j % LANES] += e;
      }
      statistics[so + 2 * r] = max;
      statistics[so + 2 * r + 1] = 1f / ScalarMath.tree(lanes);
    }
  }

  /** See {@link Kernels#softmaxAgainRows}. */
  static void softmaxAgainRows(
      AttentionKernel a,
      int u,
      int i,
      int rows,
      int n,
      float[] x,
      int xo,
      int ldx,
      float[] statistics,
      int so) {
    for (int r = 0; r < rows; r++) {
      int row = xo + r * ldx;
      int seen = Math.min(n, a.seen(i + r));
      scoreRow(a, u, i + r, seen, n, x, row);
      for (int j = 0; j < seen; j++) {
        float e = ScalarMath.exp(x[row + j] - statistics[so + 2 * r]);
        x[row + j] = e * statistics[so + 2 * r + 1];
      }
    }
  }

  /** See {@link Kernels#softmaxBackwardRows}. */
  static void softmaxBackwardRows(
      AttentionKernel a,
      int u,
      int i,
      int rows,
      int n,
      float[] dots,
      int dto,
      float[] p,
      int po,
      float[] dP,
      int dpo,
      int ld) {
    int key0 = (int) a.dropoutKey();
    int key1 = (int) (a.dropoutKey() >>> 32);
    int end = (n + LANES - 1) / LANES * LANES;
    for (int r = 0; r < rows; r++) {
      int first = (u * a.queries() + i + r) * a.keys();
      for (int j = 0; j < end; j++) {
        float v = p[po + r * ld + j];
        float d = dP[dpo + r * ld + j];
        float left = v;
        if (a.dropoutThreshold() > 0) {
          boolean keep = ScalarMath.hash24(first + j, key0, key1) >= a.dropoutThreshold();
          d = keep ? d * a.dropoutScale() : 0f;
          left = keep ? v * a.dropoutScale() : 0f;
        }
        dP[dpo + r * ld + j] = v * (d - dots[dto + r]);
        p[po + r * ld + j] = left;
      }
    }
  }

  /** See {@link Kernels#dotRows}. */
  static void dotRows(
      int rows,
      int n,
      float[] x,
      int xo,
      int ldx,
      float[] y,
      int yo,
      int ldy,
      float[] dots,
      int dto) {
    float[] lanes = new float[LANES];
    for (int r = 0; r < rows; r++) {
      Arrays.fill(lanes, 0f);
      for (int j = 0; j < n; j++) {
        lanes[j % LANES] = multiplyAdd(x[xo + r * ldx + j], y[yo + r * ldy + j], lanes[j % LANES]);
      }
      dots[dto + r] = ScalarMath.tree(lanes);
    }
  }

  /** See {@link Kernels#scaleRows}. */
  static void scaleRows(
      int rows, int n, float[] factors, int fo, int step, float[] x, int xo, int ldx) {
    for (int r = 0; r < rows; r++) {
      float factor = factors[fo + r * step];
      for (int j = 0; j < n; j++) {
        x[xo + r * ldx + j] *= factor;
      }
    }
  }
}
