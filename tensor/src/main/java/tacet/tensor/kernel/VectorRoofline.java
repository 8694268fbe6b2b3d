package tacet.tensor.kernel;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/** The loops of {@link Roofline} in vectors of the widest kind. */
final class VectorRoofline {
  private static final VectorSpecies<Float> S = FloatVector.SPECIES_PREFERRED;
  private static final int CHAINS = 12;

  private VectorRoofline() {}

  /**
   * Twelve independent chains: enough to hide the latency of a multiply-add. Two steps are written
   * out, which makes the method too large to be inlined: where the compiler put it into its caller,
   * it ran at half the rate.
   *
   * @param steps even
   * @return the number of multiply-adds
   */
  static double multiplyAdds(float[] sink, int steps) {
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
    for (int q = 0; q < steps; q += 2) {
      a = x.fma(y, a);
      b = x.fma(y, b);
      c = x.fma(y, c);
      d = x.fma(y, d);
      e = x.fma(y, e);
      f = x.fma(y, f);
      g = x.fma(y, g);
      h = x.fma(y, h);
      i = x.fma(y, i);
      j = x.fma(y, j);
      k = x.fma(y, k);
      l = x.fma(y, l);
      a = x.fma(y, a);
      b = x.fma(y, b);
      c = x.fma(y, c);
      d = x.fma(y, d);
      e = x.fma(y, e);
      f = x.fma(y, f);
      g = x.fma(y, g);
      h = x.fma(y, h);
      i = x.fma(y, i);
      j = x.fma(y, j);
      k = x.fma(y, k);
      l = x.fma(y, l);
    }
    FloatVector left = a.add(b).add(c).add(d).add(e).add(f);
    left.add(g.add(h).add(i).add(j).add(k).add(l)).intoArray(sink, 0);
    return (double) S.length() * CHAINS * steps;
  }

  /** Reads n floats, a multiple of 256, as one stream or as four side by side. */
  static float read(float[] x, int from, int n, int streams) {
    FloatVector a = FloatVector.zero(S);
    FloatVector b = a;
    FloatVector c = a;
    FloatVector d = a;
    int width = S.length();
    int apart = streams == 4 ? n / 4 : width;
    int step = streams == 4 ? width : 4 * width;
    int count = n / (4 * width);
    int at = from;
    for (int i = 0; i < count; i++, at += step) {
      a = a.add(FloatVector.fromArray(S, x, at));
      b = b.add(FloatVector.fromArray(S, x, at + apart));
      c = c.add(FloatVector.fromArray(S, x, at + 2 * apart));
      d = d.add(FloatVector.fromArray(S, x, at + 3 * apart));
    }
    return a.add(b).add(c.add(d)).lane(0);
  }
}
