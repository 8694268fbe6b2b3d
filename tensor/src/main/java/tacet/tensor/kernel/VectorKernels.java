package tacet.tensor.kernel;

import static tacet.tensor.kernel.VectorMath.IOTA;
import static tacet.tensor.kernel.VectorMath.L;
import static tacet.tensor.kernel.VectorMath.S;
import static tacet.tensor.kernel.VectorMath.set;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import tacet.tensor.WeightFormat;

/**
 * The vector twin of {@link ScalarKernels}: same results, bit for bit. Each kernel is a loop over
 * whole vectors and a scalar tail.
 */
final class VectorKernels implements Kernels {
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
  public void productUnpacked(
      int m,
      int n,
      int k,
      float[] a,
      int ao,
      int lda,
      float[] b,
      int bo,
      int ldb,
      int j0,
      int j1,
      float[] scratch,
      int so,
      float[] init,
      int io,
      int initStride,
      float[] c,
      int co,
      int ldc) {
    VectorProduct.unpacked(
        m, n, k, a, ao, lda, b, bo, ldb, j0, j1, scratch, so, init, io, initStride, c, co, ldc);
  }

  @Override
  public void transpose(
      float[] x, int xo, int ldx, int rows, int columns, float[] y, int yo, int ldy) {
    if (VectorTranspose.POSSIBLE) {
      VectorTranspose.transpose(x, xo, ldx, rows, columns, y, yo, ldy);
    } else {
      Kernels.super.transpose(x, xo, ldx, rows, columns, y, yo, ldy);
    }
  }

  @Override
  public void accumulateTransposed(
      int m,
      int n,
      int k,
      float[] a,
      int ao,
      int lda,
      float[] panels,
      int po,
      float[] c,
      int co,
      int ldc) {
    VectorTransposed.accumulate(m, n, k, a, ao, lda, panels, po, c, co, ldc);
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
    return VectorCompress.compress(x, xo, n, index, value, at, start, so);
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
      int ldc,
      float[] scratch) {
    VectorProduct.byLanes(m, n, k, a, ao, lda, panels, po, j0, j1, c, co, ldc, scratch);
  }

  // ------------------------------------------------------------------ weights in fewer bits

  @Override
  public void expandHalf(
      WeightFormat format, int[] codes, int co, int r0, int r1, float[] y, int yo) {
    VectorFormats.expandHalf(format, codes, co, r0, r1, y, yo);
  }

  @Override
  public void rowHalf(
      WeightFormat format,
      int panels,
      int k,
      float[] x,
      int xo,
      int[] codes,
      int co,
      float[] init,
      int io,
      float[] y,
      int yo) {
    VectorFormats.rowHalf(format, panels, k, x, xo, codes, co, init, io, y, yo);
  }

  @Override
  public void sparseRowHalf(
      WeightFormat format,
      int panels,
      int k,
      int p0,
      int p1,
      int[] index,
      float[] value,
      int[] codes,
      int co,
      float[] init,
      int io,
      float[] y,
      int yo) {
    VectorSparseFormats.half(format, panels, k, p0, p1, index, value, codes, co, init, io, y, yo);
  }

  @Override
  public void expandNf4(
      int[] codes, int co, float[] scales, int so, int share, int r0, int r1, float[] y, int yo) {
    VectorFormats.expandNf4(codes, co, scales, so, share, r0, r1, y, yo);
  }

  @Override
  public void rowNf4(
      int panels,
      int k,
      float[] x,
      int xo,
      int[] codes,
      int co,
      float[] scales,
      int so,
      int share,
      float[] init,
      int io,
      float[] y,
      int yo) {
    VectorFormats.rowNf4(panels, k, x, xo, codes, co, scales, so, share, init, io, y, yo);
  }

  @Override
  public void sparseRowNf4(
      int panels,
      int k,
      int p0,
      int p1,
      int[] index,
      float[] value,
      int[] codes,
      int co,
      float[] scales,
      int so,
      int share,
      float[] init,
      int io,
      float[] y,
      int yo) {
    VectorSparseFormats.nf4(
        panels, k, p0, p1, index, value, codes, co, scales, so, share, init, io, y, yo);
  }

  // ------------------------------------------------------------------ activations

  @Override
  public int relu(float[] x, int xo, int n, float[] y, int yo) {
    int active = 0;
    int i = 0;
    for (; i < S.loopBound(n); i += L) {
      FloatVector v = FloatVector.fromArray(S, x, xo + i);
      v = v.blend(0f, v.compare(VectorOperators.LE, 0f));
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
    for (; i < S.loopBound(n); i += L) {
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
    for (; i < S.loopBound(n); i += L) {
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
    for (; i < S.loopBound(n); i += L) {
      FloatVector d = VectorMath.geluDerivative(FloatVector.fromArray(S, x, xo + i));
      FloatVector.fromArray(S, dY, dyo + i).mul(d).intoArray(dX, dxo + i);
    }
    for (; i < n; i++) {
      dX[dxo + i] = dY[dyo + i] * ScalarMath.geluDerivative(x[xo + i]);
    }
  }

  @Override
  public int geluTanh(float[] x, int xo, int n, float[] y, int yo) {
    int active = 0;
    int i = 0;
    for (; i < S.loopBound(n); i += L) {
      FloatVector v = VectorMath.geluTanh(FloatVector.fromArray(S, x, xo + i));
      v.intoArray(y, yo + i);
      active += v.compare(VectorOperators.NE, 0f).trueCount();
    }
    for (; i < n; i++) {
      float v = ScalarMath.geluTanh(x[xo + i]);
      y[yo + i] = v;
      active += v != 0 ? 1 : 0;
    }
    return active;
  }

  @Override
  public void geluTanhBackward(float[] dY, int dyo, float[] x, int xo, int n, float[] dX, int dxo) {
    int i = 0;
    for (; i < S.loopBound(n); i += L) {
      FloatVector d = VectorMath.geluTanhDerivative(FloatVector.fromArray(S, x, xo + i));
      FloatVector.fromArray(S, dY, dyo + i).mul(d).intoArray(dX, dxo + i);
    }
    for (; i < n; i++) {
      dX[dxo + i] = dY[dyo + i] * ScalarMath.geluTanhDerivative(x[xo + i]);
    }
  }

  @Override
  public int silu(float[] x, int xo, int n, float[] y, int yo) {
    int active = 0;
    int i = 0;
    for (; i < S.loopBound(n); i += L) {
      FloatVector v = VectorMath.silu(FloatVector.fromArray(S, x, xo + i));
      v.intoArray(y, yo + i);
      active += v.compare(VectorOperators.NE, 0f).trueCount();
    }
    for (; i < n; i++) {
      float v = ScalarMath.silu(x[xo + i]);
      y[yo + i] = v;
      active += v != 0 ? 1 : 0;
    }
    return active;
  }

  @Override
  public void siluBackward(float[] dY, int dyo, float[] x, int xo, int n, float[] dX, int dxo) {
    int i = 0;
    for (; i < S.loopBound(n); i += L) {
      FloatVector d = VectorMath.siluDerivative(FloatVector.fromArray(S, x, xo + i));
      FloatVector.fromArray(S, dY, dyo + i).mul(d).intoArray(dX, dxo + i);
    }
    for (; i < n; i++) {
      dX[dxo + i] = dY[dyo + i] * ScalarMath.siluDerivative(x[xo + i]);
    }
  }

  @Override
  public void tanh(float[] x, int xo, int n, float[] y, int yo) {
    int i = 0;
    for (; i < S.loopBound(n); i += L) {
      VectorMath.tanh(FloatVector.fromArray(S, x, xo + i)).intoArray(y, yo + i);
    }
    for (; i < n; i++) {
      y[yo + i] = ScalarMath.tanh(x[xo + i]);
    }
  }

  @Override
  public void exp(float[] x, int xo, int n, float[] y, int yo) {
    int i = 0;
    for (; i < S.loopBound(n); i += L) {
      VectorMath.exp(FloatVector.fromArray(S, x, xo + i)).intoArray(y, yo + i);
    }
    for (; i < n; i++) {
      y[yo + i] = ScalarMath.exp(x[xo + i]);
    }
  }

  @Override
  public void erf(float[] x, int xo, int n, float[] y, int yo) {
    int i = 0;
    for (; i < S.loopBound(n); i += L) {
      VectorMath.erf(FloatVector.fromArray(S, x, xo + i)).intoArray(y, yo + i);
    }
    for (; i < n; i++) {
      y[yo + i] = ScalarMath.erf(x[xo + i]);
    }
  }

  // ------------------------------------------------------------------ rows

  @Override
  public void softmaxRows(
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
    VectorAttention.softmaxRows(a, u, i, rows, n, x, xo, ldx, statistics, so);
  }

  @Override
  public void softmaxAgainRows(
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
    VectorAttention.softmaxAgainRows(a, u, i, rows, n, x, xo, ldx, statistics, so);
  }

  @Override
  public void softmaxBackwardRows(
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
    VectorAttention.softmaxBackwardRows(a, u, i, rows, n, dots, dto, p, po, dP, dpo, ld);
  }

  @Override
  public void dotRows(
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
    VectorAttention.dotRows(rows, n, x, xo, ldx, y, yo, ldy, dots, dto);
  }

  @Override
  public void scaleRows(
      int rows, int n, float[] factors, int fo, int step, float[] x, int xo, int ldx) {
    VectorAttention.scaleRows(rows, n, factors, fo, step, x, xo, ldx);
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
    VectorRows.layerNorm(x, xo, n, gamma, beta, eps, y, yo, statistics, so);
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
    VectorRows.layerNormBackward(dY, dyo, x, xo, n, gamma, statistics, so, dX, dxo);
  }

  @Override
  public void rmsNormRow(
      float[] x,
      int xo,
      int n,
      float[] weight,
      float eps,
      float[] y,
      int yo,
      float[] statistics,
      int so) {
    VectorRows.rmsNorm(x, xo, n, weight, eps, y, yo, statistics, so);
  }

  @Override
  public void rmsNormBackwardRow(
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
    VectorRows.rmsNormBackward(dY, dyo, x, xo, n, weight, statistics, so, dX, dxo);
  }

  @Override
  public void normWeightRow(
      float[] dY, int dyo, float[] x, int xo, int n, float mean, float r, float[] sums, int so) {
    VectorRows.normWeight(dY, dyo, x, xo, n, mean, r, sums, so);
  }

  // ------------------------------------------------------------------ density, dropout

  @Override
  public float densityRow(Surrogate s, float parameter, float[] x, int xo, int n) {
    return VectorDensity.row(s, parameter, x, xo, n);
  }

  @Override
  public void densityBackward(
      Surrogate s, float parameter, float factor, float[] x, int xo, int n, float[] dX, int dxo) {
    VectorDensity.backward(s, parameter, factor, x, xo, n, dX, dxo);
  }

  @Override
  public int countAbove(float[] x, int xo, int n, float threshold) {
    int count = 0;
    int i = 0;
    for (; i < S.loopBound(n); i += L) {
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
    for (; i < S.loopBound(n); i += L) {
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
