package tacet.tensor.kernel;

import static tacet.tensor.kernel.Kernels.PANEL;
import static tacet.tensor.kernel.VectorMath.L;
import static tacet.tensor.kernel.VectorMath.S;

import jdk.incubator.vector.FloatVector;

/**
 * The product with its left side transposed: the tiles of {@link VectorProduct}, whose six scalars a
 * step lie side by side in one row of A.
 */
final class VectorTransposed {
  private VectorTransposed() {}

  /** See {@link Kernels#accumulateTransposed}. */
  static void accumulate(
      int m,
      int n,
      int k,
      float[] a,
      int ao,
      int lda,
      float[] panels,
      int po,
      float[] c,
      int co,
      int ldc) {
    for (int j = 0; j < n; j += PANEL) {
      int b = po + j * k;
      if (j + PANEL <= n) {
        for (int h = 0; h < PANEL; h += 2 * L) {
          tiles(m, k, a, ao, lda, panels, b + h, c, co + j + h, ldc);
        }
      } else {
        ragged(m, n - j, k, a, ao, lda, panels, b, c, co + j, ldc);
      }
    }
  }

  /** A panel with fewer than 32 columns: through a small buffer, row block by row block. */
  private static void ragged(
      int m,
      int width,
      int k,
      float[] a,
      int ao,
      int lda,
      float[] b,
      int bo,
      float[] c,
      int co,
      int ldc) {
    float[] buffer = new float[6 * PANEL];
    for (int i = 0; i < m; i += 6) {
      int rows = Math.min(6, m - i);
      for (int r = 0; r < rows; r++) {
        System.arraycopy(c, co + (i + r) * ldc, buffer, r * PANEL, width);
      }
      for (int h = 0; h < PANEL && h < width; h += 2 * L) {
        tiles(rows, k, a, ao + i, lda, b, bo + h, buffer, h, PANEL);
      }
      for (int r = 0; r < rows; r++) {
        System.arraycopy(buffer, r * PANEL, c, co + (i + r) * ldc, width);
      }
    }
  }

  private static void tiles(
      int m, int k, float[] a, int ao, int lda, float[] b, int bo, float[] c, int co, int ldc) {
    int i = 0;
    for (; i + 6 <= m; i += 6) {
      tile6(k, a, ao + i, lda, b, bo, c, co + i * ldc, ldc);
    }
    for (; i + 2 <= m; i += 2) {
      tile2(k, a, ao + i, lda, b, bo, c, co + i * ldc, ldc);
    }
    if (i < m) {
      tile1(k, a, ao + i, lda, b, bo, c, co + i * ldc);
    }
  }

  private static void tile6(
      int k, float[] a, int ao, int lda, float[] b, int bo, float[] c, int co, int ldc) {
    FloatVector x0 = FloatVector.fromArray(S, c, co);
    FloatVector y0 = FloatVector.fromArray(S, c, co + L);
    FloatVector x1 = FloatVector.fromArray(S, c, co + ldc);
    FloatVector y1 = FloatVector.fromArray(S, c, co + ldc + L);
    FloatVector x2 = FloatVector.fromArray(S, c, co + 2 * ldc);
    FloatVector y2 = FloatVector.fromArray(S, c, co + 2 * ldc + L);
    FloatVector x3 = FloatVector.fromArray(S, c, co + 3 * ldc);
    FloatVector y3 = FloatVector.fromArray(S, c, co + 3 * ldc + L);
    FloatVector x4 = FloatVector.fromArray(S, c, co + 4 * ldc);
    FloatVector y4 = FloatVector.fromArray(S, c, co + 4 * ldc + L);
    FloatVector x5 = FloatVector.fromArray(S, c, co + 5 * ldc);
    FloatVector y5 = FloatVector.fromArray(S, c, co + 5 * ldc + L);
    for (int r = 0; r < k; r++) {
      FloatVector p = FloatVector.fromArray(S, b, bo + r * PANEL);
      FloatVector q = FloatVector.fromArray(S, b, bo + r * PANEL + L);
      FloatVector s0 = FloatVector.broadcast(S, a[ao + r * lda]);
      x0 = s0.fma(p, x0);
      y0 = s0.fma(q, y0);
      FloatVector s1 = FloatVector.broadcast(S, a[ao + r * lda + 1]);
      x1 = s1.fma(p, x1);
      y1 = s1.fma(q, y1);
      FloatVector s2 = FloatVector.broadcast(S, a[ao + r * lda + 2]);
      x2 = s2.fma(p, x2);
      y2 = s2.fma(q, y2);
      FloatVector s3 = FloatVector.broadcast(S, a[ao + r * lda + 3]);
      x3 = s3.fma(p, x3);
      y3 = s3.fma(q, y3);
      FloatVector s4 = FloatVector.broadcast(S, a[ao + r * lda + 4]);
      x4 = s4.fma(p, x4);
      y4 = s4.fma(q, y4);
      FloatVector s5 = FloatVector.broadcast(S, a[ao + r * lda + 5]);
      x5 = s5.fma(p, x5);
      y5 = s5.fma(q, y5);
    }
    x0.intoArray(c, co);
    y0.intoArray(c, co + L);
    x1.intoArray(c, co + ldc);
    y1.intoArray(c, co + ldc + L);
    x2.intoArray(c, co + 2 * ldc);
    y2.intoArray(c, co + 2 * ldc + L);
    x3.intoArray(c, co + 3 * ldc);
    y3.intoArray(c, co + 3 * ldc + L);
    x4.intoArray(c, co + 4 * ldc);
    y4.intoArray(c, co + 4 * ldc + L);
    x5.intoArray(c, co + 5 * ldc);
    y5.intoArray(c, co + 5 * ldc + L);
  }

  private static void tile2(
      int k, float[] a, int ao, int lda, float[] b, int bo, float[] c, int co, int ldc) {
    FloatVector x0 = FloatVector.fromArray(S, c, co);
    FloatVector y0 = FloatVector.fromArray(S, c, co + L);
    FloatVector x1 = FloatVector.fromArray(S, c, co + ldc);
    FloatVector y1 = FloatVector.fromArray(S, c, co + ldc + L);
    for (int r = 0; r < k; r++) {
      FloatVector p = FloatVector.fromArray(S, b, bo + r * PANEL);
      FloatVector q = FloatVector.fromArray(S, b, bo + r * PANEL + L);
      FloatVector s0 = FloatVector.broadcast(S, a[ao + r * lda]);
      x0 = s0.fma(p, x0);
      y0 = s0.fma(q, y0);
      FloatVector s1 = FloatVector.broadcast(S, a[ao + r * lda + 1]);
      x1 = s1.fma(p, x1);
      y1 = s1.fma(q, y1);
    }
    x0.intoArray(c, co);
    y0.intoArray(c, co + L);
    x1.intoArray(c, co + ldc);
    y1.intoArray(c, co + ldc + L);
  }

  private static void tile1(
      int k, float[] a, int ao, int lda, float[] b, int bo, float[] c, int co) {
    FloatVector x0 = FloatVector.fromArray(S, c, co);
    FloatVector y0 = FloatVector.fromArray(S, c, co + L);
    for (int r = 0; r < k; r++) {
      FloatVector p = FloatVector.fromArray(S, b, bo + r * PANEL);
      FloatVector q = FloatVector.fromArray(S, b, bo + r * PANEL + L);
      FloatVector s0 = FloatVector.broadcast(S, a[ao + r * lda]);
      x0 = s0.fma(p, x0);
      y0 = s0.fma(q, y0);
    }
    x0.intoArray(c, co);
    y0.intoArray(c, co + L);
  }
}
