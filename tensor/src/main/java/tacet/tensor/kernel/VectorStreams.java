package tacet.tensor.kernel;

import static tacet.tensor.kernel.Kernels.PANEL;
import static tacet.tensor.kernel.VectorMath.L;
import static tacet.tensor.kernel.VectorMath.S;

import jdk.incubator.vector.FloatVector;

/**
 * Tiles of few rows over several panels at a time, for a B that comes from memory: the processor
 * fetches ahead of several streams better than of one. The tiles of {@link VectorTiles} are for
 * panels that are near.
 */
final class VectorStreams {
  private VectorStreams() {}

  /** One row of A with four panels of B, {@code panel} floats apart. */
  static void row(
      int k,
      float[] a,
      int ao,
      float[] b,
      int b0,
      int panel,
      float[] init,
      int io,
      float[] c,
      int co) {
    FloatVector x0 = FloatVector.fromArray(S, init, io);
    FloatVector y0 = FloatVector.fromArray(S, init, io + L);
    FloatVector x1 = FloatVector.fromArray(S, init, io + PANEL);
    FloatVector y1 = FloatVector.fromArray(S, init, io + PANEL + L);
    FloatVector x2 = FloatVector.fromArray(S, init, io + 2 * PANEL);
    FloatVector y2 = FloatVector.fromArray(S, init, io + 2 * PANEL + L);
    FloatVector x3 = FloatVector.fromArray(S, init, io + 3 * PANEL);
    FloatVector y3 = FloatVector.fromArray(S, init, io + 3 * PANEL + L);
    final int b1 = b0 + panel;
    final int b2 = b1 + panel;
    final int b3 = b2 + panel;
    for (int r = 0; r < k; r++) {
      FloatVector s = FloatVector.broadcast(S, a[ao + r]);
      x0 = s.fma(FloatVector.fromArray(S, b, b0 + r * PANEL), x0);
      y0 = s.fma(FloatVector.fromArray(S, b, b0 + r * PANEL + L), y0);
      x1 = s.fma(FloatVector.fromArray(S, b, b1 + r * PANEL), x1);
      y1 = s.fma(FloatVector.fromArray(S, b, b1 + r * PANEL + L), y1);
      x2 = s.fma(FloatVector.fromArray(S, b, b2 + r * PANEL), x2);
      y2 = s.fma(FloatVector.fromArray(S, b, b2 + r * PANEL + L), y2);
      x3 = s.fma(FloatVector.fromArray(S, b, b3 + r * PANEL), x3);
      y3 = s.fma(FloatVector.fromArray(S, b, b3 + r * PANEL + L), y3);
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

  /**
   * C = init + A · B for the first two rows and two whole panels beside each other: two streams to
   * read B from memory with, for what comes after finds it in a cache.
   *
   * @param apart floats from one panel to the next
   */
  static void firstTwo(
      int k,
      float[] a,
      int ao,
      int lda,
      float[] b,
      int bo,
      int apart,
      float[] init,
      int io,
      int initStride,
      float[] c,
      int co,
      int ldc) {
    final int a1 = ao + lda;
    final int b1 = bo + apart;
    final int i1 = io + initStride;
    final int c1 = co + ldc;
    FloatVector x0 = FloatVector.fromArray(S, init, io);
    FloatVector y0 = FloatVector.fromArray(S, init, io + L);
    FloatVector z0 = FloatVector.fromArray(S, init, io + PANEL);
    FloatVector w0 = FloatVector.fromArray(S, init, io + PANEL + L);
    FloatVector x1 = FloatVector.fromArray(S, init, i1);
    FloatVector y1 = FloatVector.fromArray(S, init, i1 + L);
    FloatVector z1 = FloatVector.fromArray(S, init, i1 + PANEL);
    FloatVector w1 = FloatVector.fromArray(S, init, i1 + PANEL + L);
    for (int r = 0; r < k; r++) {
      FloatVector p = FloatVector.fromArray(S, b, bo + r * PANEL);
      FloatVector q = FloatVector.fromArray(S, b, bo + r * PANEL + L);
      FloatVector u = FloatVector.fromArray(S, b, b1 + r * PANEL);
      FloatVector v = FloatVector.fromArray(S, b, b1 + r * PANEL + L);
      FloatVector s0 = FloatVector.broadcast(S, a[ao + r]);
      x0 = s0.fma(p, x0);
      y0 = s0.fma(q, y0);
      z0 = s0.fma(u, z0);
      w0 = s0.fma(v, w0);
      FloatVector s1 = FloatVector.broadcast(S, a[a1 + r]);
      x1 = s1.fma(p, x1);
      y1 = s1.fma(q, y1);
      z1 = s1.fma(u, z1);
      w1 = s1.fma(v, w1);
    }
    x0.intoArray(c, co);
    y0.intoArray(c, co + L);
    z0.intoArray(c, co + PANEL);
    w0.intoArray(c, co + PANEL + L);
    x1.intoArray(c, c1);
    y1.intoArray(c, c1 + L);
    z1.intoArray(c, c1 + PANEL);
    w1.intoArray(c, c1 + PANEL + L);
  }
}
