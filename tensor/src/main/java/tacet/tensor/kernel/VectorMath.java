package tacet.tensor.kernel;

import static tacet.tensor.kernel.ScalarMath.*;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/**
 * {@link ScalarMath}, operation by operation, on vectors: the results have the same bits.
 *
 * <p>The compiler stops inlining when a method has grown to 18,000 nodes, and then every vector
 * becomes an object. An operation on vectors, a broadcast included, costs about 300 nodes, so one
 * loop may have about sixty. (Coefficients kept as vectors would not count, but loads of 64 bytes
 * that cross cache lines were measured to be 30 % slower than broadcasts.)
 *
 * <p>Nor does it inline a method that it has compiled on its own into more than 2500 bytes, which
 * happens to every function here that a loop calls before the loop itself is compiled. So functions
 * are no larger than tanh or erf, and what is made of them stands in the loops.
 */
final class VectorMath {
  /** The widest species, or the width in bits that the system property tacet.vector.bits names. */
  static final VectorSpecies<Float> S = species();

  static final VectorSpecies<Integer> SI = S.withLanes(int.class);
  static final int L = S.length();
  static final IntVector IOTA = IntVector.zero(SI).addIndex(1);

  private VectorMath() {}

  private static VectorSpecies<Float> species() {
    int bits = Integer.getInteger("tacet.vector.bits", 0);
    return switch (bits) {
      case 0 ->
          FloatVector.SPECIES_PREFERRED.length() > 16
              ? FloatVector.SPECIES_512
              : FloatVector.SPECIES_PREFERRED;
      case 128 -> FloatVector.SPECIES_128;
      case 256 -> FloatVector.SPECIES_256;
      case 512 -> FloatVector.SPECIES_512;
      default ->
          throw new IllegalArgumentException(
              "tacet.vector.bits must be 128, 256 or 512, not " + bits);
    };
  }

  static FloatVector set(float v) {
    return FloatVector.broadcast(S, v);
  }

  /** Two instructions, where {@code FloatVector.min} is six for the sake of NaN and −0. */
  private static FloatVector least(FloatVector x, float limit) {
    return x.blend(limit, x.compare(VectorOperators.GT, limit));
  }

  /** The same for x ≥ 0, whose bits have the order of the numbers: one instruction; NaN is lost. */
  private static FloatVector leastPositive(FloatVector x, float limit) {
    return x.reinterpretAsInts().min(Float.floatToRawIntBits(limit)).reinterpretAsFloats();
  }

  /** e^x as {@link ScalarMath#exp} has it. */
  static FloatVector exp(FloatVector x) {
    return expBelowMax(least(x, EXP_MAX)); // below the range, the last line makes 0
  }

  /** The same for x ≤ {@link ScalarMath#EXP_MAX}; what it computes below the minimum is replaced. */
  static FloatVector expBelowMax(FloatVector x) {
    FloatVector n = x.fma(set(LOG2E), set(ROUND));
    IntVector bits = n.reinterpretAsInts();
    n = n.sub(ROUND);
    FloatVector r = n.fma(set(LN2_HIGH), x);
    r = n.fma(set(LN2_LOW), r);
    FloatVector p = r.fma(set(E0), set(E1));
    p = p.fma(r, set(E2));
    p = p.fma(r, set(E3));
    p = p.fma(r, set(E4));
    p = p.fma(r, set(E5));
    p = p.fma(r.mul(r), r).add(1f);
    FloatVector e =
        p.reinterpretAsInts().add(bits.lanewise(VectorOperators.LSHL, 23)).reinterpretAsFloats();
    return e.blend(0f, x.compare(VectorOperators.LT, EXP_MIN));
  }

  static FloatVector tanh(FloatVector x) {
    FloatVector a = x.abs();
    FloatVector z = x.mul(x);
    FloatVector p = z.fma(set(T0), set(T1));
    p = p.fma(z, set(T2));
    p = p.fma(z, set(T3));
    p = p.fma(z, set(T4));
    FloatVector inner = p.mul(z).fma(x, x);
    FloatVector outer = copySign(set(1f).sub(set(2f).div(exp(a.add(a)).add(1f))), x);
    return outer.blend(inner, a.compare(VectorOperators.LT, TANH_INNER));
  }

  static FloatVector exp2(FloatVector u, FloatVector v) {
    FloatVector n = u.fma(v, set(ROUND));
    IntVector bits = n.reinterpretAsInts();
    FloatVector r = u.fma(v, set(ROUND).sub(n));
    FloatVector z = r.mul(r);
    FloatVector p = r.fma(set(X0), set(X1)).fma(z, r.fma(set(X2), set(X3)));
    p = p.fma(z, r.fma(set(X4), set(1f)));
    return p.reinterpretAsInts().add(bits.lanewise(VectorOperators.LSHL, 23)).reinterpretAsFloats();
  }

  /** Of the lesser of a and {@link ScalarMath#SATURATED}. */
  private static FloatVector erfOfRoot(FloatVector b) {
    FloatVector z = b.mul(b);
    FloatVector p = b.fma(set(C8), set(C7)).fma(z, b.fma(set(C6), set(C5)));
    p = p.fma(z.mul(z), b.fma(set(C4), set(C3)).fma(z, b.fma(set(C2), set(C1))));
    return set(1f).sub(exp2(p, b));
  }

  static FloatVector erf(FloatVector x) {
    return copySign(erfOfRoot(least(x.abs().mul(SQRT_2), SATURATED)), x);
  }

  /** |magnitude| with the sign of s. */
  private static FloatVector copySign(FloatVector magnitude, FloatVector s) {
    IntVector sign = s.reinterpretAsInts().and(0x80000000);
    return magnitude.reinterpretAsInts().and(0x7fffffff).or(sign).reinterpretAsFloats();
  }

  static FloatVector gelu(FloatVector x) {
    FloatVector a = x.abs();
    return a.fma(erfOfRoot(leastPositive(a, SATURATED)), x).mul(0.5f);
  }

  static FloatVector geluDerivative(FloatVector x) {
    FloatVector e = exp2(leastPositive(x.mul(x), SQUARE_MAX), set(HALF_LOG2E));
    FloatVector t = set(1f).div(x.abs().fma(set(D_SLOPE), set(1f)));
    FloatVector q = t.fma(set(D6), set(D5));
    q = q.fma(t, set(D4));
    q = q.fma(t, set(D3));
    q = q.fma(t, set(D2));
    q = q.fma(t, set(D1));
    FloatVector c = q.mul(t).mul(e).mul(0.5f);
    FloatVector cdf = set(1f).sub(c).blend(c, x.compare(VectorOperators.LT, 0f));
    return x.mul(INV_SQRT_2PI).fma(e, cdf);
  }

  static FloatVector geluTanh(FloatVector x) {
    FloatVector a = x.mul(x).fma(set(G1), set(G0)).mul(x).abs();
    FloatVector t = set(1f).sub(set(2f).div(exp(a).add(1f)));
    return x.mul(0.5f).mul(copySign(t, x).add(1f));
  }

  static FloatVector geluTanhDerivative(FloatVector x) {
    FloatVector z = x.mul(x);
    FloatVector q = exp(z.fma(set(G1), set(G0)).mul(x).abs().neg());
    FloatVector r = set(1f).div(q.add(1f));
    FloatVector qr = q.mul(r);
    FloatVector cdf = r.blend(qr, x.compare(VectorOperators.LT, 0f));
    return z.fma(set(3f * G1), set(G0)).mul(x).fma(qr.mul(r), cdf);
  }

  static FloatVector silu(FloatVector x) {
    FloatVector q = exp(x.abs().neg());
    FloatVector r = set(1f).div(q.add(1f));
    return r.blend(q.mul(r), x.compare(VectorOperators.LT, 0f)).mul(x);
  }

  static FloatVector siluDerivative(FloatVector x) {
    FloatVector q = exp(x.abs().neg());
    FloatVector r = set(1f).div(q.add(1f));
    FloatVector qr = q.mul(r);
    return x.fma(qr.mul(r), r.blend(qr, x.compare(VectorOperators.LT, 0f)));
  }

  static IntVector hash24(IntVector i, int key0, int key1) {
    IntVector h = i.lanewise(VectorOperators.XOR, key0);
    h = h.lanewise(VectorOperators.XOR, h.lanewise(VectorOperators.LSHR, 16));
    h = h.mul(0x7feb352d);
    h = h.lanewise(VectorOperators.XOR, h.lanewise(VectorOperators.LSHR, 15));
    h = h.add(key1);
    h = h.mul(0x846ca68b);
    h = h.lanewise(VectorOperators.XOR, h.lanewise(VectorOperators.LSHR, 16));
    return h.lanewise(VectorOperators.LSHR, 8);
  }
}
