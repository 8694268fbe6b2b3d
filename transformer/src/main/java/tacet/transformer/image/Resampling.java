package tacet.transformer.image;

/**
 * How an image gets another size: every new pixel is a weighted mean of the old ones under a filter
 * that grows wider as the image shrinks. The numbers are those of the Python Imaging Library
 * (Pillow's Resample.c), to the bit: weights in fixed point with 22 fractional bits, rows first, then
 * columns, rounded to bytes in between.
 */
public enum Resampling {
  /** A triangle over two pixels; Pillow's number 2. */
  BILINEAR(1) {
    @Override
    double weight(double x) {
      return Math.max(0, 1 - Math.abs(x));
    }
  },
  /** The cubic of Keys with a = −1/2 over four pixels; Pillow's number 3. */
  BICUBIC(2) {
    @Override
    double weight(double x) {
      double a = -0.5;
      double d = Math.abs(x);
      if (d < 1) {
        return ((a + 2) * d - (a + 3)) * d * d + 1;
      }
      return d < 2 ? (((d - 5) * d + 8) * d - 4) * a : 0;
    }
  };

  private static final int PRECISION = 22;

  private final double support;

  Resampling(double support) {
    this.support = support;
  }

  /** The filter at a distance from its centre. */
  abstract double weight(double x);

  /** The old pixels that make one new one: the first, and the weight of each. */
  private record Window(int first, int[] weights) {}

  private Window[] windows(int from, int to) {
    double scale = (double) from / to;
    double stretch = Math.max(1, scale);
    double reach = support * stretch;
    Window[] windows = new Window[to];
    for (int i = 0; i < to; i++) {
      double centre = (i + 0.5) * scale;
      int first = Math.max(0, (int) (centre - reach + 0.5));
      int end = Math.min(from, (int) (centre + reach + 0.5));
      double[] exact = new double[end - first];
      double sum = 0;
      for (int j = 0; j < exact.length; j++) {
        exact[j] = weight((j + first - centre + 0.5) * (1 / stretch));
        sum += exact[j];
      }
      int[] weights = new int[exact.length];
      for (int j = 0; j < exact.length; j++) {
        double w = (sum != 0 ? exact[j] / sum : exact[j]) * (1 << PRECISION);
        weights[j] = (int) (w < 0 ? w - 0.5 : w + 0.5);
      }
      windows[i] = new Window(first, weights);
    }
    return windows;
  }

  /** The image in another size; itself if it has that size. */
  public RgbImage resize(RgbImage image, int width, int height) {
    RgbImage wide =
        width == image.width()
            ? image
            : new RgbImage(
                width,
                image.height(),
                resize(image.rgb(), image.height(), image.width(), width, 3));
    return height == wide.height()
        ? wide
        : new RgbImage(width, height, resize(wide.rgb(), 1, wide.height(), height, 3 * width));
  }

  /** [outer, from, inner] → [outer, to, inner]. */
  private byte[] resize(byte[] x, int outer, int from, int to, int inner) {
    Window[] windows = windows(from, to);
    byte[] y = new byte[Math.multiplyExact(Math.multiplyExact(outer, to), inner)];
    for (int o = 0; o < outer; o++) {
      for (int i = 0; i < to; i++) {
        Window w = windows[i];
        for (int c = 0; c < inner; c++) {
          int sum = 1 << (PRECISION - 1);
          for (int j = 0; j < w.weights.length; j++) {
            sum += (x[(o * from + w.first + j) * inner + c] & 0xff) * w.weights[j];
          }
          int value = sum >> PRECISION;
          y[(o * to + i) * inner + c] = (byte) Math.max(0, Math.min(255, value));
        }
      }
    }
    return y;
  }
}
