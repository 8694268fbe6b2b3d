package tacet.deft;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import tacet.autograd.Pass;
import tacet.tensor.Engine;
import tacet.tensor.Tensor;
import tacet.transformer.Linear;
import tacet.transformer.Surgery;
import tacet.transformer.TextModel;

/** WANDA's scores and what it removes, against the plain formula. */
class WandaTest {
  private static final String FIRST = "bert.encoder.layer.1.intermediate.dense";

  private static Linear layer(TextModel model) {
    return (Linear) Surgery.parts(model).get(FIRST);
  }

  @Test
  void removesTheLowestScoresOfEveryRow() throws IOException {
    TextModel model = Tiny.model("relu");
    TextProblem problem = Tiny.problem();
    List<Problem.Load<TextModel>> loads =
        List.of(problem.load(new int[] {0, 1, 2}, 1, 0), problem.load(new int[] {3, 4}, 1, 0));
    try (Engine engine = Engine.ofThreads(2)) {
      Map<String, double[]> norms = Wanda.inputNorms(engine, model, loads);
      assertThat(norms.keySet())
          .containsExactlyInAnyOrder("bert.encoder.layer.0.intermediate.dense", FIRST);
      // The norms, from the hidden states that the layer reads.
      double[] expected = new double[16];
      for (int[] numbers : new int[][] {{0, 1, 2}, {3, 4}}) {
        Dataset.Cut cut = problem.train().cut(numbers);
        TextModel tapped =
            Surgery.replace(
                model,
                (path, part) ->
                    path.equals(FIRST) && part instanceof Linear l ? new InputTap("x", l) : part);
        try (Pass pass = Pass.inference(engine)) {
          pass.setObserver(
              (name, v) -> {
                for (int t = 0; t < cut.batch().mask().length; t++) {
                  for (int j = 0; j < 16 && cut.batch().mask()[t] == 1; j++) {
                    expected[j] += Math.pow(v.value().data()[t * 16 + j], 2);
                  }
                }
              });
          tapped.forward(pass, cut.batch());
        }
      }
      for (int j = 0; j < 16; j++) {
        assertThat(norms.get(FIRST)[j])
            .isCloseTo(Math.sqrt(expected[j]), org.assertj.core.api.Assertions.within(1e-6));
      }
      TextModel pruned = Wanda.prune(model, norms, 0.6);
      Tensor before = layer(model).weight().value();
      Tensor after = layer(pruned).weight().value();
      for (int o = 0; o < 40; o++) {
        double[] kept = new double[16];
        double[] all = new double[16];
        int zeros = 0;
        for (int j = 0; j < 16; j++) {
          all[j] = Math.abs(before.data()[o * 16 + j]) * norms.get(FIRST)[j];
          boolean gone = after.data()[o * 16 + j] == 0;
          zeros += gone ? 1 : 0;
          kept[j] = gone ? 0 : all[j];
        }
        assertThat(zeros).isEqualTo(9); // of 16, rounded down
        Arrays.sort(all);
        double least = Arrays.stream(kept).filter(k -> k > 0).min().orElseThrow();
        assertThat(least).isEqualTo(all[9]);
      }
      assertThat(Surgery.parameters(pruned).get("classifier.weight"))
          .isSameAs(Surgery.parameters(model).get("classifier.weight"));
      assertThat(layer(Wanda.prune(model, norms, 0)).weight().value().data())
          .isEqualTo(before.data());
      assertThatThrownBy(() -> Wanda.prune(model, norms, 1.5)).hasMessageContaining("sparsity");
    }
  }

  @Test
  void firingRatesUnionsAndThresholds() throws IOException {
    TextModel model = Tiny.model("relu");
    TextProblem problem = Tiny.problem();
    try (Engine engine = Engine.ofThreads(1)) {
      FiringMeter meter = new FiringMeter();
      problem.outputs(engine, tacet.transformer.Tap.onActivations(model), 40, meter::observe);
      DensityMeter density = new DensityMeter();
      int tokens = 0;
      double spoken = 0;
      for (Dataset.Cut cut : problem.dev().sortedBatches(16)) {
        try (Pass pass = Pass.inference(engine)) {
          density.observe(pass, cut.batch());
          tacet.transformer.Tap.onActivations(model).forward(pass, cut.batch());
        }
        tokens += Arrays.stream(cut.batch().mask()).sum();
      }
      FiringMeter.Firing first = meter.layers().get(0);
      for (double r : first.rates()) {
        spoken += r * tokens;
      }
      assertThat(spoken).isGreaterThan(0);
      assertThat(first.rates()).hasSize(40);
      assertThat(first.histogram().values().stream().mapToDouble(v -> v).sum())
          .isCloseTo(1, org.assertj.core.api.Assertions.within(1e-9));
      assertThat(first.unions().get(4)).isGreaterThan(first.unions().get(2));

      List<Threshold.Point> points =
          Threshold.sweep(engine, model, problem, List.of(0.0, 0.05, 1e9));
      Evaluator.Result exact = problem.evaluate(engine, model);
      assertThat(points.get(0).error()).isZero();
      assertThat(points.get(0).density()).isEqualTo(exact.density().exact());
      assertThat(points.get(0).score()).isEqualTo(exact.score());
      assertThat(points.get(1).density()).isLessThan(exact.density().exact());
      assertThat(points.get(1).error()).isPositive().isLessThan(points.get(2).error());
      assertThat(points.get(2).density()).isZero();
      assertThatThrownBy(() -> Threshold.sweep(engine, model, problem, List.of(-1.0)))
          .hasMessageContaining("threshold");
    }
  }
}
