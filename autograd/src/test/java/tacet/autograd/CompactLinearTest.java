package tacet.autograd;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static tacet.autograd.Inputs.use;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import tacet.tensor.Engine;
import tacet.tensor.RandomStream;
import tacet.tensor.Shape;
import tacet.tensor.WeightFormat;
import tacet.tensor.Workers;
import tacet.tensor.Workspace;
import tacet.tensor.kernel.BreakEven;
import tacet.tensor.kernel.CompactMatrix;
import tacet.tensor.kernel.Kernels;
import tacet.tensor.kernel.ScalarKernels;

/** Linear layers over weights in fewer bits against the same layers over the expanded weights. */
class CompactLinearTest {
  private static final WeightFormat[] FORMATS = {
    WeightFormat.BF16, WeightFormat.F16, WeightFormat.NF4, WeightFormat.NF4_NESTED
  };

  private static Engine engine(Kernels kernels, int threads) {
    return new Engine(kernels, new Workers(threads), new Workspace(true));
  }

  private static Parameter random(String name, int... dims) {
    return Parameter.trainable(RandomStream.of(5, name, 0).normal(Shape.of(dims), 0.5));
  }

  private static Parameter compact(WeightFormat format, String name, int out, int in) {
    float[] w = RandomStream.of(6, name, 0).normal(Shape.of(out, in), 0.3).data();
    return Parameter.compact(CompactMatrix.of(format, w, out, in));
  }

  @Test
  void gradientsAgainstDouble() {
    int t = 5;
    int in = 70;
    int out = 37;
    try (Engine engine = engine(Kernels.best(), 2)) {
      for (WeightFormat format : FORMATS) {
        Parameter w = compact(format, "w", out, in);
        float[] expanded = w.value().data();
        Parameter x = random("x", t, in);
        Parameter b = random("b", out);
        float[] target = RandomStream.of(9, "target", 0).normal(Shape.of(t * out), 1).data();
        GradCheck.of(
                engine,
                pass ->
                    Losses.meanSquaredError(
                        pass, LinearOps.linear(pass, use(pass, x), w, b), target))
            .against(
                p -> {
                  double loss = 0;
                  for (int i = 0; i < t * out; i++) {
                    double y = p.get(1)[i % out];
                    for (int k = 0; k < in; k++) {
                      y += p.get(0)[i / out * in + k] * expanded[i % out * in + k];
                    }
                    loss += (y - target[i]) * (y - target[i]) / (t * out);
                  }
                  return loss;
                },
                x,
                b);
      }
    }
  }

  /** y and all gradients of an MLP with ReLU whose two weights are frozen. */
  private static List<float[]> mlp(
      Engine engine, int t, Parameter w1, Parameter w2, double silence) {
    int d = w1.shape().last();
    int f = w1.shape().dim(0);
    Parameter x = random("x", t, d);
    Parameter b1 = random("b1", f);
    Parameter b2 = random("b2", d);
    for (int i = 0; i < f; i++) {
      b1.value().data()[i] -= (float) silence;
    }
    List<float[]> all = new ArrayList<>();
    try (Pass pass = Pass.gradient(engine)) {
      Var h = Ops.relu(pass, LinearOps.linear(pass, use(pass, x), w1, b1));
      Var y = LinearOps.linear(pass, h, w2, b2);
      all.add(y.value().copy().data());
      pass.backward(Losses.meanSquaredError(pass, y, new float[t * d]));
    }
    for (Parameter p : new Parameter[] {x, b1, b2}) {
      all.add(p.gradient().data());
    }
    return all;
  }

  @Test
  void sameBitsAsTheExpandedWeightWithAndWithoutSkipping() {
    for (WeightFormat format : FORMATS) {
      Parameter w1 = compact(format, "w1", 200, 96);
      Parameter w2 = compact(format, "w2", 96, 200);
      Parameter e1 = Parameter.frozen(w1.value());
      Parameter e2 = Parameter.frozen(w2.value());
      for (int t : new int[] {1, 2, 19}) {
        for (double silence : new double[] {0, 4}) {
          List<float[]> expected = null;
          for (Kernels kernels : new Kernels[] {Kernels.best(), new ScalarKernels()}) {
            try (Engine own = engine(kernels, 2)) {
              Engine engine = own.withBreakEven(BreakEven.constant(1)); // so that all forms skip
              expected = expected == null ? mlp(engine, t, e1, e2, silence) : expected;
              assertSame(mlp(engine, t, w1, w2, silence), expected);
              assertSame(mlp(engine.alwaysDense(), t, w1, w2, silence), expected);
            }
          }
        }
      }
    }
  }

  private static void assertSame(List<float[]> found, List<float[]> expected) {
    for (int i = 0; i < expected.size(); i++) {
      assertThat(found.get(i)).as("result %d", i).isEqualTo(expected.get(i));
    }
  }

  @Test
  void refusesToBeTrainedOrPacked() {
    Parameter w = compact(WeightFormat.NF4, "w", 3, 64);
    assertThat(w.withTrainable(false)).isSameAs(w);
    assertThat(w.shape()).isEqualTo(Shape.of(3, 64));
    assertThatThrownBy(() -> w.withTrainable(true))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("NF4");
    assertThatThrownBy(w::transposed).isInstanceOf(IllegalStateException.class);
    assertThatThrownBy(w::changed).isInstanceOf(IllegalStateException.class);
  }
}
