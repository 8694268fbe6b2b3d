package tacet.tensor.kernel;

import java.util.Arrays;
import tacet.tensor.Workers;

/**
 * What the machine can do, measured: the two lines under which every kernel lies (Williams, Waterman
 * and Patterson, CACM 2009), and what shares of peak are quoted against.
 *
 * @param gflops fused multiply-adds from registers, 10^9 operations per second, two per multiply-add
 * @param gigabytes read from memory, 10^9 bytes per second
 */
public record Roofline(double gflops, double gigabytes) {
  private static final int ROUNDS = 16;
  private static final int BURSTS = 256;
  private static final int STEPS = 400_000;
  private static final int FLOATS = 64 << 20; // 256 MiB: far more than the caches hold

  /** Measures on all threads of a pool, in about a second; the best of some rounds. */
  public static Roofline measure(Workers workers) {
    float[][] sinks = sinks(workers);
    double flops = 0;
    for (int burst = 0; burst < BURSTS; burst++) {
      long start = System.nanoTime();
      double done = multiplyAdds(workers, sinks);
      flops = Math.max(flops, done / (System.nanoTime() - start));
    }
    return new Roofline(flops, bandwidth(workers));
  }

  /** Something to write into for {@link #multiplyAdds}: 2048 floats for each thread. */
  public static float[][] sinks(Workers workers) {
    return new float[workers.size()][2048];
  }

  /**
   * Does nothing but fused multiply-adds from registers on all threads of a pool, for less than a
   * millisecond: what a measurement is timed against that runs in turns with it, because the machine
   * is not equally fast all the time.
   *
   * @param sinks from {@link #sinks}; modified
   * @return operations done, two per multiply-add
   */
  public static double multiplyAdds(Workers workers, float[][] sinks) {
    double[] done = new double[sinks.length];
    workers.forEach(
        sinks.length,
        1,
        (part, from, to) -> {
          for (int i = from; i < to; i++) {
            done[i] =
                vectors()
                    ? VectorRoofline.multiplyAdds(sinks[i], STEPS)
                    : multiplyAdds(sinks[i], STEPS);
          }
        });
    return 2 * Arrays.stream(done).sum();
  }

  private static boolean vectors() {
    return Kernels.best().name().startsWith("vector");
  }

  private static double bandwidth(Workers workers) {
    int threads = workers.size();
    float[] data = new float[FLOATS];
    int share = FLOATS / threads / 256 * 256;
    float[] sink = new float[threads];
    double best = 0;
    for (int round = 0; round < ROUNDS; round++) {
      int streams = round % 2 == 0 ? 1 : 4;
      long start = System.nanoTime();
      workers.forEach(
          threads,
          1,
          (part, from, to) -> {
            for (int i = from; i < to; i++) {
              sink[i] +=
                  vectors()
                      ? VectorRoofline.read(data, i * share, share, streams)
                      : read(data, i * share, share);
            }
          });
      best = Math.max(best, 4.0 * share * threads / (System.nanoTime() - start));
    }
    if (Float.isNaN(sink[0])) {
      throw new AssertionError("zeros sum to zero");
    }
    return best;
  }

  /** Without vectors: a loop that the compiler turns into vectors by itself. */
  private static double multiplyAdds(float[] x, int steps) {
    int repeats = 4 * steps / x.length;
    for (int r = 0; r < repeats; r++) {
      chains(x, 0.999f, 0.001f);
    }
    return 16.0 * x.length * repeats;
  }

  private static void chains(float[] x, float a, float b) {
    for (int i = 0; i < x.length; i++) {
      float v = x[i] * a + b;
      v = v * a + b;
      v = v * a + b;
      v = v * a + b;
      v = v * a + b;
      v = v * a + b;
      v = v * a + b;
      v = v * a + b;
      v = v * a + b;
      v = v * a + b;
      v = v * a + b;
      v = v * a + b;
      v = v * a + b;
      v = v * a + b;
      v = v * a + b;
      x[i] = v * a + b;
    }
  }

  private static float read(float[] x, int from, int n) {
    float s = 0;
    for (int i = from; i < from + n; i += 16) { // one value of every cache line
      s += x[i];
    }
    return s;
  }
}
