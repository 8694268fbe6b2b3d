package tacet.autograd;

import java.util.Arrays;
import tacet.tensor.Shape;
import tacet.tensor.Tensor;
import tacet.tensor.TensorSource;
import tacet.tensor.kernel.CompactMatMul;
import tacet.tensor.kernel.Kernels;
import tacet.tensor.kernel.SparseRows;

/**
 * The operators that go element by element or row by row (products are {@link LinearOps}): each
 * computes its value and records, beside it, one vector-Jacobian product per input. Inputs that need
 * no gradient record nothing, so a frozen model tapes nothing.
 *
 * <p>Letters: B batch, S sequence, D model width, F MLP width, T = B·S tokens. A gradient
 * by x is called dX.
 */
public final class Ops {
  private Ops() {}

  // ------------------------------------------------------------------ sums

  /** z = x + y, same shape. */
  public static Var add(Pass pass, Var x, Var y) {
    requireShape("add", x.shape(), y.shape());
    Tensor z = pass.take(x.shape());
    Rows.forEach(
        pass,
        z.size(),
        (from, n) ->
            pass.kernels().add(x.value().data(), from, y.value().data(), from, n, z.data(), from));
    return pass.record(z).same(x).same(y).done();
  }

  /** y = s · x. */
  public static Var scale(Pass pass, Var x, float s) {
    Tensor y = pass.take(x.shape());
    scaleInto(pass, x.value(), s, y);
    return pass.record(y).from(x, (dY, dX) -> scaleInto(pass, dY, s, dX)).done();
  }

  // ------------------------------------------------------------------ activations

  /** y = f(x). */
  public static Var activation(Pass pass, Var x, Nonlinearity f) {
    return f.of(pass, x);
  }

  /** See {@link Nonlinearity#RELU}. */
  public static Var relu(Pass pass, Var x) {
    return activation(pass, x, Nonlinearity.RELU);
  }

  /** See {@link Nonlinearity#GELU}. */
  public static Var gelu(Pass pass, Var x) {
    return activation(pass, x, Nonlinearity.GELU);
  }

  /** See {@link Nonlinearity#GELU_NEW}. */
  public static Var geluTanh(Pass pass, Var x) {
    return activation(pass, x, Nonlinearity.GELU_NEW);
  }

  /** See {@link Nonlinearity#SILU}. */
  public static Var silu(Pass pass, Var x) {
    return activation(pass, x, Nonlinearity.SILU);
  }

  /** y = tanh(x); dX = dY (1 − y²). */
  public static Var tanh(Pass pass, Var x) {
    Tensor y = pass.take(x.shape());
    Rows.forEach(
        pass,
        y.size(),
        (from, n) -> pass.kernels().tanh(x.value().data(), from, n, y.data(), from));
    return pass.record(y)
        .from(
            x,
            (dY, dX) ->
                Rows.forEach(
                    pass,
                    y.size(),
                    (from, n) ->
                        pass.kernels()
                            .tanhBackward(dY.data(), from, y.data(), from, n, dX.data(), from)))
        .done();
  }

  /**
   * In training, zeroes each element with probability p and scales the rest by 1/(1 − p); else x
   * itself. The mask is a hash of (pass, element), so the gradient needs no copy of it.
   *
   * @throws IllegalArgumentException if p is not a probability
   */
  public static Var dropout(Pass pass, Var x, double p) {
    int threshold = threshold(p);
    if (!pass.training() || p == 0) {
      return x;
    }
    long key = pass.nextRandomKey();
    float scale = (float) (1 / (1 - p));
    Tensor y = pass.take(x.shape());
    drop(pass, x.value(), key, threshold, scale, y);
    // Zeros stay zeros: what is left of n active values is about (1 − p) n, at most n.
    return pass.record(y)
        .active(x.active())
        .masked(x.masked())
        .from(x, (dY, dX) -> drop(pass, dY, key, threshold, scale, dX))
        .alike((dY, dX) -> pass.kernels().scale(dY.value(), 0, dY.entries(), scale, dX.value(), 0))
        .done();
  }

  private static void drop(Pass pass, Tensor x, long key, int threshold, float scale, Tensor y) {
    Rows.forEach(
        pass,
        y.size(),
        (from, n) ->
            pass.kernels().dropout(x.data(), from, n, key, from, threshold, scale, y.data(), from));
  }

  /** The probability in 24 bits, as {@link Kernels#dropout} wants it. */
  static int threshold(double p) {
    if (!(p >= 0 && p <= 1)) {
      throw new IllegalArgumentException("dropout: " + p + " is not a probability");
    }
    return (int) Math.round(p * (1 << 24));
  }

  // ------------------------------------------------------------------ normalisation

  /**
   * y = (x − mean) / √(variance + ε) · γ + β over the last dimension (Ba, Kiros and Hinton 2016).
   *
   * <p>With x̂ the normalised input and g = dY ∘ γ: dX = (g − mean(g) − x̂ mean(g ∘ x̂)) / σ, dγ =
   * Σ_t dY ∘ x̂, dβ = Σ_t dY.
   *
   * @param x [.., D]
   * @param gamma [D]
   * @param beta [D]
   */
  public static Var layerNorm(Pass pass, Var x, Parameter gamma, Parameter beta, double eps) {
    return layerNorm(pass, x, null, gamma, beta, eps);
  }

  /**
   * {@link #layerNorm} of x + more, as {@link #add} makes it, but row by row: a row is normalised
   * while it is near, and where nobody needs the sum, it has no place of its own.
   *
   * @param more [.., D]
   */
  public static Var layerNormOfSum(
      Pass pass, Var x, Var more, Parameter gamma, Parameter beta, double eps) {
    requireShape("layer norm of a sum", x.shape(), more.shape());
    return layerNorm(pass, x, more, gamma, beta, eps);
  }

  /** Either of the two; {@code more} may be null. */
  private static Var layerNorm(
      Pass pass, Var x, Var more, Parameter gamma, Parameter beta, double eps) {
    int d = x.shape().last();
    int t = x.shape().rows();
    requireWidth("layer norm", d, gamma.shape().size(), gamma);
    requireWidth("layer norm", d, beta.shape().size(), beta);
    Tensor y = pass.take(x.shape());
    Tensor statistics = pass.take(Shape.of(t, 2)); // mean, 1/σ
    Tensor input = more == null ? x.value() : pass.taping() ? pass.take(x.shape()) : y;
    float[] in = input.data();
    float[] g = gamma.value().data();
    Kernels kernels = pass.kernels();
    Rows.forEachRow(
        pass,
        t,
        d,
        (row, n) -> {
          for (int i = row; i < row + n; i++) {
            if (more != null) {
              kernels.add(x.value().data(), i * d, more.value().data(), i * d, d, in, i * d);
            }
            kernels.layerNormRow(
                in,
                i * d,
                d,
                g,
                beta.value().data(),
                (float) eps,
                y.data(),
                i * d,
                statistics.data(),
                2 * i);
          }
        });
    Var sum = more == null ? x : pass.record(input).same(x).same(more).done();
    return pass.record(y)
        .from(
            sum,
            (dY, dX) ->
                Rows.forEachRow(
                    pass,
                    t,
                    d,
                    (row, n) -> {
                      for (int i = row; i < row + n; i++) {
                        kernels.layerNormBackwardRow(
                            dY.data(),
                            i * d,
                            in,
                            i * d,
                            d,
                            g,
                            statistics.data(),
                            2 * i,
                            dX.data(),
                            i * d);
                      }
                    }))
        .from(
            gamma, (dY, dG) -> normWeightGradient(pass, dY, in, t, d, statistics.data(), true, dG))
        .from(beta, (dY, dB) -> columnSums(pass, dY, dB))
        .done();
  }

  /**
   * y = x · r ∘ w, r = 1/√(mean(x²) + ε) over the last dimension (Zhang and Sennrich 2019): T5's
   * normalisation, without mean and bias.
   *
   * <p>With g = dY ∘ w: dX = r (g − x r · mean(g ∘ x r)), dw = Σ_t dY ∘ x r.
   *
   * @param x [.., D]
   * @param weight [D]
   */
  public static Var rmsNorm(Pass pass, Var x, Parameter weight, double eps) {
    int d = x.shape().last();
    int t = x.shape().rows();
    requireWidth("RMS norm", d, weight.shape().size(), weight);
    Tensor y = pass.take(x.shape());
    Tensor r = pass.take(Shape.of(t));
    float[] in = x.value().data();
    float[] w = weight.value().data();
    Kernels kernels = pass.kernels();
    Rows.forEachRow(
        pass,
        t,
        d,
        (row, n) -> {
          for (int i = row; i < row + n; i++) {
            kernels.rmsNormRow(in, i * d, d, w, (float) eps, y.data(), i * d, r.data(), i);
          }
        });
    return pass.record(y)
        .from(
            x,
            (dY, dX) ->
                Rows.forEachRow(
                    pass,
                    t,
                    d,
                    (row, n) -> {
                      for (int i = row; i < row + n; i++) {
                        kernels.rmsNormBackwardRow(
                            dY.data(), i * d, in, i * d, d, w, r.data(), i, dX.data(), i * d);
                      }
                    }))
        .from(weight, (dY, dW) -> normWeightGradient(pass, dY, in, t, d, r.data(), false, dW))
        .done();
  }

  /**
   * dW[j] = Σ_t dY[t, j] · (x[t, j] − mean[t]) · r[t]: columns are split over threads, each summed in
   * the order of rows.
   *
   * @param statistics mean and r per row, or r alone
   */
  private static void normWeightGradient(
      Pass pass,
      Tensor dY,
      float[] x,
      int t,
      int d,
      float[] statistics,
      boolean withMean,
      Tensor dW) {
    Arrays.fill(dW.data(), 0, d, 0f);
    Rows.forEachColumn(
        pass,
        d,
        (from, n) -> {
          for (int i = 0; i < t; i++) {
            float mean = withMean ? statistics[2 * i] : 0;
            float r = withMean ? statistics[2 * i + 1] : statistics[i];
            int o = i * d + from;
            pass.kernels().normWeightRow(dY.data(), o, x, o, n, mean, r, dW.data(), from);
          }
        });
  }

  // ------------------------------------------------------------------ embedding

  /** Rows of a table, all of them learnt; see the other method. */
  public static Var embedding(Pass pass, Parameter table, int[] ids, Shape shape) {
    return embedding(pass, table, ids, shape, -1);
  }

  /**
   * Rows of a table: y[t] = table[ids[t]]; dTable[ids[t]] += dY[t].
   *
   * @param table [V, D]
   * @param ids one row number per token
   * @param shape of the tokens, [B, S]
   * @param padding a row that gets no gradient, PyTorch's {@code padding_idx}; -1 for none
   * @return [B, S, D]
   * @throws IndexOutOfBoundsException if an id is not a row of the table
   */
  public static Var embedding(Pass pass, Parameter table, int[] ids, Shape shape, int padding) {
    int vocabulary = table.shape().dim(0);
    int d = table.shape().last();
    for (int i = 0; i < shape.size(); i++) {
      if (ids[i] < 0 || ids[i] >= vocabulary) {
        throw new IndexOutOfBoundsException(
            "id " + ids[i] + " at token " + i + " is not in a table of " + vocabulary + " rows");
      }
    }
    int[] dims = Arrays.copyOf(shape.toArray(), shape.rank() + 1);
    dims[shape.rank()] = d;
    Tensor y = pass.take(Shape.of(dims));
    if (table.compact() != null) {
      CompactMatMul.rows(pass.engine(), table.compact(), ids, shape.size(), y.data());
      return pass.record(y).done();
    }
    TensorSource rows = table.source();
    for (int t = 0; t < shape.size(); t++) {
      rows.read(ids[t] * d, y.data(), t * d, d);
    }
    return pass.record(y)
        .from(
            table,
            (dY, dT) -> {
              Arrays.fill(dT.data(), 0, dT.size(), 0f);
              for (int t = 0; t < shape.size(); t++) {
                if (ids[t] != padding) {
                  pass.kernels().addRow(dY.data(), t * d, d, dT.data(), ids[t] * d);
                }
              }
            })
        .done();
  }

  // ------------------------------------------------------------------ helpers

  static void copyValues(SparseRows from, SparseRows to) {
    System.arraycopy(from.value(), 0, to.value(), 0, from.entries());
  }

  static void copy(Pass pass, Tensor from, Tensor to) {
    Rows.forEach(pass, to.size(), (i, n) -> System.arraycopy(from.data(), i, to.data(), i, n));
  }

  private static void scaleInto(Pass pass, Tensor x, float s, Tensor y) {
    Rows.forEach(
        pass, y.size(), (from, n) -> pass.kernels().scale(x.data(), from, n, s, y.data(), from));
  }

  /** sums[j] = Σ_t x[t, j]: columns are split over threads, each summed in the order of rows. */
  static void columnSums(Pass pass, Tensor x, Tensor sums) {
    int n = x.shape().last();
    int rows = x.shape().rows();
    Arrays.fill(sums.data(), 0, n, 0f);
    Rows.forEachColumn(
        pass,
        n,
        (from, width) -> {
          for (int t = 0; t < rows; t++) {
            pass.kernels().addRow(x.data(), t * n + from, width, sums.data(), from);
          }
        });
  }

  private static void requireShape(String op, Shape expected, Shape found) {
    if (!expected.equals(found)) {
      throw new IllegalArgumentException(op + ": shapes " + expected + " and " + found);
    }
  }

  static void requireWidth(String op, int input, int weight, Parameter p) {
    if (input != weight) {
      throw new IllegalArgumentException(
          op + ": input of width " + input + " meets a weight of shape " + p.shape());
    }
  }
}
