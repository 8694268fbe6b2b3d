package tacet.tensor.kernel;

import java.util.Arrays;
import tacet.tensor.Engine;
import tacet.tensor.Workspace;

/**
 * Dense matrix products over all threads of an engine, and the choice between them and the sparse
 * ones of {@link SparseMatMul}. Y[t,n] = init + X[t,k] · B[k,n], B packed.
 *
 * <p>The split over threads never divides a sum, so results have the same bits for any number of
 * threads; and the sparse product adds the same terms in the same order as the dense one without
 * those that are zero, so both have the same bits too (B must be finite: 0 · ∞ would be NaN).
 */
public final class MatMul {
  private static final int ROWS = 126; // of a thread's share, a multiple of the tile's six
  private static final int MANY_ROWS = 1536; // reading all of B costs less than all of X
  private static final int OWN_ROWS = 384; // of X for each thread
  private static final int NEAR_ROWS = 192; // of a part that is finished while it is near
  private static final float[] ZEROS = new float[8192]; // never written

  /** What is done with a part of a product as soon as it is there, while it is near. */
  @FunctionalInterface
  public interface Finish {
    /**
     * Called by the thread that made the part, once for each element.
     *
     * @param row first row of the part
     * @param rows of it
     * @param column first column of the part
     * @param columns of it
     */
    void run(int row, int rows, int column, int columns);
  }

  /** Leaves the product as it is. */
  public static final Finish NOTHING = (row, rows, column, columns) -> {};

  private MatMul() {}

  /**
   * Y = bias + X · B, by the sparse product where {@code active} says that few values of X are not
   * zero, else by the dense one.
   *
   * @param x X, row-major t × k
   * @param t rows
   * @param active number of non-zeros in X or an upper bound; negative when it is not known
   * @param bias n values, or null
   * @param y Y, row-major t × n; modified
   */
  public static void product(
      Engine engine, float[] x, int t, long active, RightSide b, float[] bias, float[] y) {
    if (skips(engine, t, active, b)) {
      SparseRows rows = SparseRows.of(engine, x, t, b.k(), active);
      SparseMatMul.product(engine, rows, b.wide(engine), bias, y);
      rows.release(engine.workspace());
    } else {
      dense(engine, x, t, b.packed(engine), bias, y);
    }
  }

  /** Whether the sparse product is expected to be faster for so many non-zeros in t rows. */
  public static boolean skips(Engine engine, int t, long active, RightSide b) {
    return engine.skipsZeros()
        && active >= 0
        && active <= engine.breakEven().density(t, b.k(), b.n()) * t * b.k();
  }

  /**
   * Whether {@link SparseMatMul#sampled} is expected to be faster than {@link #denseByLanes} for so many
   * places in t rows.
   *
   * @param b B[k,n] of A[t,n] · Bᵀ
   */
  public static boolean samples(Engine engine, int t, long active, RightSide b) {
    return engine.skipsZeros()
        && active >= 0
        && active <= engine.breakEven().sampledDensity(t, b.k(), b.n()) * t * b.k();
  }

  /** Y = bias + X · B by the dense product. */
  public static void dense(
      Engine engine, float[] x, int t, PackedMatrix b, float[] bias, float[] y) {
    dense(engine, x, t, b, bias, y, NOTHING);
  }

  /** The same, and something else with each part of Y. */
  public static void dense(
      Engine engine, float[] x, int t, PackedMatrix b, float[] bias, float[] y, Finish finish) {
    if (bias == null && b.n() > ZEROS.length) {
      Arrays.fill(y, 0, t * b.n(), 0f);
      split(engine, x, t, b, y, b.n(), y, finish);
    } else {
      split(engine, x, t, b, bias == null ? ZEROS : bias, 0, y, finish);
    }
  }

  /**
   * Y = bias + X · B for a B that is used once: it is packed panel by panel while it is multiplied,
   * with the bits of {@link #dense}.
   *
   * @param b B, row-major k × n
   */
  public static void denseUnpacked(
      Engine engine, float[] x, int t, int k, float[] b, int n, float[] bias, float[] y) {
    Kernels kernels = engine.kernels();
    float[] init = bias == null ? zeros(n, y, t) : bias;
    int stride = init == y ? n : 0;
    byPanels(
        engine,
        n,
        (scratch, so, j0, j1) ->
            kernels.productUnpacked(
                t, n, k, x, 0, k, b, 0, n, j0, j1, scratch, so, init, 0, stride, y, 0, n));
  }

  /**
   * Y = bias + X · Bᵀ for a B that is used once; see {@link #denseUnpacked}.
   *
   * @param b B, row-major n × k: a linear layer's weight [out, in]
   */
  public static void denseUnpackedTransposed(
      Engine engine, float[] x, int t, int k, float[] b, int n, float[] bias, float[] y) {
    Kernels kernels = engine.kernels();
    float[] init = bias == null ? zeros(n, y, t) : bias;
    int stride = init == y ? n : 0;
    byPanels(
        engine,
        n,
        (scratch, so, j0, j1) -> {
          for (int j = j0; j < j1; j++) {
            int q = j * Kernels.PANEL;
            int width = Math.min(Kernels.PANEL, n - q);
            for (int k0 = 0; k0 == 0 || k0 < k; k0 += Kernels.DEPTH) {
              int kc = Math.min(Kernels.DEPTH, k - k0);
              float[] start = k0 == 0 ? init : y;
              int startStride = k0 == 0 ? stride : n;
              PackedMatrix.packTransposed(kernels, b, q * k + k0, k, kc, width, scratch, so, 0, 1);
              kernels.product(
                  t, width, kc, x, k0, k, scratch, so, 0, 1, start, q, startStride, y, q, n);
            }
          }
        });
  }

  /** Some panels of a product, with scratch memory that nobody else uses at the time. */
  private interface Panels {
    void run(float[] scratch, int so, int j0, int j1);
  }

  private static void byPanels(Engine engine, int n, Panels task) {
    int panels = PackedMatrix.panels(n);
    int threads = engine.workers().size();
    int grain = threads == 1 ? panels : Math.max(1, panels / (4 * threads));
    float[] scratch = engine.workspace().take(PackedMatrix.START + threads * Kernels.SCRATCH);
    engine
        .workers()
        .forEach(
            panels,
            grain,
            (part, from, to) ->
                task.run(scratch, PackedMatrix.START + part * Kernels.SCRATCH, from, to));
    engine.workspace().give(scratch);
  }

  /** Start values of zero: a row of them, or the result filled with them. */
  private static float[] zeros(int n, float[] y, int t) {
    if (n <= ZEROS.length) {
      return ZEROS;
    }
    Arrays.fill(y, 0, t * n, 0f);
    return y;
  }

  /** Y += X · B. */
  public static void accumulate(Engine engine, float[] x, int t, PackedMatrix b, float[] y) {
    split(engine, x, t, b, y, b.n(), y, NOTHING);
  }

  private static void split(
      Engine engine,
      float[] x,
      int t,
      PackedMatrix b,
      float[] init,
      int initStride,
      float[] y,
      Finish finish) {
    if (t == 0 || b.n() == 0) {
      return;
    }
    int threads = engine.workers().size();
    int panels = PackedMatrix.panels(b.n());
    int rows; // of X in a part
    int grain; // panels of B in a part
    if (t >= MANY_ROWS || panels < 2 * threads) { // each thread reads all of B
      int parts = threads * ((t + threads * ROWS - 1) / (threads * ROWS));
      rows = tiles(t, parts);
      grain = panels;
    } else { // each thread reads all of X, or those of many rows that it finds in its caches
      int parts = t >= OWN_ROWS * threads ? threads : 1;
      rows = tiles(t, parts);
      grain = Math.max(1, panels * parts / (4 * threads));
    }
    int across = (panels + grain - 1) / grain;
    engine
        .workers()
        .forEach(
            (t + rows - 1) / rows * across,
            1,
            (part, from, to) -> {
              for (int u = from; u < to; u++) {
                int i = u / across * rows;
                int j = u % across * grain;
                int end = Math.min(t, i + rows);
                int last = Math.min(panels, j + grain);
                part(engine.kernels(), x, i, end, b, j, last, init, initStride, y, finish);
              }
            });
  }

  /** Rows of the register tiles that a part has if t rows are cut into so many parts. */
  private static int tiles(int t, int parts) {
    return ((t + parts - 1) / parts + 5) / 6 * 6;
  }

  /** The rows i0 to i1 of X with the panels j0 to j1 of B. */
  private static void part(
      Kernels kernels,
      float[] x,
      int i0,
      int i1,
      PackedMatrix b,
      int j0,
      int j1,
      float[] init,
      int initStride,
      float[] y,
      Finish finish) {
    int n = b.n();
    int k = b.k();
    int column = j0 * Kernels.PANEL;
    int columns = Math.min(n, j1 * Kernels.PANEL) - column;
    int step = finish == NOTHING ? i1 - i0 : NEAR_ROWS;
    for (int i = i0; i < i1; i += step) {
      int m = Math.min(step, i1 - i);
      kernels.product(
          m,
          n,
          k,
          x,
          i * k,
          k,
          b.panels(),
          PackedMatrix.START,
          j0,
          j1,
          init,
          i * initStride,
          initStride,
          y,
          i * n,
          n);
      finish.run(i, m, column, columns);
    }
  }

  /**
   * Y = X · B with each sum made by lanes (see {@link Kernels#productByLanes}): what {@link
   * SparseMatMul#sampled} computes in some places, in all places.
   *
   * @param x row-major t × k
   * @param b B packed with {@link PackedMatrix#byLanes}
   * @param y row-major t × n; modified
   */
  public static void denseByLanes(Engine engine, float[] x, int t, PackedMatrix b, float[] y) {
    Kernels kernels = engine.kernels();
    int n = b.n();
    int k = b.k();
    float[] ordered = engine.workspace().take(t * k);
    engine
        .workers()
        .forEach(
            t,
            64,
            (part, from, to) -> {
              for (int i = from; i < to; i++) {
                int at = i * k;
                for (int l = 0; l < Kernels.LANES; l++) {
                  for (int r = l; r < k; r += Kernels.LANES) {
                    ordered[at++] = x[i * k + r];
                  }
                }
              }
            });
    int panels = PackedMatrix.panels(n);
    int threads = engine.workers().size();
    int rows = Math.min(tiles(t, Math.clamp((t + 5) / 6, 1, 4 * threads)), ROWS);
    float[][] scratch = new float[threads][];
    for (int i = 0; i < threads; i++) {
      scratch[i] = engine.workspace().take(Kernels.LANES_SCRATCH);
    }
    engine
        .workers()
        .forEach(
            t,
            rows,
            (part, from, to) ->
                kernels.productByLanes(
                    to - from,
                    n,
                    k,
                    ordered,
                    from * k,
                    k,
                    b.panels(),
                    PackedMatrix.START,
                    0,
                    panels,
                    y,
                    from * n,
                    n,
                    scratch[part]));
    for (float[] a : scratch) {
      engine.workspace().give(a);
    }
    engine.workspace().give(ordered);
  }

  /**
   * C = Aᵀ · B over all threads, for tall A[t,m] and B[t,n]: the gradient of a weight.
   *
   * @param c row-major m × n; overwritten
   */
  public static void transposedProduct(
      Engine engine, float[] a, int t, int m, float[] b, int n, float[] c) {
    Kernels kernels = engine.kernels();
    if (m <= 16 || n <= 16) { // a low-rank factor: one side is narrow, B is read where it lies
      narrow(engine, a, t, m, b, n, c);
      return;
    }
    Workspace workspace = engine.workspace();
    float[] at = workspace.take(m * t);
    engine
        .workers()
        .forEach(
            m,
            64,
            (part, from, to) -> kernels.transpose(a, from, m, t, to - from, at, from * t, t));
    denseUnpacked(engine, at, m, t, b, n, null, c);
    workspace.give(at);
  }

  private static void narrow(Engine engine, float[] a, int t, int m, float[] b, int n, float[] c) {
    Kernels kernels = engine.kernels();
    if (m <= n) { // split the columns of B
      Arrays.fill(c, 0, m * n, 0f);
      engine
          .workers()
          .forEach(
              n,
              columns(engine, n),
              (part, from, to) ->
                  kernels.accumulate(m, to - from, t, a, 0, 1, m, b, from, n, c, from, n));
    } else { // (Bᵀ · A)ᵀ
      Workspace workspace = engine.workspace();
      float[] ct = workspace.take(n * m);
      Arrays.fill(ct, 0, n * m, 0f);
      engine
          .workers()
          .forEach(
              m,
              columns(engine, m),
              (part, from, to) ->
                  kernels.accumulate(n, to - from, t, b, 0, 1, n, a, from, m, ct, from, m));
      kernels.transpose(ct, 0, m, n, m, c, 0, n);
      workspace.give(ct);
    }
  }

  private static int columns(Engine engine, int n) {
    int threads = engine.workers().size();
    return Math.max(
        Kernels.PANEL, (n / threads + Kernels.PANEL - 1) / Kernels.PANEL * Kernels.PANEL);
  }
}
