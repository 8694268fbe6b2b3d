package tacet.tensor.kernel;

import tacet.tensor.Nf4;
import tacet.tensor.WeightFormat;

/**
 * A {@link CompactMatrix} of 4-bit codes. Within a panel, each 8 rows are 32 ints: int c has the
 * codes of column c, of the first row in the lowest four bits. A scale belongs to {@code share}
 * consecutive rows of a column; that is 64, unless k is no multiple of 64, where the blocks of {@link
 * Nf4} begin anywhere in a column: then it is the greatest common divisor of k and 64.
 *
 * <p>Scales lie in panels of k/share × 32, as floats, or as bytes where they are quantised too
 * ("double quantisation"); those are made floats for a piece of a panel at a time.
 */
public final class Nf4Matrix implements CompactMatrix {
  private static final int TOGETHER = 2; // panels whose scales are made floats at a time

  private final int k;
  private final int n;
  private final int share;
  private final int[] codes;
  private final float[] scales; // or null
  private final byte[] scaleCodes; // or null
  private final Meaning meaning; // of these bytes, or null

  /** What is left of {@link Nf4.Nested} when its codes lie in panels. */
  private record Meaning(float[] absmax, float offset, float[] map) {
    /** The scale of block b of the weight in row-major order. */
    float scale(int b, byte code) {
      return map[code & 255] * absmax[b / Nf4.NESTED_BLOCK] + offset;
    }
  }

  private Nf4Matrix(int k, int n, int[] codes, float[] scales, byte[] bytes, Meaning meaning) {
    this.k = k;
    this.n = n;
    this.share = share(k);
    this.codes = codes;
    this.scales = scales;
    this.scaleCodes = bytes;
    this.meaning = meaning;
  }

  /** Lays out a quantised row-major weight [n, k]; scales keep their form. */
  public static Nf4Matrix of(Nf4 weight, int n, int k) {
    if (weight.size() != Math.multiplyExact(n, k)) {
      throw new IllegalArgumentException(
          "NF4: " + weight.size() + " values are no weight of " + n + " × " + k);
    }
    int share = share(k);
    int groups = k / share;
    int panels = PackedMatrix.panels(n);
    int[] codes = new int[Math.multiplyExact(panels, panelSize(k))];
    int count = panels * groups * Kernels.PANEL;
    Nf4.Nested nested = weight.scales() instanceof Nf4.Nested s ? s : null;
    float[] scales = nested == null ? new float[count] : null;
    byte[] bytes = nested == null ? null : new byte[count];
    for (int o = 0; o < n; o++) {
      int column = o % Kernels.PANEL;
      int to = o / Kernels.PANEL * panelSize(k) + column;
      for (int r = 0; r < k; r++) {
        int code = weight.code(o * k + r);
        codes[to + r / 8 * Kernels.PANEL] |= code << 4 * (r % 8);
      }
      int at = o / Kernels.PANEL * groups * Kernels.PANEL + column;
      for (int g = 0; g < groups; g++) {
        int b = (o * k + g * share) / Nf4.BLOCK;
        if (nested == null) {
          scales[at + g * Kernels.PANEL] = weight.scales().get(b);
        } else {
          bytes[at + g * Kernels.PANEL] = nested.codes()[b];
        }
      }
    }
    Meaning meaning =
        nested == null ? null : new Meaning(nested.absmax(), nested.offset(), nested.map());
    return new Nf4Matrix(k, n, codes, scales, bytes, meaning);
  }

  private static int share(int k) {
    return Math.min(Nf4.BLOCK, Integer.lowestOneBit(k));
  }

  private static int panelSize(int k) {
    return Math.multiplyExact((k + 7) / 8, Kernels.PANEL);
  }

  /** Scales of a panel. */
  private int panelScales() {
    return k / share * Kernels.PANEL;
  }

  /** The scales of the rows of groups g0 to g1 of panel j as floats, into y from yo. */
  private void scales(int j, int g0, int g1, float[] y, int yo) {
    int width = Math.min(Kernels.PANEL, n - j * Kernels.PANEL);
    for (int g = g0; g < g1; g++) {
      int at = j * panelScales() + g * Kernels.PANEL;
      int to = yo + (g - g0) * Kernels.PANEL;
      int row = j * Kernels.PANEL * k + g * share; // of the first column's block, row-major
      for (int c = 0; c < width; c++) {
        y[to + c] = meaning.scale((row + c * k) / Nf4.BLOCK, scaleCodes[at + c]);
      }
    }
  }

  @Override
  public int k() {
    return k;
  }

  @Override
  public int n() {
    return n;
  }

  @Override
  public WeightFormat format() {
    return scales != null ? WeightFormat.NF4 : WeightFormat.NF4_NESTED;
  }

  @Override
  public long bytes() {
    long ofScales =
        scales != null ? 4L * scales.length : scaleCodes.length + 4L * meaning.absmax.length;
    return 4L * codes.length + ofScales;
  }

  @Override
  public void expand(Kernels kernels, int j, int r0, int r1, float[] y, int yo) {
    if (scales != null) {
      kernels.expandNf4(codes, j * panelSize(k), scales, j * panelScales(), share, r0, r1, y, yo);
    } else if (r1 > r0) {
      int g0 = r0 / share;
      int g1 = (r1 + share - 1) / share;
      float[] piece = new float[(g1 - g0) * Kernels.PANEL];
      scales(j, g0, g1, piece, 0);
      int base = -g0 * Kernels.PANEL;
      kernels.expandNf4(codes, j * panelSize(k), piece, base, share, r0, r1, y, yo);
    }
  }

  @Override
  public void row(
      Kernels kernels, int j0, int j1, float[] x, int xo, float[] init, int io, float[] y, int yo) {
    if (scales != null) {
      row(kernels, j0, j1, x, xo, scales, j0 * panelScales(), init, io, y, yo);
      return;
    }
    float[] piece = new float[TOGETHER * panelScales()];
    for (int j = j0; j < j1; j += TOGETHER) {
      int end = pieces(j, j1, piece);
      int at = (j - j0) * Kernels.PANEL;
      row(kernels, j, end, x, xo, piece, 0, init, io + at, y, yo + at);
    }
  }

  private void row(
      Kernels kernels,
      int j0,
      int j1,
      float[] x,
      int xo,
      float[] s,
      int so,
      float[] init,
      int io,
      float[] y,
      int yo) {
    kernels.rowNf4(j1 - j0, k, x, xo, codes, j0 * panelSize(k), s, so, share, init, io, y, yo);
  }

  /** The scales of some panels from j on as floats; returns where they end. */
  private int pieces(int j, int j1, float[] piece) {
    int end = Math.min(j1, j + TOGETHER);
    for (int q = j; q < end; q++) {
      scales(q, 0, k / share, piece, (q - j) * panelScales());
    }
    return end;
  }

  /**
   * Measured as for {@link HalfMatrix}: .05, or .1 to .2 with quantised scales. Eight rows share the
   * bytes that one of them needs.
   */
  @Override
  public double rowShare() {
    return scales != null ? 0.1 : 0.2;
  }

  @Override
  public void sparseRow(
      Kernels kernels,
      int j0,
      int j1,
      int p0,
      int p1,
      int[] index,
      float[] value,
      float[] init,
      int io,
      float[] y,
      int yo) {
    if (scales != null) {
      int so = j0 * panelScales();
      sparseRow(kernels, j0, j1, p0, p1, index, value, scales, so, init, io, y, yo);
      return;
    }
    float[] piece = new float[TOGETHER * panelScales()];
    for (int j = j0; j < j1; j += TOGETHER) {
      int end = pieces(j, j1, piece);
      int at = (j - j0) * Kernels.PANEL;
      sparseRow(kernels, j, end, p0, p1, index, value, piece, 0, init, io + at, y, yo + at);
    }
  }

  private void sparseRow(
      Kernels kernels,
      int j0,
      int j1,
      int p0,
      int p1,
      int[] index,
      float[] value,
      float[] s,
      int so,
      float[] init,
      int io,
      float[] y,
      int yo) {
    int co = j0 * panelSize(k);
    kernels.sparseRowNf4(
        j1 - j0, k, p0, p1, index, value, codes, co, s, so, share, init, io, y, yo);
  }
}
