package tacet.tensor.kernel;

import static tacet.tensor.kernel.Kernels.LANES;
import static tacet.tensor.kernel.ScalarMath.DECAYED;
import static tacet.tensor.kernel.ScalarMath.MINUS_TWO_LOG2E;
import static tacet.tensor.kernel.VectorMath.L;
import static tacet.tensor.kernel.VectorMath.S;
import static tacet.tensor.kernel.VectorMath.set;
import static tacet.tensor.kernel.VectorRows.end;
import static tacet.tensor.kernel.VectorRows.second;
import static tacet.tensor.kernel.VectorRows.tree;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;

/**
 * The density surrogates: sums over a row, and derivatives. Every surrogate has loops of its own,
 * because the compiler would not inline a function that chooses between them (see {@link
 * VectorMath}), and a vector that passes a call is an object.
 *
 * <p>Every surrogate is 0 at 0, so a ragged end is padded with 0.
 */
final class VectorDensity {
  private VectorDensity() {}

  /** Σ s(x). */
  static float row(Surrogate surrogate, float parameter, float[] x, int xo, int n) {
    return switch (surrogate) {
      case L0 -> l0(parameter, x, xo, n);
      case TANH -> tanh(parameter, x, xo, n);
      case SIGMOID -> tanh(0.5f * parameter, x, xo, n);
      case L1 -> l1(x, xo, n);
    };
  }

  /** Σ x² / (x² + ε). */
  private static float l0(float eps, float[] x, int xo, int n) {
    FloatVector a = set(0f);
    FloatVector b = set(0f);
    for (int g = 0; g < LANES; g += L) {
      FloatVector s = set(0f);
      for (int i = g; i < n; i += LANES) {
        FloatVector v =
            i + L <= n ? FloatVector.fromArray(S, x, xo + i) : end(x, xo + i, n - i, 0f);
        s = s.add(v.mul(v).div(v.fma(v, set(eps))));
      }
      if (second(g)) {
        b = b.add(s);
      } else {
        a = a.add(s);
      }
    }
    return tree(a, b);
  }

  /** e^(−2β|x|), as {@link ScalarMath} has it. */
  private static FloatVector decay(FloatVector x, float c) {
    FloatVector w = x.abs().mul(c);
    return VectorMath.exp2(w.blend(DECAYED, w.compare(VectorOperators.LT, DECAYED)), set(1f));
  }

  /** Σ tanh(β |x|). */
  private static float tanh(float beta, float[] x, int xo, int n) {
    float c = beta * MINUS_TWO_LOG2E;
    FloatVector a = set(0f);
    FloatVector b = set(0f);
    for (int g = 0; g < LANES; g += L) {
      FloatVector s = set(0f);
      for (int i = g; i < n; i += LANES) {
        FloatVector v =
            i + L <= n ? FloatVector.fromArray(S, x, xo + i) : end(x, xo + i, n - i, 0f);
        FloatVector q = decay(v, c);
        s = s.add(set(1f).sub(q).mul(set(1f).div(q.add(1f))));
      }
      if (second(g)) {
        b = b.add(s);
      } else {
        a = a.add(s);
      }
    }
    return tree(a, b);
  }

  /** Σ |x|. */
  private static float l1(float[] x, int xo, int n) {
    FloatVector a = set(0f);
    FloatVector b = set(0f);
    for (int g = 0; g < LANES; g += L) {
      FloatVector s = set(0f);
      for (int i = g; i < n; i += LANES) {
        FloatVector v =
            i + L <= n ? FloatVector.fromArray(S, x, xo + i) : end(x, xo + i, n - i, 0f);
        s = s.add(v.abs());
      }
      if (second(g)) {
        b = b.add(s);
      } else {
        a = a.add(s);
      }
    }
    return tree(a, b);
  }

  /** dX = factor · s'(x). */
  static void backward(
      Surrogate surrogate,
      float parameter,
      float factor,
      float[] x,
      int xo,
      int n,
      float[] dX,
      int dxo) {
    int whole = S.loopBound(n);
    switch (surrogate) {
      case L0 -> l0Backward(parameter, factor, x, xo, whole, dX, dxo);
      case TANH -> tanhBackward(parameter, factor, x, xo, whole, dX, dxo);
      case SIGMOID -> tanhBackward(0.5f * parameter, factor, x, xo, whole, dX, dxo);
      case L1 -> l1Backward(factor, x, xo, whole, dX, dxo);
    }
    for (int i = whole; i < n; i++) {
      dX[dxo + i] = ScalarMath.densityDerivative(surrogate, parameter, factor, x[xo + i]);
    }
  }

  private static void l0Backward(
      float eps, float factor, float[] x, int xo, int n, float[] dX, int dxo) {
    for (int i = 0; i < n; i += L) {
      FloatVector v = FloatVector.fromArray(S, x, xo + i);
      FloatVector d = v.fma(v, set(eps));
      v.mul(factor * (2f * eps)).div(d.mul(d)).intoArray(dX, dxo + i);
    }
  }

  private static void tanhBackward(
      float beta, float factor, float[] x, int xo, int n, float[] dX, int dxo) {
    float c = beta * MINUS_TWO_LOG2E;
    for (int i = 0; i < n; i += L) {
      FloatVector v = FloatVector.fromArray(S, x, xo + i);
      FloatVector q = decay(v, c);
      FloatVector r = set(1f).div(q.add(1f));
      signed(q.mul(r).mul(r).mul(4f * factor * beta), v).intoArray(dX, dxo + i);
    }
  }

  private static void l1Backward(float factor, float[] x, int xo, int n, float[] dX, int dxo) {
    for (int i = 0; i < n; i += L) {
      FloatVector v = FloatVector.fromArray(S, x, xo + i);
      signed(set(factor), v).intoArray(dX, dxo + i);
    }
  }

  /** slope · sign(x). */
  private static FloatVector signed(FloatVector slope, FloatVector x) {
    VectorMask<Float> negative = x.compare(VectorOperators.LT, 0f);
    VectorMask<Float> zero = x.compare(VectorOperators.EQ, 0f);
    return slope.blend(slope.neg(), negative).blend(0f, zero);
  }
}
