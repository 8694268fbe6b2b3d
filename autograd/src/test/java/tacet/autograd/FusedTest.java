package tacet.autograd;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static tacet.autograd.Inputs.random;
import static tacet.autograd.Inputs.use;

import java.util.Arrays;
import java.util.List;
import java.util.function.BiFunction;
import java.util.function.Function;
import org.junit.jupiter.api.Test;
import tacet.tensor.Engine;
import tacet.tensor.RandomStream;
import tacet.tensor.Workers;
import tacet.tensor.Workspace;
import tacet.tensor.kernel.BreakEven;
import tacet.tensor.kernel.Kernels;

/**
 * Two operators in one loop have the bits that they have one after the other (whose values and
 * gradients {@link OpsTest} holds against double), forwards and backwards.
 */
class FusedTest {
  private static final int[][] SIZES = { // t, in, out
    {1, 1, 1}, {3, 17, 31}, {17, 33, 127}, {33, 8, 1000}, {127, 31, 33}, {200, 96, 70}
  };

  private static Engine engine(int threads) {
    return new Engine(Kernels.best(), new Workers(threads), new Workspace(true))
        .withBreakEven(BreakEven.constant(0.3));
  }

  /** The value, how many of it are counted as not zero, and all gradients. */
  private static List<float[]> run(
      Engine engine, boolean training, Function<Pass, Var> f, Parameter... parameters) {
    try (Pass pass = training ? Pass.gradient(engine) : Pass.inference(engine)) {
      Var y = f.apply(pass);
      float[] value = y.value().copy().data();
      float[][] all = new float[2 + parameters.length][];
      all[0] = value;
      all[1] = new float[] {y.active()};
      if (training) {
        float[] target = RandomStream.of(99, "target", 0).normal(y.shape(), 1).data();
        for (Parameter p : parameters) {
          p.clearGradient();
        }
        pass.backward(Losses.meanSquaredError(pass, y, target));
        for (int i = 0; i < parameters.length; i++) {
          all[2 + i] = parameters[i].gradient().copy().data();
        }
      }
      return Arrays.asList(all);
    }
  }

  private static void same(List<float[]> found, List<float[]> expected) {
    for (int i = 0; i < expected.size(); i++) {
      assertThat(found.get(i)).as("number %d", i).isEqualTo(expected.get(i));
    }
  }

  @Test
  void aFunctionOfAProduct() {
    for (int threads = 1; threads <= 3; threads++) {
      try (Engine e = engine(threads)) {
        for (int[] s : SIZES) {
          Parameter x = random(1, s[0], s[1]);
          Parameter w = random(2, s[2], s[1]);
          Parameter turned = random(3, s[1], s[2]);
          Parameter b = random(4, s[2]);
          for (Nonlinearity f : Nonlinearity.values()) {
            for (boolean training : new boolean[] {false, true}) {
              same(
                  run(e, training, p -> LinearOps.linear(p, use(p, x), w, b, f), x, w, b),
                  run(
                      e,
                      training,
                      p -> Ops.activation(p, LinearOps.linear(p, use(p, x), w, b), f),
                      x,
                      w,
                      b));
              same(
                  run(
                      e,
                      training,
                      p -> LinearOps.product(p, use(p, x), turned, null, f),
                      x,
                      turned),
                  run(
                      e,
                      training,
                      p -> Ops.activation(p, LinearOps.product(p, use(p, x), turned, null), f),
                      x,
                      turned));
            }
          }
        }
      }
    }
  }

  /** Two layers, the second over a ReLU whose zeros it skips: each part of that is finished too. */
  @Test
  void aFunctionOfAProductThatSkipsZeros() {
    for (int threads = 1; threads <= 2; threads++) {
      try (Engine e = engine(threads)) {
        Parameter x = random(1, 150, 20);
        Parameter w1 = random(2, 300, 20);
        Parameter b1 = random(3, 300);
        Arrays.fill(b1.value().data(), -4f);
        Parameter w2 = random(4, 170, 300);
        Parameter b2 = random(5, 170);
        for (Nonlinearity f : Nonlinearity.values()) {
          for (boolean training : new boolean[] {false, true}) {
            List<float[]> found =
                run(
                    e,
                    training,
                    p -> {
                      Var h = LinearOps.linear(p, use(p, x), w1, b1, Nonlinearity.RELU);
                      assertThat(h.active()).isBetween(1L, 150L * 300 / 4);
                      return LinearOps.linear(p, h, w2, b2, f);
                    },
                    x,
                    w1,
                    w2,
                    b2);
            same(
                found,
                run(
                    e,
                    training,
                    p -> {
                      Var h = Ops.relu(p, LinearOps.linear(p, use(p, x), w1, b1));
                      return Ops.activation(p, LinearOps.linear(p, h, w2, b2), f);
                    },
                    x,
                    w1,
                    w2,
                    b2));
          }
        }
      }
    }
  }

  @Test
  void aNormOfASum() {
    for (int threads = 1; threads <= 3; threads++) {
      try (Engine e = engine(threads)) {
        for (int[] s : SIZES) {
          Parameter x = random(1, s[0], s[2]);
          Parameter y = random(2, s[0], s[2]);
          Parameter g = random(3, s[2]);
          Parameter b = random(4, s[2]);
          for (boolean training : new boolean[] {false, true}) {
            same(
                run(
                    e,
                    training,
                    p -> Ops.layerNormOfSum(p, use(p, x), use(p, y), g, b, 1e-5),
                    x,
                    y,
                    g,
                    b),
                run(
                    e,
                    training,
                    p -> Ops.layerNorm(p, Ops.add(p, use(p, x), use(p, y)), g, b, 1e-5),
                    x,
                    y,
                    g,
                    b));
          }
        }
      }
    }
  }

  /** In inference the product has no place of its own, and neither has the sum. */
  @Test
  void takesNoMoreMemoryThanTheFirstOrTheLastAlone() {
    Parameter w = random(2, 500, 50);
    Parameter g = random(3, 50);
    assertThat(peak((p, x) -> LinearOps.linear(p, x, w, null, Nonlinearity.GELU)))
        .isEqualTo(peak((p, x) -> LinearOps.linear(p, x, w, null)))
        .isLessThan(peak((p, x) -> Ops.gelu(p, LinearOps.linear(p, x, w, null))));
    assertThat(peak((p, x) -> Ops.layerNormOfSum(p, x, x, g, g, 1e-5)))
        .isEqualTo(peak((p, x) -> Ops.layerNorm(p, x, g, g, 1e-5)))
        .isLessThan(peak((p, x) -> Ops.layerNorm(p, Ops.add(p, x, x), g, g, 1e-5)));
  }

  private static long peak(BiFunction<Pass, Var, Var> f) {
    Parameter x = random(1, 40, 50);
    try (Engine e = engine(1);
        Pass pass = Pass.inference(e)) {
      f.apply(pass, use(pass, x));
      return e.workspace().peakBytes();
    }
  }

  @Test
  void refusesASumOfDifferentShapes() {
    try (Engine e = engine(1);
        Pass pass = Pass.inference(e)) {
      Var x = use(pass, random(1, 2, 3));
      Var y = use(pass, random(2, 3, 2));
      Parameter one = random(3, 3);
      assertThatThrownBy(() -> Ops.layerNormOfSum(pass, x, y, one, one, 1e-5))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("layer norm of a sum");
    }
  }
}
