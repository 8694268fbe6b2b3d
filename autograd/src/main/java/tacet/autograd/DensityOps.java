package tacet.autograd;

import java.util.Arrays;
import tacet.tensor.Shape;
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
   * @param parameter ε of the l0 surrogate, at least 1.1e-19; β of tanh and sigmoid, positive
   * @param weights one per token
   * @return a scalar, summed in double in the order of tokens
   * @throws IllegalArgumentException if the parameter or the number of weights does not fit
   */
  public static Var density(
      Pass pass, Var x, Surrogate surrogate, float parameter, float[] weights) {
    return elementwise(pass, x, new Function(surrogate, parameter, 1), weights, null);
  }

  /**
   * The density of w · x for one trainable number w ≥ 0: {@link #density} where s(w · x[t, i]) stands
   * for s(x[t, i]).
   *
   * <p>dX[t, i] = dY · weights[t] / F · w · s'(w · x[t, i]), dw = dY · Σ_t weights[t] / F · Σ_i x[t, i] ·
   * s'(w · x[t, i]). Because s(w · x) is s(x) with another parameter (β · w; ε / w²), the kernels are
   * those of a layer without a weight.
   *
   * @param w one value
   */
  public static Var density(
      Pass pass, Var x, Surrogate surrogate, float parameter, float[] weights, Parameter w) {
    return elementwise(
        pass, x, Function.gated(surrogate, parameter, w.value().data()[0]), weights, w);
  }

  /**
   * factor · s(x) with a parameter of its own: how s(w · x) looks as a function of x.
   *
   * @param factor w for {@code L1}; 0 where w is too small to tell from 0; else 1
   */
  private record Function(Surrogate surrogate, float parameter, float factor) {
    private static final float SMALLEST = 1e-6f;

    Function {
      boolean fits = // L0: ε² divides the slope at 0
          switch (surrogate) {
            case L0 -> parameter > 0 && parameter * parameter >= Float.MIN_NORMAL;
            case TANH, SIGMOID -> parameter > 0;
            case L1 -> true;
          };
      if (!fits) {
        throw new IllegalArgumentException(
            "density: " + surrogate + " with a parameter of " + parameter + " has no slope at 0");
      }
    }

    static Function gated(Surrogate s, float parameter, float w) {
      if (w < SMALLEST) {
        return new Function(s, parameter, 0);
      }
      return switch (s) {
        case L0 -> new Function(s, parameter / (w * w), 1);
        case TANH, SIGMOID -> new Function(s, parameter * w, 1);
        case L1 -> new Function(s, parameter, w);
      };
    }

    /** s'(0) on the side of positive x. */
    float slopeAtZero() {
      return switch (surrogate) {
        case L0 -> 0;
        case TANH -> parameter;
        case SIGMOID -> parameter / 2;
        case L1 -> 1;
      };
    }
  }

  private static Var elementwise(Pass pass, Var x, Function s, float[] weights, Parameter gate) {
    int f = x.shape().last();
    int t = x.shape().rows();
    requireWeights(t, weights);
    float[] data = x.value().data();
    float[] sums = new float[t];
    Rows.forEachRow(
        pass,
        t,
        f,
        (row, n) -> {
          for (int i = row; i < row + n; i++) {
            sums[i] =
                weights[i] == 0 || s.factor == 0
                    ? 0
                    : pass.kernels().densityRow(s.surrogate, s.parameter, data, i * f, f);
          }
        });
    double total = 0;
    for (int i = 0; i < t; i++) {
      total += (double) weights[i] * sums[i] / f;
    }
    return pass.record(Tensor.scalar((float) (total * s.factor)))
        .from(
            x,
            (dY, dX) ->
                Rows.forEachRow(
                    pass,
                    t,
                    f,
                    (row, n) -> {
                      for (int i = row; i < row + n; i++) {
                        float factor = dY.data()[0] * s.factor * weights[i] / f;
                        slopes(pass, s, factor, data, i * f, f, dX.data());
                      }
                    }))
        .sampled(
            (dY, dX) -> {
              for (int i = 0; i < t; i++) {
                int p = dX.first(i);
                float factor = dY.data()[0] * s.factor * weights[i] / f;
                slopes(pass, s, factor, x.rows.value(), p, dX.end(i) - p, dX.value());
              }
            })
        .from(gate, (dY, dW) -> gateGradient(pass, x, s, weights, gate, dY.data()[0], dW))
        .done();
  }

  /** dX = factor · s'(x) at the same places of two arrays. */
  private static void slopes(
      Pass pass, Function s, float factor, float[] x, int at, int n, float[] dX) {
    if (factor == 0) {
      Arrays.fill(dX, at, at + n, 0f);
    } else {
      pass.kernels().densityBackward(s.surrogate, s.parameter, factor, x, at, n, dX, at);
    }
  }

  private static void gateGradient(
      Pass pass, Var x, Function s, float[] weights, Parameter gate, float dY, Tensor dW) {
    int f = x.shape().last();
    int t = x.shape().rows();
    float[] data = x.value().data();
    float w = gate.value().data()[0];
    double[] sums = new double[t];
    Rows.forEachRow(
        pass,
        t,
        f,
        (row, n) -> {
          float[] slopes = new float[f];
          for (int i = row; i < row + n; i++) {
            if (weights[i] == 0) {
              continue;
            }
            if (s.factor == 0) {
              float slope = s.slopeAtZero();
              for (int j = i * f; j < (i + 1) * f; j++) {
                sums[i] += (double) Math.abs(data[j]) * slope;
              }
              continue;
            }
            // x · s'(w x): for L1 it is |x|, else (x / w) times the slope of the changed function.
            float factor = s.surrogate == Surrogate.L1 ? 1 : 1 / w;
            pass.kernels()
                .densityBackward(s.surrogate, s.parameter, factor, data, i * f, f, slopes, 0);
            for (int j = 0; j < f; j++) {
              sums[i] += (double) data[i * f + j] * slopes[j];
            }
          }
        });
    double sum = 0;
    for (int i = 0; i < t; i++) {
      sum += sums[i] * weights[i] / f;
    }
    dW.data()[0] = (float) (dY * sum);
  }

  /**
   * (1/F) Σ_i s(w · m[i]) with m[i] = Σ_t weights[t] · x[t, i]: the surrogate of each neuron's mean
   * activation, as the text of the paper has it (the authors' scripts take {@link #density}).
   *
   * <p>dX[t, i] = dY / F · weights[t] · w · s'(w · m[i]).
   *
   * @param w one trainable number; null for 1
   */
  public static Var featureMapDensity(
      Pass pass, Var x, Surrogate surrogate, float parameter, float[] weights, Parameter w) {
    int f = x.shape().last();
    int t = x.shape().rows();
    requireWeights(t, weights);
    float[] data = x.value().data();
    double[] sums = new double[f];
    for (int i = 0; i < t; i++) {
      for (int j = 0; weights[i] != 0 && j < f; j++) {
        sums[j] += (double) weights[i] * data[i * f + j];
      }
    }
    float[] mean = new float[f];
    for (int j = 0; j < f; j++) {
      mean[j] = (float) sums[j];
    }
    Function s =
        w == null
            ? new Function(surrogate, parameter, 1)
            : Function.gated(surrogate, parameter, w.value().data()[0]);
    float value = s.factor == 0 ? 0 : pass.kernels().densityRow(surrogate, s.parameter, mean, 0, f);
    Var means = new Var(new Tensor(Shape.of(1, f), mean), true, -1, false);
    return pass.record(Tensor.scalar(value * s.factor / f))
        .from(
            x,
            (dY, dX) -> {
              float[] slopes = new float[f];
              slopes(pass, s, dY.data()[0] * s.factor / f, mean, 0, f, slopes);
              Rows.forEachRow(
                  pass,
                  t,
                  f,
                  (row, n) -> {
                    for (int i = row; i < row + n; i++) {
                      pass.kernels().scale(slopes, 0, f, weights[i], dX.data(), i * f);
                    }
                  });
            })
        .from(w, (dY, dW) -> gateGradient(pass, means, s, new float[] {1}, w, dY.data()[0], dW))
        .done();
  }

  private static void requireWeights(int tokens, float[] weights) {
    if (weights.length != tokens) {
      throw new IllegalArgumentException(
          "density: " + tokens + " tokens, " + weights.length + " weights");
    }
  }
}
