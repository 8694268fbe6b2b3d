package tacet.tensor.kernel;

import java.util.Arrays;
import tacet.tensor.Engine;
import tacet.tensor.Workspace;

/**
 * Products with a weight W[n,k] that is kept as a {@link CompactMatrix}, over all threads of an
 * engine. Pieces of it are expanded into scratch memory that stays in a cache, and multiplied there
 * by the float kernels; one or two rows are multiplied while the codes are read, all of them or those
 * of the inputs that speak. All results have the bits of the products of {@link MatMul} and {@link SparseMatMul} with the expanded weight.
 */
public final class CompactMatMul {
  private static final int PANEL = Kernels.PANEL;
  private static final int DEPTH = 1024; // rows of a panel that are expanded at a time
  private static final int GROUP = 4; // panels of a gradient that are expanded together

  /** Rows that are faster one by one, without expanding anything in memory. */
  public static final int FEW = 2;

  private static final int RUN = 8; // rows that are expanded together where few are needed
  private static final float[] ZEROS = new float[GROUP * PANEL]; // never written

  /** Scratch for expanded panels begins here, on a cache line if it is long: see PackedMatrix. */
  private static final int START = PackedMatrix.START;

  /** Floats of that scratch: a megabyte, so that vectors in it do not cross cache lines. */
  private static final int SCRATCH = 1 << 18;

  private CompactMatMul() {}

  /**
   * Y[t,n] = bias + X[t,k] · Wᵀ.
   *
   * @param bias n values, or null
   * @param y row-major; modified
   */
  public static void product(
      Engine engine, float[] x, int t, CompactMatrix w, float[] bias, float[] y) {
    int panels = PackedMatrix.panels(w.n());
    int threads = engine.workers().size();
    float[][] scratch = scratch(engine, t <= FEW ? 2 * PANEL : SCRATCH);
    if (t <= FEW) {
      engine
          .workers()
          .forEach(
              panels,
              grain(panels, threads),
              (part, j0, j1) -> {
                for (int i = 0; i < t; i++) {
                  int xo = i * w.k();
                  row(
                      (j, end, init, io, to, o) ->
                          w.row(engine.kernels(), j, end, x, xo, init, io, to, o),
                      w,
                      j0,
                      j1,
                      bias,
                      y,
                      i * w.n(),
                      scratch[part]);
                }
              });
    } else if (panels >= 2 * threads) {
      engine
          .workers()
          .forEach(
              panels,
              grain(panels, threads),
              (part, j0, j1) ->
                  block(engine.kernels(), w, j0, j1, x, 0, t, bias, y, scratch[part]));
    } else {
      int rows = ((t + threads - 1) / threads + 5) / 6 * 6;
      engine
          .workers()
          .forEach(
              t,
              rows,
              (part, i0, i1) ->
                  block(engine.kernels(), w, 0, panels, x, i0, i1, bias, y, scratch[part]));
    }
    give(engine, scratch);
  }

  private static int grain(int panels, int threads) {
    return Math.max(1, panels / (4 * threads));
  }

  /** to = init + x · B for the panels j to end and some row x. */
  private interface PanelProduct {
    void run(int j, int end, float[] init, int io, float[] to, int o);
  }

  /** One row of Y in the columns of the panels j0 to j1. */
  private static void row(
      PanelProduct product,
      CompactMatrix w,
      int j0,
      int j1,
      float[] bias,
      float[] y,
      int yo,
      float[] scratch) {
    int whole = Math.min(j1, w.n() / PANEL);
    int at = j0 * PANEL;
    if (bias == null) {
      Arrays.fill(y, yo + at, yo + whole * PANEL, 0f);
      product.run(j0, whole, y, yo + at, y, yo + at);
    } else {
      product.run(j0, whole, bias, at, y, yo + at);
    }
    if (whole < j1) { // a ragged panel, through a small buffer
      at = whole * PANEL;
      int width = w.n() - at;
      Arrays.fill(scratch, 0, PANEL, 0f);
      if (bias != null) {
        System.arraycopy(bias, at, scratch, 0, width);
      }
      product.run(whole, j1, scratch, 0, scratch, PANEL);
      System.arraycopy(scratch, PANEL, y, yo + at, width);
    }
  }

  /** Some panels for some rows. A block of X stays in a cache while the panels pass. */
  private static void block(
      Kernels kernels,
      CompactMatrix w,
      int j0,
      int j1,
      float[] x,
      int i0,
      int i1,
      float[] bias,
      float[] y,
      float[] scratch) {
    int k = w.k();
    int n = w.n();
    for (int k0 = 0; k0 < k; k0 += DEPTH) {
      int kc = Math.min(DEPTH, k - k0);
      for (int j = j0; j < j1; j++) {
        w.expand(kernels, j, k0, k0 + kc, scratch, START);
        int at = j * PANEL;
        int to = i0 * n + at;
        float[] init = k0 > 0 ? y : bias == null ? ZEROS : bias;
        int io = k0 > 0 ? to : bias == null ? 0 : at;
        kernels.product(
            i1 - i0,
            Math.min(PANEL, n - at),
            kc,
            x,
            i0 * k + k0,
            k,
            scratch,
            START,
            0,
            1,
            init,
            io,
            k0 > 0 ? n : 0,
            y,
            to,
            n);
      }
    }
  }

  /**
   * dX[t,k] = dY[t,n] · W: the gradient of {@link #product} by X. A few panels of W's columns are
   * expanded together, so that codes are read in pieces that are not too short.
   *
   * @param dX row-major; overwritten
   */
  public static void gradient(Engine engine, float[] dY, int t, CompactMatrix w, float[] dX) {
    int columns = PackedMatrix.panels(w.k());
    int threads = engine.workers().size();
    float[][] scratch = scratch(engine, SCRATCH);
    engine
        .workers()
        .forEach(
            columns,
            Math.clamp(columns / (2 * threads), 1, GROUP),
            (part, from, to) -> {
              for (int c = from; c < to; c += GROUP) {
                group(engine.kernels(), dY, t, w, c, Math.min(to, c + GROUP), dX, scratch[part]);
              }
            });
    give(engine, scratch);
  }

  /** The panels c0 to c1, at most {@link #GROUP}, of the columns of dX. */
  private static void group(
      Kernels kernels,
      float[] dY,
      int t,
      CompactMatrix w,
      int c0,
      int c1,
      float[] dX,
      float[] scratch) {
    int k = w.k();
    int n = w.n();
    int at = c0 * PANEL;
    int end = Math.min(k, c1 * PANEL);
    for (int n0 = 0; n0 < n; n0 += DEPTH) {
      int nc = Math.min(DEPTH, n - n0);
      int tile = START + GROUP * nc * PANEL;
      for (int q = 0; q < nc; q += PANEL) { // 32 outputs: the inputs at to end, then turned
        w.expand(kernels, (n0 + q) / PANEL, at, end, scratch, tile);
        for (int c = c0; c < c1; c++) {
          int from = tile + (c - c0) * PANEL * PANEL;
          int to = START + ((c - c0) * nc + q) * PANEL;
          int rows = Math.min(PANEL, k - c * PANEL);
          kernels.transpose(
              scratch, from, PANEL, rows, Math.min(PANEL, nc - q), scratch, to, PANEL);
        }
      }
      float[] init = n0 > 0 ? dX : ZEROS;
      kernels.product(
          t,
          end - at,
          nc,
          dY,
          n0,
          n,
          scratch,
          START,
          0,
          c1 - c0,
          init,
          n0 > 0 ? at : 0,
          n0 > 0 ? k : 0,
          dX,
          at,
          k);
    }
  }

  /** A square of W: outputs of panel j by inputs of panel c, row-major from {@code to}. */
  private static void turned(
      Kernels kernels, CompactMatrix w, int j, int c, float[] tile, int at, float[] y, int to) {
    int r0 = c * PANEL;
    int r1 = Math.min(w.k(), r0 + PANEL);
    w.expand(kernels, j, r0, r1, tile, at);
    kernels.transpose(tile, at, PANEL, r1 - r0, PANEL, y, to, PANEL);
  }

  /**
   * Rows of a weight: y[t] = W[ids[t]], for a table of vectors.
   *
   * @param w [n, k]
   * @param ids t rows of W
   * @param y row-major t × k; overwritten
   */
  public static void rows(Engine engine, CompactMatrix w, int[] ids, int t, float[] y) {
    int k = w.k();
    int length = Math.min(DEPTH, k);
    float[][] scratch = scratch(engine, length * PANEL);
    engine
        .workers()
        .forEach(
            t,
            1,
            (part, from, to) -> {
              float[] s = scratch[part];
              for (int i = from; i < to; i++) {
                for (int k0 = 0; k0 < k; k0 += length) {
                  int end = Math.min(k, k0 + length);
                  w.expand(engine.kernels(), ids[i] / PANEL, k0, end, s, 0);
                  for (int r = k0; r < end; r++) {
                    y[i * k + r] = s[(r - k0) * PANEL + ids[i] % PANEL];
                  }
                }
              }
            });
    give(engine, scratch);
  }

  // ------------------------------------------------------------------ few non-zeros

  /** {@link #product} with the zeros of X skipped; only the inputs that speak are expanded. */
  public static void product(
      Engine engine, SparseRows x, CompactMatrix w, float[] bias, float[] y) {
    if (x.rows() <= FEW) {
      fewRows(engine, x, w, bias, y);
      return;
    }
    WideMatrix wide = wide(engine, w, used(x));
    SparseMatMul.product(engine, x, wide, bias, y);
    engine.workspace().give(wide.groups());
  }

  private static void fewRows(
      Engine engine, SparseRows x, CompactMatrix w, float[] bias, float[] y) {
    Kernels kernels = engine.kernels();
    int panels = PackedMatrix.panels(w.n());
    float[][] scratch = scratch(engine, 2 * PANEL);
    engine
        .workers()
        .forEach(
            panels,
            grain(panels, engine.workers().size()),
            (part, j0, j1) -> {
              for (int i = 0; i < x.rows(); i++) {
                int p0 = x.first(i);
                int p1 = x.end(i);
                row(
                    (j, end, init, io, to, o) ->
                        w.sparseRow(kernels, j, end, p0, p1, x.index(), x.value(), init, io, to, o),
                    w,
                    j0,
                    j1,
                    bias,
                    y,
                    i * w.n(),
                    scratch[part]);
              }
            });
    give(engine, scratch);
  }

  /** {@link #gradient} at some places only, summed by lanes; see {@link SparseMatMul#sampled}. */
  public static void sampled(Engine engine, float[] dY, CompactMatrix w, SparseRows dX) {
    WideMatrix wide = wide(engine, w, used(dX));
    SparseMatMul.sampled(engine, dY, wide, dX);
    engine.workspace().give(wide.groups());
  }

  /** {@link #gradient} with the zeros of dY skipped. */
  public static void gradient(Engine engine, SparseRows dY, CompactMatrix w, float[] dX) {
    WideMatrix wide = wideRows(engine, w, used(dY));
    SparseMatMul.product(engine, dY, wide, null, dX);
    engine.workspace().give(wide.groups());
  }

  /** {@link #gradient} summed by lanes: {@link #sampled} in all places. */
  public static void gradientByLanes(
      Engine engine, float[] dY, int t, CompactMatrix w, float[] dX) {
    Workspace workspace = engine.workspace();
    int k = w.k();
    int n = w.n();
    float[] packed = workspace.take(PackedMatrix.START + PackedMatrix.size(n, k));
    float[][] scratch = scratch(engine, 2 * PANEL * PANEL);
    engine
        .workers()
        .forEach(
            PackedMatrix.panels(k),
            1,
            (part, c0, c1) -> {
              for (int c = c0; c < c1; c++) {
                for (int j = 0; j * PANEL < n; j++) {
                  float[] s = scratch[part];
                  turned(engine.kernels(), w, j, c, s, PANEL * PANEL, s, 0);
                  for (int o = j * PANEL; o < Math.min(n, (j + 1) * PANEL); o++) {
                    int row = Kernels.laneStart(o % Kernels.LANES, n) + o / Kernels.LANES;
                    int to = PackedMatrix.START + (c * n + row) * PANEL;
                    System.arraycopy(s, (o - j * PANEL) * PANEL, packed, to, PANEL);
                  }
                }
              }
            });
    MatMul.denseByLanes(engine, dY, t, new PackedMatrix(n, k, packed), dX);
    give(engine, scratch);
    workspace.give(packed);
  }

  /** Which columns of a sparse matrix have entries. */
  private static boolean[] used(SparseRows x) {
    boolean[] used = new boolean[x.columns()];
    for (int i = 0; i < x.rows(); i++) {
      for (int p = x.first(i); p < x.end(i); p++) {
        used[x.index()[p]] = true;
      }
    }
    return used;
  }

  private static boolean any(boolean[] used, int from, int to) {
    for (int i = from; i < to; i++) {
      if (used[i]) {
        return true;
      }
    }
    return false;
  }

  /** Wᵀ [k,n] with only the used rows filled in; its array belongs to the workspace. */
  private static WideMatrix wide(Engine engine, CompactMatrix w, boolean[] used) {
    int k = w.k();
    int n = w.n();
    float[] groups = engine.workspace().take(WideMatrix.size(k, n));
    float[][] scratch = scratch(engine, RUN * PANEL);
    engine
        .workers()
        .forEach(
            PackedMatrix.panels(n),
            1,
            (part, j0, j1) -> {
              for (int j = j0; j < j1; j++) {
                int g = j * PANEL / WideMatrix.GROUP;
                int stride = WideMatrix.stride(g, n);
                int column = j * PANEL % WideMatrix.GROUP;
                int width = Math.min(PANEL, stride - column);
                int to = WideMatrix.start(g, k) + column;
                for (int r = 0; r < k; r += RUN) {
                  int end = Math.min(k, r + RUN);
                  if (any(used, r, end)) {
                    w.expand(engine.kernels(), j, r, end, scratch[part], 0);
                    for (int q = r; q < end; q++) {
                      System.arraycopy(
                          scratch[part], (q - r) * PANEL, groups, to + q * stride, width);
                    }
                  }
                }
              }
            });
    give(engine, scratch);
    return new WideMatrix(k, n, groups);
  }

  /** W [n,k] with only the panels of used rows filled in; its array belongs to the workspace. */
  private static WideMatrix wideRows(Engine engine, CompactMatrix w, boolean[] used) {
    int k = w.k();
    int n = w.n();
    float[] groups = engine.workspace().take(WideMatrix.size(n, k));
    float[][] scratch = scratch(engine, 2 * PANEL * PANEL);
    engine
        .workers()
        .forEach(
            PackedMatrix.panels(n),
            1,
            (part, j0, j1) -> {
              for (int j = j0; j < j1; j++) {
                int end = Math.min(n, (j + 1) * PANEL);
                boolean any = any(used, j * PANEL, end);
                for (int c = 0; any && c * PANEL < k; c++) {
                  float[] s = scratch[part];
                  Arrays.fill(s, 0, PANEL * PANEL, 0f); // columns beyond k
                  turned(engine.kernels(), w, j, c, s, PANEL * PANEL, s, 0);
                  int g = c * PANEL / WideMatrix.GROUP;
                  int stride = WideMatrix.stride(g, k);
                  int column = c * PANEL % WideMatrix.GROUP;
                  int width = Math.min(PANEL, stride - column);
                  int to = WideMatrix.start(g, n) + column;
                  for (int o = j * PANEL; o < end; o++) {
                    System.arraycopy(s, (o - j * PANEL) * PANEL, groups, to + o * stride, width);
                  }
                }
              }
            });
    give(engine, scratch);
    return new WideMatrix(n, k, groups);
  }

  private static float[][] scratch(Engine engine, int size) {
    float[][] scratch = new float[engine.workers().size()][];
    for (int i = 0; i < scratch.length; i++) {
      scratch[i] = engine.workspace().take(size);
    }
    return scratch;
  }

  private static void give(Engine engine, float[][] scratch) {
    for (float[] s : scratch) {
      engine.workspace().give(s);
    }
  }
}
