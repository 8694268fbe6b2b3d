package tacet.tensor.kernel;

import java.util.Arrays;
import tacet.tensor.Engine;

/**
 * Products with activations of which few are not zero, over all threads of an engine. Sums have the
 * terms and the order of the dense products without the terms that are zero, so the results have the
 * same bits (B must be finite: 0 · ∞ would be NaN).
 */
public final class SparseMatMul {
  private static final float[] ZEROS = new float[WideMatrix.GROUP]; // never written
  private static final int ROWS = 1024; // taken through a part of B at a time
  private static final int FEW = 64; // rows that are cut into fewer parts
  private static final int RUN = 32; // entries worth loading and storing eight vectors for
  private static final int CACHE = 512 << 10; // bytes of B that stay near while rows pass
  private static final long FAR = 256 << 10; // bytes of a B that may not be near from the last use
  private static final double TOUCHED = 0.7; // uses of a row of B that make it worth fetching all

  private SparseMatMul() {}

  /**
   * Y = bias + A · B.
   *
   * @param a A, t × k
   * @param b B, k × n
   * @param bias n values, or null
   * @param y row-major t × n; modified
   */
  public static void product(Engine engine, SparseRows a, WideMatrix b, float[] bias, float[] y) {
    product(engine, a, b, bias, y, MatMul.NOTHING);
  }

  /** The same, and something else with each part of Y. */
  public static void product(
      Engine engine, SparseRows a, WideMatrix b, float[] bias, float[] y, MatMul.Finish finish) {
    int n = b.n();
    int t = a.rows();
    if (n == 0) {
      return;
    }
    int groups = WideMatrix.groups(n);
    int threads = engine.workers().size();
    int units = (t < FEW ? 2 : 4) * threads; // each part reads B
    int parts = Math.max((t + ROWS - 1) / ROWS, threads == 1 ? 1 : (units - 1) / groups + 1);
    while (groups * parts % threads != 0) { // equal shares for all
      parts++;
    }
    int rows = Math.max(1, (t + parts - 1) / parts);
    int chunks = (t + rows - 1) / rows;
    float[] touched = new float[threads]; // so few that the workspace would cost more
    engine
        .workers()
        .forEach(
            groups * chunks,
            1,
            (part, from, to) -> {
              for (int u = from; u < to; u++) {
                int i0 = u / groups * rows;
                int i1 = Math.min(t, i0 + rows);
                int g = u % groups;
                touched[part] += group(engine.kernels(), a, i0, i1, b, g, bias, y);
                finish.run(i0, i1 - i0, g * WideMatrix.GROUP, WideMatrix.width(g, n));
              }
            });
  }

  /** One group of columns for some rows, block by block of A's columns. */
  private static float group(
      Kernels kernels, SparseRows a, int i0, int i1, WideMatrix b, int g, float[] bias, float[] y) {
    int n = b.n();
    int k = b.k();
    int step = SparseRows.blocks(k) + 1;
    long entries = 0;
    for (int i = i0; i < i1; i++) {
      entries += a.end(i) - a.first(i);
    }
    int span = span(entries, i1 - i0, step - 1);
    int start = WideMatrix.start(g, k);
    int stride = WideMatrix.stride(g, n);
    boolean touch = 4L * k * n > FAR && entries >= TOUCHED * k;
    float touched = 0;
    float[] init = bias == null ? ZEROS : bias;
    int io = bias == null ? 0 : g * WideMatrix.GROUP;
    int initStride = 0;
    int to = i0 * n + g * WideMatrix.GROUP;
    for (int f = 0; f == 0 || f < step - 1; f += span) { // once at least, for the start values
      if (touch) {
        int end = Math.min(k, (f + span) * SparseRows.BLOCK);
        touched +=
            kernels.touch(b.groups(), start + f * SparseRows.BLOCK * stride, start + end * stride);
      }
      kernels.sparseRows(
          i1 - i0,
          a.start(),
          i0 * step + f,
          step,
          Math.min(span, step - 1 - f),
          a.index(),
          a.value(),
          b.groups(),
          start,
          stride,
          WideMatrix.width(g, n),
          init,
          io,
          initStride,
          y,
          to,
          n);
      init = y; // go on from what the last block left
      io = to;
      initStride = n;
    }
    return touched;
  }

  /** Blocks at a time, so that a row has about {@link #RUN} entries in them. */
  private static int span(long entries, int rows, int blocks) {
    if (entries < TOUCHED * blocks * SparseRows.BLOCK) {
      return Math.max(1, blocks); // rows of B are hardly used twice: nothing to keep near
    }
    long wanted = (long) RUN * rows * blocks;
    return Math.clamp(wanted / Math.max(1, entries), 1, Math.max(1, blocks));
  }

  /**
   * A · Bᵀ at the places of a sparse matrix only, summed by lanes; see {@link Kernels#sampledRows}.
   *
   * @param a row-major t × n
   * @param b B, k × n
   * @param places t × k; its values are overwritten
   */
  public static void sampled(Engine engine, float[] a, WideMatrix b, SparseRows places) {
    int t = places.rows();
    int n = b.n();
    int blocks = SparseRows.blocks(places.columns());
    int span = Math.clamp(CACHE / (4L * SparseRows.BLOCK * n), 1, Math.max(1, blocks));
    int threads = engine.workers().size();
    int spans = (blocks + span - 1) / span;
    int parts = Math.max((t + 63) / 64, threads == 1 ? 1 : (4 * threads - 1) / spans + 1);
    int rows = Math.max(1, (t + parts - 1) / parts);
    int chunks = (t + rows - 1) / rows;
    boolean touch = 4L * b.k() * n > FAR && (double) places.entries() * rows >= TOUCHED * b.k() * t;
    float[] touched = engine.workspace().take(threads);
    engine
        .workers()
        .forEach(
            spans * chunks,
            1,
            (part, first, last) -> {
              for (int u = first; u < last; u++) {
                int f = u % spans * span;
                int from = u / spans * rows;
                int to = Math.min(t, from + rows);
                if (touch) {
                  touched[part] += touch(engine.kernels(), b, f, f + span);
                }
                engine
                    .kernels()
                    .sampledRows(
                        to - from,
                        places.start(),
                        from * (blocks + 1) + f,
                        blocks + 1,
                        Math.min(span, blocks - f),
                        places.index(),
                        places.value(),
                        a,
                        from * n,
                        n,
                        b.groups(),
                        n,
                        b.k());
              }
            });
    engine.workspace().give(touched);
  }

  /** Fetches the rows of some blocks. */
  private static float touch(Kernels kernels, WideMatrix b, int f0, int f1) {
    float sum = 0;
    for (int g = 0; g < WideMatrix.groups(b.n()); g++) {
      int start = WideMatrix.start(g, b.k());
      int stride = WideMatrix.stride(g, b.n());
      int end = Math.min(b.k(), f1 * SparseRows.BLOCK);
      sum +=
          kernels.touch(b.groups(), start + f0 * SparseRows.BLOCK * stride, start + end * stride);
    }
    return sum;
  }

  /**
   * C = Aᵀ · B for a sparse A[t,m] and a dense B[t,n]: the gradient of a weight whose neurons were
   * mostly silent. Has the bits of {@link MatMul#transposedProduct}.
   *
   * @param transposed Aᵀ, m × t
   * @param b row-major t × n
   * @param c row-major m × n; overwritten
   */
  public static void gradient(Engine engine, SparseRows transposed, float[] b, int n, float[] c) {
    int t = transposed.columns();
    float[] laid = engine.workspace().take(WideMatrix.size(t, n));
    WideMatrix wide = new WideMatrix(t, n, laid);
    wide.lay(engine.workers(), b);
    product(engine, transposed, wide, null, c);
    engine.workspace().give(laid);
  }

  /** sums[f] = Σ_t A[t,f], ascending t. */
  public static void columnSums(SparseRows a, float[] sums) {
    Arrays.fill(sums, 0, a.columns(), 0f);
    for (int i = 0; i < a.rows(); i++) {
      for (int p = a.first(i); p < a.end(i); p++) {
        sums[a.index()[p]] += a.value()[p];
      }
    }
  }
}
