package tacet.deft;

import tacet.tensor.Engine;
import tacet.tensor.kernel.MatMul;

/**
 * Linear least squares with a prior (ridge regression), fed in batches: the W and b for which
 *
 * <pre>Σ ‖x W + b − y‖² + μ ‖W − W₀‖²</pre>
 *
 * is least, by the normal equations (G + μ I) [W; b] = XᵀY + μ [W₀; b], G = XᵀX with a column of ones
 * beside X. μ is a share of G's mean diagonal and does not hold b. Products of a batch are float32, their
 * sums and the Cholesky factors double.
 */
final class LeastSquares {
  private final int in; // with the column of ones
  private final int out;
  private final boolean bias;
  private final double[] gram; // [in, in]
  private final double[] right; // [in, out]
  private final double[] sums; // of y, per output
  private double squares; // of y
  private long rows;

  LeastSquares(int in, int out, boolean bias) {
    this.in = bias ? in + 1 : in;
    this.out = out;
    this.bias = bias;
    gram = new double[this.in * this.in];
    right = new double[this.in * out];
    sums = new double[out];
  }

  /**
   * What was found.
   *
   * @param weights W [in, out], with b in a last row if there is one
   * @param before Σ ‖x W₀ + b₀ − y‖² over Σ ‖y − mean of y‖²: the share that was not explained
   * @param after the same with what was found
   */
  record Solution(float[] weights, double before, double after) {}

  /**
   * Takes in rows of x and the y that they should give.
   *
   * @param x [rows, in]
   * @param y [rows, out]
   */
  void add(Engine engine, float[] x, float[] y, int rows) {
    float[] wide = x;
    if (bias) {
      wide = new float[rows * in];
      for (int r = 0; r < rows; r++) {
        System.arraycopy(x, r * (in - 1), wide, r * in, in - 1);
        wide[r * in + in - 1] = 1;
      }
    }
    float[] product = new float[in * in];
    MatMul.transposedProduct(engine, wide, rows, in, wide, in, product);
    addTo(gram, product);
    float[] target = new float[in * out];
    MatMul.transposedProduct(engine, wide, rows, in, y, out, target);
    addTo(right, target);
    for (int i = 0; i < rows * out; i++) {
      sums[i % out] += y[i];
      squares += (double) y[i] * y[i];
    }
    this.rows += rows;
  }

  private static void addTo(double[] sums, float[] values) {
    for (int i = 0; i < sums.length; i++) {
      sums[i] += values[i];
    }
  }

  /**
   * The best W and b. This object is used up.
   *
   * @param prior W₀ [in, out], with b₀ in a last row if there is one
   * @param ridge μ over the mean of G's diagonal; more than 0
   */
  Solution solve(Engine engine, float[] prior, double ridge) {
    double[] products = gram.clone();
    double[] targets = right.clone();
    int weights = bias ? in - 1 : in;
    double trace = 0;
    for (int i = 0; i < weights; i++) {
      trace += gram[i * in + i];
    }
    // Where all of x is zero, W₀ stays.
    double mu = trace == 0 ? 1 : ridge * trace / weights;
    for (int i = 0; i < weights; i++) {
      gram[i * in + i] += mu;
      for (int j = 0; j < out; j++) {
        right[i * out + j] += mu * prior[i * out + j];
      }
    }
    factor(engine);
    engine.workers().forEach(out, 16, (part, from, to) -> substitute(from, to));
    float[] found = new float[in * out];
    for (int i = 0; i < found.length; i++) {
      found[i] = (float) right[i];
    }
    return new Solution(
        found,
        unexplained(engine, products, targets, prior),
        unexplained(engine, products, targets, found));
  }

  /** (Σ Wᵀ G W − 2 Wᵀ XᵀY + Σ y²) / Σ (y − mean)². */
  private double unexplained(Engine engine, double[] products, double[] targets, float[] w) {
    double[] errors = new double[in];
    engine
        .workers()
        .forEach(
            in,
            64,
            (part, from, to) -> {
              for (int i = from; i < to; i++) {
                double[] row = new double[out]; // of G W
                for (int k = 0; k < in; k++) {
                  double g = products[i * in + k];
                  for (int j = 0; j < out; j++) {
                    row[j] += g * w[k * out + j];
                  }
                }
                for (int j = 0; j < out; j++) {
                  errors[i] += w[i * out + j] * (row[j] - 2 * targets[i * out + j]);
                }
              }
            });
    double error = squares;
    for (double e : errors) {
      error += e;
    }
    double variance = squares;
    for (double s : sums) {
      variance -= s * s / rows;
    }
    return Math.max(error, 0) / variance;
  }

  /** G = L Lᵀ; L takes the place of G's lower half. Row by row below each column, over all threads. */
  private void factor(Engine engine) {
    double[] column = new double[in];
    for (int j = 0; j < in; j++) {
      double root = Math.sqrt(gram[j * in + j]);
      gram[j * in + j] = root;
      for (int i = j + 1; i < in; i++) {
        column[i] = gram[i * in + j] /= root;
      }
      int first = j + 1;
      if (first == in) {
        return;
      }
      engine
          .workers()
          .forEach(
              in - first,
              256,
              (part, from, to) -> {
                for (int i = first + from; i < first + to; i++) {
                  double factor = column[i];
                  int row = i * in;
                  for (int k = first; k <= i; k++) {
                    gram[row + k] -= factor * column[k];
                  }
                }
              });
    }
  }

  /** L Lᵀ X = R for some columns of R, in its place. */
  private void substitute(int from, int to) {
    int n = to - from;
    double[] x = new double[in * n];
    for (int i = 0; i < in; i++) {
      System.arraycopy(right, i * out + from, x, i * n, n);
      for (int k = 0; k < i; k++) {
        subtract(x, i * n, gram[i * in + k], x, k * n, n);
      }
      divide(x, i * n, gram[i * in + i], n);
    }
    for (int i = in - 1; i >= 0; i--) {
      divide(x, i * n, gram[i * in + i], n);
      for (int k = 0; k < i; k++) {
        subtract(x, k * n, gram[i * in + k], x, i * n, n);
      }
      System.arraycopy(x, i * n, right, i * out + from, n);
    }
  }

  private static void subtract(double[] y, int at, double factor, double[] x, int from, int n) {
    for (int c = 0; c < n; c++) {
      y[at + c] -= factor * x[from + c];
    }
  }

  private static void divide(double[] x, int at, double by, int n) {
    for (int c = 0; c < n; c++) {
      x[at + c] /= by;
    }
  }
}
