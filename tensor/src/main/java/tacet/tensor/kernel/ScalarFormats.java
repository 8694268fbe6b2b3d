package tacet.tensor.kernel;

import static tacet.tensor.kernel.Kernels.PANEL;

import tacet.tensor.Nf4;
import tacet.tensor.WeightFormat;

/** The kernels of {@link CompactMatrix} as plain loops: the truth for {@code VectorFormats}. */
final class ScalarFormats {
  private ScalarFormats() {}

  private static float fma(float a, float b, float c) {
    return KernelLookup.FAST_FMA ? Math.fma(a, b, c) : a * b + c;
  }

  private static float half(WeightFormat format, int[] codes, int co, int r, int c) {
    int pair = codes[co + r / 2 * PANEL + c];
    short code = (short) (r % 2 == 0 ? pair : pair >> 16);
    return format == WeightFormat.BF16 ? HalfMatrix.fromBf16(code) : Float.float16ToFloat(code);
  }

  static void expandHalf(
      WeightFormat format, int[] codes, int co, int r0, int r1, float[] y, int yo) {
    for (int r = r0; r < r1; r++) {
      for (int c = 0; c < PANEL; c++) {
        y[yo + (r - r0) * PANEL + c] = half(format, codes, co, r, c);
      }
    }
  }

  static void rowHalf(
      WeightFormat format,
      int panels,
      int k,
      float[] x,
      int xo,
      int[] codes,
      int co,
      float[] init,
      int io,
      float[] y,
      int yo) {
    for (int c = 0; c < panels * PANEL; c++) {
      int cp = co + c / PANEL * ((k + 1) / 2) * PANEL;
      float sum = init[io + c];
      for (int r = 0; r < k; r++) {
        sum = fma(x[xo + r], half(format, codes, cp, r, c % PANEL), sum);
      }
      y[yo + c] = sum;
    }
  }

  static void sparseRowHalf(
      WeightFormat format,
      int panels,
      int k,
      int p0,
      int p1,
      int[] index,
      float[] value,
      int[] codes,
      int co,
      float[] init,
      int io,
      float[] y,
      int yo) {
    for (int c = 0; c < panels * PANEL; c++) {
      int cp = co + c / PANEL * ((k + 1) / 2) * PANEL;
      float sum = init[io + c];
      for (int p = p0; p < p1; p++) {
        sum = fma(value[p], half(format, codes, cp, index[p], c % PANEL), sum);
      }
      y[yo + c] = sum;
    }
  }

  private static float nf4(int[] codes, int co, float[] scales, int so, int share, int r, int c) {
    int code = codes[co + r / 8 * PANEL + c] >>> 4 * (r % 8) & 15;
    return Nf4.level(code) * scales[so + r / share * PANEL + c];
  }

  static void expandNf4(
      int[] codes, int co, float[] scales, int so, int share, int r0, int r1, float[] y, int yo) {
    for (int r = r0; r < r1; r++) {
      for (int c = 0; c < PANEL; c++) {
        y[yo + (r - r0) * PANEL + c] = nf4(codes, co, scales, so, share, r, c);
      }
    }
  }

  static void rowNf4(
      int panels,
      int k,
      float[] x,
      int xo,
      int[] codes,
      int co,
      float[] scales,
      int so,
      int share,
      float[] init,
      int io,
      float[] y,
      int yo) {
    for (int c = 0; c < panels * PANEL; c++) {
      int cp = co + c / PANEL * ((k + 7) / 8) * PANEL;
      int sp = so + c / PANEL * (k / share) * PANEL;
      float sum = init[io + c];
      for (int r = 0; r < k; r++) {
        sum = fma(x[xo + r], nf4(codes, cp, scales, sp, share, r, c % PANEL), sum);
      }
      y[yo + c] = sum;
    }
  }

  static void sparseRowNf4(
      int panels,
      int k,
      int p0,
      int p1,
      int[] index,
      float[] value,
      int[] codes,
      int co,
      float[] scales,
      int so,
      int share,
      float[] init,
      int io,
      float[] y,
      int yo) {
    for (int c = 0; c < panels * PANEL; c++) {
      int cp = co + c / PANEL * ((k + 7) / 8) * PANEL;
      int sp = so + c / PANEL * (k / share) * PANEL;
      float sum = init[io + c];
      for (int p = p0; p < p1; p++) {
        sum = fma(value[p], nf4(codes, cp, scales, sp, share, index[p], c % PANEL), sum);
      }
      y[yo + c] = sum;
    }
  }
}
