package tacet.transformer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import tacet.autograd.Losses;
import tacet.autograd.Parameter;
import tacet.autograd.Pass;
import tacet.tensor.Engine;
import tacet.tensor.Tensor;
import tacet.tensor.Workers;
import tacet.tensor.Workspace;
import tacet.tensor.kernel.Kernels;
import tacet.transformer.checkpoint.Checkpoint;
import tacet.transformer.checkpoint.CheckpointException;
import tacet.transformer.checkpoint.Json;
import tacet.transformer.model.Bert;
import tacet.transformer.model.TextModels;

/** The tree of a BERT: names, surgery, loading. Its numbers are checked against golden files. */
class BertTest {
  private static final String CONFIG =
      """
      {"model_type": "bert", "vocab_size": 40, "hidden_size": 12, "num_hidden_layers": 2,
       "num_attention_heads": 3, "intermediate_size": 20, "hidden_act": "relu",
       "max_position_embeddings": 16, "initializer_range": 0.3}
      """;

  private static Map<String, Tensor> weights() throws IOException {
    return Bert.initialWeights(Bert.Config.of(Json.parse(CONFIG, "config")), 5);
  }

  private static TextModel classifier(Map<String, Tensor> weights) throws IOException {
    Json config = Json.parse(CONFIG, "config");
    return TextModels.classifier(Checkpoint.of("tiny", config, weights), 3, 1).model();
  }

  private static Batch batch() {
    int[] ids = {5, 6, 7, 8, 9, 3, 4, 0, 0, 0};
    return new Batch(2, 5, ids, new int[10], new int[] {1, 1, 1, 1, 1, 1, 1, 0, 0, 0});
  }

  private static float[] logits(Engine engine, TextModel model) {
    try (Pass pass = Pass.inference(engine)) {
      return model.forward(pass, batch()).logits().value().toArray();
    }
  }

  @Test
  void parameterNamesAreThoseOfCheckpoints() throws IOException {
    Map<String, Parameter> parameters = Surgery.parameters(classifier(weights()));
    assertThat(parameters)
        .containsKeys(
            "bert.embeddings.word_embeddings.weight",
            "bert.encoder.layer.1.attention.self.query.bias",
            "bert.encoder.layer.0.attention.output.LayerNorm.weight",
            "bert.encoder.layer.1.output.dense.weight",
            "bert.pooler.dense.bias",
            "classifier.weight")
        .hasSize(weights().size() + 2);
  }

  @Test
  void surgeryLeavesTheOldModelAlone() throws IOException {
    try (Engine engine = Engine.ofThreads(1)) {
      TextModel relu = classifier(weights());
      float[] before = logits(engine, relu);
      TextModel gelu =
          Surgery.replace(
              relu, (path, part) -> part instanceof Activation ? Activation.of("gelu") : part);
      assertThat(logits(engine, gelu)).isNotEqualTo(before);
      assertThat(logits(engine, relu)).isEqualTo(before);
      String shared = "bert.encoder.layer.0.output.dense.weight";
      assertThat(Surgery.parameters(gelu).get(shared))
          .isSameAs(Surgery.parameters(relu).get(shared));
      assertThat(Surgery.trainable(relu)).isEmpty();
    }
  }

  @Test
  void tapsShowActivationsOnceAndChangeNothing() throws IOException {
    try (Engine engine = new Engine(Kernels.best(), new Workers(2), new Workspace(true))) {
      TextModel model = classifier(weights());
      TextModel tapped = Tap.onActivations(Tap.onActivations(model));
      List<String> seen = new ArrayList<>();
      try (Pass pass = Pass.inference(engine)) {
        pass.setObserver(
            (name, v) -> {
              seen.add(name);
              assertThat(v.shape().toArray()).containsExactly(2, 5, 20);
            });
        assertThat(tapped.forward(pass, batch()).logits().value().toArray())
            .isEqualTo(logits(engine, model));
      }
      assertThat(seen)
          .containsExactly(
              "bert.encoder.layer.0.intermediate.intermediate_act_fn",
              "bert.encoder.layer.1.intermediate.intermediate_act_fn");
    }
  }

  @Test
  void paddingDoesNotChangeRealTokens() throws IOException {
    try (Engine engine = Engine.ofThreads(1)) {
      TextModel model = classifier(weights());
      Batch alone = new Batch(1, 2, new int[] {3, 4}, new int[2], new int[] {1, 1});
      float[] padded = logits(engine, model);
      try (Pass pass = Pass.inference(engine)) {
        float[] bare = model.forward(pass, alone).logits().value().toArray();
        for (int j = 0; j < 3; j++) {
          assertThat(padded[3 + j]).isCloseTo(bare[j], org.assertj.core.data.Offset.offset(1e-5f));
        }
      }
    }
  }

  @Test
  void skippingZerosDoesNotChangeABit() throws IOException {
    try (Engine engine = Engine.ofThreads(2)) {
      TextModel model = classifier(weights());
      assertThat(logits(engine.alwaysDense(), model)).isEqualTo(logits(engine, model));
    }
  }

  @Test
  void everyParameterGetsAGradient() throws IOException {
    try (Engine engine = Engine.ofThreads(2)) {
      TextModel model =
          Surgery.replaceParameters(classifier(weights()), (path, p) -> p.withTrainable(true));
      try (Pass pass = Pass.training(engine, 1, 2)) {
        pass.backward(
            Losses.crossEntropy(pass, model.forward(pass, batch()).logits(), new int[] {2, 0}));
      }
      Surgery.parameters(model).forEach((name, p) -> assertThat(p.gradient()).as(name).isNotNull());
    }
  }

  @Test
  void misfitsAreListed() throws IOException {
    Map<String, Tensor> w = weights();
    w.remove("encoder.layer.1.output.dense.bias");
    w.put("encoder.layer.0.output.dense.bias", Tensor.zeros(13));
    w.put("extra", Tensor.zeros(1));
    assertThatThrownBy(() -> classifier(w))
        .isInstanceOf(CheckpointException.class)
        .hasMessageContaining("encoder.layer.1.output.dense.bias")
        .hasMessageContaining("[13]")
        .hasMessageContaining("extra");
  }

  @Test
  void newHeadsAreReported() throws IOException {
    Json config = Json.parse(CONFIG, "config");
    Map<String, Tensor> w = weights();
    assertThat(TextModels.classifier(Checkpoint.of("t", config, w), 2, 1).newModules())
        .containsExactly("classifier");
    w.remove("pooler.dense.weight");
    w.remove("pooler.dense.bias");
    assertThat(TextModels.classifier(Checkpoint.of("t", config, w), 2, 1).newModules())
        .containsExactly("pooler.dense", "classifier");
    assertThat(TextModels.encoder(Checkpoint.of("t", config, w))).isInstanceOf(Bert.Model.class);
  }

  /** What looks like a classifier and is not one, or lacks a part, must not give logits. */
  @Test
  void headsThatAreNotClassifiersAreRefused() throws IOException {
    Map<String, Tensor> w = weights();
    w.put("classifier.weight", Tensor.zeros(3, 12));
    w.put("classifier.bias", Tensor.zeros(3));
    String labels = "{\"num_labels\": 3, ";
    Json config = Json.parse(labels + CONFIG.strip().substring(1), "config");
    assertThat(TextModels.open(Checkpoint.of("t", config, w))).isInstanceOf(Bert.Classifier.class);
    for (String task : List.of("TokenClassification", "MultipleChoice")) {
      String architecture = "\"architectures\": [\"BertFor" + task + "\"], ";
      Json other = Json.parse(labels + architecture + CONFIG.strip().substring(1), "config");
      assertThatThrownBy(() -> TextModels.open(Checkpoint.of("t", other, w)))
          .hasMessageContaining("BertFor" + task)
          .hasMessageContaining("config");
    }
    w.remove("pooler.dense.weight");
    w.remove("pooler.dense.bias");
    assertThatThrownBy(() -> TextModels.open(Checkpoint.of("t", config, w)))
        .isInstanceOf(CheckpointException.class)
        .hasMessageContaining("missing: pooler.dense.weight");
  }

  @Test
  void decodersAreRefused() throws IOException {
    Json config = Json.parse("{\"is_decoder\": true, " + CONFIG.strip().substring(1), "config");
    assertThatThrownBy(() -> TextModels.open(Checkpoint.of("t", config, weights())))
        .hasMessageContaining("is_decoder")
        .hasMessageContaining("GPT-2");
  }

  @Test
  void unknownConfigurationsAreRefused() {
    for (String[] change :
        new String[][] {
          {"\"bert\"", "\"llama\"", "llama"},
          {"\"relu\"", "\"mish\"", "mish"},
          {": 12,", ": 13,", "13"}
        }) {
      Json config;
      try {
        config = Json.parse(CONFIG.replace(change[0], change[1]), "config");
        Checkpoint c = Checkpoint.of("t", config, weights());
        assertThatThrownBy(() -> TextModels.classifier(c, 2, 1)).hasMessageContaining(change[2]);
      } catch (IOException e) {
        throw new AssertionError(e);
      }
    }
  }

  @Test
  void batchesAreChecked() {
    assertThatThrownBy(() -> new Batch(2, 3, new int[6], new int[6], new int[5]))
        .hasMessageContaining("6, 6, 5");
    assertThat(batch().lengths()).containsExactly(5, 2);
    assertThat(batch().keyBias()[7]).isEqualTo(-Float.MAX_VALUE);
    assertThat(new Batch(1, 1, new int[1], new int[1], new int[] {1}).keyBias()).isNull();
  }
}
