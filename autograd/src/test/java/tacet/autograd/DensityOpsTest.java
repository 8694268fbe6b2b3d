package tacet.autograd;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static tacet.autograd.Inputs.use;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import tacet.tensor.Engine;
import tacet.tensor.RandomStream;
import tacet.tensor.Shape;
import tacet.tensor.Tensor;
import tacet.tensor.Workers;
import tacet.tensor.Workspace;
import tacet.tensor.kernel.Kernels;
import tacet.tensor.kernel.Surrogate;

/** The forms of the density loss, with and without the weight of a block, against double. */
class DensityOpsTest {
  private static final Engine ENGINE =
      new Engine(Kernels.best(), new Workers(2), new Workspace(true));

  private static final int T = 6;
  private static final int F = 21;
  private static final float[] WEIGHTS = {0.2f, 0.1f, 0, 0.3f, 0.15f, 0.25f};

  private static Parameter random(long seed, double std, int... dims) {
    return Parameter.trainable(RandomStream.of(seed, "test", 0).normal(Shape.of(dims), std));
  }

  private static float parameter(Surrogate s) {
    return s == Surrogate.L0 ? 0.05f : 3;
  }

  private static double exact(Surrogate s, double parameter, double x) {
    double a = Math.abs(x);
    return switch (s) {
      case L0 -> a * a / (a * a + parameter);
      case TANH -> Math.tanh(parameter * a);
      case SIGMOID -> 2 / (1 + Math.exp(-parameter * a)) - 1;
      case L1 -> a;
    };
  }

  private static double elementwise(Surrogate s, double[] x, double w) {
    double sum = 0;
    for (int i = 0; i < T * F; i++) {
      sum += WEIGHTS[i / F] * exact(s, parameter(s), w * x[i]) / F;
    }
    return sum;
  }

  private static double featureMap(Surrogate s, double[] x, double w) {
    double sum = 0;
    for (int j = 0; j < F; j++) {
      double mean = 0;
      for (int t = 0; t < T; t++) {
        mean += WEIGHTS[t] * x[t * F + j];
      }
      sum += exact(s, parameter(s), w * mean) / F;
    }
    return sum;
  }

  @ParameterizedTest
  @EnumSource(Surrogate.class)
  void elementwiseWithAndWithoutWeight(Surrogate s) {
    Parameter x = random(1, 0.5, 2, 3, F);
    Parameter w = Parameter.trainable(Tensor.scalar(0.6f));
    float p = parameter(s);
    GradCheck.of(ENGINE, pass -> DensityOps.density(pass, use(pass, x), s, p, WEIGHTS))
        .against(in -> elementwise(s, in.get(0), 1), x);
    GradCheck.of(ENGINE, pass -> DensityOps.density(pass, use(pass, x), s, p, WEIGHTS, w))
        .against(in -> elementwise(s, in.get(0), in.get(1)[0]), x, w);
  }

  @ParameterizedTest
  @EnumSource(Surrogate.class)
  void featureMapWithAndWithoutWeight(Surrogate s) {
    Parameter x = random(2, 0.5, 2, 3, F);
    Parameter w = Parameter.trainable(Tensor.scalar(0.7f));
    float p = parameter(s);
    GradCheck.of(
            ENGINE, pass -> DensityOps.featureMapDensity(pass, use(pass, x), s, p, WEIGHTS, null))
        .against(in -> featureMap(s, in.get(0), 1), x);
    GradCheck.of(ENGINE, pass -> DensityOps.featureMapDensity(pass, use(pass, x), s, p, WEIGHTS, w))
        .against(in -> featureMap(s, in.get(0), in.get(1)[0]), x, w);
  }

  @ParameterizedTest
  @EnumSource(Surrogate.class)
  void reluIntoBothFormsAndAProduct(Surrogate s) {
    // The activation has two readers, one of which looks at its non-zeros only.
    Parameter x = random(3, 0.5, T, F);
    Parameter m = random(4, 0.3, 5, F);
    Parameter w = Parameter.trainable(Tensor.scalar(0.5f));
    float p = parameter(s);
    float[] target = new float[T * 5];
    GradCheck.of(
            ENGINE,
            pass -> {
              Var a = Ops.relu(pass, use(pass, x));
              Var y = Losses.meanSquaredError(pass, LinearOps.linear(pass, a, m, null), target);
              Var one = DensityOps.density(pass, a, s, p, WEIGHTS, w);
              Var two = DensityOps.featureMapDensity(pass, a, s, p, WEIGHTS, null);
              return Ops.add(pass, Ops.add(pass, one, two), y);
            })
        .against(
            in -> {
              double[] a = in.get(0).clone();
              double y = 0;
              for (int i = 0; i < a.length; i++) {
                a[i] = Math.max(0, a[i]);
              }
              for (int t = 0; t < T; t++) {
                for (int o = 0; o < 5; o++) {
                  double sum = 0;
                  for (int j = 0; j < F; j++) {
                    sum += a[t * F + j] * in.get(1)[o * F + j];
                  }
                  y += sum * sum / (T * 5);
                }
              }
              return elementwise(s, a, in.get(2)[0]) + featureMap(s, a, 1) + y;
            },
            x,
            m,
            w);
  }

  @Test
  void aClosedBlockHasNoDensityButAnUpwardSlope() {
    Tensor x = random(5, 0.5, T, F).value();
    double magnitude = 0;
    for (int i = 0; i < T * F; i++) {
      magnitude += WEIGHTS[i / F] * Math.abs(x.data()[i]) / F;
    }
    for (Surrogate s : Surrogate.values()) {
      Parameter w = Parameter.trainable(Tensor.scalar(0));
      try (Pass pass = Pass.gradient(ENGINE)) {
        Var d = DensityOps.density(pass, pass.constant(x), s, parameter(s), WEIGHTS, w);
        assertThat(d.value().item()).isZero();
        pass.backward(d);
      }
      double slope =
          switch (s) {
            case L0 -> 0;
            case TANH -> 3;
            case SIGMOID -> 1.5;
            case L1 -> 1;
          };
      assertThat((double) w.gradient().data()[0])
          .isCloseTo(slope * magnitude, org.assertj.core.api.Assertions.within(1e-5));
    }
  }

  @Test
  void gateScalesAndLearns() {
    Parameter x = random(6, 0.5, T, F);
    Parameter w = Parameter.trainable(Tensor.scalar(0.4f));
    float[] target = RandomStream.of(7, "t", 0).normal(Shape.of(T, F), 1).data();
    GradCheck.of(
            ENGINE,
            pass -> Losses.meanSquaredError(pass, GateOps.scale(pass, use(pass, x), w), target))
        .against(
            in -> {
              double sum = 0;
              for (int i = 0; i < T * F; i++) {
                double e = in.get(1)[0] * in.get(0)[i] - target[i];
                sum += e * e / (T * F);
              }
              return sum;
            },
            x,
            w);
    try (Pass pass = Pass.inference(ENGINE)) {
      Var v = pass.constant(x.value());
      assertThatThrownBy(() -> GateOps.scale(pass, v, x)).hasMessageContaining("not one");
      assertThatThrownBy(() -> DensityOps.density(pass, v, Surrogate.L1, 1, new float[2]))
          .hasMessageContaining("6 tokens");
    }
  }

  /** ε² underflows: the slope at 0 would be 0 / 0, at every silent neuron. */
  @Test
  void parametersWithoutASlopeAreRefused() {
    try (Engine e = Engine.ofThreads(1);
        Pass pass = Pass.gradient(e)) {
      Parameter p = Parameter.trainable(Tensor.zeros(1, 40));
      Var x = Inputs.use(pass, p);
      float[] weights = {1};
      for (float bad : new float[] {0, -1, 1e-20f, Float.NaN}) {
        for (Surrogate s : new Surrogate[] {Surrogate.L0, Surrogate.TANH, Surrogate.SIGMOID}) {
          if (s == Surrogate.L0 || !(bad > 0)) {
            assertThatThrownBy(() -> DensityOps.density(pass, x, s, bad, weights))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("has no slope at 0");
          }
        }
      }
      pass.backward(DensityOps.density(pass, x, Surrogate.L0, 1.1e-19f, weights));
      assertThat(p.gradient().toArray()).containsOnly(0f);
    }
  }
}
