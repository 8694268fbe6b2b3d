package tacet.tensor.kernel;

/**
 * The functions behind the kernels, one value at a time. {@code VectorMath} repeats each of them
 * operation by operation, so that both give the same bits; the coefficients live here.
 *
 * <p>Sources of the approximations: exp, tanh and the inner part of erf are those of the Cephes
 * library (Moshier, single precision); the tail of erf is a least-maximum fit of erfc(x)·exp(x²)
 * made for this file (relative error 5e-8 on [1, 6]).
 */
final class ScalarMath {
  static final float LOG2E = 1.44269504088896341f;
  static final float LN2_HIGH = -0.693359375f;
  static final float LN2_LOW = 2.12194440e-4f;

  /** 1.5 · 2^23: adding it rounds to an integer, which then sits in the low bits. */
  static final float ROUND = 12582912f;

  static final float EXP_MAX = 88.37f;
  static final float EXP_MIN = -87.33f;
  static final float E0 = 1.9875691500e-4f;
  static final float E1 = 1.3981999507e-3f;
  static final float E2 = 8.3334519073e-3f;
  static final float E3 = 4.1665795894e-2f;
  static final float E4 = 1.6666665459e-1f;
  static final float E5 = 5.0000001201e-1f;

  static final float TANH_INNER = 0.625f;
  static final float T0 = -5.70498872745e-3f;
  static final float T1 = 2.06390887954e-2f;
  static final float T2 = -5.37397155531e-2f;
  static final float T3 = 1.33314422036e-1f;
  static final float T4 = -3.33332819422e-1f;

  static final float R0 = 7.853861353153693e-5f;
  static final float R1 = -8.010193625184903e-4f;
  static final float R2 = 5.188327685732524e-3f;
  static final float R3 = -2.685381193529856e-2f;
  static final float R4 = 1.128358514861418e-1f;
  static final float R5 = -3.761262582423300e-1f;
  static final float R6 = 1.128379165726710f;

  static final float Q0 = 0.07020712f;
  static final float Q1 = -0.31328967f;
  static final float Q2 = 0.34901506f;
  static final float Q3 = 0.055460636f;
  static final float Q4 = 0.27801093f;
  static final float Q5 = 0.27778575f;
  static final float Q6 = 0.28234306f;

  static final float SQRT_HALF = 0.70710678118654752f;
  static final float INV_SQRT_2PI = 0.39894228040143268f;

  private ScalarMath() {}

  private static float fma(float a, float b, float c) {
    return KernelLookup.FAST_FMA ? Math.fma(a, b, c) : a * b + c;
  }

  /** e^x = 2^n · e^r with |r| ≤ ln2/2; 0 below {@link #EXP_MIN}. */
  static float exp(float x) {
    float y = Math.min(Math.max(x, EXP_MIN), EXP_MAX);
    float n = fma(y, LOG2E, ROUND);
    int bits = Float.floatToRawIntBits(n);
    n = n - ROUND;
    float r = fma(n, LN2_HIGH, y);
    r = fma(n, LN2_LOW, r);
    float p = fma(r, E0, E1);
    p = fma(p, r, E2);
    p = fma(p, r, E3);
    p = fma(p, r, E4);
    p = fma(p, r, E5);
    p = fma(p, r * r, r) + 1f;
    float e = Float.intBitsToFloat(Float.floatToRawIntBits(p) + (bits << 23));
    return x < EXP_MIN ? 0f : e;
  }

  /** tanh: a polynomial near 0, else 1 − 2/(e^2|x| + 1) with the sign of x. */
  static float tanh(float x) {
    float a = Math.abs(x);
    float z = x * x;
    float p = fma(z, T0, T1);
    p = fma(p, z, T2);
    p = fma(p, z, T3);
    p = fma(p, z, T4);
    float inner = fma(p * z, x, x);
    float outer = Math.copySign(1f - 2f / (exp(a + a) + 1f), x);
    return a < TANH_INNER ? inner : outer;
  }

  /** erf: a polynomial below 1, else 1 − t·Q(t)·exp(−x²), t = 1/(1 + |x|/2), with the sign of x. */
  static float erf(float x) {
    float a = Math.abs(x);
    float z = x * x;
    float p = fma(z, R0, R1);
    p = fma(p, z, R2);
    p = fma(p, z, R3);
    p = fma(p, z, R4);
    p = fma(p, z, R5);
    p = fma(p, z, R6);
    float inner = p * x;
    float t = 1f / fma(a, 0.5f, 1f);
    float q = fma(t, Q0, Q1);
    q = fma(q, t, Q2);
    q = fma(q, t, Q3);
    q = fma(q, t, Q4);
    q = fma(q, t, Q5);
    q = fma(q, t, Q6);
    float outer = Math.copySign(1f - q * t * exp(-z), x);
    return a < 1f ? inner : outer;
  }

  /** x/2 · (1 + erf(x/√2)), each step rounded to float. */
  static float gelu(float x) {
    return x * 0.5f * (1f + erf(x * SQRT_HALF));
  }

  /** Φ(x) + x φ(x). */
  static float geluDerivative(float x) {
    float cdf = 0.5f * (1f + erf(x * SQRT_HALF));
    float pdf = INV_SQRT_2PI * exp(-0.5f * (x * x));
    return fma(x, pdf, cdf);
  }

  /** The surrogate's value; see {@link Surrogate}. */
  static float density(Surrogate s, float parameter, float x) {
    return switch (s) {
      case L0 -> x * x / fma(x, x, parameter);
      case TANH -> tanh(parameter * Math.abs(x));
      case SIGMOID -> tanh(0.5f * parameter * Math.abs(x));
      case L1 -> Math.abs(x);
    };
  }

  /** The surrogate's derivative times a factor; 0 at 0. */
  static float densityDerivative(Surrogate s, float parameter, float factor, float x) {
    if (s == Surrogate.L0) {
      float d = fma(x, x, parameter);
      return factor * (2f * parameter) * x / (d * d);
    }
    if (x == 0) {
      return 0f;
    }
    float slope = factor;
    if (s != Surrogate.L1) {
      float beta = s == Surrogate.TANH ? parameter : 0.5f * parameter;
      float t = tanh(beta * Math.abs(x));
      slope = factor * beta * fma(-t, t, 1f);
    }
    return x < 0 ? -slope : slope;
  }

  /**
   * 24 random bits for element i under a 64-bit key: an integer hash in the manner of Wellons'
   * "lowbias32" (xor-shift and multiply), with the halves of the key mixed in before and between.
   */
  static int hash24(int i, int key0, int key1) {
    int h = i ^ key0;
    h ^= h >>> 16;
    h *= 0x7feb352d;
    h ^= h >>> 15;
    h += key1;
    h *= 0x846ca68b;
    h ^= h >>> 16;
    return h >>> 8;
  }

  /** Sum of {@value Kernels#LANES} partial sums as a tree: the order that both twins share. */
  static float tree(float[] lanes) {
    return tree(lanes, 0);
  }

  /** The same for the partial sums from {@code at}. */
  static float tree(float[] lanes, int at) {
    for (int w = Kernels.LANES / 2; w > 0; w /= 2) {
      for (int l = 0; l < w; l++) {
        lanes[at + l] += lanes[at + l + w];
      }
    }
    return lanes[at];
  }
}
