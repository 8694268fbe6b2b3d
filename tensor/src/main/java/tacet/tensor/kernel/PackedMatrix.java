package tacet.tensor.kernel;

import java.util.Arrays;
import tacet.tensor.Workers;

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

  /** Panels that are filled side by side: whole cache lines of a row, few streams to write. */
  private static final int TOGETHER = 4;

  /** Number of panels for n columns. */
  public static int panels(int n) {
    return (n + Kernels.PANEL - 1) / Kernels.PANEL;
  }

  /** Floats of a packed k × n matrix, without what comes before its start. */
  public static int size(int k, int n) {
    return Math.multiplyExact(panels(n) * Kernels.PANEL, k);
  }

  /** A matrix of which nothing is packed yet. */
  public static PackedMatrix empty(int k, int n) {
    return new PackedMatrix(k, n, new float[START + size(k, n)]);
  }

  /** Packs a row-major k × n matrix. */
  public static PackedMatrix of(float[] b, int k, int n) {
    PackedMatrix p = empty(k, n);
    pack(b, 0, n, k, n, p.panels, START, 0, panels(n));
    return p;
  }

  /** Packs the transpose of a row-major n × k matrix: a linear layer's weight [out, in]. */
  public static PackedMatrix ofTransposed(float[] b, int k, int n) {
    PackedMatrix p = empty(k, n);
    packTransposed(b, 0, k, k, n, p.panels, START, 0, panels(n));
    return p;
  }

  /** Packs a row-major k × n matrix with its rows in the order of {@link Kernels#laneStart}. */
  public static PackedMatrix byLanes(float[] b, int k, int n) {
    PackedMatrix p = empty(k, n);
    p.packByLanes(b, 0, panels(n));
    return p;
  }

  /** Packs a row-major matrix into this one, over all threads. */
  public void pack(Workers workers, float[] b) {
    workers.forEach(
        panels(n),
        grain(workers),
        (part, from, to) -> pack(b, 0, n, k, n, panels, START, from, to));
  }

  /** Packs the transpose of a row-major n × k matrix into this one, over all threads. */
  public void packTransposed(Workers workers, Kernels kernels, float[] b) {
    workers.forEach(
        panels(n),
        grain(workers),
        (part, from, to) -> packTransposed(kernels, b, 0, k, k, n, panels, START, from, to));
  }

  /** What {@link #byLanes} makes, into this one, over all threads. */
  public void packByLanes(Workers workers, float[] b) {
    workers.forEach(panels(n), grain(workers), (part, from, to) -> packByLanes(b, from, to));
  }

  /**
   * Packs the transpose of a row-major n × k matrix into this one, with the rows of the transpose in
   * the order of {@link Kernels#laneStart}, over all threads.
   */
  public void packTransposedByLanes(Workers workers, Kernels kernels, float[] b) {
    workers.forEach(
        panels(n),
        grain(workers),
        (part, from, to) -> {
          for (int j = from; j < to; j++) {
            packTransposedByLanes(kernels, b, j);
          }
        });
  }

  /** One panel: two neighbouring rows of B lie a lane apart, and the first lanes may be longer. */
  private void packTransposedByLanes(Kernels kernels, float[] b, int j) {
    int width = Math.min(Kernels.PANEL, n - j * Kernels.PANEL);
    int lane = k / Kernels.LANES * Kernels.PANEL; // floats of a short lane
    int longer = k % Kernels.LANES;
    int to = START + j * k * Kernels.PANEL;
    if (width < Kernels.PANEL) {
      Arrays.fill(panels, to, to + k * Kernels.PANEL, 0f);
    }
    for (int r = 0; r < k; r += Kernels.LANES, to += Kernels.PANEL) {
      int from = j * Kernels.PANEL * k + r;
      int count = Math.min(longer, k - r);
      kernels.transpose(b, from, k, width, count, panels, to, lane + Kernels.PANEL);
      int next = to + longer * (lane + Kernels.PANEL);
      int rest = Math.min(Kernels.LANES, k - r) - count;
      kernels.transpose(b, from + count, k, width, rest, panels, next, lane);
    }
  }

  private int grain(Workers workers) {
    return Math.clamp(panels(n) / (2 * workers.size()), 1, TOGETHER);
  }

  private void packByLanes(float[] b, int j0, int j1) {
    for (int j = j0; j < j1; j += TOGETHER) {
      int end = Math.min(j1, j + TOGETHER);
      int to = START;
      for (int l = 0; l < Kernels.LANES; l++) {
        for (int r = l; r < k; r += Kernels.LANES, to += Kernels.PANEL) {
          packRow(b, r * n, k, n, panels, to, j, end);
        }
      }
    }
  }

  /** Packs the transpose of a row-major n × k matrix, its rows in the order of lanes. */
  public static PackedMatrix ofTransposedByLanes(float[] b, int k, int n) {
    PackedMatrix p = new PackedMatrix(k, n, new float[START + size(k, n)]);
    for (int j = 0; j < n; j++) {
      int to = START + j / Kernels.PANEL * k * Kernels.PANEL + j % Kernels.PANEL;
      for (int l = 0; l < Kernels.LANES; l++) {
        for (int r = l; r < k; r += Kernels.LANES, to += Kernels.PANEL) {
          p.panels[to] = b[j * k + r];
        }
      }
    }
    return p;
  }

  /** Packs the panels j0 to j1 of a row-major k × n matrix with row stride {@code ldb}, from po. */
  public static void pack(
      float[] b, int bo, int ldb, int k, int n, float[] panels, int po, int j0, int j1) {
    for (int j = j0; j < j1; j += TOGETHER) {
      int end = Math.min(j1, j + TOGETHER);
      for (int r = 0; r < k; r++) {
        packRow(b, bo + r * ldb, k, n, panels, po + r * Kernels.PANEL, j, end);
      }
    }
  }

  private static void packRow(
      float[] b, int bo, int k, int n, float[] panels, int po, int j0, int j1) {
    for (int j = j0; j < j1; j++) {
      int width = Math.min(Kernels.PANEL, n - j * Kernels.PANEL);
      int to = po + j * k * Kernels.PANEL;
      System.arraycopy(b, bo + j * Kernels.PANEL, panels, to, width);
      for (int q = width; q < Kernels.PANEL; q++) {
        panels[to + q] = 0;
      }
    }
  }

  /** Packs the panels j0 to j1 of the transpose of a row-major n × k matrix, row stride ldb, from po. */
  public static void packTransposed(
      float[] b, int bo, int ldb, int k, int n, float[] panels, int po, int j0, int j1) {
    packTransposed(new ScalarKernels(), b, bo, ldb, k, n, panels, po, j0, j1);
  }

  /** The same with given kernels, which may be faster. */
  public static void packTransposed(
      Kernels kernels,
      float[] b,
      int bo,
      int ldb,
      int k,
      int n,
      float[] panels,
      int po,
      int j0,
      int j1) {
    for (int j = j0; j < j1; j++) {
      int width = Math.min(Kernels.PANEL, n - j * Kernels.PANEL);
      int to = po + j * k * Kernels.PANEL;
      kernels.transpose(b, bo + j * Kernels.PANEL * ldb, ldb, width, k, panels, to, Kernels.PANEL);
      for (int r = 0; r < k && width < Kernels.PANEL; r++) {
        int row = to + r * Kernels.PANEL;
        Arrays.fill(panels, row + width, row + Kernels.PANEL, 0f);
      }
    }
  }
}
