package tacet.autograd;

import tacet.tensor.Tensor;

/** What training makes small: scalars from predictions and labels, computed in double. */
public final class Losses {
  private Losses() {}

  /**
   * Mean over the examples of −log softmax(x)[label]; dX = (softmax(x) − onehot) / B. Summed in
   * double.
   *
   * @param x logits [B, C]
   * @param labels class of each example
   * @return a scalar
   */
  public static Var crossEntropy(Pass pass, Var x, int[] labels) {
    int c = x.shape().last();
    int b = x.shape().rows();
    double[] p = new double[b * c];
    double loss = 0;
    for (int i = 0; i < b; i++) {
      if (labels[i] < 0 || labels[i] >= c) {
        throw new IndexOutOfBoundsException(
            "label " + labels[i] + " of example " + i + " is not one of " + c + " classes");
      }
      double max = Double.NEGATIVE_INFINITY;
      for (int j = 0; j < c; j++) {
        max = Math.max(max, x.value().data()[i * c + j]);
      }
      double sum = 0;
      for (int j = 0; j < c; j++) {
        p[i * c + j] = StrictMath.exp(x.value().data()[i * c + j] - max);
        sum += p[i * c + j];
      }
      for (int j = 0; j < c; j++) {
        p[i * c + j] /= sum;
      }
      loss += max + StrictMath.log(sum) - x.value().data()[i * c + labels[i]];
    }
    return pass.record(Tensor.scalar((float) (loss / b)))
        .from(
            x,
            (dY, dX) -> {
              for (int i = 0; i < b; i++) {
                for (int j = 0; j < c; j++) {
                  double g = p[i * c + j] - (j == labels[i] ? 1 : 0);
                  dX.data()[i * c + j] = (float) (dY.data()[0] * g / b);
                }
              }
            })
        .done();
  }

  /**
   * Mean of (x − target)² over all elements; dX = 2 (x − target) / n.
   *
   * @return a scalar
   */
  public static Var meanSquaredError(Pass pass, Var x, float[] target) {
    int n = x.value().size();
    if (target.length != n) {
      throw new IllegalArgumentException(
          "mean squared error: " + n + " predictions, " + target.length + " targets");
    }
    double sum = 0;
    for (int i = 0; i < n; i++) {
      double e = (double) x.value().data()[i] - target[i];
      sum += e * e;
    }
    return pass.record(Tensor.scalar((float) (sum / n)))
        .from(
            x,
            (dY, dX) -> {
              for (int i = 0; i < n; i++) {
                double e = (double) x.value().data()[i] - target[i];
                dX.data()[i] = (float) (dY.data()[0] * 2 * e / n);
              }
            })
        .done();
  }
}
