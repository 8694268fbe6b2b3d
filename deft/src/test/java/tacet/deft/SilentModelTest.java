package tacet.deft;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import org.junit.jupiter.api.Test;
import tacet.autograd.Pass;
import tacet.tensor.Engine;
import tacet.transformer.Batch;
import tacet.transformer.Tap;
import tacet.transformer.TextModel;
import tacet.transformer.checkpoint.Checkpoint;
import tacet.transformer.checkpoint.Json;
import tacet.transformer.model.Bert;
import tacet.transformer.model.TextModels;

class SilentModelTest {
  private static final Batch BATCH = batch();

  private static Batch batch() {
    int[] ids = new int[4 * 9];
    Arrays.setAll(ids, i -> i % 20);
    int[] mask = new int[ids.length];
    Arrays.fill(mask, 1);
    return new Batch(4, 9, ids, new int[ids.length], mask);
  }

  private static TextModel model() throws Exception {
    Json config =
        Json.parse(
            """
            {"model_type": "bert", "vocab_size": 20, "hidden_size": 16, "num_hidden_layers": 3,
             "num_attention_heads": 2, "intermediate_size": 40, "hidden_act": "relu",
             "max_position_embeddings": 32, "initializer_range": 0.2}
            """,
            "config");
    return TextModels.encoder(
        Checkpoint.of("tiny", config, Bert.initialWeights(Bert.Config.of(config), 3)));
  }

  private static double density(Engine engine, TextModel model) {
    DensityMeter meter = new DensityMeter();
    try (Pass pass = Pass.inference(engine)) {
      meter.observe(pass, BATCH);
      Tap.onActivations(model).forward(pass, BATCH);
    }
    return meter.density().exact();
  }

  @Test
  void hasTheDensityAskedFor() throws Exception {
    try (Engine engine = Engine.ofThreads(1)) {
      TextModel model = model();
      double before = density(engine, model);
      for (double density : new double[] {0.04, 0.25}) {
        TextModel silent = SilentModel.of(engine, model, density, BATCH);
        assertThat(density(engine, silent)).isCloseTo(100 * density, within(0.2));
      }
      assertThat(density(engine, model)).isEqualTo(before).isGreaterThan(30);
    }
  }

  @Test
  void refusesAModelWithoutMlp() {
    try (Engine engine = Engine.ofThreads(1)) {
      TextModel none =
          new TextModel() {
            @Override
            public Output forward(Pass pass, Batch batch) {
              return null;
            }

            @Override
            public TextModel rebuild(tacet.transformer.Surgery s) {
              return this;
            }
          };
      assertThatThrownBy(() -> SilentModel.of(engine, none, 0.04, BATCH))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("intermediate.dense");
    }
  }
}
