package tacet.tensor.kernel;

import static tacet.tensor.kernel.Kernels.PANEL;

/**
 * Products as plain loops that HotSpot vectorises by itself. Up to JDK 25 it does so only where all
 * arrays of a loop have the same index, because arrays with different offsets might overlap; so rows
 * of B and of C are first copied to arrays of their own, and B's copies serve all rows of A.
 */
final class ScalarProduct {
  private static final boolean FMA = KernelLookup.FAST_FMA;
  private static final int ROWS = 32; // of B at a time: with 512 columns 64 KiB
  private static final int COLUMNS = 512;

  private ScalarProduct() {}

  /**
   * See {@link Kernels#product}.
   *
   * @param b element (r, q) of panel j at {@code bo + j * panelStride + r * rowStride + q}: packed or
   *     not
   */
  static void product(
      int m,
      int n,
      int k,
      float[] a,
      int ao,
      int lda,
      float[] b,
      int bo,
      int panelStride,
      int rowStride,
      int j0,
      int j1,
      float[] init,
      int io,
      int initStride,
      float[] c,
      int co,
      int ldc) {
    int end = Math.min(n, j1 * PANEL);
    int most = Math.clamp(end - j0 * PANEL, 0, COLUMNS);
    float[][] rows = new float[Math.min(ROWS, k)][most];
    float[] sums = new float[most];
    for (int j = j0 * PANEL; j < end; j += COLUMNS) {
      int width = Math.min(COLUMNS, end - j);
      float[] start = init;
      int from = io + j;
      int fromStride = initStride;
      for (int k0 = 0; k0 == 0 || k0 < k; k0 += ROWS) {
        int kc = Math.min(ROWS, k - k0);
        for (int r = 0; r < kc; r++) {
          for (int q = 0; q < width; q += PANEL) {
            int at = bo + (j + q) / PANEL * panelStride + (k0 + r) * rowStride;
            System.arraycopy(b, at, rows[r], q, Math.min(PANEL, width - q));
          }
        }
        for (int i = 0; i < m; i++) {
          System.arraycopy(start, from + i * fromStride, sums, 0, width);
          int s = ao + i * lda + k0;
          int r = 0;
          for (; r + 4 <= kc; r += 4) {
            addFour(a, s + r, rows, r, sums, width);
          }
          for (; r < kc; r++) {
            addOne(a[s + r], rows[r], sums, width);
          }
          System.arraycopy(sums, 0, c, co + i * ldc + j, width);
        }
        start = c; // go on from what this block of k left
        from = co + j;
        fromStride = ldc;
      }
    }
  }

  /** See {@link Kernels#sparseRows}. */
  static void sparseRows(
      int rows,
      int[] start,
      int at,
      int step,
      int span,
      int[] index,
      float[] value,
      float[] b,
      int bo,
      int stride,
      int width,
      float[] init,
      int io,
      int initStride,
      float[] c,
      int co,
      int ldc) {
    float[][] four = new float[4][width];
    float[] sums = new float[width];
    for (int i = 0; i < rows; i++) {
      System.arraycopy(init, io + i * initStride, sums, 0, width);
      int p = start[at + i * step];
      int end = start[at + i * step + span];
      for (; p + 4 <= end; p += 4) {
        for (int r = 0; r < 4; r++) {
          System.arraycopy(b, bo + index[p + r] * stride, four[r], 0, width);
        }
        addFour(value, p, four, 0, sums, width);
      }
      for (; p < end; p++) {
        System.arraycopy(b, bo + index[p] * stride, four[0], 0, width);
        addOne(value[p], four[0], sums, width);
      }
      System.arraycopy(sums, 0, c, co + i * ldc, width);
    }
  }

  /** y += Σ s[so + q] · x[r + q] for q = 0 to 3, one after the other. */
  private static void addFour(float[] s, int so, float[][] x, int r, float[] y, int n) {
    float s0 = s[so];
    float s1 = s[so + 1];
    float s2 = s[so + 2];
    float s3 = s[so + 3];
    float[] x0 = x[r];
    float[] x1 = x[r + 1];
    float[] x2 = x[r + 2];
    float[] x3 = x[r + 3];
    if (FMA) {
      for (int i = 0; i < n; i++) {
        float v = Math.fma(s1, x1[i], Math.fma(s0, x0[i], y[i]));
        y[i] = Math.fma(s3, x3[i], Math.fma(s2, x2[i], v));
      }
    } else {
      for (int i = 0; i < n; i++) {
        y[i] = y[i] + s0 * x0[i] + s1 * x1[i] + s2 * x2[i] + s3 * x3[i];
      }
    }
  }

  private static void addOne(float s, float[] x, float[] y, int n) {
    if (FMA) {
      for (int i = 0; i < n; i++) {
        y[i] = Math.fma(s, x[i], y[i]);
      }
    } else {
      for (int i = 0; i < n; i++) {
        y[i] += s * x[i];
      }
    }
  }

  /** y[r, 0 to 7] = x[0 to 7, r] for r in 0 to n - 1: eight streams in, one out. */
  static void turnEight(float[] x, int xo, int ldx, int n, float[] y, int yo, int ldy) {
    int x1 = xo + ldx;
    int x2 = x1 + ldx;
    int x3 = x2 + ldx;
    int x4 = x3 + ldx;
    int x5 = x4 + ldx;
    int x6 = x5 + ldx;
    int x7 = x6 + ldx;
    for (int r = 0; r < n; r++) {
      int to = yo + r * ldy;
      y[to] = x[xo + r];
      y[to + 1] = x[x1 + r];
      y[to + 2] = x[x2 + r];
      y[to + 3] = x[x3 + r];
      y[to + 4] = x[x4 + r];
      y[to + 5] = x[x5 + r];
      y[to + 6] = x[x6 + r];
      y[to + 7] = x[x7 + r];
    }
  }
}
