package tacet.tensor.kernel;

import static tacet.tensor.kernel.Kernels.LANES;
import static tacet.tensor.kernel.VectorMath.IOTA;
import static tacet.tensor.kernel.VectorMath.L;
import static tacet.tensor.kernel.VectorMath.S;
import static tacet.tensor.kernel.VectorMath.set;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShuffle;

/**
 * The row kernels of {@link VectorKernels}: normalisations and the density sum.
 *
 * <p>Row reductions keep {@value Kernels#LANES} partial sums whatever the vector width: a 512-bit
 * vector holds them all, narrower ones take one slice of the lanes per pass over the row (the row is
 * in the first-level cache). {@link #tree} joins them in registers, in the order of {@link
 * ScalarMath#tree}. {@code reduceLanes(ADD)} is not used, because its order, and so its result,
 * differs between interpreted and compiled code. The ragged end of a row is a masked load padded
 * with a value that adds exactly nothing. Nothing is allocated.
 */
final class VectorRows {
  private static final VectorShuffle<Float> ROTATE_8 = rotation(8);
  private static final VectorShuffle<Float> ROTATE_4 = rotation(4);
  private static final VectorShuffle<Float> ROTATE_2 = rotation(2);
  private static final VectorShuffle<Float> ROTATE_1 = rotation(1);

  private VectorRows() {}

  private static VectorShuffle<Float> rotation(int by) {
    return VectorShuffle.iota(S, by % L, 1, true);
  }

  /** Lanes 0 to {@code count} - 1; none if it is negative. */
  private static VectorMask<Float> first(int count) {
    return IOTA.compare(VectorOperators.LT, count).cast(S);
  }

  /** The first {@code count} values from {@code o}, then {@code pad}. */
  private static FloatVector end(float[] x, int o, int count, float pad) {
    VectorMask<Float> mask = IOTA.compare(VectorOperators.LT, count).cast(S);
    return set(pad).blend(FloatVector.fromArray(S, x, o, mask), mask);
  }

  /** Whether a slice of lanes belongs to the second accumulator: only 128-bit vectors have one. */
  private static boolean second(int g) {
    return L < 8 && (g & 4) != 0;
  }

  /**
   * The sum of 16 lanes as a tree. Slices of narrower vectors were added to {@code a} in the order
   * of their lanes, but those of lanes 4 and 12 to {@code b}.
   */
  private static float tree(FloatVector a, FloatVector b) {
    FloatVector s = L < 8 ? a.add(b) : a;
    if (L >= 16) {
      s = s.add(s.rearrange(ROTATE_8));
    }
    if (L >= 8) {
      s = s.add(s.rearrange(ROTATE_4));
    }
    s = s.add(s.rearrange(ROTATE_2));
    return s.add(s.rearrange(ROTATE_1)).lane(0);
  }

  /** Σ x ∘ y. */
  private static float dot(float[] x, int xo, float[] y, int yo, int n) {
    int whole = n & -LANES;
    FloatVector a = set(0f);
    FloatVector b = set(0f);
    for (int g = 0; g < LANES; g += L) {
      FloatVector s = set(0f);
      for (int i = g; i < whole; i += LANES) {
        s = FloatVector.fromArray(S, x, xo + i).fma(FloatVector.fromArray(S, y, yo + i), s);
      }
      if (whole < n) {
        int count = n - whole - g;
        s = end(x, xo + whole + g, count, 0f).fma(end(y, yo + whole + g, count, 0f), s);
      }
      if (second(g)) {
        b = b.add(s);
      } else {
        a = a.add(s);
      }
    }
    return tree(a, b);
  }

  private static float sum(float[] x, int xo, int n) {
    int whole = n & -LANES;
    FloatVector a = set(0f);
    FloatVector b = set(0f);
    for (int g = 0; g < LANES; g += L) {
      FloatVector s = set(0f);
      for (int i = g; i < whole; i += LANES) {
        s = s.add(FloatVector.fromArray(S, x, xo + i));
      }
      if (whole < n) {
        s = s.add(end(x, xo + whole + g, n - whole - g, 0f));
      }
      if (second(g)) {
        b = b.add(s);
      } else {
        a = a.add(s);
      }
    }
    return tree(a, b);
  }

  /** Σ (x − mean)². */
  private static float squares(float[] x, int xo, int n, float mean) {
    int whole = n & -LANES;
    FloatVector a = set(0f);
    FloatVector b = set(0f);
    for (int g = 0; g < LANES; g += L) {
      FloatVector s = set(0f);
      for (int i = g; i < whole; i += LANES) {
        FloatVector d = FloatVector.fromArray(S, x, xo + i).sub(mean);
        s = d.fma(d, s);
      }
      if (whole < n) {
        FloatVector d = end(x, xo + whole + g, n - whole - g, mean).sub(mean);
        s = d.fma(d, s);
      }
      if (second(g)) {
        b = b.add(s);
      } else {
        a = a.add(s);
      }
    }
    return tree(a, b);
  }

  static void layerNorm(
      float[] x,
      int xo,
      int n,
      float[] gamma,
      float[] beta,
      float eps,
      float[] y,
      int yo,
      float[] statistics,
      int so) {
    int whole = n & -LANES;
    float mean = sum(x, xo, n) / n;
    float rstd = (float) (1 / Math.sqrt(squares(x, xo, n, mean) / n + (double) eps));
    for (int i = 0; i < whole; i += L) {
      FloatVector.fromArray(S, x, xo + i)
          .sub(mean)
          .mul(rstd)
          .fma(FloatVector.fromArray(S, gamma, i), FloatVector.fromArray(S, beta, i))
          .intoArray(y, yo + i);
    }
    for (int i = whole; i < n; i++) {
      y[yo + i] = Math.fma((x[xo + i] - mean) * rstd, gamma[i], beta[i]);
    }
    statistics[so] = mean;
    statistics[so + 1] = rstd;
  }

  static void layerNormBackward(
      float[] dY,
      int dyo,
      float[] x,
      int xo,
      int n,
      float[] gamma,
      float[] statistics,
      int so,
      float[] dX,
      int dxo) {
    float mean = statistics[so];
    float rstd = statistics[so + 1];
    int whole = n & -LANES;
    float mid = -(scaledDot(dY, dyo, gamma, x, xo, n, mean, rstd) / n);
    float low = dotSum(dY, dyo, gamma, n) / n;
    for (int i = 0; i < whole; i += L) {
      FloatVector d =
          FloatVector.fromArray(S, dY, dyo + i).mul(FloatVector.fromArray(S, gamma, i)).sub(low);
      FloatVector.fromArray(S, x, xo + i)
          .sub(mean)
          .mul(rstd)
          .fma(set(mid), d)
          .mul(rstd)
          .intoArray(dX, dxo + i);
    }
    for (int i = whole; i < n; i++) {
      float d = dY[dyo + i] * gamma[i] - low;
      dX[dxo + i] = Math.fma((x[xo + i] - mean) * rstd, mid, d) * rstd;
    }
  }

  /** Σ (dY ∘ w) ∘ ((x − mean) · r). */
  private static float scaledDot(
      float[] dY, int dyo, float[] w, float[] x, int xo, int n, float mean, float r) {
    int whole = n & -LANES;
    FloatVector a = set(0f);
    FloatVector b = set(0f);
    for (int g = 0; g < LANES; g += L) {
      FloatVector s = set(0f);
      for (int i = g; i < whole; i += LANES) {
        FloatVector d = FloatVector.fromArray(S, dY, dyo + i).mul(FloatVector.fromArray(S, w, i));
        s = d.fma(FloatVector.fromArray(S, x, xo + i).sub(mean).mul(r), s);
      }
      if (whole < n) {
        int o = whole + g;
        FloatVector d = end(dY, dyo + o, n - o, 0f).mul(end(w, o, n - o, 0f));
        s = d.fma(end(x, xo + o, n - o, mean).sub(mean).mul(r), s);
      }
      if (second(g)) {
        b = b.add(s);
      } else {
        a = a.add(s);
      }
    }
    return tree(a, b);
  }

  /** Σ dY ∘ w, products rounded. */
  private static float dotSum(float[] dY, int dyo, float[] w, int n) {
    int whole = n & -LANES;
    FloatVector a = set(0f);
    FloatVector b = set(0f);
    for (int g = 0; g < LANES; g += L) {
      FloatVector s = set(0f);
      for (int i = g; i < whole; i += LANES) {
        s = s.add(FloatVector.fromArray(S, dY, dyo + i).mul(FloatVector.fromArray(S, w, i)));
      }
      if (whole < n) {
        int o = whole + g;
        s = s.add(end(dY, dyo + o, n - o, 0f).mul(end(w, o, n - o, 0f)));
      }
      if (second(g)) {
        b = b.add(s);
      } else {
        a = a.add(s);
      }
    }
    return tree(a, b);
  }

  static void rmsNorm(
      float[] x,
      int xo,
      int n,
      float[] weight,
      float eps,
      float[] y,
      int yo,
      float[] statistics,
      int so) {
    int whole = n & -LANES;
    float r = (float) (1 / Math.sqrt(dot(x, xo, x, xo, n) / n + (double) eps));
    for (int i = 0; i < whole; i += L) {
      FloatVector.fromArray(S, x, xo + i)
          .mul(r)
          .mul(FloatVector.fromArray(S, weight, i))
          .intoArray(y, yo + i);
    }
    for (int i = whole; i < n; i++) {
      y[yo + i] = x[xo + i] * r * weight[i];
    }
    statistics[so] = r;
  }

  static void rmsNormBackward(
      float[] dY,
      int dyo,
      float[] x,
      int xo,
      int n,
      float[] weight,
      float[] statistics,
      int so,
      float[] dX,
      int dxo) {
    float r = statistics[so];
    int whole = n & -LANES;
    float mid = -(scaledDot(dY, dyo, weight, x, xo, n, 0f, r) / n);
    for (int i = 0; i < whole; i += L) {
      FloatVector d =
          FloatVector.fromArray(S, dY, dyo + i).mul(FloatVector.fromArray(S, weight, i));
      FloatVector.fromArray(S, x, xo + i).mul(r).fma(set(mid), d).mul(r).intoArray(dX, dxo + i);
    }
    for (int i = whole; i < n; i++) {
      dX[dxo + i] = Math.fma(x[xo + i] * r, mid, dY[dyo + i] * weight[i]) * r;
    }
  }

  static void normWeight(
      float[] dY, int dyo, float[] x, int xo, int n, float mean, float r, float[] sums, int so) {
    int i = 0;
    for (; i < S.loopBound(n); i += L) {
      FloatVector.fromArray(S, dY, dyo + i)
          .fma(
              FloatVector.fromArray(S, x, xo + i).sub(mean).mul(r),
              FloatVector.fromArray(S, sums, so + i))
          .intoArray(sums, so + i);
    }
    for (; i < n; i++) {
      sums[so + i] = Math.fma(dY[dyo + i], (x[xo + i] - mean) * r, sums[so + i]);
    }
  }

  /** Every surrogate is 0 at 0, so a ragged end is padded with 0. */
  static float density(Surrogate surrogate, float parameter, float[] x, int xo, int n) {
    FloatVector a = set(0f);
    FloatVector b = set(0f);
    for (int g = 0; g < LANES; g += L) {
      FloatVector s = set(0f);
      for (int i = g; i < n; i += LANES) {
        FloatVector v =
            i + L <= n ? FloatVector.fromArray(S, x, xo + i) : end(x, xo + i, n - i, 0f);
        s = s.add(VectorMath.density(surrogate, parameter, v));
      }
      if (second(g)) {
        b = b.add(s);
      } else {
        a = a.add(s);
      }
    }
    return tree(a, b);
  }
}
