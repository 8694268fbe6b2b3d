package tacet.autograd;

import tacet.tensor.Tensor;

/** A trainable number that opens and closes a part of a model. */
public final class GateOps {
  private GateOps() {}

  /**
   * y = w · x with one trainable number w; dX = w · dY, dw = Σ dY ∘ x, summed in double: within rows
   * first, then over rows in their order.
   *
   * @param x [.., D]
   * @param w one value of any shape
   */
  public static Var scale(Pass pass, Var x, Parameter w) {
    if (w.shape().size() != 1) {
      throw new IllegalArgumentException("gate: a weight of shape " + w.shape() + " is not one");
    }
    float factor = w.value().data()[0];
    int d = x.shape().last();
    int t = x.shape().rows();
    Tensor y = pass.take(x.shape());
    scaleInto(pass, x.value(), factor, y);
    return pass.record(y)
        .from(x, (dY, dX) -> scaleInto(pass, dY, factor, dX))
        .from(
            w,
            (dY, dW) -> {
              double[] sums = new double[t];
              Rows.forEachRow(
                  pass,
                  t,
                  d,
                  (row, n) -> {
                    for (int i = row; i < row + n; i++) {
                      for (int j = i * d; j < (i + 1) * d; j++) {
                        sums[i] += (double) dY.data()[j] * x.value().data()[j];
                      }
                    }
                  });
              double sum = 0;
              for (double s : sums) {
                sum += s;
              }
              dW.data()[0] = (float) sum;
            })
        .done();
  }

  private static void scaleInto(Pass pass, Tensor x, float factor, Tensor y) {
    Rows.forEach(
        pass,
        y.size(),
        (from, n) -> pass.kernels().scale(x.data(), from, n, factor, y.data(), from));
  }
}
