package tacet.benchmarks;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import tacet.tensor.Engine;
import tacet.tensor.kernel.AttentionKernel;
import tacet.tensor.kernel.Kernels;
import tacet.tensor.measure.Interleaved;

/**
 * GELU, softmax and LayerNorm of one thread beside libtorch, and GELU's accuracy against a sum in
 * double.
 *
 * <pre>java … tacet.benchmarks.ElementwiseBars [--quick] [--json FILE]</pre>
 */
public final class ElementwiseBars {
  private static final double SATURATION =
      -5.5427; // PyTorch's GELU is exactly 0 from -5.542594 down

  private final Results results;
  private final Options options;
  private final Kernels kernels;
  private final Peer torch = Peers.named("libtorch", 1);

  private ElementwiseBars(Options options, Engine engine) {
    this.options = options;
    this.kernels = engine.kernels();
    this.results = new Results("elementwise", options, engine);
  }

  /** Runs it. */
  public static void main(String[] args) throws IOException {
    Options options = Options.of(args);
    try (Engine engine = Engine.ofThreads(1)) {
      new ElementwiseBars(options, engine).run();
    }
  }

  private void run() throws IOException {
    Results.Table table =
        results.table(
            "Elementwise and row functions, one thread, ns per element",
            "function",
            "Tacet",
            "libtorch",
            "ratio");
    for (int width : new int[] {1536, 4096}) {
      int n = 128 * width;
      float[] x = Samples.normal(n, 2, 1);
      float[] y = new float[n];
      row(
          table,
          "GELU 128x" + width,
          () -> kernels.gelu(x, 0, n, y, 0),
          torch == null ? null : torch.gelu(x),
          y);
    }
    softmax(table, 12 * 128, 128);
    layerNorm(table, 128, 384);
    layerNorm(table, 128, 1024);
    accuracy();
    results.finish();
  }

  private static final int TILE = 48; // rows of attention scores that fit the first-level cache

  private void softmax(Results.Table table, int rows, int n) {
    float[] x = Samples.normal(rows * n, 2, 1);
    float[] y = new float[rows * n];
    float[] statistics = new float[2 * TILE];
    AttentionKernel scores = new AttentionKernel(1, rows, n, 1, 1, 1, null, false, null, 0, 0, 1);
    row(
        table,
        "softmax " + rows + "x" + n,
        () -> {
          for (int i = 0; i < rows; i += TILE) { // in tiles, and in place: the copy is part of it
            int count = Math.min(TILE, rows - i);
            System.arraycopy(x, i * n, y, i * n, count * n);
            kernels.softmaxRows(scores, 0, i, count, n, y, i * n, n, statistics, 0);
            kernels.scaleRows(count, n, statistics, 1, 2, y, i * n, n);
          }
        },
        torch == null ? null : torch.softmax(x, n),
        y);
  }

  private void layerNorm(Results.Table table, int rows, int n) {
    float[] x = Samples.normal(rows * n, 2, 1);
    float[] y = new float[rows * n];
    float[] gamma = new float[n];
    java.util.Arrays.fill(gamma, 1);
    float[] beta = new float[n];
    float[] statistics = new float[2 * rows];
    row(
        table,
        "LayerNorm " + rows + "x" + n,
        () -> {
          for (int i = 0; i < rows; i++) {
            kernels.layerNormRow(x, i * n, n, gamma, beta, 1e-5f, y, i * n, statistics, 2 * i);
          }
        },
        torch == null ? null : torch.layerNorm(x, n, 1e-5f),
        y);
  }

  private void row(Results.Table table, String name, Runnable own, Peer.Operation peer, float[] y) {
    List<Runnable> jobs = new ArrayList<>(List.of(own));
    if (peer != null) {
      jobs.add(peer);
    }
    Interleaved times = Interleaved.of(options.settings(), jobs);
    if (peer == null) {
      table.row(name, times.nanos(0) / y.length, Double.NaN, Double.NaN);
      return;
    }
    double difference = Samples.difference(y, peer.result(), y.length);
    if (!(difference < 1e-5)) {
      throw new IllegalStateException(name + ": libtorch's result differs by " + difference);
    }
    peer.close();
    double ratio = times.ratio(1, 0);
    table.row(name, times.nanos(0) / y.length, times.nanos(1) / y.length, ratio);
    results.atLeast(7, name + ": speed against libtorch", ratio, 1);
  }

  // ------------------------------------------------------------------ accuracy

  private void accuracy() {
    int n = 1 << 20;
    float[] x = new float[n];
    for (int i = 0; i < n; i++) {
      x[i] = -12 + 24f * i / n;
    }
    float[] y = new float[n];
    kernels.gelu(x, 0, n, y, 0);
    double error = 0;
    boolean silent = true;
    for (int i = 0; i < n; i++) {
      error = Math.max(error, Math.abs(y[i] - gelu(x[i])));
      silent &= x[i] > SATURATION || y[i] == 0;
    }
    results.atMost(7, "GELU: largest absolute error on ±12", error, 1e-6);
    results.isTrue(7, "GELU is exactly 0 from " + SATURATION + " down", silent);
  }

  private static double gelu(double x) {
    return x / 2 * erfc(-x / Math.sqrt(2));
  }

  /** 1 − erf(x) in double: the series of erf near 0, a continued fraction outside. */
  static double erfc(double x) {
    double a = Math.abs(x);
    if (a < 3) {
      double sum = a;
      double term = a;
      for (int k = 1; k < 200; k++) {
        term *= -a * a / k;
        sum += term / (2 * k + 1);
      }
      double erf = 2 / Math.sqrt(Math.PI) * sum;
      return x < 0 ? 1 + erf : 1 - erf;
    }
    double f = 0;
    for (int k = 80; k >= 1; k--) {
      f = k / 2.0 / (a + f);
    }
    double tail = Math.exp(-a * a) / Math.sqrt(Math.PI) / (a + f);
    return x < 0 ? 2 - tail : tail;
  }
}
