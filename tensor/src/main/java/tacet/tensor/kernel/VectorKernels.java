package tacet.tensor.kernel;

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
 * The vector twin of {@link ScalarKernels}: same results, bit for bit. Each kernel is a loop over
 * whole vectors and a scalar tail.
 *
 * <p>Row reductions keep {@value Kernels#LANES} partial sums whatever the vector width: a 512-bit
 * vector holds them all, narrower ones take one slice of the lanes per pass over the row (the row is
 * in the first-level cache). {@code reduceLanes(ADD)} is not used, because its order, and so its
 * result, differs between interpreted and compiled code.
 */
final class VectorKernels implements Kernels {
  private static final IntVector IOTA = IntVector.zero(SI).addIndex(1);

  private VectorKernels() {}

  /** Called by name from the lookup. */
  static Kernels create() {
    return new VectorKernels();
  }

  @Override
  public String name() {
    return "vector" + S.vectorBitSize();
  }

  @Override
  public void product(
      int m,
      int n,
      int k,
      float[] a,
      int ao,
      int lda,
      float[] panels,
      int po,
      int j0,
      int j1,
      float[] init,
      int io,
      int initStride,
      float[] c,
      int co,
      int ldc) {
    VectorProduct.product(
        m, n, k, a, ao, lda, panels, po, j0, j1, init, io, initStride, c, co, ldc);
  }

  @Override
  public void accumulate(
      int m,
      int n,
      int k,
      float[] a,
      int ao,
      int ars,
      int aks,
      float[] b,
      int bo,
      int ldb,
      float[] c,
      int co,
      int ldc) {
    VectorSparse.accumulate(m, n, k, a, ao, ars, aks, b, bo, ldb, c, co, ldc);
  }

  @Override
  public int compress(
      float[] x, int xo, int n, int[] index, float[] value, int at, int[] start, int so) {
    int q = at;
    int i = 0;
    for (int f = 0; f < n; f += BLOCK) {
      start[so++] = q;
      int end = Math.min(n, f + BLOCK);
      for (; i + L <= end; i += L) {
        FloatVector v = FloatVector.fromArray(S, x, xo + i);
        VectorMask<Float> mask = v.compare(VectorOperators.NE, 0f);
        long bits = mask.toLong();
        if (bits != 0) { // full-width stores: what lies beyond the last value is overwritten later
          v.compress(mask).intoArray(value, q);
          IOTA.add(i).compress(mask.cast(SI)).intoArray(index, q);
          q += Long.bitCount(bits);
        }
      }
      for (; i < end; i++) {
        if (x[xo + i] != 0) {
          index[q] = i;
          value[q++] = x[xo + i];
        }
      }
    }
    start[so] = q;
    return q;
  }

  @Override
  public float touch(float[] x, int from, int to) {
    FloatVector sum = set(0f);
    int i = from;
    for (; i + 64 <= to; i += 64) { // one vector of each of four lines
      FloatVector p = FloatVector.fromArray(S, x, i).add(FloatVector.fromArray(S, x, i + 16));
      FloatVector q = FloatVector.fromArray(S, x, i + 32).add(FloatVector.fromArray(S, x, i + 48));
      sum = sum.add(p.add(q));
    }
    return sum.lane(0);
  }

  @Override
  public void sparseRows(
      int rows,
      int[] start,
      int at,
      int step,
      int span,
      int[] index,
      float[] value,
      float[] b,
      int bo,
      int stride,
      int width,
      float[] init,
      int io,
      int initStride,
      float[] c,
      int co,
      int ldc) {
    VectorSparse.rows(
        rows,
        start,
        at,
        step,
        span,
        index,
        value,
        b,
        bo,
        stride,
        width,
        init,
        io,
        initStride,
        c,
        co,
        ldc);
  }

  @Override
  public void sampledRows(
      int rows,
      int[] start,
      int at,
      int step,
      int span,
      int[] index,
      float[] value,
      float[] a,
      int ao,
      int lda,
      float[] b,
      int n,
      int k) {
    VectorSparse.sampled(rows, start, at, step, span, index, value, a, ao, lda, b, n, k);
  }

  @Override
  public void productByLanes(
      int m,
      int n,
      int k,
      float[] a,
      int ao,
      int lda,
      float[] panels,
      int po,
      int j0,
      int j1,
      float[] c,
      int co,
      int ldc) {
    VectorProduct.byLanes(m, n, k, a, ao, lda, panels, po, j0, j1, c, co, ldc);
  }

  // ------------------------------------------------------------------ activations

  @Override
  public int relu(float[] x, int xo, int n, float[] y, int yo) {
    int active = 0;
    int i = 0;
    for (; i + L <= n; i += L) {
      FloatVector v = FloatVector.fromArray(S, x, xo + i).max(0f);
      v.intoArray(y, yo + i);
      active += v.compare(VectorOperators.NE, 0f).trueCount();
    }
    for (; i < n; i++) {
      float v = Math.max(x[xo + i], 0f);
      y[yo + i] = v;
      active += v != 0 ? 1 : 0;
    }
    return active;
  }

  @Override
  public void reluBackward(float[] dY, int dyo, float[] y, int yo, int n, float[] dX, int dxo) {
    int i = 0;
    for (; i + L <= n; i += L) {
      VectorMask<Float> on = FloatVector.fromArray(S, y, yo + i).compare(VectorOperators.GT, 0f);
      set(0f).blend(FloatVector.fromArray(S, dY, dyo + i), on).intoArray(dX, dxo + i);
    }
    for (; i < n; i++) {
      dX[dxo + i] = y[yo + i] > 0 ? dY[dyo + i] : 0f;
    }
  }

  @Override
  public int gelu(float[] x, int xo, int n, float[] y, int yo) {
    int active = 0;
    int i = 0;
    for (; i + L <= n; i += L) {
      FloatVector v = VectorMath.gelu(FloatVector.fromArray(S, x, xo + i));
      v.intoArray(y, yo + i);
      active += v.compare(VectorOperators.NE, 0f).trueCount();
    }
    for (; i < n; i++) {
      float v = ScalarMath.gelu(x[xo + i]);
      y[yo + i] = v;
      active += v != 0 ? 1 : 0;
    }
    return active;
  }

  @Override
  public void geluBackward(float[] dY, int dyo, float[] x, int xo, int n, float[] dX, int dxo) {
    int i = 0;
    for (; i + L <= n; i += L) {
      FloatVector d = VectorMath.geluDerivative(FloatVector.fromArray(S, x, xo + i));
      FloatVector.fromArray(S, dY, dyo + i).mul(d).intoArray(dX, dxo + i);
    }
    for (; i < n; i++) {
      dX[dxo + i] = dY[dyo + i] * ScalarMath.geluDerivative(x[xo + i]);
    }
  }

  @Override
  public void tanh(float[] x, int xo, int n, float[] y, int yo) {
    int i = 0;
    for (; i + L <= n; i += L) {
      VectorMath.tanh(FloatVector.fromArray(S, x, xo + i)).intoArray(y, yo + i);
    }
    for (; i < n; i++) {
      y[yo + i] = ScalarMath.tanh(x[xo + i]);
    }
  }

  @Override
  public void exp(float[] x, int xo, int n, float[] y, int yo) {
    int i = 0;
    for (; i + L <= n; i += L) {
      VectorMath.exp(FloatVector.fromArray(S, x, xo + i)).intoArray(y, yo + i);
    }
    for (; i < n; i++) {
      y[yo + i] = ScalarMath.exp(x[xo + i]);
    }
  }

  @Override
  public void erf(float[] x, int xo, int n, float[] y, int yo) {
    int i = 0;
    for (; i + L <= n; i += L) {
      VectorMath.erf(FloatVector.fromArray(S, x, xo + i)).intoArray(y, yo + i);
    }
    for (; i < n; i++) {
      y[yo + i] = ScalarMath.erf(x[xo + i]);
    }
  }

  // ------------------------------------------------------------------ rows

  /** The part of a row that whole groups of 16 lanes cover. */
  private static int body(int n) {
    return n & -LANES;
  }

  @Override
  public void softmaxRow(float[] x, int xo, int n, float scale, float[] bias, int bo) {
    int body = body(n);
    FloatVector top = set(Float.NEGATIVE_INFINITY);
    for (int i = 0; i < body; i += L) {
      FloatVector v = FloatVector.fromArray(S, x, xo + i);
      v = bias == null ? v.mul(scale) : v.fma(set(scale), FloatVector.fromArray(S, bias, bo + i));
      v.intoArray(x, xo + i);
      top = top.max(v);
    }
    float max = top.reduceLanes(VectorOperators.MAX); // exact in any order
    for (int i = body; i < n; i++) {
      x[xo + i] = bias == null ? x[xo + i] * scale : Math.fma(x[xo + i], scale, bias[bo + i]);
      max = Math.max(max, x[xo + i]);
    }
    float[] lanes = new float[LANES];
    for (int g = 0; g < LANES; g += L) {
      FloatVector sum = set(0f);
      for (int i = g; i < body; i += LANES) {
        FloatVector e = VectorMath.exp(FloatVector.fromArray(S, x, xo + i).sub(max));
        e.intoArray(x, xo + i);
        sum = sum.add(e);
      }
      sum.intoArray(lanes, g);
    }
    for (int i = body; i < n; i++) {
      float e = ScalarMath.exp(x[xo + i] - max);
      x[xo + i] = e;
      lanes[i - body] += e;
    }
    float inverse = 1f / ScalarMath.tree(lanes);
    for (int i = 0; i < body; i += L) {
      FloatVector.fromArray(S, x, xo + i).mul(inverse).intoArray(x, xo + i);
    }
    for (int i = body; i < n; i++) {
      x[xo + i] *= inverse;
    }
  }

  @Override
  public void softmaxBackwardRow(float[] p, int po, int n, float scale, float[] dP, int dpo) {
    int body = body(n);
    float[] lanes = new float[LANES];
    for (int g = 0; g < LANES; g += L) {
      FloatVector sum = set(0f);
      for (int i = g; i < body; i += LANES) {
        sum = FloatVector.fromArray(S, p, po + i).fma(FloatVector.fromArray(S, dP, dpo + i), sum);
      }
      sum.intoArray(lanes, g);
    }
    for (int i = body; i < n; i++) {
      lanes[i - body] = Math.fma(p[po + i], dP[dpo + i], lanes[i - body]);
    }
    float dot = ScalarMath.tree(lanes);
    for (int i = 0; i < body; i += L) {
      FloatVector d = FloatVector.fromArray(S, dP, dpo + i).sub(dot);
      FloatVector.fromArray(S, p, po + i).mul(scale).mul(d).intoArray(dP, dpo + i);
    }
    for (int i = body; i < n; i++) {
      dP[dpo + i] = scale * p[po + i] * (dP[dpo + i] - dot);
    }
  }

  @Override
  public void layerNormRow(
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
    int body = body(n);
    float[] lanes = new float[LANES];
    for (int g = 0; g < LANES; g += L) {
      FloatVector sum = set(0f);
      for (int i = g; i < body; i += LANES) {
        sum = sum.add(FloatVector.fromArray(S, x, xo + i));
      }
      sum.intoArray(lanes, g);
    }
    for (int i = body; i < n; i++) {
      lanes[i - body] += x[xo + i];
    }
    float mean = ScalarMath.tree(lanes) / n;
    Arrays.fill(lanes, 0f);
    for (int g = 0; g < LANES; g += L) {
      FloatVector sum = set(0f);
      for (int i = g; i < body; i += LANES) {
        FloatVector d = FloatVector.fromArray(S, x, xo + i).sub(mean);
        sum = d.fma(d, sum);
      }
      sum.intoArray(lanes, g);
    }
    for (int i = body; i < n; i++) {
      float d = x[xo + i] - mean;
      lanes[i - body] = Math.fma(d, d, lanes[i - body]);
    }
    float rstd = (float) (1 / Math.sqrt(ScalarMath.tree(lanes) / n + (double) eps));
    for (int i = 0; i < body; i += L) {
      FloatVector.fromArray(S, x, xo + i)
          .sub(mean)
          .mul(rstd)
          .fma(FloatVector.fromArray(S, gamma, i), FloatVector.fromArray(S, beta, i))
          .intoArray(y, yo + i);
    }
    for (int i = body; i < n; i++) {
      y[yo + i] = Math.fma((x[xo + i] - mean) * rstd, gamma[i], beta[i]);
    }
    statistics[so] = mean;
    statistics[so + 1] = rstd;
  }

  @Override
  public void layerNormBackwardRow(
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
    int body = body(n);
    float[] sums = new float[LANES];
    float[] dots = new float[LANES];
    for (int g = 0; g < LANES; g += L) {
      FloatVector sum = set(0f);
      FloatVector dot = set(0f);
      for (int i = g; i < body; i += LANES) {
        FloatVector d =
            FloatVector.fromArray(S, dY, dyo + i).mul(FloatVector.fromArray(S, gamma, i));
        sum = sum.add(d);
        dot = d.fma(FloatVector.fromArray(S, x, xo + i).sub(mean).mul(rstd), dot);
      }
      sum.intoArray(sums, g);
      dot.intoArray(dots, g);
    }
    for (int i = body; i < n; i++) {
      float d = dY[dyo + i] * gamma[i];
      sums[i - body] += d;
      dots[i - body] = Math.fma(d, (x[xo + i] - mean) * rstd, dots[i - body]);
    }
    float a = ScalarMath.tree(sums) / n;
    float b = -(ScalarMath.tree(dots) / n);
    for (int i = 0; i < body; i += L) {
      FloatVector d =
          FloatVector.fromArray(S, dY, dyo + i).mul(FloatVector.fromArray(S, gamma, i)).sub(a);
      FloatVector.fromArray(S, x, xo + i)
          .sub(mean)
          .mul(rstd)
          .fma(set(b), d)
          .mul(rstd)
          .intoArray(dX, dxo + i);
    }
    for (int i = body; i < n; i++) {
      float d = dY[dyo + i] * gamma[i] - a;
      dX[dxo + i] = Math.fma((x[xo + i] - mean) * rstd, b, d) * rstd;
    }
  }

  // ------------------------------------------------------------------ density, dropout

  @Override
  public float densityRow(Surrogate s, float parameter, float[] x, int xo, int n) {
    int body = body(n);
    float[] lanes = new float[LANES];
    for (int g = 0; g < LANES; g += L) {
      FloatVector sum = set(0f);
      for (int i = g; i < body; i += LANES) {
        FloatVector v = FloatVector.fromArray(S, x, xo + i);
        sum = sum.add(VectorMath.density(s, parameter, v));
      }
      sum.intoArray(lanes, g);
    }
    for (int i = body; i < n; i++) {
      lanes[i - body] += ScalarMath.density(s, parameter, x[xo + i]);
    }
    return ScalarMath.tree(lanes);
  }

  @Override
  public void densityBackward(
      Surrogate s, float parameter, float factor, float[] x, int xo, int n, float[] dX, int dxo) {
    int i = 0;
    for (; i + L <= n; i += L) {
      FloatVector v = FloatVector.fromArray(S, x, xo + i);
      VectorMath.densityDerivative(s, parameter, factor, v).intoArray(dX, dxo + i);
    }
    for (; i < n; i++) {
      dX[dxo + i] = ScalarMath.densityDerivative(s, parameter, factor, x[xo + i]);
    }
  }

  @Override
  public int countAbove(float[] x, int xo, int n, float threshold) {
    int count = 0;
    int i = 0;
    for (; i + L <= n; i += L) {
      FloatVector v = FloatVector.fromArray(S, x, xo + i).abs();
      count += v.compare(VectorOperators.GT, threshold).trueCount();
    }
    for (; i < n; i++) {
      count += Math.abs(x[xo + i]) > threshold ? 1 : 0;
    }
    return count;
  }

  @Override
  public void dropout(
      float[] x,
      int xo,
      int n,
      long key,
      int first,
      int threshold,
      float scale,
      float[] y,
      int yo) {
    int key0 = (int) key;
    int key1 = (int) (key >>> 32);
    int i = 0;
    for (; i + L <= n; i += L) {
      IntVector h = VectorMath.hash24(IOTA.add(first + i), key0, key1);
      VectorMask<Float> drop = h.compare(VectorOperators.LT, threshold).cast(S);
      FloatVector.fromArray(S, x, xo + i).mul(scale).blend(0f, drop).intoArray(y, yo + i);
    }
    for (; i < n; i++) {
      boolean keep = ScalarMath.hash24(first + i, key0, key1) >= threshold;
      y[yo + i] = keep ? x[xo + i] * scale : 0f;
    }
  }
}
