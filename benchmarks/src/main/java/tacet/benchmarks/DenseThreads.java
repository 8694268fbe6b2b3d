package tacet.benchmarks;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tacet.tensor.Engine;
import tacet.tensor.kernel.MatMul;
import tacet.tensor.kernel.PackedMatrix;
import tacet.tensor.measure.Interleaved;

/**
 * The dense product on several threads: against itself on one, in turns; and beside the peers, a
 * process for each in turns.
 *
 * <pre>java … tacet.benchmarks.DenseThreads [--threads N] [--quick] [--json FILE]</pre>
 */
public final class DenseThreads {
  private DenseThreads() {}

  /** Runs it. */
  public static void main(String[] args) throws IOException {
    Options options = Options.of(args, "threads");
    int threads = options.number("threads", 2);
    Results results;
    try (Engine one = Engine.ofThreads(1);
        Engine many = Engine.ofThreads(threads)) {
      results = new Results("dense-threads", options, many);
      scaling(results, options, one, many);
    }
    peers(results, options, threads);
    results.finish();
  }

  private static void scaling(Results results, Options options, Engine one, Engine many) {
    int threads = many.workers().size();
    Results.Table table =
        results.table(
            "Dense product, 1 and " + threads + " threads, GFLOP/s",
            "M x N x K",
            "1 thread",
            threads + " threads",
            "ratio",
            "share of peak");
    double least = Double.POSITIVE_INFINITY;
    String at = "";
    boolean same = true;
    for (int[] s : DenseBars.SHAPES) {
      int m = s[0];
      int n = s[1];
      int k = s[2];
      float[] x = Samples.uniform(m * k, 1);
      PackedMatrix b = PackedMatrix.of(Samples.uniform(k * n, 2), k, n);
      float[] y1 = new float[m * n];
      float[] y2 = new float[m * n];
      Interleaved times =
          Interleaved.of(
              options.settings(),
              List.of(
                  () -> MatMul.dense(one, x, m, b, null, y1),
                  () -> MatMul.dense(many, x, m, b, null, y2)));
      same &= Arrays.equals(y1, y2);
      double flops = 2.0 * m * n * k;
      double ratio = times.ratio(0, 1);
      table.row(
          DenseBars.name(s),
          flops / times.nanos(0),
          flops / times.nanos(1),
          ratio,
          flops / times.nanos(1) / results.roofline().gflops());
      if (m >= DenseBars.MANY_ROWS && ratio < least) {
        least = ratio;
        at = DenseBars.name(s);
      }
    }
    results.atLeast(
        1, "M ≥ 32: least speed of " + threads + " threads against one (" + at + ")", least, 1.85);
    results.isTrue(8, "dense product: same bits on 1 and " + threads + " threads", same);
  }

  private static void peers(Results results, Options options, int threads) throws IOException {
    List<String> libraries = new ArrayList<>(List.of(DenseOnce.OWN));
    for (Peer p : Peers.all(1)) {
      if (!List.of("EJML", "netlib").contains(p.name())) { // they have one thread
        libraries.add(p.name());
      }
    }
    Map<String, List<Map<String, Double>>> runs = new LinkedHashMap<>();
    for (int round = 0; round < (options.quick() ? 1 : 3); round++) {
      for (String library : libraries) {
        List<Object> args = new ArrayList<>(List.of("--library", library, "--threads", threads));
        if (options.quick()) {
          args.add("--quick");
        }
        runs.computeIfAbsent(library, l -> new ArrayList<>())
            .add(Child.java(DenseOnce.class.getName(), args.toArray()));
      }
    }
    List<String> columns = new ArrayList<>(List.of("M x N x K"));
    columns.addAll(libraries);
    Results.Table table =
        results.table(
            "Dense product, " + threads + " threads, a process per library, GFLOP/s",
            columns.toArray(String[]::new));
    for (int[] s : DenseBars.SHAPES) {
      List<Object> cells = new ArrayList<>(List.of(DenseBars.name(s)));
      for (String library : libraries) {
        cells.add(Child.median(runs.get(library)).get(DenseBars.name(s)));
      }
      table.row(cells.toArray());
    }
  }
}
