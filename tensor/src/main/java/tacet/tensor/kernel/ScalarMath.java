package tacet.tensor.kernel;

/**
 * The functions behind the kernels, one value at a time. {@code VectorMath} repeats each of them
 * operation by operation, so that both give the same bits; the coefficients live here.
 *
 * <p>Sources of the approximations: exp and tanh are those of the Cephes library (Moshier, single
 * precision). The polynomials of erf and GELU were fitted for this file by weighted least maximum
 * (Lawson's iteration): X for the relative error of 2^r on [−1/2, 1/2] (9e-8), C and D for the
 * absolute error of GELU and of its derivative (8e-8 and 3e-8 before rounding).
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

  static final float SQRT_2 = 1.4142135623730951f;
  static final float INV_SQRT_2PI = 0.39894228040143268f;

  /** −log2(e)/2: e^(−x²/2) = 2^(this · x²). */
  static final float HALF_LOG2E = -0.72134752044448170f;

  /** Beyond this x², 2^(…) would leave the exponents of float. */
  static final float SQUARE_MAX = 174f;

  static final float X0 = 1.3264734841569492e-3f;
  static final float X1 = 9.671515330522363e-3f;
  static final float X2 = 5.5507337497416216e-2f;
  static final float X3 = 2.4022242044499198e-1f;
  static final float X4 = 6.931469775790251e-1f;

  /** Where float's erf(x/√2) has been 1 for a while; the fit below ends there. */
  static final float SATURATED = 5.6f;

  static final float C1 = -1.1511101722717285f;
  static final float C2 = -0.45915335416793823f;
  static final float C3 = -0.052688322961330414f;
  static final float C4 = 0.007366463541984558f;
  static final float C5 = -0.0003809819754678756f;
  static final float C6 = -8.262249320978299e-5f;
  static final float C7 = 1.7479866073699668e-5f;
  static final float C8 = -1.0284397831128445e-6f;

  static final float D_SLOPE = 0.395f;
  static final float D1 = 0.30847211835030897f;
  static final float D2 = 0.38095741746673917f;
  static final float D3 = 0.0019786858392775246f;
  static final float D4 = 0.7086515867697227f;
  static final float D5 = -0.5093959657688714f;
  static final float D6 = 0.10933615617268633f;

  /** 2 √(2/π), and that times 0.044715: the argument of the tanh form of GELU, doubled. */
  static final float G0 = 1.5957691216057308f;

  static final float G1 = 0.07135481282702514f;

  static final float MINUS_TWO_LOG2E = -2.88539008177792682f;

  /** Least argument of 2^w whose result is a normal number. */
  static final float DECAYED = -126f;

  private ScalarMath() {}

  private static float fma(float a, float b, float c) {
    return KernelLookup.FAST_FMA ? Math.fma(a, b, c) : a * b + c;
  }

  private static float least(float x, float limit) {
    return x > limit ? limit : x;
  }

  /** e^x = 2^n · e^r with |r| ≤ ln2/2; 0 below {@link #EXP_MIN}. */
  static float exp(float x) {
    float y = least(x, EXP_MAX); // below the range, the last line makes 0
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

  /** 2^(u v) for −126 ≤ u v ≤ 0, relative error below 2e-7; the product is not rounded. */
  private static float exp2(float u, float v) {
    float n = fma(u, v, ROUND);
    int bits = Float.floatToRawIntBits(n);
    float r = fma(u, v, ROUND - n);
    float z = r * r;
    float p = fma(fma(r, X0, X1), z, fma(r, X2, X3));
    p = fma(p, z, fma(r, X4, 1f));
    return Float.intBitsToFloat(Float.floatToRawIntBits(p) + (bits << 23));
  }

  /** erf(a/√2) for a ≥ 0: 1 − 2^P(a), where P is a polynomial near log2(erfc(a/√2)). */
  private static float erfOfRoot(float a) {
    float b = least(a, SATURATED);
    float z = b * b;
    float p = fma(fma(b, C8, C7), z, fma(b, C6, C5));
    p = fma(p, z * z, fma(fma(b, C4, C3), z, fma(b, C2, C1)));
    return 1f - exp2(p, b);
  }

  /** erf, absolute error below 3e-7. */
  static float erf(float x) {
    return Math.copySign(erfOfRoot(Math.abs(x) * SQRT_2), x);
  }

  /**
   * (x + |x| · erf(|x|/√2)) / 2 = x/2 · (1 + erf(x/√2)). The erf is rounded to float before it is
   * added, and for a negative x the sum of x and |x| erf has no error but its rounding: so it is 0
   * from where the rounded erf is 1.
   */
  static float gelu(float x) {
    float a = Math.abs(x);
    return fma(a, erfOfRoot(a), x) * 0.5f;
  }

  /**
   * Φ(x) + x φ(x). Here e^(−x²/2) is needed anyway, so erfc(a/√2)/2 is that times a polynomial in t =
   * 1/(1 + 0.395 a).
   */
  static float geluDerivative(float x) {
    float e = exp2(least(x * x, SQUARE_MAX), HALF_LOG2E);
    float t = 1f / fma(Math.abs(x), D_SLOPE, 1f);
    float q = fma(t, D6, D5);
    q = fma(q, t, D4);
    q = fma(q, t, D3);
    q = fma(q, t, D2);
    q = fma(q, t, D1);
    float c = q * t * e * 0.5f;
    return fma(x * INV_SQRT_2PI, e, x < 0 ? c : 1f - c);
  }

  /**
   * x/2 · (1 + tanh(u)), each step rounded to float; tanh(u) = 1 − 2/(e^2|u| + 1) with the sign of
   * u. The polynomial that {@link #tanh} has near 0 is not needed, because 1 is added.
   */
  static float geluTanh(float x) {
    float a = Math.abs(fma(x * x, G1, G0) * x);
    float t = 1f - 2f / (exp(a) + 1f);
    return x * 0.5f * (1f + Math.copySign(t, x));
  }

  /** σ(2u) + x · 2u' · σ'(2u), where x σ(2u) is another way to write {@link #geluTanh}. */
  static float geluTanhDerivative(float x) {
    float z = x * x;
    float q = exp(-Math.abs(fma(z, G1, G0) * x));
    float r = 1f / (1f + q);
    float qr = q * r;
    return fma(fma(z, 3f * G1, G0) * x, qr * r, x < 0 ? qr : r);
  }

  /** x σ(x); σ from e^−|x|, which cannot overflow. */
  static float silu(float x) {
    float q = exp(-Math.abs(x));
    float r = 1f / (1f + q);
    return (x < 0 ? q * r : r) * x;
  }

  /** σ(x) + x σ'(x). */
  static float siluDerivative(float x) {
    float q = exp(-Math.abs(x));
    float r = 1f / (1f + q);
    float qr = q * r;
    return fma(x, qr * r, x < 0 ? qr : r);
  }

  /** The surrogate's value; see {@link Surrogate}. */
  static float density(Surrogate s, float parameter, float x) {
    return switch (s) {
      case L0 -> x * x / fma(x, x, parameter);
      case TANH -> saturation(parameter, x);
      case SIGMOID -> saturation(0.5f * parameter, x);
      case L1 -> Math.abs(x);
    };
  }

  /** q = e^(−2β|x|), from which tanh(β|x|) = (1 − q) / (1 + q), of slope 4 β q / (1 + q)². */
  private static float decay(float beta, float x) {
    float w = Math.abs(x) * (beta * MINUS_TWO_LOG2E);
    return exp2(w < DECAYED ? DECAYED : w, 1f);
  }

  /** tanh(β|x|), absolute error below 3e-7, 0 at 0: less work than tanh, whose relative error is. */
  private static float saturation(float beta, float x) {
    float q = decay(beta, x);
    return (1f - q) * (1f / (1f + q));
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
      float q = decay(beta, x);
      float r = 1f / (1f + q);
      slope = q * r * r * (4f * factor * beta);
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

  /** The same for the partial sums from {@code i}. */
  static float tree(float[] l, int i) {
    float even =
        ((l[i] + l[i + 8]) + (l[i + 4] + l[i + 12]))
            + ((l[i + 2] + l[i + 10]) + (l[i + 6] + l[i + 14]));
    float odd =
        ((l[i + 1] + l[i + 9]) + (l[i + 5] + l[i + 13]))
            + ((l[i + 3] + l[i + 11]) + (l[i + 7] + l[i + 15]));
    return even + odd;
  }
}
