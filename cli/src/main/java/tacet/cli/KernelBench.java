package tacet.cli;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tacet.tensor.Engine;
import tacet.tensor.RandomStream;
import tacet.tensor.Shape;
import tacet.tensor.kernel.MatMul;
import tacet.tensor.kernel.RightSide;
import tacet.tensor.kernel.Roofline;
import tacet.tensor.measure.Interleaved;

/**
 * Products of some tokens with the matrices of MiniLM's and RoBERTa-large's MLPs.
 *
 * @param dense per shape, how fast
 * @param sparse per shape, how much faster at each density
 */
record KernelBench(List<Dense> dense, List<Sparse> sparse) {
  private static final int[][] SIZES = {{1536, 384}, {4096, 1024}}; // F, D
  private static final double[] DENSITIES = {.5, .25, .1, .05, .01};

  /** The dense product of a shape. */
  record Dense(String shape, double gflops) {}

  /** The product that skips zeros where that pays: times faster than the dense one, by density. */
  record Sparse(String shape, Map<Double, Double> speedUps) {}

  static KernelBench run(Engine engine, Interleaved.Settings settings, boolean quick, int tokens) {
    List<Dense> dense = new ArrayList<>();
    List<Sparse> sparse = new ArrayList<>();
    for (int i = 0; i < (quick ? 1 : SIZES.length); i++) {
      int f = SIZES[i][0];
      int d = SIZES[i][1];
      String shape = tokens + "x" + d + "x" + f;
      float[] x = RandomStream.of(1, "x", 0).uniform(Shape.of(tokens, f), 1).data();
      float[] w = RandomStream.of(1, "w", 0).uniform(Shape.of(f, d), 1).data();
      RightSide b = RightSide.of(w, f, d);
      float[] y = new float[tokens * d];
      List<Runnable> jobs = new ArrayList<>();
      jobs.add(() -> MatMul.dense(engine, x, tokens, b.packed(), null, y));
      for (double density : DENSITIES) {
        float[] h = x.clone();
        long active = silence(h, density);
        jobs.add(() -> MatMul.product(engine, h, tokens, active, b, null, y));
      }
      Interleaved times = Interleaved.of(settings, jobs);
      dense.add(new Dense(shape, 2.0 * tokens * f * d / times.nanos(0)));
      Map<Double, Double> speedUps = new LinkedHashMap<>();
      for (int j = 0; j < DENSITIES.length; j++) {
        speedUps.put(DENSITIES[j], times.ratio(0, j + 1));
      }
      sparse.add(new Sparse(shape, speedUps));
    }
    return new KernelBench(dense, sparse);
  }

  /** Puts zeros at random places; returns how many values are left. */
  private static long silence(float[] h, double density) {
    RandomStream r = RandomStream.of(1, "zeros", 0);
    long active = 0;
    for (int i = 0; i < h.length; i++) {
      if (r.nextDouble() < density) {
        active++;
      } else {
        h[i] = 0;
      }
    }
    return active;
  }

  List<Map<String, Object>> denseJson(Roofline roofline) {
    List<Map<String, Object>> list = new ArrayList<>();
    for (Dense d : dense) {
      Map<String, Object> m = new LinkedHashMap<>();
      m.put("shape", d.shape);
      m.put("gflops", d.gflops);
      m.put("share_of_peak", d.gflops / roofline.gflops());
      list.add(m);
    }
    return list;
  }

  List<Map<String, Object>> sparseJson() {
    List<Map<String, Object>> list = new ArrayList<>();
    for (Sparse s : sparse) {
      Map<String, Object> speedUps = new LinkedHashMap<>();
      s.speedUps.forEach((density, v) -> speedUps.put(density.toString(), v));
      Map<String, Object> m = new LinkedHashMap<>();
      m.put("shape", s.shape);
      m.put("speed_up", speedUps);
      list.add(m);
    }
    return list;
  }

  void describe(Roofline roofline, List<String> lines) {
    lines.add("");
    lines.add("Dense product, weights packed");
    for (Dense d : dense) {
      double share = 100 * d.gflops / roofline.gflops();
      lines.add(
          BenchCommand.line("  %-16s %6.1f GFLOP/s, %.0f %% of peak", d.shape, d.gflops, share));
    }
    lines.add("");
    lines.add("Sparse product, times faster than the dense one");
    for (Sparse s : sparse) {
      StringBuilder sb = new StringBuilder(BenchCommand.line("  %-16s", s.shape));
      s.speedUps.forEach(
          (density, v) -> sb.append(BenchCommand.line("  %.0f %%: %.2f", 100 * density, v)));
      lines.add(sb.toString());
    }
  }
}
