package tacet.tensor.kernel;

import static tacet.tensor.kernel.Kernels.PANEL;
import static tacet.tensor.kernel.VectorMath.L;
import static tacet.tensor.kernel.VectorMath.S;

import jdk.incubator.vector.FloatVector;

/**
 * Products whose left side is mostly zeros, or has few rows. One row of the sparse product keeps
 * eight vectors of its result in registers while it runs down the list of non-zeros: four panels at
 * a time, so that the loads of different panels overlap.
 */
final class VectorSparse {
  private static final int GROUP = 4; // panels per pass

  private VectorSparse() {}

  static void row(
      int p0,
      int p1,
      int[] index,
      float[] value,
      int n,
      int k,
      float[] panels,
      int j0,
      int j1,
      float[] init,
      int io,
      float[] c,
      int co) {
    int whole = Math.min(j1, n / PANEL); // panels before the ragged one
    int j = j0;
    for (; j + GROUP <= whole; j += GROUP) {
      for (int h = 0; h < PANEL; h += 2 * L) {
        four(
            p0,
            p1,
            index,
            value,
            panels,
            j * k * PANEL + h,
            k * PANEL,
            init,
            io + j * PANEL + h,
            c,
            co + j * PANEL + h);
      }
    }
    for (; j < whole; j++) {
      for (int h = 0; h < PANEL; h += 2 * L) {
        one(
            p0,
            p1,
            index,
            value,
            panels,
            j * k * PANEL + h,
            init,
            io + j * PANEL + h,
            c,
            co + j * PANEL + h);
      }
    }
    if (j < j1) {
      int width = n - j * PANEL;
      float[] buffer = new float[PANEL];
      System.arraycopy(init, io + j * PANEL, buffer, 0, width);
      for (int h = 0; h < PANEL && h < width; h += 2 * L) {
        one(p0, p1, index, value, panels, j * k * PANEL + h, buffer, h, buffer, h);
      }
      System.arraycopy(buffer, 0, c, co + j * PANEL, width);
    }
  }

  private static void four(
      int p0,
      int p1,
      int[] index,
      float[] value,
      float[] b,
      int b0,
      int panel,
      float[] init,
      int io,
      float[] c,
      int co) {
    int b1 = b0 + panel;
    int b2 = b1 + panel;
    int b3 = b2 + panel;
    FloatVector x0 = FloatVector.fromArray(S, init, io);
    FloatVector y0 = FloatVector.fromArray(S, init, io + L);
    FloatVector x1 = FloatVector.fromArray(S, init, io + PANEL);
    FloatVector y1 = FloatVector.fromArray(S, init, io + PANEL + L);
    FloatVector x2 = FloatVector.fromArray(S, init, io + 2 * PANEL);
    FloatVector y2 = FloatVector.fromArray(S, init, io + 2 * PANEL + L);
    FloatVector x3 = FloatVector.fromArray(S, init, io + 3 * PANEL);
    FloatVector y3 = FloatVector.fromArray(S, init, io + 3 * PANEL + L);
    for (int p = p0; p < p1; p++) {
      int o = index[p] * PANEL;
      FloatVector s = FloatVector.broadcast(S, value[p]);
      x0 = s.fma(FloatVector.fromArray(S, b, b0 + o), x0);
      y0 = s.fma(FloatVector.fromArray(S, b, b0 + o + L), y0);
      x1 = s.fma(FloatVector.fromArray(S, b, b1 + o), x1);
      y1 = s.fma(FloatVector.fromArray(S, b, b1 + o + L), y1);
      x2 = s.fma(FloatVector.fromArray(S, b, b2 + o), x2);
      y2 = s.fma(FloatVector.fromArray(S, b, b2 + o + L), y2);
      x3 = s.fma(FloatVector.fromArray(S, b, b3 + o), x3);
      y3 = s.fma(FloatVector.fromArray(S, b, b3 + o + L), y3);
    }
    x0.intoArray(c, co);
    y0.intoArray(c, co + L);
    x1.intoArray(c, co + PANEL);
    y1.intoArray(c, co + PANEL + L);
    x2.intoArray(c, co + 2 * PANEL);
    y2.intoArray(c, co + 2 * PANEL + L);
    x3.intoArray(c, co + 3 * PANEL);
    y3.intoArray(c, co + 3 * PANEL + L);
  }

  private static void one(
      int p0,
      int p1,
      int[] index,
      float[] value,
      float[] b,
      int bo,
      float[] init,
      int io,
      float[] c,
      int co) {
    FloatVector x = FloatVector.fromArray(S, init, io);
    FloatVector y = FloatVector.fromArray(S, init, io + L);
    for (int p = p0; p < p1; p++) {
      int o = bo + index[p] * PANEL;
      FloatVector s = FloatVector.broadcast(S, value[p]);
      x = s.fma(FloatVector.fromArray(S, b, o), x);
      y = s.fma(FloatVector.fromArray(S, b, o + L), y);
    }
    x.intoArray(c, co);
    y.intoArray(c, co + L);
  }

  /** See {@link Kernels#accumulate}: 64 rows of B at a time, so that they are read from a cache. */
  static void accumulate(
      int m,
      int n,
      int k,
      float[] a,
      int ao,
      int ars,
      int aks,
      float[] b,
      int bo,
      int ldb,
      float[] c,
      int co,
      int ldc) {
    for (int k0 = 0; k0 < k; k0 += 64) {
      int kc = Math.min(64, k - k0);
      for (int i = 0; i < m; i += 4) {
        int aRow = ao + i * ars + k0 * aks;
        int bRow = bo + k0 * ldb;
        int cRow = co + i * ldc;
        if (i + 4 <= m) {
          fourRows(n, kc, a, aRow, ars, aks, b, bRow, ldb, c, cRow, ldc);
        } else {
          for (int r = 0; r < m - i; r++) {
            oneRow(n, kc, a, aRow + r * ars, aks, b, bRow, ldb, c, cRow + r * ldc);
          }
        }
      }
    }
  }

  private static void fourRows(
      int n,
      int k,
      float[] a,
      int a0,
      int ars,
      int aks,
      float[] b,
      int bo,
      int ldb,
      float[] c,
      int co,
      int ldc) {
    int a1 = a0 + ars;
    int a2 = a1 + ars;
    int a3 = a2 + ars;
    int c1 = co + ldc;
    int c2 = c1 + ldc;
    int c3 = c2 + ldc;
    int j = 0;
    for (; j + 2 * L <= n; j += 2 * L) {
      FloatVector x0 = FloatVector.fromArray(S, c, co + j);
      FloatVector y0 = FloatVector.fromArray(S, c, co + j + L);
      FloatVector x1 = FloatVector.fromArray(S, c, c1 + j);
      FloatVector y1 = FloatVector.fromArray(S, c, c1 + j + L);
      FloatVector x2 = FloatVector.fromArray(S, c, c2 + j);
      FloatVector y2 = FloatVector.fromArray(S, c, c2 + j + L);
      FloatVector x3 = FloatVector.fromArray(S, c, c3 + j);
      FloatVector y3 = FloatVector.fromArray(S, c, c3 + j + L);
      for (int r = 0; r < k; r++) {
        FloatVector p = FloatVector.fromArray(S, b, bo + r * ldb + j);
        FloatVector q = FloatVector.fromArray(S, b, bo + r * ldb + j + L);
        FloatVector s0 = FloatVector.broadcast(S, a[a0 + r * aks]);
        x0 = s0.fma(p, x0);
        y0 = s0.fma(q, y0);
        FloatVector s1 = FloatVector.broadcast(S, a[a1 + r * aks]);
        x1 = s1.fma(p, x1);
        y1 = s1.fma(q, y1);
        FloatVector s2 = FloatVector.broadcast(S, a[a2 + r * aks]);
        x2 = s2.fma(p, x2);
        y2 = s2.fma(q, y2);
        FloatVector s3 = FloatVector.broadcast(S, a[a3 + r * aks]);
        x3 = s3.fma(p, x3);
        y3 = s3.fma(q, y3);
      }
      x0.intoArray(c, co + j);
      y0.intoArray(c, co + j + L);
      x1.intoArray(c, c1 + j);
      y1.intoArray(c, c1 + j + L);
      x2.intoArray(c, c2 + j);
      y2.intoArray(c, c2 + j + L);
      x3.intoArray(c, c3 + j);
      y3.intoArray(c, c3 + j + L);
    }
    if (j < n) {
      for (int i = 0; i < 4; i++) {
        scalarTail(j, n, k, a, a0 + i * ars, aks, b, bo, ldb, c, co + i * ldc);
      }
    }
  }

  private static void oneRow(
      int n, int k, float[] a, int ao, int aks, float[] b, int bo, int ldb, float[] c, int co) {
    int j = 0;
    for (; j + L <= n; j += L) {
      FloatVector x = FloatVector.fromArray(S, c, co + j);
      for (int r = 0; r < k; r++) {
        FloatVector s = FloatVector.broadcast(S, a[ao + r * aks]);
        x = s.fma(FloatVector.fromArray(S, b, bo + r * ldb + j), x);
      }
      x.intoArray(c, co + j);
    }
    scalarTail(j, n, k, a, ao, aks, b, bo, ldb, c, co);
  }

  private static void scalarTail(
      int j0,
      int n,
      int k,
      float[] a,
      int ao,
      int aks,
      float[] b,
      int bo,
      int ldb,
      float[] c,
      int co) {
    for (int j = j0; j < n; j++) {
      float x = c[co + j];
      for (int r = 0; r < k; r++) {
        x = Math.fma(a[ao + r * aks], b[bo + r * ldb + j], x);
      }
      c[co + j] = x;
    }
  }
}
