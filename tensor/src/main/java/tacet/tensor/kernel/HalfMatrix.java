package tacet.tensor.kernel;

import tacet.tensor.WeightFormat;

/**
 * A {@link CompactMatrix} of 16-bit floats.
 *
 * @param format BF16 or F16
 * @param codes panels of ⌈k/2⌉ × 32 ints: two rows of a column, the first in the lower half
 */
public record HalfMatrix(WeightFormat format, int k, int n, int[] codes) implements CompactMatrix {
  /**
   * Rounds a row-major weight [n, k] to nearest, ties to even.
   *
   * @throws IllegalArgumentException if a value is not finite, or too large for F16
   */
  public static HalfMatrix of(WeightFormat format, float[] w, int n, int k) {
    int[] codes = new int[PackedMatrix.panels(n) * panelSize(k)];
    for (int o = 0; o < n; o++) {
      int to = o / Kernels.PANEL * panelSize(k) + o % Kernels.PANEL;
      for (int r = 0; r < k; r++) {
        float v = w[o * k + r];
        short code = format == WeightFormat.BF16 ? toBf16(v) : Float.floatToFloat16(v);
        float back = format == WeightFormat.BF16 ? fromBf16(code) : Float.float16ToFloat(code);
        if (!Float.isFinite(back)) {
          throw new IllegalArgumentException(
              format + " cannot hold " + v + ", row " + o + ", column " + r + " of a weight");
        }
        codes[to + r / 2 * Kernels.PANEL] |= r % 2 == 0 ? code & 0xffff : code << 16;
      }
    }
    return new HalfMatrix(format, k, n, codes);
  }

  private static int panelSize(int k) {
    return Math.multiplyExact((k + 1) / 2, Kernels.PANEL);
  }

  /** Round to nearest even by adding just under half of the last kept bit; NaN stays NaN. */
  public static short toBf16(float x) {
    int bits = Float.floatToRawIntBits(x);
    if (Float.isNaN(x)) {
      return (short) (bits >>> 16 | 0x40); // quiet, so that cutting the payload cannot make it inf
    }
    return (short) (bits + 0x7fff + (bits >>> 16 & 1) >>> 16);
  }

  /** The float of which these are the upper 16 bits. */
  public static float fromBf16(short code) {
    return Float.intBitsToFloat(code << 16);
  }

  @Override
  public long bytes() {
    return 4L * codes.length;
  }

  @Override
  public void expand(Kernels kernels, int j, int r0, int r1, float[] y, int yo) {
    kernels.expandHalf(format, codes, j * panelSize(k), r0, r1, y, yo);
  }

  @Override
  public void row(
      Kernels kernels, int j0, int j1, float[] x, int xo, float[] init, int io, float[] y, int yo) {
    kernels.rowHalf(format, j1 - j0, k, x, xo, codes, j0 * panelSize(k), init, io, y, yo);
  }

  /** Measured with weights from memory on Zen 5: .11 to .17, where floats break even at .55. */
  @Override
  public double rowShare() {
    return 0.25;
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
    kernels.sparseRowHalf(
        format, j1 - j0, k, p0, p1, index, value, codes, j0 * panelSize(k), init, io, y, yo);
  }
}
