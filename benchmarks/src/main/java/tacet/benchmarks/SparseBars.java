package tacet.benchmarks;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tacet.tensor.Engine;
import tacet.tensor.kernel.MatMul;
import tacet.tensor.kernel.RightSide;
import tacet.tensor.measure.Interleaved;

/**
 * The activation-sparse product Y[T,D] = H[T,F] · W₂[F,D] of one thread over densities of H, beside
 * the dense product and MKL's; its choice by density; and single tokens with weights that are in no
 * cache.
 *
 * <pre>java … tacet.benchmarks.SparseBars [--quick] [--json FILE]</pre>
 */
public final class SparseBars {
  private static final double[] DENSITIES = {1, .5, .25, .1, .05, .02, .01};
  private static final int TOKENS = 128;
  private static final int COLD_MIB = 96; // weights in turn: more than any cache
  private static final Interleaved.Settings COLD = // memory is less steady than caches
      new Interleaved.Settings(41, 1000, 20);
  private static final int COLD_ROWS = 241; // different activations in turn

  /** F → D with the bars of issue 3 at densities .10, .05 and .01. */
  private record Size(int f, int d, double[] bars, double[] coldBars) {
    String name() {
      return f + " → " + d;
    }
  }

  private static final Size[] SIZES = {
    new Size(1536, 384, new double[] {4.2, 7.5, 24}, new double[] {4, 7, 30}),
    new Size(4096, 1024, new double[] {3.2, 5, 22}, new double[] {4, 7, 30})
  };

  private final Results results;
  private final Options options;
  private final Engine engine;
  private final Peer mkl = Peers.named("MKL", 1);
  private boolean sameBits = true;
  private double leastDispatch = Double.POSITIVE_INFINITY;
  private String leastDispatchAt = "";
  private double leastMkl = Double.POSITIVE_INFINITY;
  private String leastMklAt = "";

  private SparseBars(Options options, Engine engine) {
    this.options = options;
    this.engine = engine;
    this.results = new Results("sparse", options, engine);
  }

  /** Runs it. */
  public static void main(String[] args) throws IOException {
    Options options = Options.of(args);
    try (Engine engine = Engine.ofThreads(1)) {
      new SparseBars(options, engine).run();
    }
  }

  private void run() throws IOException {
    Map<String, double[]> chart = new LinkedHashMap<>();
    for (Size size : SIZES) {
      chart.put(size.name(), batch(size));
    }
    results.chart(
        "sparse",
        "Sparse product, " + TOKENS + " tokens, one thread",
        "share of active neurons",
        "times faster than dense",
        Arrays.stream(DENSITIES).mapToObj(d -> Math.round(100 * d) + " %").toList(),
        chart);
    for (Size size : SIZES) {
      cold(size);
    }
    if (mkl != null) {
      results.atLeast(
          2, "least speed against MKL's sparse product, density ≤ .25" + leastMklAt, leastMkl, 1.5);
    }
    results.atLeast(
        2, "choice by density, least speed against dense" + leastDispatchAt, leastDispatch, 0.97);
    results.isTrue(2, "sparse and dense results have the same bits", sameBits);
    results.finish();
  }

  /** T = 128: returns how many times faster the sparse product is, per density. */
  private double[] batch(Size size) {
    int f = size.f;
    int d = size.d;
    Results.Table table =
        results.table(
            TOKENS + " tokens, " + size.name() + ", one thread, µs",
            "density",
            "dense",
            "sparse",
            "speed-up",
            "chosen",
            "against dense",
            "MKL sparse",
            "MKL dense");
    float[] w = Samples.uniform(f * d, 2);
    RightSide b = RightSide.of(w, f, d);
    double[] speedUps = new double[DENSITIES.length];
    for (int i = 0; i < DENSITIES.length; i++) {
      double density = DENSITIES[i];
      float[] h = Samples.sparse(TOKENS * f, density, 3);
      long active = Samples.active(h);
      float[] dense = new float[TOKENS * d];
      float[] sparse = new float[TOKENS * d];
      float[] chosen = new float[TOKENS * d];
      List<Runnable> jobs = new ArrayList<>();
      jobs.add(() -> MatMul.dense(engine, h, TOKENS, b.packed(), null, dense));
      jobs.add(() -> Own.sparse(engine, h, TOKENS, active, b, sparse));
      jobs.add(() -> MatMul.product(engine, h, TOKENS, active, b, null, chosen));
      List<Peer.Operation> operations = new ArrayList<>();
      if (mkl != null) {
        Peer.Product product = new Peer.Product(TOKENS, d, f, h, w);
        operations.add(mkl.sparseProduct(product));
        operations.add(mkl.product(product));
      }
      jobs.addAll(operations);
      Interleaved times = Interleaved.of(options.settings(), jobs);
      sameBits &= Arrays.equals(dense, sparse) && Arrays.equals(dense, chosen);
      for (Peer.Operation o : operations) {
        if (!(Samples.difference(dense, o.result(), dense.length) < 1e-3)) {
          throw new IllegalStateException("MKL's result differs at density " + density);
        }
        o.close();
      }
      speedUps[i] = times.ratio(0, 1);
      double dispatch = times.ratio(0, 2);
      if (dispatch < leastDispatch) {
        leastDispatch = dispatch;
        leastDispatchAt = " (" + size.name() + ", density " + Results.show(density) + ")";
      }
      if (mkl != null && density <= .25 && times.ratio(3, 1) < leastMkl) {
        leastMkl = times.ratio(3, 1);
        leastMklAt = " (" + size.name() + ", density " + Results.show(density) + ")";
      }
      table.row(
          density,
          times.nanos(0) / 1e3,
          times.nanos(1) / 1e3,
          speedUps[i],
          times.nanos(2) / 1e3,
          dispatch,
          mkl == null ? Double.NaN : times.nanos(3) / 1e3,
          mkl == null ? Double.NaN : times.nanos(4) / 1e3);
    }
    bars(TOKENS + " tokens, " + size.name(), speedUps, size.bars);
    return speedUps;
  }

  /** T = 1 with weights and activations that change from call to call, as in decoding. */
  private void cold(Size size) {
    int f = size.f;
    int d = size.d;
    int matrices = Math.max(2, COLD_MIB * (1 << 20) / (4 * f * d));
    Results.Table table =
        results.table(
            "One token, " + size.name() + ", " + matrices + " weight matrices in turn, µs",
            "density",
            "dense",
            "sparse",
            "speed-up",
            "chosen",
            "against dense");
    RightSide[] b = new RightSide[matrices];
    for (int i = 0; i < matrices; i++) {
      b[i] = RightSide.of(Samples.uniform(f * d, i), f, d);
    }
    double[] speedUps = new double[DENSITIES.length];
    for (int i = 0; i < DENSITIES.length; i++) {
      double density = DENSITIES[i];
      float[][] h = new float[COLD_ROWS][];
      long[] active = new long[COLD_ROWS];
      for (int r = 0; r < COLD_ROWS; r++) {
        h[r] = Samples.sparse(f, density, r);
        active[r] = Samples.active(h[r]);
      }
      float[] y = new float[d];
      int[] turn = new int[3];
      Interleaved times =
          Interleaved.of(
              options.quick() ? options.settings() : COLD,
              List.of(
                  () -> {
                    int t = turn[0]++;
                    MatMul.dense(engine, h[t % COLD_ROWS], 1, b[t % matrices].packed(), null, y);
                  },
                  () -> {
                    int t = turn[1]++;
                    int r = t % COLD_ROWS;
                    Own.sparse(engine, h[r], 1, active[r], b[t % matrices], y);
                  },
                  () -> {
                    int t = turn[2]++;
                    int r = t % COLD_ROWS;
                    MatMul.product(engine, h[r], 1, active[r], b[t % matrices], null, y);
                  }));
      speedUps[i] = times.ratio(0, 1);
      double dispatch = times.ratio(0, 2);
      if (dispatch < leastDispatch) {
        leastDispatch = dispatch;
        leastDispatchAt = " (one token, " + size.name() + ", " + Results.show(density) + ")";
      }
      table.row(
          density,
          times.nanos(0) / 1e3,
          times.nanos(1) / 1e3,
          speedUps[i],
          times.nanos(2) / 1e3,
          dispatch);
    }
    bars("one token, cold weights, " + size.name(), speedUps, size.coldBars);
  }

  private void bars(String what, double[] speedUps, double[] targets) {
    double[] at = {.1, .05, .01};
    for (int i = 0; i < at.length; i++) {
      int place = Arrays.binarySearch(Arrays.stream(DENSITIES).map(v -> -v).toArray(), -at[i]);
      results.atLeast(
          2,
          what + ", density " + Results.show(at[i]) + ": times faster than dense",
          speedUps[place],
          targets[i]);
    }
  }
}
