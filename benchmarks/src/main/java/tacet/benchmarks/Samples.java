package tacet.benchmarks;

import java.util.Arrays;
import tacet.tensor.RandomStream;
import tacet.tensor.Shape;

/** Random operands. */
public final class Samples {
  private Samples() {}

  /** The extents in a text such as 128x1024x4096. */
  public static int[] shape(String text) {
    return Arrays.stream(text.split("x")).mapToInt(Integer::parseInt).toArray();
  }

  /** Values uniform in ±1. */
  public static float[] uniform(int n, long seed) {
    return RandomStream.of(seed, "values", 0).uniform(Shape.of(n), 1).data();
  }

  /** Normal values. */
  public static float[] normal(int n, double deviation, long seed) {
    return RandomStream.of(seed, "values", 0).normal(Shape.of(n), deviation).data();
  }

  /** Values uniform in ±1 of which the given share, chosen at random, is not zero. */
  public static float[] sparse(int n, double density, long seed) {
    float[] x = uniform(n, seed);
    RandomStream r = RandomStream.of(seed, "zeros", 0);
    for (int i = 0; i < n; i++) {
      x[i] = r.nextDouble() < density ? x[i] : 0;
    }
    return x;
  }

  /** How many values are not zero. */
  public static long active(float[] x) {
    long n = 0;
    for (float v : x) {
      n += v != 0 ? 1 : 0;
    }
    return n;
  }

  /** The largest absolute difference of the first n values. */
  public static double difference(float[] x, float[] y, int n) {
    double d = 0;
    for (int i = 0; i < n; i++) {
      d = Math.max(d, Math.abs((double) x[i] - y[i]));
    }
    return d;
  }
}
