package tacet.tensor.kernel;

import tacet.tensor.Nf4;
import tacet.tensor.WeightFormat;

/**
 * A {@link CompactMatrix} of 4-bit codes. Within a panel, each 8 rows are 32 ints: int c
 * has the codes of column c, of the first row in the lowest four bits. A scale
 * belongs to {@code share} consecutive rows of a column; that is 64, unless k is no multiple of 64,
 * where the blocks of {@link Nf4} begin anywhere in a column.
 *
 * @param share rows that share a scale, the greatest common divisor of k and 64
 * @param codes panels of ⌈k/8⌉ × 32 ints
 * @param scales panels of k/share × 32 floats; 0 in columns beyond n
 */
public record Nf4Matrix(int k, int n, int share, int[] codes, float[] scales)
    implements CompactMatrix {
  /** Lays out a quantised row-major weight [n, k]. */
  public static Nf4Matrix of(Nf4 weight, int n, int k) {
    if (weight.size() != Math.multiplyExact(n, k)) {
      throw new IllegalArgumentException(
          "NF4: " + weight.size() + " values are no weight of " + n + " × " + k);
    }
    int share = Math.min(Nf4.BLOCK, Integer.lowestOneBit(k));
    int panels = PackedMatrix.panels(n);
    int[] codes = new int[panels * panelSize(k)];
    float[] scales = new float[panels * (k / share) * Kernels.PANEL];
    for (int o = 0; o < n; o++) {
      int column = o % Kernels.PANEL;
      int to = o / Kernels.PANEL * panelSize(k) + column;
      for (int r = 0; r < k; r++) {
        int code = weight.code(o * k + r);
        codes[to + r / 8 * Kernels.PANEL] |= code << 4 * (r % 8);
      }
      int at = o / Kernels.PANEL * (k / share) * Kernels.PANEL + column;
      for (int b = 0; b < k / share; b++) {
        scales[at + b * Kernels.PANEL] = weight.absmax()[(o * k + b * share) / Nf4.BLOCK];
      }
    }
    return new Nf4Matrix(k, n, share, codes, scales);
  }

  private static int panelSize(int k) {
    return Math.multiplyExact((k + 7) / 8, Kernels.PANEL);
  }

  @Override
  public WeightFormat format() {
    return WeightFormat.NF4;
  }

  @Override
  public long bytes() {
    return 4L * codes.length + 4L * scales.length;
  }

  @Override
  public void expand(Kernels kernels, int j, int r0, int r1, float[] y, int yo) {
    kernels.expandNf4(
        codes, j * panelSize(k), scales, j * (k / share) * Kernels.PANEL, share, r0, r1, y, yo);
  }

  @Override
  public void row(
      Kernels kernels, int j0, int j1, float[] x, int xo, float[] init, int io, float[] y, int yo) {
    kernels.rowNf4(
        j1 - j0,
        k,
        x,
        xo,
        codes,
        j0 * panelSize(k),
        scales,
        j0 * (k / share) * Kernels.PANEL,
        share,
        init,
        io,
        y,
        yo);
  }
}
