package tacet.benchmarks;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import tacet.tensor.Engine;
import tacet.tensor.WeightFormat;
import tacet.tensor.kernel.CompactMatMul;
import tacet.tensor.kernel.CompactMatrix;
import tacet.tensor.kernel.MatMul;
import tacet.tensor.kernel.PackedMatrix;
import tacet.tensor.kernel.SparseRows;
import tacet.tensor.measure.Interleaved;

/**
 * Products with weights in fewer bits beside those in float32, of one thread: single tokens with
 * weights that are in no cache, and batches.
 *
 * <pre>java … tacet.benchmarks.QuantBars [--quick] [--json FILE]</pre>
 */
public final class QuantBars {
  private static final int K = 4096;
  private static final int N = 1024;
  private static final int COLD_BYTES = 96 << 20; // of each format, in turn: more than any cache
  private static final int[] TOKENS = {8, 32, 128};

  private static final double[] DENSITIES = {.25, .1, .05, .02};
  private static final int SILENT_ROWS = 97; // different activations in turn

  private final Results results;
  private final Options options;
  private final Engine engine;

  private QuantBars(Options options, Engine engine) {
    this.options = options;
    this.engine = engine;
    this.results = new Results("quantised", options, engine);
  }

  /** Runs it. */
  public static void main(String[] args) throws IOException {
    Options options = Options.of(args);
    try (Engine engine = Engine.ofThreads(1)) {
      QuantBars bars = new QuantBars(options, engine);
      bars.cold();
      bars.silent();
      bars.batches();
      bars.results.finish();
    }
  }

  private static List<WeightFormat> formats() {
    return List.of(WeightFormat.BF16, WeightFormat.F16, WeightFormat.NF4);
  }

  /** Copies of a matrix, so many that together they exceed every cache. */
  private static CompactMatrix[] copies(CompactMatrix w, float[] values) {
    CompactMatrix[] all = new CompactMatrix[(int) (COLD_BYTES / w.bytes()) + 1];
    all[0] = w;
    for (int i = 1; i < all.length; i++) {
      all[i] = CompactMatrix.of(w.format(), values, N, K);
    }
    return all;
  }

  private void cold() {
    float[] values = Samples.normal(N * K, 0.05, 2); // [N, K], as a linear layer's weight
    float[] x = Samples.uniform(K, 1);
    float[] y = new float[N];
    PackedMatrix[] packed = new PackedMatrix[COLD_BYTES / (4 * N * K)];
    for (int i = 0; i < packed.length; i++) {
      packed[i] = PackedMatrix.ofTransposed(values, K, N);
    }
    List<Runnable> jobs = new ArrayList<>();
    List<Integer> counts = new ArrayList<>(List.of(packed.length));
    int[] turn = new int[1 + formats().size()];
    jobs.add(() -> MatMul.dense(engine, x, 1, packed[turn[0]++ % packed.length], null, y));
    for (WeightFormat format : formats()) {
      CompactMatrix[] w = copies(CompactMatrix.of(format, values, N, K), values);
      int job = jobs.size();
      counts.add(w.length);
      jobs.add(() -> CompactMatMul.product(engine, x, 1, w[turn[job]++ % w.length], null, y));
    }
    Interleaved times = Interleaved.of(options.settings(), jobs);
    Results.Table table =
        results.table(
            "One token, 1x" + N + "x" + K + ", weights in turn",
            "format",
            "matrices",
            "µs",
            "against F32");
    table.row("F32", counts.get(0), times.nanos(0) / 1e3, 1.0);
    for (WeightFormat format : formats()) {
      int job = 1 + formats().indexOf(format);
      double ratio = times.ratio(0, job);
      table.row(format.name(), counts.get(job), times.nanos(job) / 1e3, ratio);
      if (format == WeightFormat.NF4) {
        results.atLeast(6, "NF4, one token, cold weights: times faster than F32", ratio, 2.5);
      }
    }
  }

  /** One token whose zeros are skipped, or not, with the weights of each format in turn. */
  private void silent() {
    float[] values = Samples.normal(N * K, 0.05, 2);
    float[] y = new float[N];
    Results.Table table =
        results.table(
            "One token, 1x" + N + "x" + K + ", weights in turn: times faster with zeros skipped",
            "density",
            "BF16, µs",
            "BF16",
            "F16, µs",
            "F16",
            "NF4, µs",
            "NF4");
    List<CompactMatrix[]> weights = new ArrayList<>();
    for (WeightFormat format : formats()) {
      weights.add(copies(CompactMatrix.of(format, values, N, K), values));
    }
    for (double density : DENSITIES) {
      float[][] x = new float[SILENT_ROWS][];
      for (int i = 0; i < x.length; i++) {
        x[i] = Samples.sparse(K, density, i);
      }
      List<Object> cells = new ArrayList<>(List.of(density));
      for (CompactMatrix[] w : weights) {
        int[] turn = new int[2];
        Interleaved times =
            Interleaved.of(
                options.settings(),
                List.of(
                    () -> {
                      int i = turn[0]++;
                      CompactMatMul.product(engine, x[i % x.length], 1, w[i % w.length], null, y);
                    },
                    () -> {
                      int i = turn[1]++;
                      SparseRows rows = SparseRows.of(engine, x[i % x.length], 1, K, K);
                      CompactMatMul.product(engine, rows, w[i % w.length], null, y);
                      rows.release(engine.workspace());
                    }));
        cells.add(times.nanos(1) / 1e3);
        cells.add(times.ratio(0, 1));
      }
      table.row(cells.toArray());
    }
  }

  private void batches() {
    float[] values = Samples.normal(N * K, 0.05, 2);
    PackedMatrix packed = PackedMatrix.ofTransposed(values, K, N);
    Results.Table table =
        results.table(
            "Batches, Tx" + N + "x" + K + ", µs, and time against F32",
            "T",
            "F32",
            "BF16",
            "F16",
            "NF4",
            "BF16 / F32",
            "F16 / F32",
            "NF4 / F32");
    for (int t : TOKENS) {
      float[] x = Samples.uniform(t * K, 1);
      float[] y = new float[t * N];
      List<Runnable> jobs = new ArrayList<>();
      jobs.add(() -> MatMul.dense(engine, x, t, packed, null, y));
      for (WeightFormat format : formats()) {
        CompactMatrix w = CompactMatrix.of(format, values, N, K);
        jobs.add(() -> CompactMatMul.product(engine, x, t, w, null, y));
      }
      Interleaved times = Interleaved.of(options.settings(), jobs);
      table.row(
          t,
          times.nanos(0) / 1e3,
          times.nanos(1) / 1e3,
          times.nanos(2) / 1e3,
          times.nanos(3) / 1e3,
          times.ratio(1, 0),
          times.ratio(2, 0),
          times.ratio(3, 0));
      if (t >= 32) {
        results.atMost(6, "NF4, " + t + " tokens: time against F32", times.ratio(3, 0), 1.05);
      }
    }
  }
}
