package tacet.tensor.kernel;

import static tacet.tensor.kernel.Kernels.LANES;
import static tacet.tensor.kernel.VectorMath.L;
import static tacet.tensor.kernel.VectorMath.S;
import static tacet.tensor.kernel.VectorMath.SI;
import static tacet.tensor.kernel.VectorMath.set;

import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;

/**
 * The rows of attention between its two products. A row has room for whole groups of {@value
 * Kernels#LANES} scores, so its end is a masked vector and not a scalar loop: what is not seen counts
 * as −∞, whose exp is exactly 0.
 */
final class VectorAttention {
  private static final IntVector IOTA = IntVector.zero(SI).addIndex(1);

  private VectorAttention() {}

  /** scale · x + the biases that there are, for the lanes of the mask. */
  private static FloatVector score(
      AttentionKernel a,
      float[] x,
      int xo,
      float[] key,
      int ko,
      float[] position,
      int po,
      VectorMask<Float> mask) {
    FloatVector v = FloatVector.fromArray(S, x, xo);
    if (key == null && position == null) {
      return v.mul(a.scale());
    }
    if (position == null) {
      return v.fma(set(a.scale()), FloatVector.fromArray(S, key, ko, mask));
    }
    FloatVector bias = FloatVector.fromArray(S, position, po, mask);
    if (key != null) {
      bias = FloatVector.fromArray(S, key, ko, mask).add(bias);
    }
    return v.fma(set(a.scale()), bias);
  }

  /** The same for a whole vector. */
  private static FloatVector score(
      AttentionKernel a, float[] x, int xo, float[] key, int ko, float[] position, int po) {
    FloatVector v = FloatVector.fromArray(S, x, xo);
    if (key == null && position == null) {
      return v.mul(a.scale());
    }
    if (position == null) {
      return v.fma(set(a.scale()), FloatVector.fromArray(S, key, ko));
    }
    FloatVector bias = FloatVector.fromArray(S, position, po);
    if (key != null) {
      bias = FloatVector.fromArray(S, key, ko).add(bias);
    }
    return v.fma(set(a.scale()), bias);
  }

  private static FloatVector drop(AttentionKernel a, FloatVector v, int first) {
    int key0 = (int) a.dropoutKey();
    int key1 = (int) (a.dropoutKey() >>> 32);
    IntVector h = VectorMath.hash24(IOTA.add(first), key0, key1);
    VectorMask<Float> drop = h.compare(VectorOperators.LT, a.dropoutThreshold()).cast(S);
    return v.mul(a.dropoutScale()).blend(0f, drop);
  }

  static void softmaxRows(
      AttentionKernel a,
      int u,
      int i,
      int rows,
      int n,
      float[] x,
      int xo,
      int ldx,
      float[] statistics,
      int so) {
    float[] lanes = new float[LANES];
    float[] key = a.keyBias();
    float[] position = a.positionBias();
    boolean drop = a.dropoutThreshold() > 0;
    int ko = u / a.heads() * a.keys();
    for (int r = 0; r < rows; r++) {
      int row = xo + r * ldx;
      int seen = Math.min(n, a.seen(i + r));
      int body = seen & -LANES;
      int po = (u % a.heads() * a.queries() + i + r) * a.keys();
      int first = (u * a.queries() + i + r) * a.keys();
      FloatVector top = set(Float.NEGATIVE_INFINITY);
      for (int j = 0; j < body; j += L) {
        FloatVector s = score(a, x, row + j, key, ko + j, position, po + j);
        s.intoArray(x, row + j);
        top = top.max(s);
      }
      for (int j = body; j < seen; j += L) {
        VectorMask<Float> mask = S.indexInRange(j, seen);
        FloatVector s =
            set(Float.NEGATIVE_INFINITY)
                .blend(score(a, x, row + j, key, ko + j, position, po + j, mask), mask);
        s.intoArray(x, row + j);
        top = top.max(s);
      }
      float max = top.reduceLanes(VectorOperators.MAX); // exact in any order
      int end = (seen + LANES - 1) & -LANES;
      Arrays.fill(x, row + (seen + L - 1) / L * L, row + end, Float.NEGATIVE_INFINITY);
      for (int g = 0; g < LANES; g += L) {
        FloatVector sum = set(0f);
        for (int j = g; j < end; j += LANES) {
          FloatVector e = VectorMath.exp(FloatVector.fromArray(S, x, row + j).sub(max));
          sum = sum.add(e);
          (drop ? drop(a, e, first + j) : e).intoArray(x, row + j);
        }
        sum.intoArray(lanes, g);
      }
      Arrays.fill(x, row + end, row + ((n + LANES - 1) & -LANES), 0f);
      statistics[so + 2 * r] = max;
      statistics[so + 2 * r + 1] = 1f / ScalarMath.tree(lanes);
    }
  }

  static void softmaxBackwardRows(
      AttentionKernel a,
      int u,
      int i,
      int rows,
      int n,
      float[] statistics,
      int so,
      float[] dots,
      int dto,
      float[] x,
      int xo,
      float[] dP,
      int dpo,
      int ld) {
    float[] key = a.keyBias();
    float[] position = a.positionBias();
    boolean drop = a.dropoutThreshold() > 0;
    int ko = u / a.heads() * a.keys();
    for (int r = 0; r < rows; r++) {
      int row = xo + r * ld;
      int dRow = dpo + r * ld;
      int seen = Math.min(n, a.seen(i + r));
      int po = (u % a.heads() * a.queries() + i + r) * a.keys();
      int first = (u * a.queries() + i + r) * a.keys();
      float max = statistics[so + 2 * r];
      float inverse = statistics[so + 2 * r + 1];
      float dot = dots[dto + r];
      for (int j = 0; j < seen; j += L) {
        FloatVector s;
        if (j + L <= seen) {
          s = score(a, x, row + j, key, ko + j, position, po + j);
        } else {
          VectorMask<Float> mask = S.indexInRange(j, seen);
          s = score(a, x, row + j, key, ko + j, position, po + j, mask);
          s = set(Float.NEGATIVE_INFINITY).blend(s, mask);
        }
        FloatVector p = VectorMath.exp(s.sub(max)).mul(inverse);
        FloatVector d = FloatVector.fromArray(S, dP, dRow + j);
        d = drop ? drop(a, d, first + j) : d;
        p.mul(d.sub(dot)).intoArray(dP, dRow + j);
        (drop ? drop(a, p, first + j) : p).intoArray(x, row + j);
      }
      int from = (seen + L - 1) / L * L;
      int end = (n + LANES - 1) & -LANES;
      Arrays.fill(x, row + from, row + end, 0f);
      Arrays.fill(dP, dRow + from, dRow + end, 0f);
    }
  }

  static void dotRows(
      int rows,
      int n,
      float[] x,
      int xo,
      int ldx,
      float[] y,
      int yo,
      int ldy,
      float[] dots,
      int dto) {
    float[] lanes = new float[LANES];
    int body = n & -LANES;
    for (int r = 0; r < rows; r++) {
      int xr = xo + r * ldx;
      int yr = yo + r * ldy;
      for (int g = 0; g < LANES; g += L) {
        FloatVector sum = set(0f);
        for (int j = g; j < body; j += LANES) {
          sum = FloatVector.fromArray(S, x, xr + j).fma(FloatVector.fromArray(S, y, yr + j), sum);
        }
        sum.intoArray(lanes, g);
      }
      for (int j = body; j < n; j++) {
        lanes[j - body] = Math.fma(x[xr + j], y[yr + j], lanes[j - body]);
      }
      dots[dto + r] = ScalarMath.tree(lanes);
    }
  }

  static void scaleRows(
      int rows, int n, float[] factors, int fo, int step, float[] x, int xo, int ldx) {
    for (int r = 0; r < rows; r++) {
      int row = xo + r * ldx;
      float factor = factors[fo + r * step];
      int j = 0;
      for (; j + L <= n; j += L) {
        FloatVector.fromArray(S, x, row + j).mul(factor).intoArray(x, row + j);
      }
      for (; j < n; j++) {
        x[row + j] *= factor;
      }
    }
  }
}
