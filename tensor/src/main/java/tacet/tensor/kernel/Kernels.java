package tacet.tensor.kernel;

import tacet.tensor.WeightFormat;

/**
 * The numeric heart: single-threaded loops over float arrays. Two twins implement it, and they give
 * <em>the same bits</em>: every sum has a fixed order (products accumulate by ascending k with fused
 * multiply-add; row reductions use {@value #LANES} partial sums joined as a tree), and exp, tanh and
 * erf are the same polynomials in the same order of operations.
 *
 * <p>Letters: a matrix product is C[m,n] = A[m,k] · B[k,n]. Offsets and strides count floats.
 * Arguments are checked by the callers (operators and tensors); kernels only assert. Outputs come
 * last and are modified, inputs are not; an output may be the same array as an input only where a
 * method says so.
 */
public interface Kernels {
  /** Columns in a panel of a packed matrix. */
  int PANEL = 32;

  /** Rows of B that a product takes at a time: so much of a panel stays in the second-level cache. */
  int DEPTH = 1024;

  /** Floats of the scratch memory of {@link #productUnpacked}. */
  int SCRATCH = DEPTH * PANEL;

  /** Columns of a block of a compressed row. */
  int BLOCK = 128;

  /** Scratch of {@link #productByLanes}: a register tile per lane, and a row of zeros. */
  int LANES_SCRATCH = 16 * 6 * PANEL + PANEL;

  /** Partial sums of a row reduction. */
  int LANES = 16;

  /** The fastest kernels that this JVM can run: vector kernels where the module is there. */
  static Kernels best() {
    return KernelLookup.BEST;
  }

  /** For reports: {@code vector512}, {@code vector256}, {@code vector128} or {@code scalar}. */
  String name();

  // ------------------------------------------------------------------ matrix products

  /**
   * C = init + A · B for the panels {@code j0} to {@code j1} of B.
   *
   * @param m rows of A and C
   * @param n columns of B; the last panel may be ragged
   * @param k columns of A, rows of B
   * @param a A, row-major from {@code ao} with row stride {@code lda}
   * @param panels B from {@code po}, as {@link PackedMatrix} lays it out
   * @param j0 first panel
   * @param j1 one past the last panel
   * @param init start values: row i, column j at {@code io + i * initStride + j}; a stride of 0
   *     repeats one row (a bias); the same array and position as C accumulates
   * @param c C, row-major from {@code co} with row stride {@code ldc}; only the columns of the
   *     panels are written
   */
  void product(
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
      int ldc);

  /**
   * The same where B lies unpacked, for a B that is used once: the first rows of A read it where it
   * lies, and leave each panel packed for the others while it is near.
   *
   * @param b B, row-major from {@code bo} with row stride {@code ldb}
   * @param scratch {@value #SCRATCH} floats from {@code so}; overwritten
   */
  void productUnpacked(
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
      int ldc);

  /**
   * C += Aᵀ · B where A lies as it is, k × m: the gradient by the right side of a small product.
   *
   * @param a A, row-major from {@code ao} with row stride {@code lda}
   * @param panels B[k,n] from {@code po}, as {@link PackedMatrix} lays it out
   * @param c C[m,n], row-major from {@code co} with row stride {@code ldc}; modified
   */
  void accumulateTransposed(
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
      int ldc);

  /**
   * C += A · B where A has few rows and B lies unpacked: the shape of a low-rank gradient.
   *
   * @param m rows of A and C, any number, fast up to 8
   * @param a A, row i and column k at {@code ao + i * ars + k * aks}: transposed or not
   * @param b B, row-major from {@code bo} with row stride {@code ldb}
   * @param c C, row-major; modified
   */
  void accumulate(
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
      int ldc);

  /**
   * Writes the values of a row that are not zero, and their positions, one after the other into two
   * arrays.
   *
   * @param index the positions; must have room for 16 more than there are, from {@code at}
   * @param value the values; must have room for 16 more than there are, from {@code at}
   * @param start from {@code so} on, where the entries of each block of {@value #BLOCK} positions
   *     begin, and last where they end; written
   * @return one past the last entry
   */
  int compress(float[] x, int xo, int n, int[] index, float[] value, int at, int[] start, int so);

  /**
   * Reads a stretch of memory so that it is near when it is used out of order.
   *
   * @return a sum of some of its values, for the caller to keep, so that the reading is not left out
   */
  float touch(float[] x, int from, int to);

  /**
   * Some rows of a product whose left side is compressed, for one block of its columns and one group
   * of columns of B: C[i,:] = init[i,:] + Σ_p value[p] · B[index[p],:] in ascending p, which is the
   * order of the dense product without its zeros.
   *
   * @param start row i has the entries {@code start[at + i * step]} to {@code start[at + i * step +
   *     span]} - 1
   * @param b a group of {@link WideMatrix}, from {@code bo}: row f at {@code bo + f * stride}
   * @param stride floats between two rows of the group, a multiple of 16
   * @param width columns of the group, at most its stride
   * @param init as in {@link #product}
   */
  void sparseRows(
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
      int ldc);

  /**
   * A product A · Bᵀ at chosen places only: value[p] = Σ_d A[i,d] · B[index[p],d] for the entries p of
   * row i. Summed as row reductions are, in {@value #LANES} partial sums by d modulo {@value #LANES},
   * joined as a tree; {@link #productByLanes} gives the same bits for all places.
   *
   * @param start entries of row i, as in {@link #sparseRows}
   * @param value written at the entries
   * @param a A, row-major from {@code ao} with row stride {@code lda}
   * @param b B [k, n] as {@link WideMatrix} lays it out
   * @param n columns of A and B
   * @param k rows of B
   */
  void sampledRows(
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
      int k);

  /**
   * C = A · B where each sum is made as a row reduction: {@value #LANES} partial sums over k modulo
   * {@value #LANES}, joined as a tree. The columns of A and the rows of B lie in the order of {@link
   * #laneStart}.
   *
   * @param a A, row-major from {@code ao} with row stride {@code lda}
   * @param panels B from {@code po}, as {@link PackedMatrix} lays it out
   * @param scratch at least {@value #LANES_SCRATCH} values; overwritten
   */
  void productByLanes(
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
      float[] scratch);

  /** Where the indices that are l modulo {@value #LANES} begin when k of them are ordered by lane. */
  static int laneStart(int l, int k) {
    return l * (k / LANES) + Math.min(l, k % LANES);
  }

  // ------------------------------------------------------------------ weights in fewer bits

  /**
   * Rows r0 to r1 of the panel of a {@link HalfMatrix} whose codes begin at {@code co}.
   *
   * @param format BF16 or F16; codes are finite
   * @param r0 even
   */
  void expandHalf(WeightFormat format, int[] codes, int co, int r0, int r1, float[] y, int yo);

  /** y = init + x · B for one row and the panels of a {@link HalfMatrix} that begin at {@code co}. */
  void rowHalf(
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
      int yo);

  /**
   * The same for a row x of which only some values are there: the entries p0 to p1, whose places
   * ascend.
   */
  void sparseRowHalf(
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
      int yo);

  /**
   * Rows r0 to r1 of the panel of an {@link Nf4Matrix} whose codes begin at {@code co} and whose
   * scales begin at {@code so}.
   *
   * @param share rows that share a scale
   * @param r0 a multiple of 8
   * @param r1 a multiple of 8, or the last row of all
   */
  void expandNf4(
      int[] codes, int co, float[] scales, int so, int share, int r0, int r1, float[] y, int yo);

  /** y = init + x · B for one row and such panels of k rows, one after the other. */
  void rowNf4(
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
      int yo);

  /** The same for the entries p0 to p1 of a row, as in {@link #sparseRowHalf}. */
  void sparseRowNf4(
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
      int yo);

  // ------------------------------------------------------------------ activations

  /** y = max(x, 0); x and y may be the same array. Returns how many results are not zero. */
  int relu(float[] x, int xo, int n, float[] y, int yo);

  /** dX = dY where the result y was positive, else 0; dY and dX may be the same array. */
  void reluBackward(float[] dY, int dyo, float[] y, int yo, int n, float[] dX, int dxo);

  /**
   * y = x/2 · (1 + erf(x/√2)), absolute error below 5e-7. The factor is rounded to float as PyTorch
   * does, so that y is exactly 0 for x ≤ −5.54 or so. Returns how many results are not zero. x and y
   * may be the same array.
   */
  int gelu(float[] x, int xo, int n, float[] y, int yo);

  /** dX = dY · (Φ(x) + x φ(x)), the derivative of {@link #gelu}, within 5e-7 · |dY|. */
  void geluBackward(float[] dY, int dyo, float[] x, int xo, int n, float[] dX, int dxo);

  /**
   * y = x/2 · (1 + tanh(√(2/π) (x + 0.044715 x³))), the form that checkpoints call {@code gelu_new}
   * or {@code gelu_pytorch_tanh}; absolute error below 5e-7. The factor is rounded to float as
   * PyTorch does, so that y is exactly 0 for x ≤ −5.16 or so. Returns how many results are not zero. x
   * and y may be the same array.
   */
  int geluTanh(float[] x, int xo, int n, float[] y, int yo);

  /** dX = dY · g'(x), g being {@link #geluTanh}, within 5e-7 · |dY|. */
  void geluTanhBackward(float[] dY, int dyo, float[] x, int xo, int n, float[] dX, int dxo);

  /**
   * y = x · σ(x), σ(x) = 1/(1 + exp(−x)): SiLU, within 4 ulp above x = −87. Returns how many results
   * are not zero. x and y may be the same array.
   */
  int silu(float[] x, int xo, int n, float[] y, int yo);

  /** dX = dY · (σ(x) + x σ(x) (1 − σ(x))), the derivative of {@link #silu}. */
  void siluBackward(float[] dY, int dyo, float[] x, int xo, int n, float[] dX, int dxo);

  /** y = tanh(x), within 3 ulp. */
  void tanh(float[] x, int xo, int n, float[] y, int yo);

  /** y = exp(x), within 2 ulp; 0 below −87.3, at most e^88.37. */
  void exp(float[] x, int xo, int n, float[] y, int yo);

  /** y = erf(x), absolute error below 3e-7. */
  void erf(float[] x, int xo, int n, float[] y, int yo);

  // ------------------------------------------------------------------ rows

  /**
   * Softmax of some rows of attention, in place and without its division: x becomes exp(s − max), s =
   * scale · x + keyBias + positionBias, and 0 where a key is not seen.
   *
   * @param a whose scale, biases and causality count
   * @param u the example and head, b · H + h
   * @param i the query of the first row
   * @param n keys that any of the rows sees; a row has room for n rounded up to {@value #LANES}, and
   *     all of it is written
   * @param x raw scores, row-major with stride {@code ldx}
   * @param statistics of row r: max at {@code so + 2r}, 1 / Σ exp after it; written
   */
  void softmaxRows(
      AttentionKernel a,
      int u,
      int i,
      int rows,
      int n,
      float[] x,
      int xo,
      int ldx,
      float[] statistics,
      int so);

  /** The same rows again from their statistics, now divided: x becomes P = exp(s − max) / Σ. */
  void softmaxAgainRows(
      AttentionKernel a,
      int u,
      int i,
      int rows,
      int n,
      float[] x,
      int xo,
      int ldx,
      float[] statistics,
      int so);

  /**
   * Gradient of the same rows by s, in place: dP becomes P ∘ (dropout(dP) − dot); and P becomes
   * dropout(P).
   *
   * @param dots Σ_j dropout(dP) ∘ P of each row from {@code dto} on
   * @param p P, like dP row-major with stride {@code ld}, both with room as above
   */
  void softmaxBackwardRows(
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
      int ld);

  /**
   * dots[r] = Σ_j x[r, j] · y[r, j] for some rows of n values. The {@value #LANES} values of dots
   * behind the results are scratch.
   */
  void dotRows(
      int rows,
      int n,
      float[] x,
      int xo,
      int ldx,
      float[] y,
      int yo,
      int ldy,
      float[] dots,
      int dto);

  /** x[r, :] *= factors[r · step] for some rows of n values. */
  void scaleRows(int rows, int n, float[] factors, int fo, int step, float[] x, int xo, int ldx);

  /**
   * Layer normalisation of one row: y = (x − mean) · rstd · gamma + beta; x and y may be the same
   * array.
   *
   * @param statistics mean at {@code so}, 1/standard deviation at {@code so + 1}; written
   */
  void layerNormRow(
      float[] x,
      int xo,
      int n,
      float[] gamma,
      float[] beta,
      float eps,
      float[] y,
      int yo,
      float[] statistics,
      int so);

  /** Gradient of {@link #layerNormRow} by x; reads the statistics that it wrote. */
  void layerNormBackwardRow(
      float[] dY,
      int dyo,
      float[] x,
      int xo,
      int n,
      float[] gamma,
      float[] statistics,
      int so,
      float[] dX,
      int dxo);

  /**
   * Root-mean-square normalisation of one row (Zhang and Sennrich 2019; T5's LayerNorm): y = x · r ·
   * weight, r = 1/√(mean(x²) + eps).
   *
   * @param statistics r at {@code so}; written
   */
  void rmsNormRow(
      float[] x,
      int xo,
      int n,
      float[] weight,
      float eps,
      float[] y,
      int yo,
      float[] statistics,
      int so);

  /**
   * Gradient of {@link #rmsNormRow} by x: with g = dY ∘ weight, dX = r · (g − x r · mean(g ∘ x r)).
   * Reads the r that it wrote.
   */
  void rmsNormBackwardRow(
      float[] dY,
      int dyo,
      float[] x,
      int xo,
      int n,
      float[] weight,
      float[] statistics,
      int so,
      float[] dX,
      int dxo);

  /**
   * sums[j] += dY[j] · (x[j] − mean) · r: what one row adds to the gradient by the weight of a
   * normalisation (mean is 0 for {@link #rmsNormRow}).
   */
  void normWeightRow(
      float[] dY, int dyo, float[] x, int xo, int n, float mean, float r, float[] sums, int so);

  // ------------------------------------------------------------------ density

  /** Σ s(x) over one row for the surrogate s with its parameter (ε or β). */
  float densityRow(Surrogate s, float parameter, float[] x, int xo, int n);

  /** dX = factor · s'(x). */
  void densityBackward(
      Surrogate s, float parameter, float factor, float[] x, int xo, int n, float[] dX, int dxo);

  /**
   * How many values of a row have a magnitude above the threshold; with 0, how many are not zero. NaN
   * is not counted.
   */
  int countAbove(float[] x, int xo, int n, float threshold);

  // ------------------------------------------------------------------ elementwise

  /**
   * y[i] = x[i] · scale where a hash of (key, first + i) keeps it, else 0: dropout whose mask needs
   * no memory, because the backward pass calls this again. x and y may be the same array.
   *
   * @param threshold of 2^24: an element is dropped when its 24-bit hash is below it
   */
  void dropout(
      float[] x, int xo, int n, long key, int first, int threshold, float scale, float[] y, int yo);

  /** z = x + y; z may be either. */
  default void add(float[] x, int xo, float[] y, int yo, int n, float[] z, int zo) {
    for (int i = 0; i < n; i++) {
      z[zo + i] = x[xo + i] + y[yo + i];
    }
  }

  /** y = s · x; y may be x. */
  default void scale(float[] x, int xo, int n, float s, float[] y, int yo) {
    for (int i = 0; i < n; i++) {
      y[yo + i] = s * x[xo + i];
    }
  }

  /** dX = dY · (1 − y²), the derivative of tanh from its result. */
  default void tanhBackward(float[] dY, int dyo, float[] y, int yo, int n, float[] dX, int dxo) {
    for (int i = 0; i < n; i++) {
      dX[dxo + i] = dY[dyo + i] * (1 - y[yo + i] * y[yo + i]);
    }
  }

  /** sums[j] += x[j] for j in 0 to n - 1: one row of a column sum. */
  default void addRow(float[] x, int xo, int n, float[] sums, int so) {
    for (int j = 0; j < n; j++) {
      sums[so + j] += x[xo + j];
    }
  }

  /** y[j, i] = x[i, j] for a block of rows and columns; what x and y occupy must not overlap. */
  default void transpose(
      float[] x, int xo, int ldx, int rows, int columns, float[] y, int yo, int ldy) {
    int whole = rows & -8;
    for (int j = 0; j < columns; j += 64) { // so that what is written stays near while it is filled
      int count = Math.min(64, columns - j);
      for (int i = 0; i < whole; i += 8) {
        ScalarProduct.turnEight(x, xo + i * ldx + j, ldx, count, y, yo + j * ldy + i, ldy);
      }
      for (int i = whole; i < rows; i++) {
        for (int r = j; r < j + count; r++) {
          y[yo + r * ldy + i] = x[xo + i * ldx + r];
        }
      }
    }
  }

  /**
   * One step of AdamW (Loshchilov and Hutter 2019) with decoupled weight decay, as PyTorch orders
   * it: w ← w(1 − lr·decay); m ← β1 m + (1 − β1) g; v ← β2 v + (1 − β2) g²; w ← w − step · m / (√v /
   * correction + ε).
   *
   * @param step lr / (1 − β1^t)
   * @param correction √(1 − β2^t)
   */
  default void adamW(
      float[] w,
      float[] g,
      float[] m,
      float[] v,
      int from,
      int to,
      float keep,
      float beta1,
      float beta2,
      float step,
      float correction,
      float eps) {
    for (int i = from; i < to; i++) {
      m[i] = m[i] + (1 - beta1) * (g[i] - m[i]);
      v[i] = beta2 * v[i] + (1 - beta2) * g[i] * g[i];
      float denominator = (float) Math.sqrt(v[i]) / correction + eps;
      w[i] = w[i] * keep - step * m[i] / denominator;
    }
  }
}
