package tacet.tensor.kernel;

import static tacet.tensor.kernel.Kernels.PANEL;
import static tacet.tensor.kernel.VectorMath.L;
import static tacet.tensor.kernel.VectorMath.S;

import jdk.incubator.vector.FloatVector;

/**
 * The dense product: register tiles of 6 rows × 2 vectors over packed panels. Twelve accumulators
 * hide the latency of fused multiply-add, and 12 + 2 + 1 registers fit the 16 of AVX2. A panel is
 * {@value Kernels#PANEL} columns for every vector width; narrower vectors pass over it in slices of
 * two vectors. The tiles are written out because an array of vectors would not stay in registers.
 *
 * <p>Blocking: {@link #KC} rows of B (a panel of them stays in the first-level cache beside six rows
 * of A) and {@link #MC} rows of A (they stay in the second level while all panels pass).
 */
final class VectorProduct {
  private static final int KC = 1024;
  private static final int MC = 126;

  private VectorProduct() {}

  static void product(
      int m,
      int n,
      int k,
      float[] a,
      int ao,
      int lda,
      float[] panels,
      int po,
      int j0,
      int j1,
      float[] init,
      int io,
      int initStride,
      float[] c,
      int co,
      int ldc) {
    for (int k0 = 0; k0 == 0 || k0 < k; k0 += KC) {
      int kc = Math.min(KC, k - k0);
      if (k0 > 0) { // go on from what the last block of k left
        init = c;
        io = co;
        initStride = ldc;
      }
      for (int i0 = 0; i0 < m; i0 += MC) {
        int rows = Math.min(MC, m - i0);
        for (int j = j0; j < j1; j++) {
          int width = Math.min(PANEL, n - j * PANEL);
          int b = po + (j * k + k0) * PANEL;
          int from = io + i0 * initStride + j * PANEL;
          int to = co + i0 * ldc + j * PANEL;
          if (width == PANEL) {
            for (int h = 0; h < PANEL; h += 2 * L) {
              tiles(
                  rows,
                  kc,
                  a,
                  ao + i0 * lda + k0,
                  lda,
                  panels,
                  b + h,
                  init,
                  from + h,
                  initStride,
                  c,
                  to + h,
                  ldc);
            }
          } else {
            ragged(
                rows,
                width,
                kc,
                a,
                ao + i0 * lda + k0,
                lda,
                panels,
                b,
                init,
                from,
                initStride,
                c,
                to,
                ldc);
          }
        }
      }
    }
  }

  /** A panel with fewer than 32 columns: through a small buffer, row block by row block. */
  private static void ragged(
      int rows,
      int width,
      int k,
      float[] a,
      int ao,
      int lda,
      float[] b,
      int bo,
      float[] init,
      int io,
      int initStride,
      float[] c,
      int co,
      int ldc) {
    float[] buffer = new float[6 * PANEL];
    for (int i = 0; i < rows; i += 6) {
      int count = Math.min(6, rows - i);
      for (int r = 0; r < count; r++) {
        System.arraycopy(init, io + (i + r) * initStride, buffer, r * PANEL, width);
      }
      for (int h = 0; h < PANEL && h < width; h += 2 * L) {
        tiles(count, k, a, ao + i * lda, lda, b, bo + h, buffer, h, PANEL, buffer, h, PANEL);
      }
      for (int r = 0; r < count; r++) {
        System.arraycopy(buffer, r * PANEL, c, co + (i + r) * ldc, width);
      }
    }
  }

  private static void tiles(
      int rows,
      int k,
      float[] a,
      int ao,
      int lda,
      float[] b,
      int bo,
      float[] init,
      int io,
      int initStride,
      float[] c,
      int co,
      int ldc) {
    int i = 0;
    for (; i + 6 <= rows; i += 6) {
      tile6(
          k,
          a,
          ao + i * lda,
          lda,
          b,
          bo,
          init,
          io + i * initStride,
          initStride,
          c,
          co + i * ldc,
          ldc);
    }
    if (i + 4 <= rows) {
      tile4(
          k,
          a,
          ao + i * lda,
          lda,
          b,
          bo,
          init,
          io + i * initStride,
          initStride,
          c,
          co + i * ldc,
          ldc);
      i += 4;
    }
    if (i + 2 <= rows) {
      tile2(
          k,
          a,
          ao + i * lda,
          lda,
          b,
          bo,
          init,
          io + i * initStride,
          initStride,
          c,
          co + i * ldc,
          ldc);
      i += 2;
    }
    if (i < rows) {
      tile1(
          k,
          a,
          ao + i * lda,
          lda,
          b,
          bo,
          init,
          io + i * initStride,
          initStride,
          c,
          co + i * ldc,
          ldc);
    }
  }

  private static void tile6(
      int k,
      float[] a,
      int ao,
      int lda,
      float[] b,
      int bo,
      float[] init,
      int io,
      int initStride,
      float[] c,
      int co,
      int ldc) {
    FloatVector x0 = FloatVector.fromArray(S, init, io);
    FloatVector y0 = FloatVector.fromArray(S, init, io + L);
    FloatVector x1 = FloatVector.fromArray(S, init, io + initStride);
    FloatVector y1 = FloatVector.fromArray(S, init, io + initStride + L);
    FloatVector x2 = FloatVector.fromArray(S, init, io + 2 * initStride);
    FloatVector y2 = FloatVector.fromArray(S, init, io + 2 * initStride + L);
    FloatVector x3 = FloatVector.fromArray(S, init, io + 3 * initStride);
    FloatVector y3 = FloatVector.fromArray(S, init, io + 3 * initStride + L);
    FloatVector x4 = FloatVector.fromArray(S, init, io + 4 * initStride);
    FloatVector y4 = FloatVector.fromArray(S, init, io + 4 * initStride + L);
    FloatVector x5 = FloatVector.fromArray(S, init, io + 5 * initStride);
    FloatVector y5 = FloatVector.fromArray(S, init, io + 5 * initStride + L);
    final int a1 = ao + lda;
    final int a2 = ao + 2 * lda;
    final int a3 = ao + 3 * lda;
    final int a4 = ao + 4 * lda;
    final int a5 = ao + 5 * lda;
    for (int r = 0; r < k; r++) {
      FloatVector p = FloatVector.fromArray(S, b, bo + r * PANEL);
      FloatVector q = FloatVector.fromArray(S, b, bo + r * PANEL + L);
      FloatVector s0 = FloatVector.broadcast(S, a[ao + r]);
      x0 = s0.fma(p, x0);
      y0 = s0.fma(q, y0);
      FloatVector s1 = FloatVector.broadcast(S, a[a1 + r]);
      x1 = s1.fma(p, x1);
      y1 = s1.fma(q, y1);
      FloatVector s2 = FloatVector.broadcast(S, a[a2 + r]);
      x2 = s2.fma(p, x2);
      y2 = s2.fma(q, y2);
      FloatVector s3 = FloatVector.broadcast(S, a[a3 + r]);
      x3 = s3.fma(p, x3);
      y3 = s3.fma(q, y3);
      FloatVector s4 = FloatVector.broadcast(S, a[a4 + r]);
      x4 = s4.fma(p, x4);
      y4 = s4.fma(q, y4);
      FloatVector s5 = FloatVector.broadcast(S, a[a5 + r]);
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

  private static void tile4(
      int k,
      float[] a,
      int ao,
      int lda,
      float[] b,
      int bo,
      float[] init,
      int io,
      int initStride,
      float[] c,
      int co,
      int ldc) {
    FloatVector x0 = FloatVector.fromArray(S, init, io);
    FloatVector y0 = FloatVector.fromArray(S, init, io + L);
    FloatVector x1 = FloatVector.fromArray(S, init, io + initStride);
    FloatVector y1 = FloatVector.fromArray(S, init, io + initStride + L);
    FloatVector x2 = FloatVector.fromArray(S, init, io + 2 * initStride);
    FloatVector y2 = FloatVector.fromArray(S, init, io + 2 * initStride + L);
    FloatVector x3 = FloatVector.fromArray(S, init, io + 3 * initStride);
    FloatVector y3 = FloatVector.fromArray(S, init, io + 3 * initStride + L);
    final int a1 = ao + lda;
    final int a2 = ao + 2 * lda;
    final int a3 = ao + 3 * lda;
    for (int r = 0; r < k; r++) {
      FloatVector p = FloatVector.fromArray(S, b, bo + r * PANEL);
      FloatVector q = FloatVector.fromArray(S, b, bo + r * PANEL + L);
      FloatVector s0 = FloatVector.broadcast(S, a[ao + r]);
      x0 = s0.fma(p, x0);
      y0 = s0.fma(q, y0);
      FloatVector s1 = FloatVector.broadcast(S, a[a1 + r]);
      x1 = s1.fma(p, x1);
      y1 = s1.fma(q, y1);
      FloatVector s2 = FloatVector.broadcast(S, a[a2 + r]);
      x2 = s2.fma(p, x2);
      y2 = s2.fma(q, y2);
      FloatVector s3 = FloatVector.broadcast(S, a[a3 + r]);
      x3 = s3.fma(p, x3);
      y3 = s3.fma(q, y3);
    }
    x0.intoArray(c, co);
    y0.intoArray(c, co + L);
    x1.intoArray(c, co + ldc);
    y1.intoArray(c, co + ldc + L);
    x2.intoArray(c, co + 2 * ldc);
    y2.intoArray(c, co + 2 * ldc + L);
    x3.intoArray(c, co + 3 * ldc);
    y3.intoArray(c, co + 3 * ldc + L);
  }

  private static void tile2(
      int k,
      float[] a,
      int ao,
      int lda,
      float[] b,
      int bo,
      float[] init,
      int io,
      int initStride,
      float[] c,
      int co,
      int ldc) {
    FloatVector x0 = FloatVector.fromArray(S, init, io);
    FloatVector y0 = FloatVector.fromArray(S, init, io + L);
    FloatVector x1 = FloatVector.fromArray(S, init, io + initStride);
    FloatVector y1 = FloatVector.fromArray(S, init, io + initStride + L);
    final int a1 = ao + lda;
    for (int r = 0; r < k; r++) {
      FloatVector p = FloatVector.fromArray(S, b, bo + r * PANEL);
      FloatVector q = FloatVector.fromArray(S, b, bo + r * PANEL + L);
      FloatVector s0 = FloatVector.broadcast(S, a[ao + r]);
      x0 = s0.fma(p, x0);
      y0 = s0.fma(q, y0);
      FloatVector s1 = FloatVector.broadcast(S, a[a1 + r]);
      x1 = s1.fma(p, x1);
      y1 = s1.fma(q, y1);
    }
    x0.intoArray(c, co);
    y0.intoArray(c, co + L);
    x1.intoArray(c, co + ldc);
    y1.intoArray(c, co + ldc + L);
  }

  private static void tile1(
      int k,
      float[] a,
      int ao,
      int lda,
      float[] b,
      int bo,
      float[] init,
      int io,
      int initStride,
      float[] c,
      int co,
      int ldc) {
    FloatVector x0 = FloatVector.fromArray(S, init, io);
    FloatVector y0 = FloatVector.fromArray(S, init, io + L);
    for (int r = 0; r < k; r++) {
      FloatVector p = FloatVector.fromArray(S, b, bo + r * PANEL);
      FloatVector q = FloatVector.fromArray(S, b, bo + r * PANEL + L);
      FloatVector s0 = FloatVector.broadcast(S, a[ao + r]);
      x0 = s0.fma(p, x0);
      y0 = s0.fma(q, y0);
    }
    x0.intoArray(c, co);
    y0.intoArray(c, co + L);
  }
}
