package tacet.benchmarks;

import java.util.List;
import tacet.tensor.Engine;
import tacet.tensor.kernel.MatMul;
import tacet.tensor.kernel.PackedMatrix;
import tacet.tensor.measure.Interleaved;

/**
 * The dense product of one library alone in its process, for {@link DenseThreads}.
 *
 * <pre>java … tacet.benchmarks.DenseOnce --library NAME --threads N [--quick]</pre>
 */
public final class DenseOnce {
  /** The library that is this project. */
  static final String OWN = "Tacet";

  private DenseOnce() {}

  /** Prints GFLOP/s per shape. */
  public static void main(String[] args) {
    Options options = Options.of(args, "library", "threads");
    String library = options.text("library");
    int threads = options.number("threads", 2);
    for (int[] s : DenseBars.SHAPES) {
      int m = s[0];
      int n = s[1];
      int k = s[2];
      float[] x = Samples.uniform(m * k, 1);
      float[] w = Samples.uniform(k * n, 2);
      double nanos;
      if (library.equals(OWN)) {
        PackedMatrix b = PackedMatrix.of(w, k, n);
        float[] y = new float[m * n];
        try (Engine engine = Engine.ofThreads(threads)) {
          nanos = time(options, () -> MatMul.dense(engine, x, m, b, null, y));
        }
      } else {
        try (Peer.Operation o =
            Peers.named(library, threads).product(new Peer.Product(m, n, k, x, w))) {
          nanos = time(options, o);
        }
      }
      Child.print(DenseBars.name(s), 2.0 * m * n * k / nanos);
    }
  }

  private static double time(Options options, Runnable job) {
    return Interleaved.of(options.settings(), List.of(job)).nanos(0);
  }
}
