package tacet.tensor.kernel;

/**
 * The tables of engines that were not calibrated: the smallest shares of several runs of {@link
 * BreakEvenMeasurement} with one and two threads on a Zen 4 server with 1 MiB of second-level cache per
 * core. 256-bit vectors broke even at the same shares as 512-bit ones or later, 128-bit ones later.
 */
final class BuiltInBreakEven {
  private static final double[][] VECTOR_PRODUCT = {
    {0.05, 0.08, 0.25, 0.24, 0.27},
    {0.00, 0.03, 0.08, 0.09, 0.09},
    {0.00, 0.06, 0.12, 0.10, 0.10},
    {0.08, 0.25, 0.28, 0.25, 0.28}
  };
  private static final double[][] VECTOR_SAMPLED = {
    {0.20, 0.28, 0.38, 0.30, 0.31},
    {0.10, 0.13, 0.11, 0.10, 0.09},
    {0.09, 0.20, 0.18, 0.13, 0.23},
    {0.20, 0.23, 0.21, 0.21, 0.25}
  };
  private static final double[][] SCALAR_PRODUCT = {
    {0.29, 0.30, 0.37, 0.19, 0.18},
    {0.35, 0.36, 0.37, 0.33, 0.33},
    {0.37, 0.39, 0.37, 0.37, 0.37},
    {0.27, 0.38, 0.39, 0.38, 0.39}
  };
  private static final double[][] SCALAR_SAMPLED = {
    {0.29, 0.26, 0.34, 0.19, 0.18},
    {0.31, 0.31, 0.33, 0.33, 0.32},
    {0.32, 0.33, 0.35, 0.35, 0.35},
    {0.25, 0.33, 0.36, 0.35, 0.37}
  };

  private BuiltInBreakEven() {}

  static BreakEven of(String kernels, int threads) {
    return kernels.equals("scalar")
        ? new BreakEven(kernels, threads, SCALAR_PRODUCT, SCALAR_SAMPLED)
        : new BreakEven(kernels, threads, VECTOR_PRODUCT, VECTOR_SAMPLED);
  }
}
