package tacet.transformer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.util.Map;
import org.junit.jupiter.api.Test;
import tacet.autograd.Parameter;
import tacet.autograd.Pass;
import tacet.tensor.Engine;
import tacet.tensor.Tensor;
import tacet.tensor.WeightFormat;
import tacet.transformer.checkpoint.Checkpoint;
import tacet.transformer.checkpoint.Json;
import tacet.transformer.model.Bert;
import tacet.transformer.model.TextModels;

/** A model with weights in fewer bits computes what it computes with the expanded weights. */
class CompactTest {
  private static final String CONFIG =
      """
      {"model_type": "bert", "vocab_size": 40, "hidden_size": 12, "num_hidden_layers": 2,
       "num_attention_heads": 3, "intermediate_size": 64, "hidden_act": "relu",
       "max_position_embeddings": 16, "initializer_range": 0.3}
      """;

  private static TextModel model() throws IOException {
    Json config = Json.parse(CONFIG, "config");
    Map<String, Tensor> weights = Bert.initialWeights(Bert.Config.of(config), 5);
    return Surgery.frozen(
        TextModels.classifier(Checkpoint.of("tiny", config, weights), 3, 1).model());
  }

  private static float[] logits(Engine engine, TextModel model) {
    int[] ids = {5, 6, 7, 8, 9, 3, 4, 0, 0, 0};
    Batch batch = new Batch(2, 5, ids, new int[10], new int[] {1, 1, 1, 1, 1, 1, 1, 0, 0, 0});
    try (Pass pass = Pass.inference(engine)) {
      return model.forward(pass, batch).logits().value().toArray();
    }
  }

  @Test
  void logitsAreThoseOfTheExpandedWeights() throws IOException {
    TextModel full = model();
    try (Engine engine = Engine.ofThreads(2)) {
      for (WeightFormat format : WeightFormat.values()) {
        TextModel small = Compact.linears(full, format, path -> !path.startsWith("classifier"));
        TextModel expanded =
            Surgery.replaceParameters(
                small, (path, p) -> p.compact() == null ? p : Parameter.frozen(p.value()));
        assertThat(logits(engine, small)).isEqualTo(logits(engine, expanded));
        if (format == WeightFormat.F32) {
          assertThat(small).isSameAs(full);
        } else {
          assertThat(logits(engine, small)).isNotEqualTo(logits(engine, full));
        }
      }
    }
  }

  @Test
  void onlyTheChosenFrozenLinearLayersChange() throws IOException {
    TextModel full =
        Surgery.replaceParameters(
            model(), (path, p) -> p.withTrainable(path.contains("layer.1.output")));
    TextModel small =
        Compact.linears(full, WeightFormat.NF4, path -> !path.startsWith("classifier"));
    Map<String, Parameter> before = Surgery.parameters(full);
    Map<String, Parameter> after = Surgery.parameters(small);
    assertThat(after.keySet()).isEqualTo(before.keySet());
    assertThat(Surgery.count(after)).isEqualTo(Surgery.count(before));
    assertThat(after.get("bert.encoder.layer.0.output.dense.weight").compact()).isNotNull();
    assertThat(after.get("bert.pooler.dense.weight").compact()).isNotNull();
    for (String name :
        new String[] {
          "bert.embeddings.word_embeddings.weight",
          "bert.encoder.layer.0.output.dense.bias",
          "bert.encoder.layer.1.output.dense.weight",
          "classifier.weight"
        }) {
      assertThat(after.get(name)).as(name).isSameAs(before.get(name));
    }
    assertThat(Compact.linears(small, WeightFormat.BF16, path -> path.contains("layer.0")))
        .isEqualTo(small);
  }

  @Test
  void saysWhichLayerAFormatCannotHold() throws IOException {
    String name = "bert.encoder.layer.1.intermediate.dense.weight";
    TextModel full =
        Surgery.replaceParameters(
            model(),
            (path, p) -> {
              if (path.equals(name)) {
                p.value().data()[13] = 1e30f;
              }
              return p;
            });
    assertThatThrownBy(() -> Compact.linears(full, WeightFormat.F16, path -> true))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining(name)
        .hasMessageContaining("row 1, column 1");
  }
}
