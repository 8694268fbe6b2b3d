package tacet.tensor.kernel;

/** placeholder */
final class BuiltInBreakEven {
  static BreakEven of(String kernels, int threads) {
    double[][] t = new double[4][5];
    for (double[] r : t) java.util.Arrays.fill(r, .3);
    return new BreakEven(kernels, threads, t, t);
  }
}
