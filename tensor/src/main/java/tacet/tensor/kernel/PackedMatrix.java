package tacet.tensor.kernel;

/**
 * The right side of a matrix product, B[k,n], laid out for streaming: panels of {@value
 * Kernels#PANEL} columns, each k × 32 floats, one after the other; the last panel is padded with
 * zeros. Frozen weights are packed once, trainable ones when they change.
 *
 * <p>The first panel begins at {@link #START}: the G1 collector places an array of half a region or
 * more at the start of a region, behind a header of 16 bytes, so that every vector of a large matrix
 * then lies within one cache line. Elsewhere it does no harm.
 *
 * @param k rows of B
 * @param n columns of B
 * @param panels the values, {@code ceil(n / 32) * k * 32} of them from {@link #START}; may be longer
 */
public record PackedMatrix(int k, int n, float[] panels) {
  /** Index of the first value: 16 + 4 · 12 bytes are a cache line of 64. */
  public static final int START = 12;

  /** Number of panels for n columns. */
  public static int panels(int n) {
    return (n + Kernels.PANEL - 1) / Kernels.PANEL;
  }

  /** Floats of a packed k × n matrix, without what comes before its start. */
  public static int size(int k, int n) {
    return Math.multiplyExact(panels(n) * Kernels.PANEL, k);
  }

  private static PackedMatrix room(int k, int n, PackedMatrix stale) {
    return stale == null ? new PackedMatrix(k, n, new float[START + size(k, n)]) : stale;
  }

  /** Packs a row-major k × n matrix. */
  public static PackedMatrix of(float[] b, int k, int n) {
    return of(b, k, n, null);
  }

  /** Same, in the memory of {@code stale}, a packed matrix of this size that nobody reads; or null. */
  public static PackedMatrix of(float[] b, int k, int n, PackedMatrix stale) {
    PackedMatrix p = room(k, n, stale);
    pack(b, 0, n, k, n, p.panels, START, 0, panels(n));
    return p;
  }

  /** Packs the transpose of a row-major n × k matrix: a linear layer's weight [out, in]. */
  public static PackedMatrix ofTransposed(float[] b, int k, int n) {
    return ofTransposed(b, k, n, null);
  }

  /** Same, in the memory of {@code stale}, a packed matrix of this size that nobody reads; or null. */
  public static PackedMatrix ofTransposed(float[] b, int k, int n, PackedMatrix stale) {
    PackedMatrix p = room(k, n, stale);
    packTransposed(b, 0, k, k, n, p.panels, START, 0, panels(n));
    return p;
  }

  /** Packs a row-major k × n matrix with its rows in the order of {@link Kernels#laneStart}. */
  public static PackedMatrix byLanes(float[] b, int k, int n) {
    return byLanes(b, k, n, null);
  }

  /** Same, in the memory of {@code stale}, a packed matrix of this size that nobody reads; or null. */
  public static PackedMatrix byLanes(float[] b, int k, int n, PackedMatrix stale) {
    PackedMatrix p = room(k, n, stale);
    for (int j = 0; j < panels(n); j++) {
      int width = Math.min(Kernels.PANEL, n - j * Kernels.PANEL);
      int to = START + j * k * Kernels.PANEL;
      for (int l = 0; l < Kernels.LANES; l++) {
        for (int r = l; r < k; r += Kernels.LANES, to += Kernels.PANEL) {
          System.arraycopy(b, r * n + j * Kernels.PANEL, p.panels, to, width);
        }
      }
    }
    return p;
  }

  /** Packs the panels j0 to j1 of a row-major k × n matrix with row stride {@code ldb}, from po. */
  public static void pack(
      float[] b, int bo, int ldb, int k, int n, float[] panels, int po, int j0, int j1) {
    for (int j = j0; j < j1; j++) {
      int width = Math.min(Kernels.PANEL, n - j * Kernels.PANEL);
      int to = po + j * k * Kernels.PANEL;
      for (int r = 0; r < k; r++, to += Kernels.PANEL) {
        System.arraycopy(b, bo + r * ldb + j * Kernels.PANEL, panels, to, width);
        for (int q = width; q < Kernels.PANEL; q++) {
          panels[to + q] = 0;
        }
      }
    }
  }

  /** Packs the panels j0 to j1 of the transpose of a row-major n × k matrix, row stride ldb, from po. */
  public static void packTransposed(
      float[] b, int bo, int ldb, int k, int n, float[] panels, int po, int j0, int j1) {
    for (int j = j0; j < j1; j++) {
      int width = Math.min(Kernels.PANEL, n - j * Kernels.PANEL);
      int to = po + j * k * Kernels.PANEL;
      for (int q = 0; q < Kernels.PANEL; q++) {
        if (q < width) {
          int from = bo + (j * Kernels.PANEL + q) * ldb;
          for (int r = 0; r < k; r++) {
            panels[to + r * Kernels.PANEL + q] = b[from + r];
          }
        } else {
          for (int r = 0; r < k; r++) {
            panels[to + r * Kernels.PANEL + q] = 0;
          }
        }
      }
    }
  }
}
