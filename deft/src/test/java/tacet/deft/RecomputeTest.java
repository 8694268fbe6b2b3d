package tacet.deft;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tacet.autograd.Losses;
import tacet.autograd.Pass;
import tacet.autograd.Var;
import tacet.tensor.Engine;
import tacet.tensor.Tensor;
import tacet.tensor.Workers;
import tacet.tensor.Workspace;
import tacet.tensor.kernel.BreakEven;
import tacet.tensor.kernel.Kernels;
import tacet.tensor.kernel.Surrogate;
import tacet.transformer.Batch;
import tacet.transformer.Part;
import tacet.transformer.Seq2SeqModel;
import tacet.transformer.Surgery;
import tacet.transformer.Tap;
import tacet.transformer.TextModel;
import tacet.transformer.checkpoint.Checkpoint;
import tacet.transformer.checkpoint.Json;
import tacet.transformer.model.T5;

/** The density loss reaches into blocks that are computed again for their gradients. */
class RecomputeTest {
  private static final int[] LABELS = {9, 8, 7, -100, 6, 5};
  private static final Batch SOURCE =
      new Batch(
          2, 4, new int[] {5, 6, 7, 8, 9, 3, 0, 0}, new int[8], new int[] {1, 1, 1, 1, 1, 1, 0, 0});

  private static Part model(String architecture) throws IOException {
    if (architecture.equals("bert")) {
      return Tiny.model("relu");
    }
    Json config =
        Json.parse(
            """
            {"model_type": "t5", "vocab_size": 20, "d_model": 64, "d_kv": 16, "d_ff": 96,
             "num_layers": 2, "num_heads": 4, "dropout_rate": 0.1,
             "feed_forward_proj": "gated-relu"}
            """,
            "config");
    Map<String, Tensor> weights = T5.initialWeights(T5.Config.of(config), 5);
    return Surgery.replaceParameters(
        T5.open(Checkpoint.of("tiny", config, weights)), (path, p) -> p.withTrainable(true));
  }

  private static Var taskLoss(Pass pass, Part model, Batch target) {
    return switch (model) {
      case TextModel text ->
          Losses.crossEntropy(pass, text.forward(pass, SOURCE).logits(), new int[] {1, 0});
      case Seq2SeqModel t5 ->
          Losses.crossEntropy(pass, t5.forward(pass, SOURCE, target).logits(), LABELS);
      default -> throw new AssertionError(model);
    };
  }

  /** All gradients of a step, and the losses; {@code seen} gets the layers that were shown. */
  private static Map<String, float[]> step(
      Part model, DensityLoss density, boolean task, boolean recompute, List<String> seen) {
    Batch target = model instanceof Seq2SeqModel t5 ? t5.target(2, 3, LABELS) : null;
    Map<String, float[]> found = new LinkedHashMap<>();
    Engine engine =
        new Engine(Kernels.best(), new Workers(1), new Workspace(true))
            .withBreakEven(BreakEven.constant(0.6)); // so that zeros are skipped
    try (engine;
        Pass pass = Pass.training(engine, 3, 4)) {
      if (recompute) {
        pass.recompute();
      }
      DensityLoss.Terms terms =
          density.observe(
              pass, new Tokens(SOURCE, target), Ada.weights(model), (name, v) -> seen.add(name));
      Var loss = taskLoss(pass, model, target);
      Var d = terms.loss(pass);
      found.put("task", loss.value().toArray());
      found.put("density", d.value().toArray());
      pass.backward(task ? terms.addTo(pass, loss, d, 0.7) : d);
    }
    Surgery.trainable(model)
        .forEach(
            (name, p) -> {
              if (p.gradient() != null) { // the head's, if density alone counts
                found.put(name, p.gradient().toArray());
                p.clearGradient();
              }
            });
    return found;
  }

  @ParameterizedTest
  @CsvSource({
    "bert, ELEMENTWISE, true", "bert, ELEMENTWISE, false", "bert, FEATURE_MAP, true",
    "t5, ELEMENTWISE, true", "t5, ELEMENTWISE, false", "t5, FEATURE_MAP, true"
  })
  void sameBits(String architecture, DensityLoss.Form form, boolean task) throws IOException {
    DensityLoss density = new DensityLoss(Surrogate.TANH, 20, 5, Padding.MASKED, form);
    for (boolean adaptive : new boolean[] {false, true}) {
      Part base = model(architecture);
      Part model = Tap.onActivations(adaptive ? Ada.install(base, 1) : base);
      List<String> seen = new ArrayList<>();
      List<String> once = new ArrayList<>();
      Map<String, float[]> expected = step(model, density, task, false, seen);
      Map<String, float[]> found = step(model, density, task, true, once);
      assertThat(once).isEqualTo(seen).doesNotHaveDuplicates();
      assertThat(found.keySet()).isEqualTo(expected.keySet()).hasSizeGreaterThan(20);
      expected.forEach((name, g) -> assertThat(found.get(name)).as(name).isEqualTo(g));
      assertThat(expected.keySet().stream().filter(n -> n.endsWith("ada_weight")))
          .hasSize(adaptive ? seen.size() : 0);
    }
  }
}
