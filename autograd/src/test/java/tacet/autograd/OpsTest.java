package tacet.autograd;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static tacet.autograd.Inputs.random;
import static tacet.autograd.Inputs.use;

import java.util.List;
import org.junit.jupiter.api.Test;
import tacet.tensor.Engine;
import tacet.tensor.RandomStream;
import tacet.tensor.Shape;
import tacet.tensor.Tensor;
import tacet.tensor.Workers;
import tacet.tensor.Workspace;
import tacet.tensor.kernel.BreakEven;
import tacet.tensor.kernel.Kernels;
import tacet.tensor.kernel.Surrogate;

/** Every operator's value and every element of its gradients against the same thing in double. */
class OpsTest {
  private static final Engine ENGINE =
      new Engine(Kernels.best(), new Workers(2), new Workspace(true))
          .withBreakEven(BreakEven.constant(0.3));

  private static float[] target(int n) {
    return RandomStream.of(99, "target", 0).normal(Shape.of(n), 1).data();
  }

  private static double mse(double[] x, float[] target) {
    double s = 0;
    for (int i = 0; i < x.length; i++) {
      s += (x[i] - target[i]) * (x[i] - target[i]) / x.length;
    }
    return s;
  }

  @Test
  void linear() {
    for (int[] s : new int[][] {{1, 1, 1}, {5, 3, 4}, {17, 33, 31}, {40, 8, 70}}) {
      int t = s[0];
      int in = s[1];
      int out = s[2];
      Parameter x = random(1, t, in);
      Parameter w = random(2, out, in);
      Parameter b = random(3, out);
      float[] target = target(t * out);
      GradCheck.of(
              ENGINE,
              pass ->
                  Losses.meanSquaredError(pass, LinearOps.linear(pass, use(pass, x), w, b), target))
          .against(in3 -> mse(linear(in3, t, in, out), target), x, w, b);
    }
  }

  /** A weight [in, out], and one [out, C, p, q] that counts as [out, C·p·q]. */
  @Test
  void weightsInOtherForms() {
    int t = 7;
    int in = 12;
    int out = 37;
    Parameter x = random(1, t, in);
    Parameter transposed = random(2, in, out);
    Parameter kernel = random(3, out, 3, 2, 2);
    Parameter b = random(4, out);
    float[] target = target(t * out);
    GradCheck.of(
            ENGINE,
            pass ->
                Losses.meanSquaredError(
                    pass, LinearOps.product(pass, use(pass, x), transposed, b), target))
        .against(
            in3 -> {
              double[] w = new double[out * in];
              for (int i = 0; i < w.length; i++) {
                w[i] = in3.get(1)[i % in * out + i / in];
              }
              return mse(linear(List.of(in3.get(0), w, in3.get(2)), t, in, out), target);
            },
            x,
            transposed,
            b);
    GradCheck.of(
            ENGINE,
            pass ->
                Losses.meanSquaredError(
                    pass, LinearOps.linear(pass, use(pass, x), kernel, b), target))
        .against(in3 -> mse(linear(in3, t, in, out), target), x, kernel, b);
  }

  private static double[] linear(List<double[]> in3, int t, int in, int out) {
    double[] y = new double[t * out];
    for (int i = 0; i < t; i++) {
      for (int j = 0; j < out; j++) {
        y[i * out + j] = in3.get(2)[j];
        for (int k = 0; k < in; k++) {
          y[i * out + j] += in3.get(0)[i * in + k] * in3.get(1)[j * in + k];
        }
      }
    }
    return y;
  }

  @Test
  void sparseActivationsHaveTheSameGradients() {
    int t = 9;
    int f = 40;
    int d = 5;
    Parameter x = random(1, t, f);
    for (int i = 0; i < t * f; i++) { // far from the kink, and mostly silent
      x.value().data()[i] += i % 7 == 0 ? 1.5f : -2.5f;
    }
    Parameter w = random(2, d, f);
    Parameter b = random(3, d);
    float[] target = target(t * d);
    GradCheck.of(
            ENGINE,
            pass -> {
              Var h = Ops.relu(pass, use(pass, x));
              assertThat(h.active()).isBetween(1L, t * f / 3L);
              return Losses.meanSquaredError(pass, LinearOps.linear(pass, h, w, b), target);
            })
        .against(
            in -> {
              double[] h = in.get(0).clone();
              for (int i = 0; i < h.length; i++) {
                h[i] = Math.max(0, h[i]);
              }
              return mse(linear(List.of(h, in.get(1), in.get(2)), t, f, d), target);
            },
            x,
            w,
            b);
  }

  @Test
  void lowRankUpdate() {
    int t = 11;
    int r = 3;
    int out = 37;
    Parameter base = random(1, t, out);
    Parameter z = random(2, t, r);
    Parameter w = random(3, out, r);
    float[] target = target(t * out);
    GradCheck.of(
            ENGINE,
            pass ->
                Losses.meanSquaredError(
                    pass,
                    LinearOps.addScaledLinear(pass, use(pass, base), use(pass, z), w, 1.7f),
                    target))
        .against(
            in -> {
              double[] y = in.get(0).clone();
              for (int i = 0; i < t * out; i++) {
                for (int k = 0; k < r; k++) {
                  y[i] += 1.7f * in.get(1)[i / out * r + k] * in.get(2)[i % out * r + k];
                }
              }
              return mse(y, target);
            },
            base,
            z,
            w);
  }

  private interface Unary {
    Var apply(Pass pass, Var x);
  }

  private static void checkUnary(Unary op, java.util.function.DoubleUnaryOperator exact, int n) {
    Parameter x = random(4, n);
    float[] target = target(n);
    GradCheck.of(
            ENGINE, pass -> Losses.meanSquaredError(pass, op.apply(pass, use(pass, x)), target))
        .against(
            in -> {
              double[] y = new double[n];
              for (int i = 0; i < n; i++) {
                y[i] = exact.applyAsDouble(in.get(0)[i]);
              }
              return mse(y, target);
            },
            x);
  }

  @Test
  void elementwise() {
    checkUnary(Ops::relu, x -> Math.max(0, x), 100);
    checkUnary(Ops::tanh, Math::tanh, 133);
    checkUnary((p, x) -> Ops.scale(p, x, -0.3f), x -> -0.3f * x, 17);
    checkUnary((p, x) -> Ops.add(p, x, Ops.tanh(p, x)), x -> x + Math.tanh(x), 100);
    checkUnary((p, x) -> Ops.add(p, x, x), x -> 2 * x, 31);
    // Φ by Simpson's rule: an oracle that shares nothing with the kernel.
    checkUnary(
        Ops::gelu,
        x -> {
          int n = 400;
          double h = x / n;
          double s = 1 + Math.exp(-x * x / 2);
          for (int i = 1; i < n; i++) {
            s += (i % 2 == 0 ? 2 : 4) * Math.exp(-i * h * i * h / 2);
          }
          return x * (0.5 + s * h / 3 / Math.sqrt(2 * Math.PI));
        },
        70);
    checkUnary(
        Ops::geluTanh,
        x -> x / 2 * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x))),
        70);
    checkUnary(Ops::silu, x -> x / (1 + Math.exp(-x)), 70);
  }

  @Test
  void rmsNorm() {
    for (int[] s : new int[][] {{1, 1}, {7, 35}, {3, 131}}) {
      int t = s[0];
      int d = s[1];
      Parameter x = random(1, t, d);
      Parameter w = random(2, d);
      float[] target = target(t * d);
      GradCheck.of(
              ENGINE,
              pass ->
                  Losses.meanSquaredError(pass, Ops.rmsNorm(pass, use(pass, x), w, 1e-2), target))
          .against(
              in -> {
                double[] y = new double[t * d];
                for (int i = 0; i < t; i++) {
                  double square = 0;
                  for (int j = 0; j < d; j++) {
                    square += Math.pow(in.get(0)[i * d + j], 2) / d;
                  }
                  for (int j = 0; j < d; j++) {
                    y[i * d + j] = in.get(0)[i * d + j] / Math.sqrt(square + 1e-2) * in.get(1)[j];
                  }
                }
                return mse(y, target);
              },
              x,
              w);
    }
  }

  @Test
  void layerNorm() {
    int t = 7;
    int d = 35;
    Parameter x = random(1, t, d);
    Parameter g = random(2, d);
    Parameter b = random(3, d);
    float[] target = target(t * d);
    GradCheck.of(
            ENGINE,
            pass ->
                Losses.meanSquaredError(
                    pass, Ops.layerNorm(pass, use(pass, x), g, b, 1e-3), target))
        .against(
            in -> {
              double[] y = new double[t * d];
              for (int i = 0; i < t; i++) {
                double mean = 0;
                double var = 0;
                for (int j = 0; j < d; j++) {
                  mean += in.get(0)[i * d + j] / d;
                }
                for (int j = 0; j < d; j++) {
                  var += Math.pow(in.get(0)[i * d + j] - mean, 2) / d;
                }
                for (int j = 0; j < d; j++) {
                  double hat = (in.get(0)[i * d + j] - mean) / Math.sqrt(var + 1e-3);
                  y[i * d + j] = hat * in.get(1)[j] + in.get(2)[j];
                }
              }
              return mse(y, target);
            },
            x,
            g,
            b);
  }

  @Test
  void embeddingGathersAndScatters() {
    Parameter table = random(1, 6, 4);
    int[] ids = {2, 5, 2, 0, 1, 2};
    float[] target = target(24);
    GradCheck.of(
            ENGINE,
            pass ->
                Losses.meanSquaredError(
                    pass, Ops.embedding(pass, table, ids, Shape.of(2, 3)), target))
        .against(
            in -> {
              double[] y = new double[24];
              for (int i = 0; i < 24; i++) {
                y[i] = in.get(0)[ids[i / 4] * 4 + i % 4];
              }
              return mse(y, target);
            },
            table);
    try (Pass pass = Pass.inference(ENGINE)) {
      assertThatThrownBy(() -> Ops.embedding(pass, table, new int[] {6}, Shape.of(1, 1)))
          .isInstanceOf(IndexOutOfBoundsException.class)
          .hasMessageContaining("id 6");
    }
  }

  @Test
  void density() {
    int t = 5;
    int f = 21;
    float[] weights = {0.5f, 0, 0.25f, 1, 0.125f};
    for (Surrogate s : Surrogate.values()) {
      Parameter x = random(1, t, f);
      for (int i = 0; i < t * f; i++) { // off the kink at 0
        x.value().data()[i] += Math.copySign(0.05f, x.value().data()[i]);
      }
      float parameter = s == Surrogate.L0 ? 0.05f : 3;
      GradCheck.of(ENGINE, pass -> DensityOps.density(pass, use(pass, x), s, parameter, weights))
          .against(
              in -> {
                double sum = 0;
                for (int i = 0; i < t * f; i++) {
                  double v = Math.abs(in.get(0)[i]);
                  double y =
                      switch (s) {
                        case L0 -> v * v / (v * v + parameter);
                        case TANH -> Math.tanh(parameter * v);
                        case SIGMOID -> Math.tanh(parameter * v / 2);
                        case L1 -> v;
                      };
                  sum += weights[i / f] * y / f;
                }
                return sum;
              },
              x);
    }
  }

  @Test
  void dropoutUsesOneMaskBothWays() {
    Parameter x = random(1, 64, 32);
    try (Pass pass = Pass.training(ENGINE, 3, 4)) {
      Var y = Ops.dropout(pass, use(pass, x), 0.25);
      Tensor copy = y.value().copy();
      Var loss = Losses.meanSquaredError(pass, y, new float[64 * 32]);
      pass.backward(loss);
      int dropped = 0;
      for (int i = 0; i < copy.size(); i++) {
        float gradient = x.gradient().data()[i];
        assertThat(gradient == 0).isEqualTo(copy.data()[i] == 0);
        dropped += gradient == 0 ? 1 : 0;
        if (gradient != 0) { // d/dx of (x/0.75)²/n
          assertThat(gradient)
              .isCloseTo(
                  2 * copy.data()[i] / 0.75f / copy.size(),
                  org.assertj.core.data.Offset.offset(1e-7f));
        }
      }
      assertThat(dropped).isBetween(400, 620);
    }
    try (Pass pass = Pass.inference(ENGINE)) {
      Var v = pass.constant(x.value());
      assertThat(Ops.dropout(pass, v, 0.25)).isSameAs(v);
    }
  }

  @Test
  void shapesThatDoNotFitAreRefused() {
    try (Pass pass = Pass.inference(ENGINE)) {
      Var x = pass.constant(Tensor.zeros(2, 3));
      assertThatThrownBy(() -> LinearOps.linear(pass, x, random(1, 4, 5), null))
          .hasMessageContaining("width 3")
          .hasMessageContaining("[4, 5]");
      assertThatThrownBy(() -> Ops.add(pass, x, pass.constant(Tensor.zeros(3, 2))))
          .hasMessageContaining("[2, 3]");
      assertThatThrownBy(() -> Losses.crossEntropy(pass, x, new int[] {0, 3}))
          .hasMessageContaining("label 3");
    }
  }
}
