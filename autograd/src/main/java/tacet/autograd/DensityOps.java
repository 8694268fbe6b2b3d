package tacet.autograd;

import java.util.Arrays;
import tacet.tensor.Tensor;
import tacet.tensor.kernel.Surrogate;

/** The smooth density of activations as an operator (DEFT, arXiv 2402.01911, eq. 4 to 6). */
public final class DensityOps {
  private DensityOps() {}

  /**
   * Σ_t weights[t] · (1/F) Σ_i s(x[t, i]): the mean of a surrogate over neurons, then a weighted sum
   * over tokens. With weights of 1/(tokens of the example · examples) on real tokens and 0 on
   * padding it is the mean density of a layer.
   *
   * <p>dX[t, i] = dY · weights[t] / F · s'(x[t, i]).
   *
   * @param x activations [.., F]
   * @param parameter ε of the l0 surrogate, β of tanh and sigmoid
   * @param weights one per token
   * @return a scalar, summed in double in the order of tokens
   */
  public static Var density(
      Pass pass, Var x, Surrogate surrogate, float parameter, float[] weights) {
    int f = x.shape().last();
    int t = x.shape().rows();
    if (weights.length != t) {
      throw new IllegalArgumentException(
          "density: " + t + " tokens, " + weights.length + " weights");
    }
    float[] data = x.value().data();
    float[] sums = new float[t];
    Rows.forEachRow(
        pass,
        t,
        f,
        (row, n) -> {
          for (int i = row; i < row + n; i++) {
            sums[i] =
                weights[i] == 0
                    ? 0
                    : pass.kernels().densityRow(surrogate, parameter, data, i * f, f);
          }
        });
    double total = 0;
    for (int i = 0; i < t; i++) {
      total += (double) weights[i] * sums[i] / f;
    }
    return pass.record(Tensor.scalar((float) total))
        .from(
            x,
            (dY, dX) ->
                Rows.forEachRow(
                    pass,
                    t,
                    f,
                    (row, n) -> {
                      for (int i = row; i < row + n; i++) {
                        if (weights[i] == 0) {
                          Arrays.fill(dX.data(), i * f, (i + 1) * f, 0f);
                        } else {
                          float factor = dY.data()[0] * weights[i] / f;
                          pass.kernels()
                              .densityBackward(
                                  surrogate, parameter, factor, data, i * f, f, dX.data(), i * f);
                        }
                      }
                    }))
        .sampled(
            (dY, dX) -> {
              for (int i = 0; i < t; i++) {
                int p = dX.first(i);
                int n = dX.end(i) - p;
                if (weights[i] == 0) {
                  Arrays.fill(dX.value(), p, p + n, 0f);
                } else {
                  float factor = dY.data()[0] * weights[i] / f;
                  pass.kernels()
                      .densityBackward(
                          surrogate, parameter, factor, x.rows.value(), p, n, dX.value(), p);
                }
              }
            })
        .done();
  }
}
