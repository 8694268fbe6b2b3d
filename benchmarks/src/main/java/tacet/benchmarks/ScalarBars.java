package tacet.benchmarks;

import java.io.IOException;
import java.util.List;
import tacet.tensor.Engine;
import tacet.tensor.kernel.MatMul;
import tacet.tensor.kernel.PackedMatrix;
import tacet.tensor.measure.Interleaved;

/**
 * The fallback without the vector module beside EJML. Start it without {@code --add-modules}.
 *
 * <pre>java … tacet.benchmarks.ScalarBars [--quick] [--json FILE]</pre>
 */
public final class ScalarBars {
  private static final int[][] SHAPES = {{128, 1024, 1024}, {32, 384, 1536}, {1, 1024, 4096}};

  private ScalarBars() {}

  /** Runs it. */
  public static void main(String[] args) throws IOException {
    Options options = Options.of(args);
    try (Engine engine = Engine.ofThreads(1)) {
      if (!engine.kernels().name().equals("scalar")) {
        throw new IllegalStateException("start it without --add-modules jdk.incubator.vector");
      }
      Results results = new Results("scalar", options, engine);
      Results.Table table =
          results.table(
              "Scalar fallback, one thread, GFLOP/s",
              "M x N x K",
              "Tacet, scalar",
              "EJML",
              "ratio");
      Peer ejml = Peers.named("EJML", 1);
      for (int[] s : SHAPES) {
        int m = s[0];
        int n = s[1];
        int k = s[2];
        float[] x = Samples.uniform(m * k, 1);
        float[] w = Samples.uniform(k * n, 2);
        PackedMatrix b = PackedMatrix.of(w, k, n);
        float[] y = new float[m * n];
        Peer.Operation rival = ejml.product(new Peer.Product(m, n, k, x, w));
        Interleaved times =
            Interleaved.of(
                options.settings(), List.of(() -> MatMul.dense(engine, x, m, b, null, y), rival));
        double flops = 2.0 * m * n * k;
        double ratio = times.ratio(1, 0);
        table.row(DenseBars.name(s), flops / times.nanos(0), flops / times.nanos(1), ratio);
        if (s == SHAPES[0]) {
          results.atLeast(9, "scalar fallback against EJML, " + DenseBars.name(s), ratio, 3);
        }
      }
      results.finish();
    }
  }
}
