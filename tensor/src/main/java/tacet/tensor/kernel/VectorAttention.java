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
  private static final float NOTHING = -0f; // changes no sum, not even its sign
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
    scoreRows(a, u, i, rows, n, x, xo, ldx, statistics, so);
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

  /**
   * x = s for the keys that a row sees, −∞ to the end of their last group of lanes, and the greatest of
   * a row to its statistics. Rows of the same length go four at a time: a loop over one row's few
   * vectors takes longer to begin and to end than to run.
   */
  private static void scoreRows(
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
    int whole = n & -L;
    int fours = a.causal() ? 0 : rows & -4;
    for (int r = 0; r < fours; r += 4) {
      scoreFour(a, u, i + r, whole, x, xo + r * ldx, ldx, statistics, so + 2 * r);
      for (int q = r; q < r + 4 && (whole < n || whole % LANES != 0); q++) {
        FloatVector top = set(statistics[so + 2 * q]);
        top = scoreEnd(a, u, i + q, whole, n, x, xo + q * ldx, top);
        statistics[so + 2 * q] = greatest(top);
      }
    }
    for (int r = fours; r < rows; r++) {
      int seen = Math.min(n, a.seen(i + r));
      statistics[so + 2 * r] = scoreRow(a, u, i + r, seen, x, xo + r * ldx);
    }
  }

  /** Four rows of whole vectors. */
  private static void scoreFour(
      AttentionKernel a,
      int u,
      int i,
      int n,
      float[] x,
      int xo,
      int ldx,
      float[] statistics,
      int so) {
    float[] key = a.keyBias();
    float[] position = a.positionBias();
    int ko = u / a.heads() * a.keys();
    int po = (u % a.heads() * a.queries() + i) * a.keys();
    if (position == null) {
      scoreFour(a.scale(), key, ko, 0, n, x, xo, ldx, statistics, so);
    } else if (key == null) {
      scoreFour(a.scale(), position, po, a.keys(), n, x, xo, ldx, statistics, so);
    } else {
      scoreFour(a.scale(), position, po, a.keys(), key, ko, n, x, xo, ldx, statistics, so);
    }
  }

  /** The same with one kind of bias, whose rows are {@code step} apart, or none (null). */
  private static void scoreFour(
      float factor,
      float[] bias,
      int b0,
      int step,
      int n,
      float[] x,
      int x0,
      int ldx,
      float[] statistics,
      int so) {
    final int b1 = b0 + step;
    final int b2 = b1 + step;
    final int b3 = b2 + step;
    final int x1 = x0 + ldx;
    final int x2 = x1 + ldx;
    final int x3 = x2 + ldx;
    FloatVector scale = set(factor);
    FloatVector t0 = set(Float.NEGATIVE_INFINITY);
    FloatVector t1 = t0;
    FloatVector t2 = t0;
    FloatVector t3 = t0;
    if (bias == null) {
      for (int j = 0; j < n; j += L) {
        t0 = greater(t0, score(scale, set(NOTHING), x, x0 + j));
        t1 = greater(t1, score(scale, set(NOTHING), x, x1 + j));
        t2 = greater(t2, score(scale, set(NOTHING), x, x2 + j));
        t3 = greater(t3, score(scale, set(NOTHING), x, x3 + j));
      }
    } else {
      for (int j = 0; j < n; j += L) {
        t0 = greater(t0, score(scale, FloatVector.fromArray(S, bias, b0 + j), x, x0 + j));
        t1 = greater(t1, score(scale, FloatVector.fromArray(S, bias, b1 + j), x, x1 + j));
        t2 = greater(t2, score(scale, FloatVector.fromArray(S, bias, b2 + j), x, x2 + j));
        t3 = greater(t3, score(scale, FloatVector.fromArray(S, bias, b3 + j), x, x3 + j));
      }
    }
    statistics[so] = greatest(t0);
    statistics[so + 2] = greatest(t1);
    statistics[so + 4] = greatest(t2);
    statistics[so + 6] = greatest(t3);
  }

  /** The same with a bias of positions and one of keys. */
  private static void scoreFour(
      float factor,
      float[] position,
      int p0,
      int step,
      float[] key,
      int ko,
      int n,
      float[] x,
      int x0,
      int ldx,
      float[] statistics,
      int so) {
    final int p1 = p0 + step;
    final int p2 = p1 + step;
    final int p3 = p2 + step;
    final int x1 = x0 + ldx;
    final int x2 = x1 + ldx;
    final int x3 = x2 + ldx;
    FloatVector scale = set(factor);
    FloatVector t0 = set(Float.NEGATIVE_INFINITY);
    FloatVector t1 = t0;
    FloatVector t2 = t0;
    FloatVector t3 = t0;
    for (int j = 0; j < n; j += L) {
      FloatVector bias = FloatVector.fromArray(S, key, ko + j);
      FloatVector b0 = FloatVector.fromArray(S, position, p0 + j).add(bias);
      FloatVector b1 = FloatVector.fromArray(S, position, p1 + j).add(bias);
      FloatVector b2 = FloatVector.fromArray(S, position, p2 + j).add(bias);
      FloatVector b3 = FloatVector.fromArray(S, position, p3 + j).add(bias);
      t0 = greater(t0, score(scale, b0, x, x0 + j));
      t1 = greater(t1, score(scale, b1, x, x1 + j));
      t2 = greater(t2, score(scale, b2, x, x2 + j));
      t3 = greater(t3, score(scale, b3, x, x3 + j));
    }
    statistics[so] = greatest(t0);
    statistics[so + 2] = greatest(t1);
    statistics[so + 4] = greatest(t2);
    statistics[so + 6] = greatest(t3);
  }

  /** x = scale · x + bias, also the result. */
  private static FloatVector score(FloatVector scale, FloatVector bias, float[] x, int xo) {
    FloatVector s = FloatVector.fromArray(S, x, xo).fma(scale, bias);
    s.intoArray(x, xo);
    return s;
  }

  /** One row; returns its greatest score. */
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
        top = greater(top, score(scale, set(NOTHING), x, xo + j));
      }
    } else if (position == null) {
      for (; j + L <= n; j += L) {
        top = greater(top, score(scale, FloatVector.fromArray(S, key, ko + j), x, xo + j));
      }
    } else {
      for (; j + L <= n; j += L) {
        FloatVector bias = FloatVector.fromArray(S, position, po + j);
        if (key != null) {
          bias = bias.add(FloatVector.fromArray(S, key, ko + j));
        }
        top = greater(top, score(scale, bias, x, xo + j));
      }
    }
    return greatest(scoreEnd(a, u, i, j, n, x, xo, top));
  }

  /** What is left of a row from key {@code j} on, less than a vector, and −∞ after it. */
  private static FloatVector scoreEnd(
      AttentionKernel a, int u, int i, int j, int n, float[] x, int xo, FloatVector top) {
    if (j < n) {
      VectorMask<Float> mask = S.indexInRange(j, n);
      FloatVector bias = set(NOTHING);
      if (a.positionBias() != null) {
        int po = (u % a.heads() * a.queries() + i) * a.keys();
        bias = FloatVector.fromArray(S, a.positionBias(), po + j, mask);
      }
      if (a.keyBias() != null) {
        int ko = u / a.heads() * a.keys();
        bias = bias.add(FloatVector.fromArray(S, a.keyBias(), ko + j, mask));
      }
      FloatVector s = FloatVector.fromArray(S, x, xo + j).fma(set(a.scale()), bias);
      s = set(Float.NEGATIVE_INFINITY).blend(s, mask);
      s.intoArray(x, xo + j);
      top = greater(top, s);
      j += L;
    }
    for (; j % LANES != 0; j += L) {
      set(Float.NEGATIVE_INFINITY).intoArray(x, xo + j);
    }
    return top;
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
    scoreRows(a, u, i, rows, n, x, xo, ldx, statistics, so); // the same greatest scores again
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
