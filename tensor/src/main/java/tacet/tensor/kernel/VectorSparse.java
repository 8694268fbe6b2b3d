package tacet.tensor.kernel;

import static tacet.tensor.kernel.Kernels.LANES;
import static tacet.tensor.kernel.VectorMath.L;
import static tacet.tensor.kernel.VectorMath.S;
import static tacet.tensor.kernel.VectorMath.set;

import jdk.incubator.vector.FloatVector;

/**
 * Products whose left side is mostly zeros, or whose result is wanted in few places, or whose left
 * side has few rows.
 */
final class VectorSparse {
  private VectorSparse() {}

  /** See {@link Kernels#sparseRows}. */
  static void rows(
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
    int j = 0;
    for (; j + 8 * L <= width; j += 8 * L) {
      eight(
          rows,
          start,
          at,
          step,
          span,
          index,
          value,
          b,
          bo + j,
          stride,
          init,
          io + j,
          initStride,
          c,
          co + j,
          ldc);
    }
    for (; j < width; j += L) {
      if (j + L <= width) {
        one(
            rows,
            start,
            at,
            step,
            span,
            index,
            value,
            b,
            bo + j,
            stride,
            init,
            io + j,
            initStride,
            c,
            co + j,
            ldc);
      } else {
        ragged(
            rows,
            start,
            at,
            step,
            span,
            index,
            value,
            b,
            bo + j,
            stride,
            width - j,
            init,
            io + j,
            initStride,
            c,
            co + j,
            ldc);
      }
    }
  }

  /** Eight vectors of columns stay in registers while each row runs down its list. */
  private static void eight(
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
      float[] init,
      int io,
      int initStride,
      float[] c,
      int co,
      int ldc) {
    for (int i = 0; i < rows; i++) {
      int p1 = start[at + i * step + span];
      int from = io + i * initStride;
      int to = co + i * ldc;
      FloatVector x0 = FloatVector.fromArray(S, init, from);
      FloatVector x1 = FloatVector.fromArray(S, init, from + L);
      FloatVector x2 = FloatVector.fromArray(S, init, from + 2 * L);
      FloatVector x3 = FloatVector.fromArray(S, init, from + 3 * L);
      FloatVector x4 = FloatVector.fromArray(S, init, from + 4 * L);
      FloatVector x5 = FloatVector.fromArray(S, init, from + 5 * L);
      FloatVector x6 = FloatVector.fromArray(S, init, from + 6 * L);
      FloatVector x7 = FloatVector.fromArray(S, init, from + 7 * L);
      for (int p = start[at + i * step]; p < p1; p++) {
        int o = bo + index[p] * stride;
        FloatVector s = FloatVector.broadcast(S, value[p]);
        x0 = s.fma(FloatVector.fromArray(S, b, o), x0);
        x1 = s.fma(FloatVector.fromArray(S, b, o + L), x1);
        x2 = s.fma(FloatVector.fromArray(S, b, o + 2 * L), x2);
        x3 = s.fma(FloatVector.fromArray(S, b, o + 3 * L), x3);
        x4 = s.fma(FloatVector.fromArray(S, b, o + 4 * L), x4);
        x5 = s.fma(FloatVector.fromArray(S, b, o + 5 * L), x5);
        x6 = s.fma(FloatVector.fromArray(S, b, o + 6 * L), x6);
        x7 = s.fma(FloatVector.fromArray(S, b, o + 7 * L), x7);
      }
      x0.intoArray(c, to);
      x1.intoArray(c, to + L);
      x2.intoArray(c, to + 2 * L);
      x3.intoArray(c, to + 3 * L);
      x4.intoArray(c, to + 4 * L);
      x5.intoArray(c, to + 5 * L);
      x6.intoArray(c, to + 6 * L);
      x7.intoArray(c, to + 7 * L);
    }
  }

  private static void one(
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
      float[] init,
      int io,
      int initStride,
      float[] c,
      int co,
      int ldc) {
    for (int i = 0; i < rows; i++) {
      int p1 = start[at + i * step + span];
      FloatVector x = FloatVector.fromArray(S, init, io + i * initStride);
      for (int p = start[at + i * step]; p < p1; p++) {
        FloatVector s = FloatVector.broadcast(S, value[p]);
        x = s.fma(FloatVector.fromArray(S, b, bo + index[p] * stride), x);
      }
      x.intoArray(c, co + i * ldc);
    }
  }

  /** The last columns, fewer than a vector; B is padded, init and C are not. */
  private static void ragged(
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
    float[] buffer = new float[L];
    for (int i = 0; i < rows; i++) {
      System.arraycopy(init, io + i * initStride, buffer, 0, width);
      one(
          1,
          start,
          at + i * step,
          0,
          span,
          index,
          value,
          b,
          bo,
          stride,
          buffer,
          0,
          0,
          buffer,
          0,
          0);
      System.arraycopy(buffer, 0, c, co + i * ldc, width);
    }
  }

  /**
   * See {@link Kernels#sampledRows}: four entries at a time, which share the loads of A and hide the
   * latency of each other's sums.
   */
  static void sampled(
      int rows,
      int[] start,
      int at,
      int step,
      int span,
      int[] index,
      float[] value,
      float[] a,
      int ao,
      int lda,
      float[] b,
      int n,
      int k) {
    float[] lanes = new float[4 * LANES];
    for (int i = 0; i < rows; i++) {
      int p1 = start[at + i * step + span];
      int p = start[at + i * step];
      for (; p + 4 <= p1; p += 4) {
        four(index[p], index[p + 1], index[p + 2], index[p + 3], a, ao + i * lda, b, n, k, lanes);
        value[p] = ScalarMath.tree(lanes, 0);
        value[p + 1] = ScalarMath.tree(lanes, LANES);
        value[p + 2] = ScalarMath.tree(lanes, 2 * LANES);
        value[p + 3] = ScalarMath.tree(lanes, 3 * LANES);
      }
      if (p < p1) {
        int last = p1 - 1;
        four(
            index[p],
            index[Math.min(p + 1, last)],
            index[Math.min(p + 2, last)],
            index[last],
            a,
            ao + i * lda,
            b,
            n,
            k,
            lanes);
        for (int q = 0; p + q < p1; q++) {
          value[p + q] = ScalarMath.tree(lanes, q * LANES);
        }
      }
    }
  }

  /** Partial sums of one row of A with four rows of B. */
  private static void four(
      int f0, int f1, int f2, int f3, float[] a, int ao, float[] b, int n, int k, float[] lanes) {
    int groups = WideMatrix.groups(n);
    for (int s = 0; s < LANES; s += L) {
      FloatVector x0 = set(0f);
      FloatVector x1 = x0;
      FloatVector x2 = x0;
      FloatVector x3 = x0;
      for (int g = 0; g < groups; g++) {
        int bo = WideMatrix.start(g, k);
        int stride = WideMatrix.stride(g, n);
        int body = WideMatrix.width(g, n) & -LANES;
        int o0 = bo + f0 * stride;
        int o1 = bo + f1 * stride;
        int o2 = bo + f2 * stride;
        int o3 = bo + f3 * stride;
        int from = ao + g * WideMatrix.GROUP;
        for (int d = s; d < body; d += LANES) {
          FloatVector y = FloatVector.fromArray(S, a, from + d);
          x0 = y.fma(FloatVector.fromArray(S, b, o0 + d), x0);
          x1 = y.fma(FloatVector.fromArray(S, b, o1 + d), x1);
          x2 = y.fma(FloatVector.fromArray(S, b, o2 + d), x2);
          x3 = y.fma(FloatVector.fromArray(S, b, o3 + d), x3);
        }
      }
      x0.intoArray(lanes, s);
      x1.intoArray(lanes, LANES + s);
      x2.intoArray(lanes, 2 * LANES + s);
      x3.intoArray(lanes, 3 * LANES + s);
    }
    int tail = n % LANES;
    if (tail > 0) {
      int g = groups - 1;
      int stride = WideMatrix.stride(g, n);
      int at = WideMatrix.start(g, k) + (WideMatrix.width(g, n) & -LANES);
      for (int d = 0; d < tail; d++) {
        float y = a[ao + n - tail + d];
        lanes[d] = Math.fma(y, b[at + d + f0 * stride], lanes[d]);
        lanes[LANES + d] = Math.fma(y, b[at + d + f1 * stride], lanes[LANES + d]);
        lanes[2 * LANES + d] = Math.fma(y, b[at + d + f2 * stride], lanes[2 * LANES + d]);
        lanes[3 * LANES + d] = Math.fma(y, b[at + d + f3 * stride], lanes[3 * LANES + d]);
      }
    }
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
