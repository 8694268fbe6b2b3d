package tacet.tensor.kernel;

import static tacet.tensor.kernel.ScalarMath.*;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/**
 * {@link ScalarMath}, operation by operation, on vectors: the results have the same bits.
 *
 * <p>The compiler stops inlining when a method has grown to 18,000 nodes, and then every vector
 * becomes an object. An operation on vectors, a broadcast included, costs about 300 nodes, so one
 * loop may have about sixty. (Coefficients kept as vectors would not count, but loads of 64 bytes
 * that cross cache lines were measured to be 30 % slower than broadcasts.)
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

  private static FloatVector exp2(FloatVector w) {
    FloatVector n = w.add(ROUND);
    IntVector bits = n.reinterpretAsInts();
    FloatVector r = w.sub(n.sub(ROUND));
    FloatVector z = r.mul(r);
    FloatVector p = r.fma(set(X0), set(X1)).fma(z, r.fma(set(X2), set(X3)));
    p = p.fma(z, r.fma(set(X4), set(1f)));
    return p.reinterpretAsInts().add(bits.lanewise(VectorOperators.LSHL, 23)).reinterpretAsFloats();
  }

  private static FloatVector erfOfRoot(FloatVector a) {
    FloatVector b = least(a, SATURATED);
    FloatVector z = b.mul(b);
    FloatVector p = b.fma(set(C8), set(C7)).fma(z, b.fma(set(C6), set(C5)));
    p = p.fma(z.mul(z), b.fma(set(C4), set(C3)).fma(z, b.fma(set(C2), set(C1))));
    return set(1f).sub(exp2(p.mul(b)));
  }

  static FloatVector erf(FloatVector x) {
    return copySign(erfOfRoot(x.abs().mul(SQRT_2)), x);
  }

  /** |magnitude| with the sign of s. */
  private static FloatVector copySign(FloatVector magnitude, FloatVector s) {
    IntVector sign = s.reinterpretAsInts().and(0x80000000);
    return magnitude.reinterpretAsInts().and(0x7fffffff).or(sign).reinterpretAsFloats();
  }

  static FloatVector gelu(FloatVector x) {
    FloatVector a = x.abs();
    return a.fma(erfOfRoot(a), x).mul(0.5f);
  }

  static FloatVector geluDerivative(FloatVector x) {
    FloatVector e = exp2(least(x.mul(x), SQUARE_MAX).mul(HALF_LOG2E));
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

  static FloatVector density(Surrogate s, float parameter, FloatVector x) {
    return switch (s) {
      case L0 -> x.mul(x).div(x.fma(x, set(parameter)));
      case TANH -> tanh(x.abs().mul(parameter));
      case SIGMOID -> tanh(x.abs().mul(0.5f * parameter));
      case L1 -> x.abs();
    };
  }

  static FloatVector densityDerivative(Surrogate s, float parameter, float factor, FloatVector x) {
    if (s == Surrogate.L0) {
      FloatVector d = x.fma(x, set(parameter));
      return x.mul(factor * (2f * parameter)).div(d.mul(d));
    }
    FloatVector slope = set(factor);
    if (s != Surrogate.L1) {
      float beta = s == Surrogate.TANH ? parameter : 0.5f * parameter;
      FloatVector t = tanh(x.abs().mul(beta));
      slope = t.neg().fma(t, set(1f)).mul(factor * beta);
    }
    VectorMask<Float> negative = x.compare(VectorOperators.LT, 0f);
    VectorMask<Float> zero = x.compare(VectorOperators.EQ, 0f);
    return slope.blend(slope.neg(), negative).blend(0f, zero);
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
