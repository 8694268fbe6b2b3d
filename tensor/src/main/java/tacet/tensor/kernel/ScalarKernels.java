package tacet.tensor.kernel;

import java.util.Arrays;
import tacet.tensor.WeightFormat;

/**
 * The readable reference: every kernel as plain loops, written so that HotSpot's own vectoriser can
 * do something with them. Used where the vector module is absent, and by tests as the truth.
 */
public final class ScalarKernels implements Kernels {
  private static final boolean FMA = KernelLookup.FAST_FMA;

  /** Kernels without state. */
  public ScalarKernels() {}

  @Override
  public String name() {
    return "scalar";
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
    ScalarProduct.product(
        m,
        n,
        k,
        a,
        ao,
        lda,
        panels,
        po,
        k * PANEL,
        PANEL,
        j0,
        j1,
        init,
        io,
        initStride,
        c,
        co,
        ldc);
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
    ScalarProduct.product(
        m, n, k, a, ao, lda, b, bo, PANEL, ldb, j0, j1, init, io, initStride, c, co, ldc);
  }

  /** y += s · x over n values. */
  private static void multiplyAdd(float s, float[] x, int xo, float[] y, int yo, int n) {
    if (FMA) {
      for (int i = 0; i < n; i++) {
        y[yo + i] = Math.fma(s, x[xo + i], y[yo + i]);
      }
    } else {
      for (int i = 0; i < n; i++) {
        y[yo + i] += s * x[xo + i];
      }
    }
  }

  /** a · b + c, rounded once where the processor can. */
  static float multiplyAdd(float a, float b, float c) {
    return FMA ? Math.fma(a, b, c) : a * b + c;
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
    for (int j = 0; j < n; j += PANEL) {
      int width = Math.min(PANEL, n - j);
      for (int i = 0; i < m; i++) {
        for (int r = 0; r < k; r++) {
          int b = po + j * k + r * PANEL;
          multiplyAdd(a[ao + r * lda + i], panels, b, c, co + i * ldc + j, width);
        }
      }
    }
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
    for (int i = 0; i < m; i++) {
      for (int r = 0; r < k; r++) {
        multiplyAdd(a[ao + i * ars + r * aks], b, bo + r * ldb, c, co + i * ldc, n);
      }
    }
  }

  @Override
  public int compress(
      float[] x, int xo, int n, int[] index, float[] value, int at, int[] start, int so) {
    int q = at;
    for (int i = 0; i < n; i++) {
      if (i % BLOCK == 0) {
        start[so++] = q;
      }
      float v = x[xo + i];
      if (v != 0) {
        index[q] = i;
        value[q++] = v;
      }
    }
    start[so] = q;
    return q;
  }

  @Override
  public float touch(float[] x, int from, int to) {
    float sum = 0;
    for (int i = from; i < to; i += 16) {
      sum += x[i];
    }
    return sum;
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
    ScalarProduct.sparseRows(
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
    float[] lanes = new float[LANES];
    for (int i = 0; i < rows; i++) {
      for (int p = start[at + i * step]; p < start[at + i * step + span]; p++) {
        Arrays.fill(lanes, 0f);
        for (int g = 0; g < WideMatrix.groups(n); g++) {
          int from = WideMatrix.start(g, k) + index[p] * WideMatrix.stride(g, n);
          int row = ao + i * lda + g * WideMatrix.GROUP;
          for (int d = 0; d < WideMatrix.width(g, n); d++) {
            lanes[d % LANES] = multiplyAdd(a[row + d], b[from + d], lanes[d % LANES]);
          }
        }
        value[p] = ScalarMath.tree(lanes);
      }
    }
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
    float[][] parts = new float[LANES][PANEL];
    for (int j = j0; j < j1; j++) {
      int b = po + j * k * PANEL;
      for (int i = 0; i < m; i++) {
        for (int l = 0; l < LANES; l++) {
          Arrays.fill(parts[l], 0f);
          for (int r = Kernels.laneStart(l, k); r < Kernels.laneStart(l + 1, k); r++) {
            multiplyAdd(a[ao + i * lda + r], panels, b + r * PANEL, parts[l], 0, PANEL);
          }
        }
        for (int w = LANES / 2; w > 0; w /= 2) {
          for (int l = 0; l < w; l++) {
            add(parts[l], 0, parts[l + w], 0, PANEL, parts[l], 0);
          }
        }
        int width = Math.min(PANEL, n - j * PANEL);
        System.arraycopy(parts[0], 0, c, co + i * ldc + j * PANEL, width);
      }
    }
  }

  // ------------------------------------------------------------------ weights in fewer bits

  @Override
  public void expandHalf(
      WeightFormat format, int[] codes, int co, int r0, int r1, float[] y, int yo) {
    ScalarFormats.expandHalf(format, codes, co, r0, r1, y, yo);
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
    ScalarFormats.rowHalf(format, panels, k, x, xo, codes, co, init, io, y, yo);
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
    ScalarFormats.sparseRowHalf(
        format, panels, k, p0, p1, index, value, codes, co, init, io, y, yo);
  }

  @Override
  public void expandNf4(
      int[] codes, int co, float[] scales, int so, int share, int r0, int r1, float[] y, int yo) {
    ScalarFormats.expandNf4(codes, co, scales, so, share, r0, r1, y, yo);
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
    ScalarFormats.rowNf4(panels, k, x, xo, codes, co, scales, so, share, init, io, y, yo);
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
    ScalarFormats.sparseRowNf4(
        panels, k, p0, p1, index, value, codes, co, scales, so, share, init, io, y, yo);
  }

  // ------------------------------------------------------------------ activations

  @Override
  public int relu(float[] x, int xo, int n, float[] y, int yo) {
    int active = 0;
    for (int i = 0; i < n; i++) {
      float v = Math.max(x[xo + i], 0f);
      y[yo + i] = v;
      active += v != 0 ? 1 : 0;
    }
    return active;
  }

  @Override
  public void reluBackward(float[] dY, int dyo, float[] y, int yo, int n, float[] dX, int dxo) {
    for (int i = 0; i < n; i++) {
      dX[dxo + i] = y[yo + i] > 0 ? dY[dyo + i] : 0f;
    }
  }

  @Override
  public int gelu(float[] x, int xo, int n, float[] y, int yo) {
    int active = 0;
    for (int i = 0; i < n; i++) {
      float v = ScalarMath.gelu(x[xo + i]);
      y[yo + i] = v;
      active += v != 0 ? 1 : 0;
    }
    return active;
  }

  @Override
  public void geluBackward(float[] dY, int dyo, float[] x, int xo, int n, float[] dX, int dxo) {
    for (int i = 0; i < n; i++) {
      dX[dxo + i] = dY[dyo + i] * ScalarMath.geluDerivative(x[xo + i]);
    }
  }

  @Override
  public int geluTanh(float[] x, int xo, int n, float[] y, int yo) {
    int active = 0;
    for (int i = 0; i < n; i++) {
      float v = ScalarMath.geluTanh(x[xo + i]);
      y[yo + i] = v;
      active += v != 0 ? 1 : 0;
    }
    return active;
  }

  @Override
  public void geluTanhBackward(float[] dY, int dyo, float[] x, int xo, int n, float[] dX, int dxo) {
    for (int i = 0; i < n; i++) {
      dX[dxo + i] = dY[dyo + i] * ScalarMath.geluTanhDerivative(x[xo + i]);
    }
  }

  @Override
  public int silu(float[] x, int xo, int n, float[] y, int yo) {
    int active = 0;
    for (int i = 0; i < n; i++) {
      float v = ScalarMath.silu(x[xo + i]);
      y[yo + i] = v;
      active += v != 0 ? 1 : 0;
    }
    return active;
  }

  @Override
  public void siluBackward(float[] dY, int dyo, float[] x, int xo, int n, float[] dX, int dxo) {
    for (int i = 0; i < n; i++) {
      dX[dxo + i] = dY[dyo + i] * ScalarMath.siluDerivative(x[xo + i]);
    }
  }

  @Override
  public void tanh(float[] x, int xo, int n, float[] y, int yo) {
    for (int i = 0; i < n; i++) {
      y[yo + i] = ScalarMath.tanh(x[xo + i]);
    }
  }

  @Override
  public void exp(float[] x, int xo, int n, float[] y, int yo) {
    for (int i = 0; i < n; i++) {
      y[yo + i] = ScalarMath.exp(x[xo + i]);
    }
  }

  @Override
  public void erf(float[] x, int xo, int n, float[] y, int yo) {
    for (int i = 0; i < n; i++) {
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
    ScalarAttention.softmaxRows(a, u, i, rows, n, x, xo, ldx, statistics, so);
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
    ScalarAttention.softmaxAgainRows(a, u, i, rows, n, x, xo, ldx, statistics, so);
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
    ScalarAttention.softmaxBackwardRows(a, u, i, rows, n, dots, dto, p, po, dP, dpo, ld);
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
    ScalarAttention.dotRows(rows, n, x, xo, ldx, y, yo, ldy, dots, dto);
  }

  @Override
  public void scaleRows(
      int rows, int n, float[] factors, int fo, int step, float[] x, int xo, int ldx) {
    ScalarAttention.scaleRows(rows, n, factors, fo, step, x, xo, ldx);
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
    ScalarRows.layerNorm(x, xo, n, gamma, beta, eps, y, yo, statistics, so);
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
    ScalarRows.layerNormBackward(dY, dyo, x, xo, n, gamma, statistics, so, dX, dxo);
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
    ScalarRows.rmsNorm(x, xo, n, weight, eps, y, yo, statistics, so);
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
    ScalarRows.rmsNormBackward(dY, dyo, x, xo, n, weight, statistics, so, dX, dxo);
  }

  @Override
  public void normWeightRow(
      float[] dY, int dyo, float[] x, int xo, int n, float mean, float r, float[] sums, int so) {
    ScalarRows.normWeight(dY, dyo, x, xo, n, mean, r, sums, so);
  }

  // ------------------------------------------------------------------ density, dropout

  @Override
  public float densityRow(Surrogate s, float parameter, float[] x, int xo, int n) {
    float[] lanes = new float[LANES];
    for (int i = 0; i < n; i++) {
      lanes[i % LANES] += ScalarMath.density(s, parameter, x[xo + i]);
    }
    return ScalarMath.tree(lanes);
  }

  @Override
  public void densityBackward(
      Surrogate s, float parameter, float factor, float[] x, int xo, int n, float[] dX, int dxo) {
    for (int i = 0; i < n; i++) {
      dX[dxo + i] = ScalarMath.densityDerivative(s, parameter, factor, x[xo + i]);
    }
  }

  @Override
  public int countAbove(float[] x, int xo, int n, float threshold) {
    int count = 0;
    for (int i = 0; i < n; i++) {
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
    for (int i = 0; i < n; i++) {
      boolean keep = ScalarMath.hash24(first + i, key0, key1) >= threshold;
      y[yo + i] = keep ? x[xo + i] * scale : 0f;
    }
  }
}
