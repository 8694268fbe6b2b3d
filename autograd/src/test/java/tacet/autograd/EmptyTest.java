package tacet.autograd;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static tacet.autograd.Inputs.random;
import static tacet.autograd.Inputs.use;

import java.util.List;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import tacet.tensor.Engine;
import tacet.tensor.Shape;
import tacet.tensor.Tensor;
import tacet.tensor.Workers;
import tacet.tensor.Workspace;
import tacet.tensor.kernel.BreakEven;
import tacet.tensor.kernel.Kernels;

/** Batches without tokens, layers without neurons, and what does not fit. */
class EmptyTest {
  private static void onAllEngines(Consumer<Engine> test) {
    for (int threads : new int[] {1, 3}) {
      try (Engine e = new Engine(Kernels.best(), new Workers(threads), new Workspace(true))) {
        test.accept(e.alwaysDense());
        test.accept(e.withBreakEven(BreakEven.constant(1)));
      }
    }
  }

  @Test
  void noTokensGiveGradientsOfZero() {
    onAllEngines(
        e -> {
          Parameter table = random(1, 4, 50);
          Parameter w = random(2, 70, 50);
          Parameter b = random(3, 70);
          Parameter gated = random(4, 70, 50);
          Parameter out = random(5, 64, 70);
          Parameter a = random(6, 3, 70);
          Parameter up = random(7, 64, 3);
          Parameter gamma = random(8, 64);
          Parameter beta = random(9, 64);
          List<Parameter> all = List.of(table, w, b, gated, out, a, up, gamma, beta);
          try (Pass pass = Pass.gradient(e)) {
            Var x = Ops.embedding(pass, table, new int[0], Shape.of(0, 5));
            Var g = LinearOps.linear(pass, Ops.relu(pass, x), w, b, Nonlinearity.RELU);
            Var h = GatedOps.gated(pass, x, g, gated);
            Var y = LinearOps.linear(pass, h, out, null);
            y = LinearOps.addScaledLinear(pass, y, LinearOps.linear(pass, h, a, null), up, 2);
            y = Ops.layerNorm(pass, y, gamma, beta, 1e-5);
            assertThat(y.shape()).isEqualTo(Shape.of(0, 5, 64));
            pass.backward(y);
          }
          for (Parameter p : all) {
            assertThat(p.gradient().toArray()).containsOnly(0f);
          }
        });
  }

  @Test
  void aLayerWithoutNeuronsGivesItsBias() {
    onAllEngines(
        e -> {
          Parameter x = random(1, 3, 5);
          Parameter w1 = random(2, 0, 5);
          Parameter w2 = random(3, 7, 0);
          Parameter w3 = random(4, 5, 0);
          Parameter w4 = random(5, 0, 7);
          Parameter bias = random(6, 7);
          try (Pass pass = Pass.gradient(e)) {
            Var in = use(pass, x);
            Var h = Ops.relu(pass, LinearOps.linear(pass, in, w1, null));
            Var y = LinearOps.linear(pass, h, w2, bias);
            Var g = LinearOps.product(pass, in, w3, null, Nonlinearity.RELU);
            Var z = LinearOps.product(pass, g, w4, null);
            Var sum = Ops.add(pass, y, z);
            for (int i = 0; i < 21; i++) {
              assertThat(sum.value().data()[i]).isEqualTo(bias.value().data()[i % 7]);
            }
            pass.backward(sum);
          }
          assertThat(bias.gradient().toArray()).containsOnly(3f);
          assertThat(x.gradient().toArray()).containsOnly(0f);
          for (Parameter p : List.of(w1, w2, w3, w4)) {
            assertThat(p.gradient().size()).isZero();
          }
        });
  }

  @Test
  void attentionWithoutQueriesIsEmpty() {
    onAllEngines(
        e -> {
          Parameter q = Parameter.trainable(Tensor.zeros(2, 0, 8));
          Parameter k = random(1, 2, 3, 8);
          Parameter v = random(2, 2, 3, 8);
          try (Pass pass = Pass.gradient(e)) {
            var spec = new AttentionOps.Attention(2, 1, null, false, null, 0);
            Var y = AttentionOps.attention(pass, use(pass, q), use(pass, k), use(pass, v), spec);
            assertThat(y.shape()).isEqualTo(Shape.of(2, 0, 8));
            pass.backward(y);
          }
          assertThat(k.gradient().toArray()).containsOnly(0f);
          assertThat(v.gradient().toArray()).containsOnly(0f);
        });
  }

  private static void refused(Runnable call, String message) {
    assertThatThrownBy(call::run)
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining(message);
  }

  @Test
  void whatDoesNotFitIsRefused() {
    try (Engine e = Engine.ofThreads(1);
        Pass pass = Pass.training(e, 1, 1)) {
      Var x = pass.constant(Tensor.zeros(3, 4));
      Parameter w = random(1, 5, 4);
      Parameter square = random(1, 4, 4);
      for (int n : new int[] {1, 9}) {
        Parameter bias = random(2, n);
        String wrong = "bias of shape [" + n + "]";
        refused(() -> LinearOps.linear(pass, x, w, bias), wrong);
        refused(() -> LinearOps.linear(pass, x, w, bias, Nonlinearity.GELU), wrong);
        refused(() -> LinearOps.product(pass, x, square, bias), wrong);
        refused(() -> LinearOps.product(pass, x, square, bias, Nonlinearity.GELU), wrong);
        refused(() -> Ops.layerNorm(pass, x, random(3, 4), bias, 1e-5), "shape [" + n + "]");
      }
      Var low = pass.constant(Tensor.zeros(2, 2));
      refused(() -> LinearOps.addScaledLinear(pass, x, low, random(4, 4, 2), 1), "[2, 2]");
      for (double p : new double[] {-0.1, 1.1, Double.NaN}) {
        refused(() -> Ops.dropout(pass, x, p), "probability");
        Var q = pass.constant(Tensor.zeros(1, 3, 4));
        var spec = new AttentionOps.Attention(2, 1, null, false, null, p);
        refused(() -> AttentionOps.attention(pass, q, q, q, spec), "probability");
      }
      Var q = pass.constant(Tensor.zeros(1, 3, 4));
      var none = new AttentionOps.Attention(0, 1, null, false, null, 0);
      refused(() -> AttentionOps.attention(pass, q, q, q, none), "0 heads");
      refused(() -> pass.view(x, 2), "2 examples");
      refused(() -> pass.view(x, 0), "0 examples");
    }
  }
}
