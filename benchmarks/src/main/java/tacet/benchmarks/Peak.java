package tacet.benchmarks;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/** The machine's peak of fused multiply-adds on one thread, measured: what ratios are quoted against. */
final class Peak {
  private static final VectorSpecies<Float> S = FloatVector.SPECIES_PREFERRED;
  private static final int CHAINS = 12;

  private Peak() {}

  /** GFLOP/s of twelve independent chains, the best of some rounds. */
  static double gflops() {
    float[] sink = new float[S.length()];
    int n = 1_000_000;
    double best = 0;
    for (int round = 0; round < 40; round++) {
      long start = System.nanoTime();
      chains(sink, n);
      best = Math.max(best, 2.0 * S.length() * CHAINS * n / (System.nanoTime() - start));
    }
    return best;
  }

  private static void chains(float[] sink, int n) {
    FloatVector x = FloatVector.broadcast(S, 0.999f);
    FloatVector y = FloatVector.broadcast(S, 0.001f);
    FloatVector a = y;
    FloatVector b = y;
    FloatVector c = y;
    FloatVector d = y;
    FloatVector e = y;
    FloatVector f = y;
    FloatVector g = y;
    FloatVector h = y;
    FloatVector i = y;
    FloatVector j = y;
    FloatVector k = y;
    FloatVector l = y;
    for (int q = 0; q < n; q++) {
      a = a.fma(x, y);
      b = b.fma(x, y);
      c = c.fma(x, y);
      d = d.fma(x, y);
      e = e.fma(x, y);
      f = f.fma(x, y);
      g = g.fma(x, y);
      h = h.fma(x, y);
      i = i.fma(x, y);
      j = j.fma(x, y);
      k = k.fma(x, y);
      l = l.fma(x, y);
    }
    a.add(b)
        .add(c)
        .add(d)
        .add(e)
        .add(f)
        .add(g)
        .add(h)
        .add(i)
        .add(j)
        .add(k)
        .add(l)
        .intoArray(sink, 0);
  }
}
