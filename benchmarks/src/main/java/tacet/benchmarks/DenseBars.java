package tacet.benchmarks;

import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tacet.tensor.Engine;
import tacet.tensor.kernel.MatMul;
import tacet.tensor.kernel.PackedMatrix;
import tacet.tensor.measure.Interleaved;

/**
 * The dense product of one thread beside its peers, in turns in one process; and the shapes of few
 * rows against the memory's bandwidth.
 *
 * <pre>java … tacet.benchmarks.DenseBars [--quick] [--json FILE]</pre>
 */
public final class DenseBars {
  /** M x N x K: Y[M,N] = X[M,K] · B[K,N]. */
  static final int[][] SHAPES = {
    {128, 1024, 1024},
    {128, 4096, 1024},
    {128, 1024, 4096},
    {512, 768, 3072},
    {1024, 1024, 1024},
    {32, 384, 1536},
    {8, 1024, 4096},
    {1, 1024, 4096}
  };

  /** From here on a product is bound by arithmetic. */
  static final int MANY_ROWS = 32;

  private static final String PACKING = "Tacet, packing";
  private static final String MKL_PACKED = "MKL, packed";
  private static final double TOLERANCE = 1e-3; // sums of 4096 products of values in ±1

  private final Results results;
  private final Options options;
  private final Engine engine;
  private final List<Peer> peers = Peers.all(1);
  private final Map<String, List<Double>> ratios = new LinkedHashMap<>(); // peer's time / ours
  private final Map<String, Double> worst = new LinkedHashMap<>();
  private final Map<String, String> worstShape = new LinkedHashMap<>();
  private double leastShare = Double.POSITIVE_INFINITY;
  private String leastShape;
  private double fewRowsRatio = Double.NaN;

  private DenseBars(Options options, Engine engine) {
    this.options = options;
    this.engine = engine;
    this.results = new Results("dense", options, engine);
  }

  /** Runs it. */
  public static void main(String[] args) throws IOException {
    Options options = Options.of(args);
    try (Engine engine = Engine.ofThreads(1)) {
      new DenseBars(options, engine).run();
    }
  }

  static String name(int[] shape) {
    return shape[0] + "x" + shape[1] + "x" + shape[2];
  }

  private void run() throws IOException {
    peers();
    oneRow();
    bars();
    results.finish();
  }

  // ------------------------------------------------------------------ beside the peers

  private void peers() {
    List<String> columns = new ArrayList<>(List.of("M x N x K", "Tacet", "share of peak", PACKING));
    List<String> rivals = new ArrayList<>();
    for (Peer p : peers) {
      rivals.add(p.name());
      if (p.name().equals("MKL")) {
        rivals.add(MKL_PACKED);
      }
    }
    columns.addAll(rivals);
    Map<String, double[]> chart = new LinkedHashMap<>();
    List<String> categories = new ArrayList<>();
    Results.Table table =
        results.table("Dense product, one thread, GFLOP/s", columns.toArray(String[]::new));
    for (int s = 0; s < SHAPES.length; s++) {
      int[] shape = SHAPES[s];
      Map<String, Double> gflops = measure(shape);
      List<Object> cells = new ArrayList<>();
      cells.add(name(shape));
      double own = gflops.get("Tacet");
      cells.add(own);
      cells.add(own / results.roofline().gflops());
      cells.add(gflops.get(PACKING));
      for (String r : rivals) {
        cells.add(gflops.getOrDefault(r, Double.NaN));
      }
      table.row(cells.toArray());
      categories.add(Integer.toString(s + 1));
      for (String r : List.of("Tacet", "MKL", "OpenBLAS", "netlib")) {
        double[] values = chart.computeIfAbsent(r, x -> new double[SHAPES.length]);
        values[s] = gflops.getOrDefault(r, Double.NaN);
      }
    }
    results.chart(
        "dense",
        "Dense product, one thread",
        "shape, in the order of the table",
        "GFLOP/s",
        categories,
        chart);
    for (Peer p : peers) {
      results.note(p.name() + ": " + p.version());
    }
  }

  /** GFLOP/s by name; keeps the ratios that bars are about. */
  private Map<String, Double> measure(int[] shape) {
    int m = shape[0];
    int n = shape[1];
    int k = shape[2];
    float[] x = Samples.uniform(m * k, 1);
    float[] w = Samples.uniform(k * n, 2);
    PackedMatrix b = PackedMatrix.of(w, k, n);
    float[] y = new float[m * n];
    float[] y2 = new float[m * n];
    List<String> names = new ArrayList<>(List.of("Tacet", PACKING));
    List<Runnable> jobs = new ArrayList<>();
    jobs.add(() -> MatMul.dense(engine, x, m, b, null, y));
    jobs.add(() -> MatMul.denseUnpacked(engine, x, m, k, w, n, null, y2));
    List<Peer.Operation> operations = new ArrayList<>();
    Peer.Product product = new Peer.Product(m, n, k, x, w);
    for (Peer p : peers) {
      add(p.name(), p.product(product), names, jobs, operations);
      add(MKL_PACKED, p.packedProduct(product), names, jobs, operations);
    }
    Interleaved times = Interleaved.of(options.settings(), jobs);
    for (Peer.Operation o : operations) {
      double d = Samples.difference(y, o.result(), y.length);
      if (!(d < TOLERANCE)) {
        throw new IllegalStateException(name(shape) + ": a peer's result differs by " + d);
      }
      o.close();
    }
    Map<String, Double> gflops = new LinkedHashMap<>();
    for (int i = 0; i < names.size(); i++) {
      gflops.put(names.get(i), 2.0 * m * n * k / times.nanos(i));
    }
    int mkl = names.indexOf("MKL");
    if (m >= MANY_ROWS) {
      double share = gflops.get("Tacet") / results.roofline().gflops();
      if (share < leastShare) {
        leastShare = share;
        leastShape = name(shape);
      }
      for (int i = 2; i < names.size(); i++) {
        keep(names.get(i), times.ratio(i, 0), shape);
      }
      if (mkl >= 0) {
        keep(PACKING, times.ratio(mkl, 1), shape);
      }
    } else if (m > 1 && mkl >= 0) {
      fewRowsRatio = times.ratio(mkl, 0);
    }
    return gflops;
  }

  private static void add(
      String name,
      Peer.Operation operation,
      List<String> names,
      List<Runnable> jobs,
      List<Peer.Operation> operations) {
    if (operation != null) {
      names.add(name);
      jobs.add(operation);
      operations.add(operation);
    }
  }

  private void keep(String name, double ratio, int[] shape) {
    ratios.computeIfAbsent(name, x -> new ArrayList<>()).add(ratio);
    if (ratio < worst.getOrDefault(name, Double.POSITIVE_INFINITY)) {
      worst.put(name, ratio);
      worstShape.put(name, name(shape));
    }
  }

  // ------------------------------------------------------------------ one row

  /** One row reads all of B once: weights that stay in the caches, and weights that never do. */
  private void oneRow() {
    int n = 1024;
    int k = 4096;
    float[] x = Samples.uniform(k, 1);
    float[] y = new float[n];
    PackedMatrix[] many = new PackedMatrix[6]; // 96 MiB
    for (int i = 0; i < many.length; i++) {
      many[i] = PackedMatrix.of(Samples.uniform(k * n, i), k, n);
    }
    int[] turn = new int[1];
    Interleaved times =
        Interleaved.of(
            options.settings(),
            List.of(
                () -> MatMul.dense(engine, x, 1, many[0], null, y),
                () -> MatMul.dense(engine, x, 1, many[turn[0]++ % many.length], null, y)));
    Results.Table table =
        results.table(
            "One row, 1x1024x4096: 16 MiB of weights per call",
            "weights",
            "µs",
            "GB/s",
            "of read bandwidth");
    double bytes = 4.0 * n * k;
    double[] share = new double[2];
    for (int i = 0; i < 2; i++) {
      double rate = bytes / times.nanos(i);
      share[i] = rate / results.roofline().gigabytes();
      table.row(
          i == 0 ? "the same each call" : "6 matrices in turn",
          times.nanos(i) / 1e3,
          rate,
          share[i]);
    }
    results.atLeast(1, "1x1024x4096, cold weights: share of read bandwidth", share[1], 0.85);
  }

  // ------------------------------------------------------------------ bars

  private void bars() {
    results.atLeast(1, "M ≥ 32: least share of peak (" + leastShape + ")", leastShare, 0.90);
    mean("MKL", 1.10);
    least("MKL", 1.0);
    least(MKL_PACKED, 1.0);
    mean("OpenBLAS", 1.15);
    least("OpenBLAS", 1.0);
    if (worst.containsKey(PACKING)) {
      results.atLeast(
          1,
          "weights packed in the call: least speed against MKL (" + worstShape.get(PACKING) + ")",
          worst.get(PACKING),
          0.95);
    }
    if (Double.isFinite(fewRowsRatio)) {
      results.atLeast(1, "8x1024x4096: speed against MKL", fewRowsRatio, 2);
    }
    mean("EJML", 14);
    mean("netlib", 2.2);
  }

  private void mean(String peer, double target) {
    List<Double> all = ratios.get(peer);
    if (all != null) {
      double log = all.stream().mapToDouble(Math::log).average().orElseThrow();
      results.atLeast(
          1, "M ≥ 32: speed against " + peer + ", geometric mean", Math.exp(log), target);
    }
  }

  private void least(String peer, double target) {
    if (worst.containsKey(peer)) {
      results.atLeast(
          1,
          "M ≥ 32: least speed against " + peer + " (" + worstShape.get(peer) + ")",
          worst.get(peer),
          target);
    }
  }
}
