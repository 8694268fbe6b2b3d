package tacet.tensor.kernel;

import tacet.tensor.RandomStream;

/** Values for kernel tests: awkward sizes, and numbers of every kind. */
final class Samples {
  static final int[] SIZES = {1, 3, 15, 16, 17, 31, 32, 33, 64, 127, 1000};

  private Samples() {}

  static float[] uniform(long seed, int n, double bound) {
    RandomStream r = RandomStream.of(seed, "samples", 0);
    float[] x = new float[n];
    for (int i = 0; i < n; i++) {
      x[i] = (float) (bound * (2 * r.nextDouble() - 1));
    }
    return x;
  }

  /** About the given share of values is not zero. */
  static float[] sparse(long seed, int n, double density) {
    RandomStream r = RandomStream.of(seed, "sparse", 0);
    float[] x = new float[n];
    for (int i = 0; i < n; i++) {
      x[i] = r.nextDouble() < density ? (float) r.nextGaussian() : 0f;
    }
    return x;
  }

  /** Every kind of float near the interesting points of exp, tanh, erf and GELU. */
  static float[] dense(double from, double to, int n) {
    float[] x = new float[n];
    for (int i = 0; i < n; i++) {
      x[i] = (float) (from + (to - from) * i / (n - 1));
    }
    return x;
  }
}
