package tacet.hardware.arch;

/** Distributions of the work of units under independent zeros, and the expected slowest unit. */
final class Binomials {
  private Binomials() {}

  /** Probabilities of 0..n non-zeros among n elements of density d. */
  static double[] binomial(int n, double d) {
    double[] p = new double[n + 1];
    if (d == 0 || d == 1) {
      p[d == 0 ? 0 : n] = 1;
      return p;
    }
    // log C(n, x) by recurrence; direct products would underflow for thousands of elements.
    double logChoose = 0;
    for (int x = 0; x <= n; x++) {
      p[x] = Math.exp(logChoose + x * Math.log(d) + (n - x) * Math.log1p(-d));
      logChoose += Math.log((n - x) / (x + 1.0));
    }
    return p;
  }

  /** The distribution of the sum of independent a and b. */
  static double[] sum(double[] a, double[] b) {
    double[] p = new double[a.length + b.length - 1];
    for (int i = 0; i < a.length; i++) {
      for (int j = 0; j < b.length; j++) {
        p[i + j] += a[i] * b[j];
      }
    }
    return p;
  }

  /** The distribution of the sum of n independent draws from p. */
  static double[] sum(double[] p, int n) {
    double[] result = {1};
    double[] power = p;
    for (int left = n; left > 0; left >>= 1) {
      if ((left & 1) != 0) {
        result = sum(result, power);
      }
      if (left > 1) {
        power = sum(power, power);
      }
    }
    return result;
  }

  /** E[max] of independent draws, one from each distribution: sum over x of 1 - P(all at most x). */
  static double expectedMax(double[]... distributions) {
    int length = 0;
    for (double[] p : distributions) {
      length = Math.max(length, p.length);
    }
    double[] cumulative = new double[distributions.length];
    double expected = 0;
    for (int x = 0; x < length - 1; x++) {
      double all = 1;
      for (int i = 0; i < distributions.length; i++) {
        cumulative[i] += x < distributions[i].length ? distributions[i][x] : 0;
        all *= Math.min(1, cumulative[i]);
      }
      expected += 1 - all;
    }
    return expected;
  }
}
