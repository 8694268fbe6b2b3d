package tacet.autograd;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
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

/**
 * A ReLU MLP whose gradients skip the silent neurons against the same MLP computed in full: every
 * gradient has the same bits.
 */
class SkippingTest {
  /** T tokens, D in and out, F neurons, r of the low-rank updates, what drops, how many speak. */
  private record Case(int t, int d, int f, int r, double dropout, double lambda, double density) {}

  private final List<Parameter> parameters = new ArrayList<>();

  private Parameter parameter(String name, int... dims) {
    RandomStream random = RandomStream.of(5, name, 0);
    Parameter p = Parameter.trainable(random.normal(Shape.of(dims), 0.3));
    parameters.add(p);
    return p;
  }

  /** {@code inFirst}: the weights of the MLP lie [in, out], as GPT-2's. */
  private List<float[]> gradients(Case c, boolean inFirst, Engine engine) {
    parameters.clear();
    Parameter x = parameter("x", c.t, c.d);
    Parameter w1 = inFirst ? parameter("w1", c.d, c.f) : parameter("w1", c.f, c.d);
    Parameter b1 = parameter("b1", c.f);
    Parameter w2 = inFirst ? parameter("w2", c.f, c.d) : parameter("w2", c.d, c.f);
    Parameter b2 = parameter("b2", c.d);
    Parameter a1 = parameter("a1", c.r, c.d);
    Parameter up1 = parameter("up1", c.f, c.r);
    Parameter a2 = parameter("a2", c.r, c.f);
    Parameter up2 = parameter("up2", c.d, c.r);
    double shift = 0.3 * 0.3 * Math.sqrt(c.d) * RandomStream.of(1, "q", 0).nextDouble();
    for (int i = 0; i < c.f; i++) { // most neurons far below zero
      b1.value().data()[i] -= (float) (i < c.density * c.f ? -shift : 4 * Math.sqrt(c.d));
    }
    float[] target = RandomStream.of(9, "target", 0).normal(Shape.of(c.t * c.d), 1).data();
    float[] weights = new float[c.t];
    for (int i = 0; i < c.t; i++) {
      weights[i] = i % 5 == 3 ? 0 : 1f / c.t; // some tokens are padding
    }
    try (Pass pass = Pass.training(engine, 3, 0)) {
      Var in =
          pass.record(x.value())
              .from(x, (dY, dX) -> System.arraycopy(dY.data(), 0, dX.data(), 0, dX.size()))
              .done();
      Var pre = inFirst ? LinearOps.product(pass, in, w1, b1) : LinearOps.linear(pass, in, w1, b1);
      pre = LinearOps.addScaledLinear(pass, pre, LinearOps.linear(pass, in, a1, null), up1, 0.5f);
      Var h = Ops.relu(pass, pre);
      Var density = DensityOps.density(pass, h, Surrogate.TANH, 20, weights);
      h = Ops.dropout(pass, h, c.dropout);
      Var y = inFirst ? LinearOps.product(pass, h, w2, b2) : LinearOps.linear(pass, h, w2, b2);
      y = LinearOps.addScaledLinear(pass, y, LinearOps.linear(pass, h, a2, null), up2, 0.5f);
      y = Ops.add(pass, y, in);
      Var loss = Losses.meanSquaredError(pass, y, target);
      pass.backward(Ops.add(pass, loss, Ops.scale(pass, density, (float) c.lambda)));
    }
    List<float[]> all = new ArrayList<>();
    for (Parameter p : parameters) {
      Tensor g = p.gradient();
      all.add(java.util.Arrays.copyOf(g.data(), g.size()));
    }
    return all;
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void everyGradientHasTheBitsOfTheFullComputation(boolean inFirst) {
    List<Case> cases =
        List.of(
            new Case(1, 64, 40, 3, 0, 0, 0.1),
            new Case(7, 33, 127, 2, 0, 1, 0.1),
            new Case(40, 64, 300, 8, 0, 1, 0.05),
            new Case(40, 130, 300, 8, 0.2, 1, 0.05),
            new Case(33, 96, 257, 4, 0.1, 0, 0.2),
            new Case(17, 80, 64, 4, 0, 1, 0),
            new Case(150, 70, 150, 4, 0, 1, 0.02));
    for (Case c : cases) {
      List<float[]> expected = null;
      for (int threads = 1; threads <= 2; threads++) {
        for (Kernels kernels : new Kernels[] {Kernels.best(), new ScalarKernels()}) {
          try (Engine engine = new Engine(kernels, new Workers(threads), new Workspace(true))) {
            List<float[]> full = gradients(c, inFirst, engine.alwaysDense());
            List<float[]> skipped =
                gradients(c, inFirst, engine.withBreakEven(BreakEven.constant(0.3)));
            for (int i = 0; i < full.size(); i++) {
              String what = c + ", parameter " + i + ", " + kernels.name();
              assertThat(skipped.get(i)).as(what).isEqualTo(full.get(i));
              if (expected != null) {
                assertThat(full.get(i)).as(what).isEqualTo(expected.get(i));
              }
            }
            expected = full;
          }
        }
      }
    }
  }

  @Test
  void skipsOnlyWhereItPays() {
    Case few = new Case(64, 64, 512, 4, 0, 0, 0.05);
    try (Engine engine = Engine.ofThreads(1)) {
      gradients(few, false, engine);
      Parameter x = parameters.get(0);
      try (Pass pass = Pass.inference(engine)) {
        Var h =
            Ops.relu(
                pass,
                LinearOps.linear(
                    pass, pass.constant(x.value()), parameters.get(1), parameters.get(2)));
        assertThat(h.masked()).isTrue();
        assertThat(h.active()).isBetween(1L, 64L * 512 / 10);
        LinearOps.linear(pass, h, parameters.get(3), null);
        assertThat(h.rows).as("the zeros were skipped").isNotNull();
        assertThat(h.rows.entries()).isEqualTo((int) h.active());
      }
      try (Pass pass = Pass.inference(engine.alwaysDense())) {
        Var h =
            Ops.relu(
                pass,
                LinearOps.linear(
                    pass, pass.constant(x.value()), parameters.get(1), parameters.get(2)));
        LinearOps.linear(pass, h, parameters.get(3), null);
        assertThat(h.rows).isNull();
      }
    }
  }

  /** Two ReLU layers, one after the other: a gradient with zeros meets an input with zeros. */
  @Test
  void layersOfReluOnReluHaveTheSameBits() {
    List<float[]> expected = null;
    for (int d : new int[] {62, 130}) {
      expected = null;
      for (Kernels kernels : new Kernels[] {Kernels.best(), new ScalarKernels()}) {
        try (Engine all = new Engine(kernels, new Workers(2), new Workspace(true))) {
          for (double share : new double[] {0, 0.3, 1}) { // none, the sparser layer, both
            parameters.clear();
            Parameter x = parameter("x", 33, 40);
            Parameter w1 = parameter("w1", d, 40);
            Parameter w2 = parameter("w2", 127, d);
            Parameter b2 = parameter("b2", 127);
            Parameter w3 = parameter("w3", 64, 127);
            for (int i = 0; i < 127; i++) {
              b2.value().data()[i] -= i % 8 == 0 ? 0 : 9;
            }
            try (Pass pass = Pass.gradient(all.withBreakEven(BreakEven.constant(share)))) {
              Var h1 = Ops.relu(pass, LinearOps.linear(pass, Inputs.use(pass, x), w1, null));
              Var h2 = Ops.relu(pass, LinearOps.linear(pass, h1, w2, b2));
              Var y = LinearOps.linear(pass, h2, w3, null);
              pass.backward(Losses.meanSquaredError(pass, y, new float[33 * 64]));
            }
            List<float[]> gradients = new ArrayList<>();
            parameters.forEach(p -> gradients.add(p.gradient().toArray()));
            expected = expected == null ? gradients : expected;
            for (int i = 0; i < gradients.size(); i++) {
              String what =
                  kernels.name() + ", width " + d + ", share " + share + ", gradient " + i;
              assertThat(gradients.get(i)).as(what).isEqualTo(expected.get(i));
            }
          }
        }
      }
    }
  }
}
