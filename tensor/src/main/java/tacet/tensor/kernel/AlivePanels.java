package tacet.tensor.kernel;

import java.util.Arrays;
import java.util.BitSet;
import tacet.tensor.Engine;

/**
 * The panels of {@value Kernels#PANEL} columns of a product in which any column is wanted: what is left
 * of the first product of an MLP when it is known which neurons are silent for a whole batch. Columns of
 * the other panels cost nothing. Permuting the neurons of a trained model by how often they speak makes
 * whole panels silent.
 */
public final class AlivePanels {
  private static final int ROWS = 96; // worth reading a panel for

  private final int n;
  private final int[] panels; // ascending

  private AlivePanels(int n, int[] panels) {
    this.n = n;
    this.panels = panels;
  }

  /**
   * The panels with a wanted column.
   *
   * @param alive the wanted columns
   * @param n columns of the product
   * @throws IllegalArgumentException if a wanted column is not below n
   */
  public static AlivePanels of(BitSet alive, int n) {
    if (alive.length() > n) {
      throw new IllegalArgumentException(
          "column " + (alive.length() - 1) + " is wanted of a product with " + n + " columns");
    }
    int[] panels = new int[PackedMatrix.panels(n)];
    int count = 0;
    for (int j = alive.nextSetBit(0); j >= 0; ) {
      panels[count++] = j / Kernels.PANEL;
      j = alive.nextSetBit((j / Kernels.PANEL + 1) * Kernels.PANEL);
    }
    return new AlivePanels(n, Arrays.copyOf(panels, count));
  }

  /** The panels of the columns in which any row has an entry: a gate's neurons that speak at all. */
  public static AlivePanels of(SparseRows places) {
    BitSet alive = new BitSet(places.columns());
    for (int i = 0; i < places.rows(); i++) {
      for (int p = places.first(i); p < places.end(i); p++) {
        alive.set(places.index()[p]);
      }
    }
    return of(alive, places.columns());
  }

  /** Share of the panels that are computed. */
  public double share() {
    return panels.length / (double) PackedMatrix.panels(n);
  }

  /** Whether a column is in a panel that is computed. */
  public boolean computes(int column) {
    return Arrays.binarySearch(panels, column / Kernels.PANEL) >= 0;
  }

  /**
   * Y = bias + X · B in the columns of these panels, with the bits of {@link MatMul#dense}, and 0 in all
   * others, bias or not.
   *
   * @param x X, row-major t × k
   * @param t rows
   * @param bias n values, or null
   * @param y Y, row-major t × n; modified
   */
  public void product(Engine engine, float[] x, int t, PackedMatrix b, float[] bias, float[] y) {
    if (b.n() != n) {
      throw new IllegalArgumentException(
          "panels of " + n + " columns for a product with " + b.n() + " columns");
    }
    if (t == 0) {
      return;
    }
    float[] init = bias;
    if (bias == null) {
      init = engine.workspace().take(n);
      Arrays.fill(init, 0, n, 0f);
    }
    float[] start = init;
    engine.workers().forEach(t, 64, (part, from, to) -> silence(y, from, to));
    int parts = engine.workers().size() == 1 ? 1 : 4 * engine.workers().size();
    int chunks = Math.clamp(t / ROWS, 1, parts); // of rows; what is left is split by panels
    int rows = ((t + chunks - 1) / chunks + 5) / 6 * 6;
    int per = Math.max(1, panels.length * chunks / parts);
    int strips = (panels.length + per - 1) / per;
    engine
        .workers()
        .forEach(
            strips * ((t + rows - 1) / rows),
            1,
            (part, from, to) -> {
              for (int u = from; u < to; u++) {
                int i = u / strips * rows;
                int p = u % strips * per;
                int last = Math.min(panels.length, p + per);
                strip(engine.kernels(), x, i, Math.min(t, i + rows), b, p, last, start, y);
              }
            });
    if (bias == null) {
      engine.workspace().give(start);
    }
  }

  /** Rows i0 to i1 of the panels that this list has from p to last; neighbours in one call. */
  private void strip(
      Kernels kernels,
      float[] x,
      int i0,
      int i1,
      PackedMatrix b,
      int p,
      int last,
      float[] init,
      float[] y) {
    int k = b.k();
    while (p < last) {
      int first = p++;
      while (p < last && panels[p] == panels[p - 1] + 1) {
        p++;
      }
      kernels.product(
          i1 - i0,
          n,
          k,
          x,
          i0 * k,
          k,
          b.panels(),
          PackedMatrix.START,
          panels[first],
          panels[p - 1] + 1,
          init,
          0,
          0,
          y,
          i0 * n,
          n);
    }
  }

  /** Writes zeros between the panels. */
  private void silence(float[] y, int i0, int i1) {
    for (int i = i0; i < i1; i++) {
      int column = 0;
      for (int panel : panels) {
        Arrays.fill(y, i * n + column, i * n + Math.max(column, panel * Kernels.PANEL), 0f);
        column = Math.min(n, (panel + 1) * Kernels.PANEL);
      }
      Arrays.fill(y, i * n + column, (i + 1) * n, 0f);
    }
  }
}
