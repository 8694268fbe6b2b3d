package tacet.deft;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tacet.autograd.Parameter;
import tacet.autograd.Pass;
import tacet.peft.Lora;
import tacet.peft.Targets;
import tacet.tensor.Engine;
import tacet.tensor.kernel.Surrogate;
import tacet.transformer.Surgery;
import tacet.transformer.Tap;
import tacet.transformer.TextModel;

/** Weights of blocks: where they sit, how they are trained, and what a weight of 0 leaves. */
class AdaTest {
  @TempDir Path temp;

  private static final Lora LORA =
      new Lora(2, 4, 0, false, Targets.of("query", "output.dense"), List.of("classifier"));

  private static float[] logits(TextModel model) {
    Dataset.Cut cut = Tiny.data("dev", 40).cut(new int[] {0, 1, 2, 3, 4});
    try (Engine engine = Engine.ofThreads(1);
        Pass pass = Pass.inference(engine)) {
      return model.forward(pass, cut.batch()).logits().value().copy().data();
    }
  }

  private static void set(TextModel model, int block, float w) {
    Parameter p = List.copyOf(Ada.weights(model).values()).get(block);
    p.value().data()[0] = w;
    p.changed();
  }

  @Test
  void findsTheBlocks() throws IOException {
    List<Mlp> mlps = Mlp.of(Tap.onActivations(LORA.applyTo(Tiny.model("relu"), 1)));
    assertThat(mlps).hasSize(2);
    assertThat(mlps.get(1))
        .isEqualTo(
            new Mlp(
                "bert.encoder.layer.1.intermediate.intermediate_act_fn",
                List.of("bert.encoder.layer.1.intermediate.dense"),
                "bert.encoder.layer.1.output.dense"));
  }

  @Test
  void installsAroundAdaptersAndSaves() throws IOException {
    TextModel adapted = LORA.applyTo(Tiny.model("relu"), 1);
    TextModel model = Ada.install(adapted, 1);
    Map<String, Parameter> weights = Ada.weights(model);
    assertThat(weights).hasSize(2);
    assertThat(Surgery.trainable(model).size()).isEqualTo(Surgery.trainable(adapted).size() + 2);
    weights.values().forEach(p -> assertThat(p.value().item()).isBetween(0.55f, 1f));
    assertThat(Ada.weights(Ada.install(adapted, 2)).values().iterator().next().value().item())
        .isNotEqualTo(weights.values().iterator().next().value().item());
    assertThatThrownBy(() -> Ada.install(model, 1)).hasMessageContaining("already");

    Ada.save(temp, model);
    TextModel again = Ada.load(temp, adapted);
    assertThat(logits(again)).isEqualTo(logits(model));
    Files.writeString(temp.resolve("ada.json"), "{\"ada_weights\": {\"nowhere\": 0.5}}");
    assertThatThrownBy(() -> Ada.load(temp, adapted)).hasMessageContaining("nowhere");
    Files.writeString(temp.resolve("ada.json"), "{\"ada_weights\": {\"nowhere\": 1.5}}");
    assertThatThrownBy(() -> Ada.load(temp, adapted)).hasMessageContaining("[0, 1]");
    assertThat(Ada.load(temp.resolve("none"), adapted)).isSameAs(adapted);
  }

  @Test
  void aBlockOfWeightZeroIsGone() throws IOException {
    TextModel model = Ada.install(LORA.applyTo(Tiny.model("gelu"), 1), 1);
    set(model, 0, 0);
    set(model, 1, 0.5f);
    TextModel finished = Ada.finish(Lora.merge(model));
    assertThat(Ada.skipped(finished)).isEqualTo(1);
    float[] expected = logits(model);
    float[] found = logits(finished);
    for (int i = 0; i < expected.length; i++) {
      assertThat(found[i]).isCloseTo(expected[i], org.assertj.core.api.Assertions.within(1e-5f));
    }
    // Not held: the block's matrices are no longer among the parameters; nor computed: no
    // activation.
    assertThat(Surgery.parameters(finished).keySet())
        .noneMatch(n -> n.startsWith("bert.encoder.layer.0.intermediate"))
        .noneMatch(n -> n.startsWith("bert.encoder.layer.0.output.dense"))
        .noneMatch(n -> n.contains("ada_weight"))
        .anyMatch(n -> n.startsWith("bert.encoder.layer.1.intermediate"));
    assertThat(Mlp.of(finished)).hasSize(1);
    DensityMeter meter = new DensityMeter();
    try (Engine engine = Engine.ofThreads(1);
        Pass pass = Pass.inference(engine)) {
      Dataset.Cut cut = Tiny.data("dev", 40).cut(new int[] {0});
      meter.observe(pass, cut.batch());
      Tap.onActivations(finished).forward(pass, cut.batch());
    }
    assertThat(meter.layerNames()).hasSize(1);
  }

  @Test
  void trainingKeepsWeightsInRangeAndDensityPushesThemDown() throws IOException {
    Trainer.Settings base = Trainer.Settings.of(6, 8, 5e-2, 1, null, Ramp.NONE);
    DensityLoss strong = new DensityLoss(Surrogate.L1, 1, 30, Padding.MASKED);
    Trainer.Settings deft = Trainer.Settings.of(6, 8, 5e-2, 1, strong, Ramp.NONE);
    float[] sums = new float[2];
    for (int i = 0; i < 2; i++) {
      TextModel model = Ada.install(LORA.applyTo(Tiny.model("relu"), 1), 1);
      try (Engine engine = Engine.ofThreads(1)) {
        new Trainer<>(engine, model, Tiny.problem(), i == 0 ? base : deft)
            .run(
                null,
                new Trainer.Listener() {
                  @Override
                  public void step(tacet.deft.report.LogEntry.Step e) {
                    Ada.weights(model)
                        .values()
                        .forEach(p -> assertThat(p.value().item()).isBetween(0f, 1f));
                  }

                  @Override
                  public void evaluated(tacet.deft.report.LogEntry.Evaluation e) {}
                },
                () -> false);
      }
      for (Parameter p : Ada.weights(model).values()) {
        sums[i] += p.value().item();
      }
    }
    assertThat(sums[1]).isLessThan(sums[0] - 0.3f);
    assertThat(sums[1]).isLessThan(0.9f);
  }

  @Test
  void theirWeightsMayLearnFaster() throws IOException {
    float[] moved = new float[2];
    for (int i = 0; i < 2; i++) {
      TextModel model = Ada.install(LORA.applyTo(Tiny.model("relu"), 1), 1);
      float before = Ada.weights(model).values().iterator().next().value().item();
      Trainer.Settings settings =
          new Trainer.Settings(
              Length.steps(1),
              8,
              1,
              false,
              new Rate(Rate.Shape.CONSTANT, 1e-3, 0, i == 0 ? 1 : 20),
              0.01,
              0,
              1,
              new DensityLoss(Surrogate.L1, 1, 30, Padding.MASKED),
              Ramp.NONE,
              Pace.EPOCHS);
      try (Engine engine = Engine.ofThreads(1);
          Trainer<TextModel> trainer = new Trainer<>(engine, model, Tiny.problem(), settings)) {
        trainer.run(
            null,
            new Trainer.Listener() {
              @Override
              public void step(tacet.deft.report.LogEntry.Step e) {}

              @Override
              public void evaluated(tacet.deft.report.LogEntry.Evaluation e) {}
            },
            () -> false);
      }
      moved[i] = before - Ada.weights(model).values().iterator().next().value().item();
    }
    // Adam's first step is as long as the rate, and downwards.
    assertThat(moved[0]).isCloseTo(1e-3f, org.assertj.core.api.Assertions.within(1e-4f));
    assertThat(moved[1]).isCloseTo(2e-2f, org.assertj.core.api.Assertions.within(1e-3f));
    assertThatThrownBy(() -> new Rate(Rate.Shape.LINEAR, 1, 0, 0)).hasMessageContaining("blocks");
  }
}
