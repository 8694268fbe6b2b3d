package tacet.autograd;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import tacet.tensor.Engine;
import tacet.tensor.RandomStream;
import tacet.tensor.Shape;
import tacet.tensor.Tensor;
import tacet.tensor.Workers;
import tacet.tensor.Workspace;
import tacet.tensor.kernel.Kernels;
import tacet.tensor.kernel.PackedMatrix;
import tacet.tensor.kernel.ScalarKernels;

class PassTest {
  private static Tensor random(long seed, int... dims) {
    return RandomStream.of(seed, "test", 0).normal(Shape.of(dims), 0.5);
  }

  private static Var mlp(Pass pass, Tensor x, Parameter w1, Parameter w2) {
    Var h = Ops.relu(pass, LinearOps.linear(pass, pass.constant(x), w1, null));
    return LinearOps.linear(pass, Ops.dropout(pass, h, 0.1), w2, null);
  }

  @Test
  void frozenModelsTapeNothing() {
    try (Engine e = Engine.ofThreads(1);
        Pass pass = Pass.training(e, 1, 1)) {
      Parameter w1 = Parameter.frozen(random(1, 8, 4));
      Parameter w2 = Parameter.frozen(random(2, 3, 8));
      Var y = mlp(pass, random(3, 5, 4), w1, w2);
      assertThat(pass.tapeLength()).isZero();
      assertThatThrownBy(() -> pass.backward(y)).hasMessageContaining("nothing to differentiate");
      mlp(pass, random(3, 5, 4), w1, w2.withTrainable(true));
      assertThat(pass.tapeLength()).isEqualTo(1);
    }
  }

  @Test
  void trainingHasTheSameBitsOnAnyThreadsAndKernels() {
    Map<String, float[]> results = new LinkedHashMap<>();
    for (Kernels kernels : new Kernels[] {Kernels.best(), new ScalarKernels()}) {
      for (int threads : new int[] {1, 2, 3}) {
        try (Engine e = new Engine(kernels, new Workers(threads), new Workspace(true))) {
          Parameter w1 = Parameter.trainable(random(1, 130, 40));
          Parameter w2 = Parameter.trainable(random(2, 3, 130));
          Map<String, Parameter> parameters = new LinkedHashMap<>();
          parameters.put("w1", w1);
          parameters.put("w2", w2);
          AdamW adam = new AdamW(e, parameters, AdamW.Settings.standard());
          for (int step = 0; step < 5; step++) {
            try (Pass pass = Pass.training(e, 11, step)) {
              Var y = mlp(pass, random(100 + step, 301, 40), w1, w2);
              pass.backward(Losses.meanSquaredError(pass, y, new float[301 * 3]));
            }
            adam.clipGradients(0.5);
            adam.step(0.01);
          }
          float[] all = new float[130 * 43];
          System.arraycopy(w1.value().data(), 0, all, 0, 130 * 40);
          System.arraycopy(w2.value().data(), 0, all, 130 * 40, 390);
          results.put(kernels.name() + threads, all);
        }
      }
    }
    float[] first = results.values().iterator().next();
    results.forEach((name, r) -> assertThat(r).as(name).isEqualTo(first));
  }

  /** A block whose hidden values an observer puts into the loss, which may be all of the loss. */
  private static float[] observed(Tensor x, boolean recompute, boolean alone, boolean aside) {
    try (Engine e = new Engine(Kernels.best(), new Workers(1), new Workspace(true));
        Pass pass = Pass.training(e, 1, 1)) {
      Parameter w1 = Parameter.trainable(random(1, 8, 4));
      Parameter w2 = Parameter.trainable(random(2, 4, 8));
      List<Var> terms = new ArrayList<>();
      pass.setObserver(
          (name, v) -> {
            UnaryOperator<Var> square = u -> Losses.meanSquaredError(pass, u, new float[40]);
            terms.add(aside ? pass.aside(v, square) : square.apply(v));
          });
      if (recompute) {
        pass.recompute();
      }
      Var y = pass.constant(x);
      for (int block = 0; block < 3; block++) {
        y =
            pass.segment(
                y,
                v -> {
                  Var h = Ops.relu(pass, LinearOps.linear(pass, v, w1, null));
                  pass.observe("h", h);
                  return LinearOps.linear(pass, Ops.dropout(pass, h, 0.1), w2, null);
                });
      }
      assertThat(terms).hasSize(3);
      assertThat(pass.tapeLength()).isEqualTo(recompute ? 3 : 15);
      Var sum = Ops.add(pass, Ops.add(pass, terms.get(0), terms.get(1)), terms.get(2));
      Var loss = Losses.meanSquaredError(pass, y, new float[20]);
      pass.backward(alone ? sum : Ops.add(pass, loss, sum));
      float[] all = Arrays.copyOf(w1.gradient().toArray(), 64);
      System.arraycopy(w2.gradient().toArray(), 0, all, 32, 32);
      return all;
    }
  }

  @Test
  void segmentsHandOnTheGradientsOfWhatIsObserved() {
    Tensor x = random(3, 5, 4);
    for (boolean alone : new boolean[] {false, true}) {
      float[] expected = observed(x, false, alone, false);
      assertThat(observed(x, false, alone, true)).isEqualTo(expected);
      assertThat(observed(x, true, alone, true)).isEqualTo(expected);
    }
    assertThatThrownBy(() -> observed(x, true, false, false))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("Pass.aside");
  }

  /** x and x again, each used several times: the sum goes on in the order that it has without. */
  @Test
  void segmentsMayBeGivenAValueTwice() {
    float[] expected = null;
    for (boolean recompute : new boolean[] {false, true}) {
      try (Engine e = new Engine(Kernels.best(), new Workers(1), new Workspace(true));
          Pass pass = Pass.gradient(e)) {
        Parameter p = Parameter.trainable(random(1, 16, 16));
        if (recompute) {
          pass.recompute();
        }
        Var x = Inputs.use(pass, p);
        Var y =
            pass.segment(
                new Var[] {x, x},
                v -> {
                  Var sum = Ops.add(pass, Ops.tanh(pass, v[0]), Ops.gelu(pass, v[1]));
                  return Ops.add(pass, sum, GatedOps.multiply(pass, v[0], v[1]));
                });
        y = Ops.add(pass, y, Ops.silu(pass, x));
        pass.backward(Losses.meanSquaredError(pass, y, new float[256]));
        expected = expected == null ? p.gradient().toArray() : expected;
        assertThat(p.gradient().toArray()).isEqualTo(expected);
      }
    }
  }

  /** A second way back would silently lose what lies behind the values of the first. */
  @Test
  void whatWasGoneBackOverCannotBeAgain() {
    for (boolean recompute : new boolean[] {false, true}) {
      try (Engine e = Engine.ofThreads(1);
          Pass pass = Pass.gradient(e)) {
        if (recompute) {
          pass.recompute();
        }
        Parameter w = Parameter.trainable(random(1, 4, 4));
        Parameter other = Parameter.trainable(random(2, 4, 4));
        List<Var> terms = new ArrayList<>();
        pass.setObserver(
            (name, v) ->
                terms.add(pass.aside(v, u -> Losses.meanSquaredError(pass, u, new float[12]))));
        Var h =
            pass.segment(
                pass.constant(random(3, 3, 4)),
                v -> {
                  Var u = LinearOps.linear(pass, v, w, null);
                  pass.observe("u", u);
                  return Ops.tanh(pass, u);
                });
        Var one = Losses.meanSquaredError(pass, h, new float[12]);
        Var two = Losses.meanSquaredError(pass, h, new float[12]);
        pass.backward(one);
        float[] gradient = w.gradient().toArray();
        Var later =
            Losses.meanSquaredError(pass, LinearOps.linear(pass, h, other, null), new float[12]);
        Var segment =
            pass.segment(h, v -> Losses.meanSquaredError(pass, Ops.tanh(pass, v), new float[12]));
        for (Var loss :
            List.of(one, two, later, segment, terms.get(0), Ops.add(pass, two, later))) {
          assertThatThrownBy(() -> pass.backward(loss))
              .isInstanceOf(IllegalStateException.class)
              .hasMessageContaining("call it once, with the sum of all losses");
        }
        try (Pass stranger = Pass.gradient(e)) {
          Var loss = Losses.meanSquaredError(stranger, Inputs.use(stranger, other), new float[16]);
          assertThatThrownBy(() -> pass.backward(loss))
              .isInstanceOf(IllegalStateException.class)
              .hasMessageContaining("not on the tape of this pass");
        }
        assertThat(w.gradient().toArray()).isEqualTo(gradient);
        assertThat(other.gradient()).isNull();
      }
    }
  }

  @Test
  void gradientsAccumulateUntilCleared() {
    try (Engine e = Engine.ofThreads(1)) {
      Parameter w = Parameter.trainable(random(1, 3, 4));
      float[][] g = new float[2][];
      for (int round = 0; round < 2; round++) {
        try (Pass pass = Pass.gradient(e)) {
          Var y = LinearOps.linear(pass, pass.constant(random(2, 5, 4)), w, null);
          pass.backward(Losses.meanSquaredError(pass, y, new float[15]));
        }
        g[round] = w.gradient().toArray();
      }
      for (int i = 0; i < 12; i++) {
        assertThat(g[1][i]).isEqualTo(2 * g[0][i]);
      }
      w.clearGradient();
      assertThat(w.gradient()).isNull();
    }
  }

  @Test
  void packedCopiesFollowTheValue() {
    Parameter w = Parameter.trainable(random(1, 3, 4));
    float before = w.plain().packed().panels()[PackedMatrix.START];
    w.value().data()[0] = before + 1;
    w.changed();
    assertThat(w.plain().packed().panels()[PackedMatrix.START]).isEqualTo(before + 1);
    assertThat(w.transposed().packed().panels()[PackedMatrix.START]).isEqualTo(before + 1);
    assertThat(w.withTrainable(false).plain().packed()).isSameAs(w.plain().packed());
  }

  @Test
  void packedCopiesKeepTheirMemory() {
    Parameter w = Parameter.trainable(random(1, 40, 70));
    try (Engine e = Engine.ofThreads(2)) {
      List<Object> before = layouts(w, e);
      for (int i = 0; i < w.value().size(); i++) {
        w.value().data()[i] *= 2;
      }
      w.changed();
      Parameter fresh = Parameter.frozen(w.value());
      List<Object> after = layouts(w, e);
      for (int i = 0; i < after.size(); i++) {
        assertThat(after.get(i)).isSameAs(before.get(i));
      }
      assertThat(w.plain().packed().panels()).isEqualTo(fresh.plain().packed().panels());
      assertThat(w.transposed().packed().panels()).isEqualTo(fresh.transposed().packed().panels());
      assertThat(w.byLanes().panels()).isEqualTo(fresh.byLanes().panels());
      assertThat(w.transposedByLanes().panels()).isEqualTo(fresh.transposedByLanes().panels());
      assertThat(w.plain().wide().groups()).isEqualTo(fresh.plain().wide().groups());
      assertThat(w.transposed().wide().groups()).isEqualTo(fresh.transposed().wide().groups());
    }
  }

  private static List<Object> layouts(Parameter w, Engine e) {
    return List.of(
        w.plain().packed(e),
        w.transposed().packed(e),
        w.byLanes(e),
        w.transposedByLanes(e),
        w.plain().wide(e),
        w.transposed().wide(e));
  }

  @Test
  void steadyStepsAllocateNothingMore() {
    try (Engine e = Engine.ofThreads(2)) {
      Parameter w1 = Parameter.trainable(random(1, 64, 32));
      Parameter w2 = Parameter.trainable(random(2, 3, 64));
      long after = 0;
      for (int step = 0; step < 20; step++) {
        try (Pass pass = Pass.training(e, 1, step)) {
          Var y = mlp(pass, random(step, 100, 32), w1, w2);
          pass.backward(Losses.meanSquaredError(pass, y, new float[300]));
        }
        if (step == 4) {
          after = e.workspace().allocatedBytes();
        }
      }
      assertThat(e.workspace().allocatedBytes()).isEqualTo(after);
    }
  }

  @Test
  void scopesRecycleInInferenceOnly() {
    try (Engine e = new Engine(Kernels.best(), new Workers(1), new Workspace(true))) {
      Parameter w1 = Parameter.frozen(random(1, 8, 4));
      Parameter w2 = Parameter.frozen(random(2, 3, 8));
      try (Pass pass = Pass.inference(e)) {
        Var y = pass.scope(() -> mlp(pass, random(3, 5, 4), w1, w2));
        float[] expected = y.value().toArray();
        long bytes = e.workspace().allocatedBytes();
        Var z = pass.scope(() -> mlp(pass, random(3, 5, 4), w1, w2));
        assertThat(e.workspace().allocatedBytes()).isLessThanOrEqualTo(bytes + 4 * 64);
        assertThat(y.value().toArray()).isEqualTo(expected);
        assertThat(z.value().toArray()).isEqualTo(expected);
      }
    }
  }

  @Test
  void schedulesAreHuggingFaces() {
    Schedule s = Schedule.linear(2e-3, 0.06, 250);
    assertThat(s.at(0)).isZero();
    assertThat(s.at(5)).isEqualTo(2e-3 * 5 / 15.0);
    assertThat(s.at(15)).isEqualTo(2e-3);
    assertThat(s.at(250)).isZero();
    assertThat(Schedule.constant(3).at(7)).isEqualTo(3);
  }

  @Test
  void optimizerStateIsRestored() {
    try (Engine e = Engine.ofThreads(1)) {
      float[][] ends = new float[2][];
      for (int run = 0; run < 2; run++) {
        Parameter w = Parameter.trainable(random(1, 3, 4));
        AdamW adam = new AdamW(e, Map.of("w", w), AdamW.Settings.standard());
        for (int step = 0; step < 6; step++) {
          if (run == 1 && step == 3) { // as after a restart
            Map<String, Tensor> saved = new LinkedHashMap<>();
            adam.state().forEach((k, v) -> saved.put(k, v.copy()));
            AdamW fresh = new AdamW(e, Map.of("w", w), AdamW.Settings.standard());
            fresh.restore(saved, adam.steps());
            assertThatThrownBy(() -> fresh.restore(Map.of(), 0)).hasMessageContaining("w.m");
            adam = fresh;
          }
          try (Pass pass = Pass.gradient(e)) {
            Var y = LinearOps.linear(pass, pass.constant(random(step, 5, 4)), w, null);
            pass.backward(Losses.meanSquaredError(pass, y, new float[15]));
          }
          adam.step(0.01);
        }
        ends[run] = w.value().toArray();
      }
      assertThat(ends[1]).isEqualTo(ends[0]);
    }
  }
}
