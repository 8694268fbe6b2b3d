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
 * The rows of attention between its products. A row has room for whole groups of {@value
 * Kernels#LANES} scores, so its end is a masked vector and not a scalar loop: what is not seen counts
 * as −∞, whose exp is exactly 0.
 *
 * <p>Two things make it fast. Each pass goes over all rows before the next pass begins, so that the
 * rows overlap where one row's exponentials would wait for its greatest score. And a kernel holds
 * one long formula (exp, or the hash of dropout) at most: with two, HotSpot reaches its limit of
 * nodes for one method, leaves one of them a call, and every vector on the way goes to the heap.
 */
final class VectorAttention {
  private static final IntVector IOTA = IntVector.zero(SI).addIndex(1);
  private static final IntVector PLUS_8 = IOTA.add(8).and(LANES - 1); // for vectors of 16 lanes
  private static final IntVector PLUS_4 = IOTA.add(4).and(LANES - 1);
  private static final IntVector PLUS_2 = IOTA.add(2).and(LANES - 1);
  private static final IntVector PLUS_1 = IOTA.add(1).and(LANES - 1);

  private VectorAttention() {}

  private static int roundUp(int n) {
    return (n + LANES - 1) & -LANES;
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
    for (int r = 0; r < rows; r++) {
      int seen = Math.min(n, a.seen(i + r));
      statistics[so + 2 * r] = scoreRow(a, u, i + r, seen, x, xo + r * ldx);
    }
    float[] lanes = new float[LANES];
    int end = roundUp(n);
    for (int r = 0; r < rows; r++) {
      int row = xo + r * ldx;
      int seen = roundUp(Math.min(n, a.seen(i + r)));
      statistics[so + 2 * r + 1] = 1f / expRow(seen, x, row, statistics[so + 2 * r], lanes);
      if (seen < end) {
        Arrays.fill(x, row + seen, row + end, 0f);
      }
    }
  }

  /** x = s for the n keys seen, −∞ to the end of their last group of lanes; returns the greatest. */
  private static float scoreRow(AttentionKernel a, int u, int i, int n, float[] x, int xo) {
    float[] key = a.keyBias();
    float[] position = a.positionBias();
    int ko = u / a.heads() * a.keys();
    int po = (u % a.heads() * a.queries() + i) * a.keys();
    FloatVector scale = set(a.scale());
    FloatVector top = set(Float.NEGATIVE_INFINITY);
    int j = 0;
    if (key == null && position == null) {
      for (; j + L <= n; j += L) {
        FloatVector s = FloatVector.fromArray(S, x, xo + j).mul(scale);
        s.intoArray(x, xo + j);
        top = greater(top, s);
      }
    } else if (position == null) {
      for (; j + L <= n; j += L) {
        FloatVector bias = FloatVector.fromArray(S, key, ko + j);
        FloatVector s = FloatVector.fromArray(S, x, xo + j).fma(scale, bias);
        s.intoArray(x, xo + j);
        top = greater(top, s);
      }
    } else {
      for (; j + L <= n; j += L) {
        FloatVector bias = FloatVector.fromArray(S, position, po + j);
        if (key != null) {
          bias = bias.add(FloatVector.fromArray(S, key, ko + j));
        }
        FloatVector s = FloatVector.fromArray(S, x, xo + j).fma(scale, bias);
        s.intoArray(x, xo + j);
        top = greater(top, s);
      }
    }
    if (j < n) {
      VectorMask<Float> mask = S.indexInRange(j, n);
      FloatVector bias = set(-0f); // adds nothing to any product, not even to its sign
      if (position != null) {
        bias = FloatVector.fromArray(S, position, po + j, mask);
      }
      if (key != null) {
        bias = bias.add(FloatVector.fromArray(S, key, ko + j, mask));
      }
      FloatVector s = FloatVector.fromArray(S, x, xo + j).fma(scale, bias);
      s = set(Float.NEGATIVE_INFINITY).blend(s, mask);
      s.intoArray(x, xo + j);
      top = greater(top, s);
      j += L;
    }
    for (; j % LANES != 0; j += L) {
      set(Float.NEGATIVE_INFINITY).intoArray(x, xo + j);
    }
    return greatest(top);
  }

  /** The greater, lane by lane, of numbers that are not NaN: two instructions where max has six. */
  private static FloatVector greater(FloatVector a, FloatVector b) {
    return a.blend(b, b.compare(VectorOperators.GT, a));
  }

  /** The greatest lane, compared as integers that have the same order. */
  private static float greatest(FloatVector v) {
    IntVector i = v.reinterpretAsInts();
    IntVector flip = i.lanewise(VectorOperators.ASHR, 31).and(0x7fffffff);
    int top = i.lanewise(VectorOperators.XOR, flip).reduceLanes(VectorOperators.MAX);
    return Float.intBitsToFloat(top ^ (top >> 31 & 0x7fffffff));
  }

  /** x = exp(x − max) over whole groups of lanes; returns the sum. */
  private static float expRow(int n, float[] x, int xo, float max, float[] lanes) {
    for (int g = 0; g < LANES; g += L) {
      FloatVector sum = set(0f);
      for (int j = g; j < n; j += LANES) {
        FloatVector e = VectorMath.expBelowMax(FloatVector.fromArray(S, x, xo + j).sub(max));
        sum = sum.add(e);
        e.intoArray(x, xo + j);
      }
      if (L == LANES) {
        return tree(sum);
      }
      sum.intoArray(lanes, g);
    }
    return ScalarMath.tree(lanes);
  }

  /** {@link ScalarMath#tree} of a vector of 16 lanes, without a way through memory. */
  private static float tree(FloatVector v) {
    FloatVector sum = v.add(pick(PLUS_8, v));
    sum = sum.add(pick(PLUS_4, sum));
    sum = sum.add(pick(PLUS_2, sum));
    return sum.add(pick(PLUS_1, sum)).lane(0);
  }

  /** The lanes of v that the indices name. */
  private static FloatVector pick(IntVector indices, FloatVector v) {
    return indices.selectFrom(v.reinterpretAsInts()).reinterpretAsFloats();
  }

  static void softmaxAgainRows(
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
    for (int r = 0; r < rows; r++) {
      scoreRow(a, u, i + r, Math.min(n, a.seen(i + r)), x, xo + r * ldx);
    }
    int end = roundUp(n);
    for (int r = 0; r < rows; r++) {
      int row = xo + r * ldx;
      int seen = roundUp(Math.min(n, a.seen(i + r)));
      float max = statistics[so + 2 * r];
      float inverse = statistics[so + 2 * r + 1];
      for (int j = 0; j < seen; j += L) {
        FloatVector v = FloatVector.fromArray(S, x, row + j).sub(max);
        VectorMath.expBelowMax(v).mul(inverse).intoArray(x, row + j);
      }
      if (seen < end) {
        Arrays.fill(x, row + seen, row + end, 0f);
      }
    }
  }

  static void softmaxBackwardRows(
      AttentionKernel a,
      int u,
      int i,
      int rows,
      int n,
      float[] dots,
      int dto,
      float[] p,
      int po,
      float[] dP,
      int dpo,
      int ld) {
    boolean drops = a.dropoutThreshold() > 0;
    float scale = a.dropoutScale();
    int end = roundUp(n);
    for (int r = 0; drops && r < rows; r++) {
      markDropped(a, (u * a.queries() + i + r) * a.keys(), end, p, po + r * ld);
    }
    for (int r = 0; r < rows; r++) {
      int row = po + r * ld;
      int dRow = dpo + r * ld;
      float dot = dots[dto + r];
      if (drops) {
        for (int j = 0; j < end; j += L) {
          FloatVector marked = FloatVector.fromArray(S, p, row + j);
          FloatVector v = marked.abs();
          VectorMask<Float> dropped =
              marked.reinterpretAsInts().compare(VectorOperators.LT, 0).cast(S);
          FloatVector d = FloatVector.fromArray(S, dP, dRow + j).mul(scale).blend(0f, dropped);
          v.mul(d.sub(dot)).intoArray(dP, dRow + j);
          v.mul(scale).blend(0f, dropped).intoArray(p, row + j);
        }
      } else {
        for (int j = 0; j < end; j += L) {
          FloatVector v = FloatVector.fromArray(S, p, row + j);
          v.mul(FloatVector.fromArray(S, dP, dRow + j).sub(dot)).intoArray(dP, dRow + j);
        }
      }
    }
  }

  /** Turns the sign of the probabilities, none of which is negative, that dropout takes away. */
  private static void markDropped(AttentionKernel a, int first, int n, float[] p, int po) {
    int key0 = (int) a.dropoutKey();
    int key1 = (int) (a.dropoutKey() >>> 32);
    int threshold = a.dropoutThreshold();
    IntVector place = IOTA.add(first);
    for (int j = 0; j < n; j += L) {
      IntVector h = VectorMath.hash24(place.add(j), key0, key1);
      IntVector sign = h.sub(threshold).and(1 << 31); // h and the threshold have 24 bits
      FloatVector.fromArray(S, p, po + j)
          .reinterpretAsInts()
          .lanewise(VectorOperators.XOR, sign)
          .reinterpretAsFloats()
          .intoArray(p, po + j);
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
    for (int r = 0; r < rows; r++) {
      dots[dto + r] = dot(n, x, xo + r * ldx, y, yo + r * ldy, dots, dto + rows);
    }
  }

  private static float dot(int n, float[] x, int xo, float[] y, int yo, float[] lanes, int lo) {
    int body = n & -LANES;
    for (int g = 0; g < LANES; g += L) {
      FloatVector sum = set(0f);
      for (int j = g; j < body; j += LANES) {
        sum = FloatVector.fromArray(S, x, xo + j).fma(FloatVector.fromArray(S, y, yo + j), sum);
      }
      sum.intoArray(
          lanes, lo + g); // rows are short here: a tree in registers was not always inlined
    }
    for (int j = body; j < n; j++) {
      int l = lo + j - body;
      lanes[l] = Math.fma(x[xo + j], y[yo + j], lanes[l]);
    }
    return ScalarMath.tree(lanes, lo);
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
