package tacet.tensor.kernel;

import static tacet.tensor.kernel.ScalarMath.*;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/** {@link ScalarMath}, operation by operation, on vectors: the results have the same bits. */
final class VectorMath {
  /** The widest species, or the width in bits that the system property tacet.vector.bits names. */
  static final VectorSpecies<Float> S = species();

  static final VectorSpecies<Integer> SI = S.withLanes(int.class);
  static final int L = S.length();

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

  static FloatVector exp(FloatVector x) {
    FloatVector y = x.max(EXP_MIN).min(EXP_MAX);
    FloatVector n = y.fma(set(LOG2E), set(ROUND));
    IntVector bits = n.reinterpretAsInts();
    n = n.sub(ROUND);
    FloatVector r = n.fma(set(LN2_HIGH), y);
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

  static FloatVector erf(FloatVector x) {
    FloatVector a = x.abs();
    FloatVector z = x.mul(x);
    FloatVector p = z.fma(set(R0), set(R1));
    p = p.fma(z, set(R2));
    p = p.fma(z, set(R3));
    p = p.fma(z, set(R4));
    p = p.fma(z, set(R5));
    p = p.fma(z, set(R6));
    FloatVector inner = p.mul(x);
    FloatVector t = set(1f).div(a.fma(set(0.5f), set(1f)));
    FloatVector q = t.fma(set(Q0), set(Q1));
    q = q.fma(t, set(Q2));
    q = q.fma(t, set(Q3));
    q = q.fma(t, set(Q4));
    q = q.fma(t, set(Q5));
    q = q.fma(t, set(Q6));
    FloatVector outer = copySign(set(1f).sub(q.mul(t).mul(exp(z.neg()))), x);
    return outer.blend(inner, a.compare(VectorOperators.LT, 1f));
  }

  /** |magnitude| with the sign of s. */
  private static FloatVector copySign(FloatVector magnitude, FloatVector s) {
    IntVector sign = s.reinterpretAsInts().and(0x80000000);
    return magnitude.reinterpretAsInts().and(0x7fffffff).or(sign).reinterpretAsFloats();
  }

  static FloatVector gelu(FloatVector x) {
    return x.mul(0.5f).mul(erf(x.mul(SQRT_HALF)).add(1f));
  }

  static FloatVector geluDerivative(FloatVector x) {
    FloatVector cdf = erf(x.mul(SQRT_HALF)).add(1f).mul(0.5f);
    FloatVector pdf = exp(x.mul(x).mul(-0.5f)).mul(INV_SQRT_2PI);
    return x.fma(pdf, cdf);
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
