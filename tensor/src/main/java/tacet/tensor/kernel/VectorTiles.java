package tacet.tensor.kernel;

import static tacet.tensor.kernel.Kernels.PANEL;
import static tacet.tensor.kernel.VectorMath.L;
import static tacet.tensor.kernel.VectorMath.S;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;

/**
 * The register tiles of the dense product: up to 6 rows of A with two vectors of a packed panel.
 * Twelve accumulators hide the latency of fused multiply-add, and 12 + 2 + 1 registers fit the 16 of
 * AVX2. The tiles are written out because an array of vectors would not stay in registers.
 */
final class VectorTiles {
  private VectorTiles() {}

  /** C = init + A · B for any number of rows and two vectors of columns. */
  static void tiles(
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

  /**
   * C = init + A · B for any number of rows and one vector of columns, of which the first {@code
   * width} are there: the end of a panel that is not full.
   */
  static void narrow(
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
    int i = 0;
    for (; i + 6 <= rows; i += 6) {
      narrow6(
          width,
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
    for (; i < rows; i++) {
      narrow1(width, k, a, ao + i * lda, b, bo, init, io + i * initStride, c, co + i * ldc);
    }
  }

  private static void narrow6(
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
    VectorMask<Float> mask = S.indexInRange(0, width);
    FloatVector x0 = FloatVector.fromArray(S, init, io, mask);
    FloatVector x1 = FloatVector.fromArray(S, init, io + initStride, mask);
    FloatVector x2 = FloatVector.fromArray(S, init, io + 2 * initStride, mask);
    FloatVector x3 = FloatVector.fromArray(S, init, io + 3 * initStride, mask);
    FloatVector x4 = FloatVector.fromArray(S, init, io + 4 * initStride, mask);
    FloatVector x5 = FloatVector.fromArray(S, init, io + 5 * initStride, mask);
    final int a1 = ao + lda;
    final int a2 = ao + 2 * lda;
    final int a3 = ao + 3 * lda;
    final int a4 = ao + 4 * lda;
    final int a5 = ao + 5 * lda;
    for (int r = 0; r < k; r++) {
      FloatVector p = FloatVector.fromArray(S, b, bo + r * PANEL);
      x0 = FloatVector.broadcast(S, a[ao + r]).fma(p, x0);
      x1 = FloatVector.broadcast(S, a[a1 + r]).fma(p, x1);
      x2 = FloatVector.broadcast(S, a[a2 + r]).fma(p, x2);
      x3 = FloatVector.broadcast(S, a[a3 + r]).fma(p, x3);
      x4 = FloatVector.broadcast(S, a[a4 + r]).fma(p, x4);
      x5 = FloatVector.broadcast(S, a[a5 + r]).fma(p, x5);
    }
    x0.intoArray(c, co, mask);
    x1.intoArray(c, co + ldc, mask);
    x2.intoArray(c, co + 2 * ldc, mask);
    x3.intoArray(c, co + 3 * ldc, mask);
    x4.intoArray(c, co + 4 * ldc, mask);
    x5.intoArray(c, co + 5 * ldc, mask);
  }

  private static void narrow1(
      int width,
      int k,
      float[] a,
      int ao,
      float[] b,
      int bo,
      float[] init,
      int io,
      float[] c,
      int co) {
    VectorMask<Float> mask = S.indexInRange(0, width);
    FloatVector x = FloatVector.fromArray(S, init, io, mask);
    for (int r = 0; r < k; r++) {
      FloatVector p = FloatVector.fromArray(S, b, bo + r * PANEL);
      x = FloatVector.broadcast(S, a[ao + r]).fma(p, x);
    }
    x.intoArray(c, co, mask);
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

  /** Six rows of A with two vectors of an unpacked B, which are left behind packed. */
  static void packing6(
      int k,
      float[] a,
      int ao,
      int lda,
      float[] b,
      int bo,
      int ldb,
      float[] packed,
      int po,
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
      FloatVector p = FloatVector.fromArray(S, b, bo + r * ldb);
      FloatVector q = FloatVector.fromArray(S, b, bo + r * ldb + L);
      p.intoArray(packed, po + r * PANEL);
      q.intoArray(packed, po + r * PANEL + L);
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
