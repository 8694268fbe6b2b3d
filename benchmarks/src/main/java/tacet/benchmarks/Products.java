package tacet.benchmarks;

import java.util.Arrays;
import java.util.Locale;
import tacet.tensor.Engine;
import tacet.tensor.RandomStream;
import tacet.tensor.Shape;
import tacet.tensor.kernel.MatMul;
import tacet.tensor.kernel.PackedMatrix;
import tacet.tensor.kernel.SparseMatMul;
import tacet.tensor.kernel.SparseRows;
import tacet.tensor.kernel.WideMatrix;

/**
 * The dense product beside the machine's peak, and the sparse product beside the dense one.
 *
 * <pre>java … tacet.benchmarks.Products [THREADS]</pre>
 */
public final class Products {
  private static final int ROUNDS = 15;
  private static final int[][] SHAPES = {
    {128, 1024, 1024},
    {128, 4096, 1024},
    {128, 1024, 4096},
    {512, 768, 3072},
    {1024, 1024, 1024},
    {1, 1024, 4096},
    {8, 1024, 4096},
    {32, 384, 1536}
  };

  private Products() {}

  /** Runs it on the number of threads that the argument gives. */
  public static void main(String[] args) {
    int threads = args.length > 0 ? Integer.parseInt(args[0]) : 1;
    try (Engine engine = Engine.ofThreads(threads)) {
      double peak = Peak.gflops() * threads;
      System.out.println(
          "| M x N x K | "
              + threads
              + " threads, GFLOP/s | share of peak ("
              + Math.round(peak)
              + ") | sparse / dense speed at .5 .35 .25 .10 .05 .01 |");
      System.out.println("|---|---|---|---|");
      for (int[] s : SHAPES) {
        row(engine, s[0], s[1], s[2], peak);
      }
    }
  }

  private static void row(Engine engine, int m, int n, int k, double peak) {
    float[] x = values(m * k, 1);
    float[] w = values(k * n, 2);
    PackedMatrix b = PackedMatrix.of(w, k, n);
    WideMatrix wide = WideMatrix.of(w, k, n);
    float[] y = new float[m * n];
    double dense = median(() -> MatMul.dense(engine, x, m, b, null, y));
    double gflops = 2.0 * m * n * k / dense;
    StringBuilder sparse = new StringBuilder();
    for (double density : new double[] {0.5, 0.35, 0.25, 0.10, 0.05, 0.01}) {
      float[] h = x.clone();
      RandomStream r = RandomStream.of(3, "zeros", 0);
      for (int i = 0; i < h.length; i++) {
        h[i] = r.nextDouble() < density ? h[i] : 0;
      }
      double t =
          median(
              () -> {
                SparseRows rows = SparseRows.of(engine, h, m, k, -1);
                SparseMatMul.product(engine, rows, wide, null, y);
                rows.release(engine.workspace());
              });
      sparse.append(String.format(Locale.ROOT, " %.2f", dense / t));
    }
    System.out.println(
        String.format(
            Locale.ROOT, "| %dx%dx%d | %.1f | %.2f |%s |", m, n, k, gflops, gflops / peak, sparse));
  }

  private static float[] values(int n, long seed) {
    return RandomStream.of(seed, "values", 0).uniform(Shape.of(n), 1).data();
  }

  /** Nanoseconds of one call: the median over rounds of the mean over enough calls. */
  private static double median(Runnable job) {
    long start = System.nanoTime();
    int calls = 0;
    while (System.nanoTime() - start < 300_000_000L) {
      job.run();
      calls++;
    }
    int inner = Math.max(1, calls / 15);
    double[] t = new double[ROUNDS];
    for (int i = 0; i < ROUNDS; i++) {
      long s = System.nanoTime();
      for (int j = 0; j < inner; j++) {
        job.run();
      }
      t[i] = (System.nanoTime() - s) / (double) inner;
    }
    Arrays.sort(t);
    return t[ROUNDS / 2];
  }
}
