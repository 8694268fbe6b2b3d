package tacet.autograd;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static tacet.autograd.Inputs.use;

import java.util.ArrayList;
import java.util.Arrays;
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
import tacet.tensor.kernel.ScalarKernels;
import tacet.tensor.kernel.Surrogate;

/** The gated product against double, and with silent gates skipped against itself in full. */
class GatedOpsTest {
  /** T tokens, D model width, F gates, what drops, weight of a density loss, how many speak. */
  private record Case(int t, int d, int f, double dropout, double lambda, double density) {}

  private static final List<Case> CASES =
      List.of(
          new Case(1, 64, 40, 0, 0, 0.1),
          new Case(7, 33, 127, 0, 1, 0.1),
          new Case(40, 64, 300, 0.2, 1, 0.05),
          new Case(33, 96, 257, 0.1, 0, 0.2),
          new Case(17, 80, 64, 0, 0, 0),
          new Case(150, 70, 150, 0, 1, 0.02));

  private static Parameter random(String name, int... dims) {
    return Parameter.trainable(RandomStream.of(5, name, 0).normal(Shape.of(dims), 0.3));
  }

  /** A T5 block's MLP with a low-rank update of the second factor; value and all gradients. */
  private static List<float[]> block(Case c, boolean gelu, boolean lora, Engine engine) {
    Parameter x = random("x", c.t, c.d);
    Parameter wg = random("wg", c.f, c.d);
    Parameter bg = random("bg", c.f);
    Parameter w1 = random("w1", c.f, c.d);
    Parameter a = random("a", 3, c.d);
    Parameter up = random("up", c.f, 3);
    Parameter w2 = random("w2", c.d, c.f);
    for (int i = 0; i < c.f; i++) { // most gates far below zero
      bg.value().data()[i] -= i < c.density * c.f ? 0f : (float) (4 * Math.sqrt(c.d));
    }
    float[] target = RandomStream.of(9, "target", 0).normal(Shape.of(c.t * c.d), 1).data();
    float[] weights = new float[c.t];
    Arrays.fill(weights, 1f / c.t);
    List<float[]> all = new ArrayList<>();
    try (Pass pass = Pass.training(engine, 3, 0)) {
      Var in = use(pass, x);
      Var pre = LinearOps.linear(pass, in, wg, bg);
      Var g = gelu ? Ops.gelu(pass, pre) : Ops.relu(pass, pre);
      Var h;
      if (lora) {
        Var u = GatedOps.linearWhere(pass, in, w1, g);
        u = LinearOps.addScaledLinear(pass, u, LinearOps.linear(pass, in, a, null), up, 0.5f);
        h = GatedOps.multiply(pass, g, u);
      } else {
        h = GatedOps.gated(pass, in, g, w1);
      }
      assertThat(h.masked()).isEqualTo(!gelu);
      assertThat(h.active())
          .isEqualTo(pass.kernels().countAbove(h.value().data(), 0, h.value().size(), 0));
      Var density = DensityOps.density(pass, g, Surrogate.TANH, 20, weights);
      Var y = LinearOps.linear(pass, Ops.dropout(pass, h, c.dropout), w2, null);
      Var loss = Losses.meanSquaredError(pass, Ops.add(pass, y, in), target);
      all.add(h.value().copy().data());
      all.add(y.value().copy().data());
      pass.backward(Ops.add(pass, loss, Ops.scale(pass, density, (float) c.lambda)));
    }
    for (Parameter p : List.of(x, wg, bg, w1, w2)) {
      all.add(Arrays.copyOf(p.gradient().data(), p.value().size()));
    }
    if (lora) {
      all.add(Arrays.copyOf(a.gradient().data(), a.value().size()));
      all.add(Arrays.copyOf(up.gradient().data(), up.value().size()));
    }
    return all;
  }

  @Test
  void everythingHasTheBitsOfTheFullComputation() {
    for (Case c : CASES) {
      for (int kind = 0; kind < 3; kind++) {
        boolean gelu = kind == 2;
        boolean lora = kind == 1;
        List<float[]> expected = null;
        for (int threads = 1; threads <= 2; threads++) {
          for (Kernels kernels : new Kernels[] {Kernels.best(), new ScalarKernels()}) {
            try (Engine engine = new Engine(kernels, new Workers(threads), new Workspace(true))) {
              Engine eager = engine.withBreakEven(BreakEven.constant(0.3));
              List<float[]> full = block(c, gelu, lora, engine.alwaysDense());
              List<float[]> skipped = block(c, gelu, lora, eager);
              expected = expected == null ? full : expected;
              for (int i = 0; i < full.size(); i++) {
                String what = c + ", kind " + kind + ", value " + i + ", " + kernels.name();
                assertThat(skipped.get(i)).as(what).isEqualTo(full.get(i));
                assertThat(full.get(i)).as(what).isEqualTo(expected.get(i));
              }
            }
          }
        }
      }
    }
  }

  @Test
  void silentGatesAreSkipped() {
    try (Engine all = Engine.ofThreads(1)) {
      Engine engine = all.withBreakEven(BreakEven.constant(0.3));
      Parameter x = random("x", 20, 64);
      Parameter w1 = random("w1", 100, 64);
      Tensor pre = Tensor.zeros(20, 100);
      for (int i = 0; i < pre.size(); i++) {
        pre.data()[i] = i % 10 == 0 ? 1 + i : -1;
      }
      for (Engine e : List.of(engine, engine.alwaysDense())) {
        try (Pass pass = Pass.inference(e)) {
          Var g = Ops.relu(pass, pass.constant(pre));
          Var u = GatedOps.linearWhere(pass, pass.constant(x.value()), w1, g);
          assertThat(g.rows != null).isEqualTo(e.skipsZeros());
          assertThat(u.value().data()[1] == 0).isEqualTo(e.skipsZeros());
          Var h = GatedOps.multiply(pass, g, u);
          assertThat(h.active()).isEqualTo(200);
          assertThat(Float.floatToRawIntBits(h.value().data()[1])).as("never −0").isZero();
        }
      }
    }
  }

  /** Where the gate speaks and the other factor is 0, h is 0 and the factor's gradient is not. */
  @Test
  void aFactorOfZeroHasAGradient() {
    List<float[]> expected = null;
    try (Engine engine = new Engine(Kernels.best(), new Workers(1), new Workspace(true))) {
      for (Engine e : List.of(engine.alwaysDense(), engine.withBreakEven(BreakEven.constant(1)))) {
        Parameter x = random("x", 6, 16);
        Parameter wg = random("wg", 80, 16);
        Parameter w1 = Parameter.trainable(Tensor.zeros(80, 16)); // as one that begins with nothing
        for (int i = 0; i < 40 * 16; i++) {
          w1.value().data()[i] = 0.01f * i;
        }
        Parameter w2 = random("w2", 64, 80);
        try (Pass pass = Pass.gradient(e)) {
          Var in = use(pass, x);
          Var g = Ops.relu(pass, LinearOps.linear(pass, in, wg, null));
          Var h = GatedOps.gated(pass, in, g, w1);
          assertThat(h.masked()).isFalse();
          Var y = LinearOps.linear(pass, h, w2, null);
          pass.backward(Losses.meanSquaredError(pass, y, new float[6 * 64]));
        }
        assertThat(w1.gradient().data()[60 * 16]).isNotZero();
        List<float[]> all = new ArrayList<>();
        for (Parameter p : List.of(x, wg, w1, w2)) {
          all.add(p.gradient().toArray());
        }
        expected = expected == null ? all : expected;
        for (int i = 0; i < all.size(); i++) {
          assertThat(all.get(i)).as("gradient " + i).isEqualTo(expected.get(i));
        }
      }
    }
  }

  @Test
  void gradientsEqualTheOracle() {
    for (boolean gelu : new boolean[] {false, true}) {
      for (int[] s : new int[][] {{1, 1, 1}, {5, 7, 12}, {4, 17, 33}}) {
        int t = s[0];
        int d = s[1];
        int f = s[2];
        Parameter x = random("x", t, d);
        Parameter w = random("w", f, d);
        Parameter pre = random("pre", t, f);
        for (int i = 0; i < t * f; i++) { // far from the kink, and mostly silent
          pre.value().data()[i] += i % 5 == 0 ? 1.5f : gelu ? -0.5f : -2.5f;
        }
        float[] target = RandomStream.of(9, "target", 0).normal(Shape.of(t * f), 1).data();
        try (Engine engine = new Engine(Kernels.best(), new Workers(2), new Workspace(true))) {
          for (double share : new double[] {0, 0.3}) {
            GradCheck.of(
                    engine.withBreakEven(BreakEven.constant(share)),
                    pass -> {
                      Var p = use(pass, pre);
                      Var g = gelu ? Ops.gelu(pass, p) : Ops.relu(pass, p);
                      Var h = GatedOps.gated(pass, use(pass, x), g, w);
                      return Losses.meanSquaredError(pass, h, target);
                    })
                .against(in -> oracle(in, t, d, f, gelu, target), x, w, pre);
          }
        }
      }
    }
  }

  private static double oracle(
      List<double[]> in, int t, int d, int f, boolean gelu, float[] target) {
    double loss = 0;
    for (int i = 0; i < t; i++) {
      for (int j = 0; j < f; j++) {
        double p = in.get(2)[i * f + j];
        double u = 0;
        for (int r = 0; r < d; r++) {
          u += in.get(0)[i * d + r] * in.get(1)[j * d + r];
        }
        double h = (gelu ? p * normal(p) : Math.max(p, 0)) * u;
        loss += (h - target[i * f + j]) * (h - target[i * f + j]) / (t * f);
      }
    }
    return loss;
  }

  /** Φ(x) by its series, exact to double for the small x of this test. */
  private static double normal(double x) {
    double term = x;
    double sum = x;
    for (int n = 1; n < 100; n++) {
      term *= x * x / (2 * n + 1);
      sum += term;
    }
    return 0.5 + sum * Math.exp(-x * x / 2) / Math.sqrt(2 * Math.PI);
  }

  @Test
  void refusesShapesThatDoNotFit() {
    try (Engine engine = Engine.ofThreads(1);
        Pass pass = Pass.inference(engine)) {
      Var x = pass.constant(Tensor.zeros(3, 4));
      Var g = pass.constant(Tensor.zeros(3, 6));
      assertThatThrownBy(() -> GatedOps.gated(pass, x, g, random("w", 5, 4)))
          .hasMessageContaining("[5, 4]");
      assertThatThrownBy(() -> GatedOps.gated(pass, x, g, random("w", 6, 3)))
          .hasMessageContaining("[6, 3]");
      assertThatThrownBy(() -> GatedOps.multiply(pass, x, g)).hasMessageContaining("differ");
    }
  }
}
