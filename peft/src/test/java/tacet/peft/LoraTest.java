package tacet.peft;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tacet.autograd.AdamW;
import tacet.autograd.GradCheck;
import tacet.autograd.Losses;
import tacet.autograd.Parameter;
import tacet.autograd.Pass;
import tacet.tensor.Engine;
import tacet.tensor.RandomStream;
import tacet.tensor.Shape;
import tacet.tensor.Tensor;
import tacet.transformer.Batch;
import tacet.transformer.Linear;
import tacet.transformer.Surgery;
import tacet.transformer.TextModel;
import tacet.transformer.checkpoint.Checkpoint;
import tacet.transformer.checkpoint.Json;
import tacet.transformer.checkpoint.SafeTensors;
import tacet.transformer.model.Bert;
import tacet.transformer.model.TextModels;

class LoraTest {
  private static final Lora LORA =
      new Lora(3, 6, 0.1, false, Targets.of("query", "intermediate.dense"), List.of("classifier"));

  private static TextModel model() throws IOException {
    Json config =
        Json.parse(
            """
            {"model_type": "bert", "vocab_size": 40, "hidden_size": 12, "num_hidden_layers": 2,
             "num_attention_heads": 3, "intermediate_size": 20, "hidden_act": "relu",
             "max_position_embeddings": 16, "initializer_range": 0.3}
            """,
            "config");
    Map<String, Tensor> weights = Bert.initialWeights(Bert.Config.of(config), 5);
    return TextModels.classifier(Checkpoint.of("tiny", config, weights), 2, 1).model();
  }

  private static Batch batch() {
    return new Batch(
        2, 4, new int[] {5, 6, 7, 8, 9, 3, 0, 0}, new int[8], new int[] {1, 1, 1, 1, 1, 1, 0, 0});
  }

  private static float[] logits(Engine engine, TextModel m) {
    try (Pass pass = Pass.inference(engine)) {
      return m.forward(pass, batch()).logits().value().toArray();
    }
  }

  /** Away from the identity start: B = 0 would prove nothing. */
  private static void shake(TextModel m) {
    Surgery.trainable(m)
        .forEach(
            (name, p) -> {
              Tensor noise = RandomStream.of(3, name, 0).normal(p.value().shape(), 0.3);
              System.arraycopy(noise.data(), 0, p.value().data(), 0, noise.size());
              p.changed();
            });
  }

  private static void train(Engine engine, TextModel m, int steps) {
    AdamW adam = new AdamW(engine, Surgery.trainable(m), AdamW.Settings.standard());
    for (int i = 0; i < steps; i++) {
      try (Pass pass = Pass.training(engine, 1, i)) {
        pass.backward(
            Losses.crossEntropy(pass, m.forward(pass, batch()).logits(), new int[] {1, 0}));
      }
      adam.step(0.01);
    }
  }

  @Test
  void newAdapterComputesWhatTheBaseDid() throws IOException {
    try (Engine engine = Engine.ofThreads(1)) {
      TextModel base = model();
      assertThat(logits(engine, LORA.applyTo(base, 1))).isEqualTo(logits(engine, base));
    }
  }

  @Test
  void trainingChangesTheAdapterAndTheHeadOnly() throws IOException {
    try (Engine engine = Engine.ofThreads(2)) {
      TextModel base = model();
      Map<String, float[]> before = new LinkedHashMap<>();
      Surgery.parameters(base).forEach((n, p) -> before.put(n, p.value().toArray()));
      TextModel adapted = LORA.applyTo(base, 1);
      shake(adapted);
      Map<String, float[]> start = new LinkedHashMap<>();
      Surgery.trainable(adapted).forEach((n, p) -> start.put(n, p.value().toArray()));
      train(engine, adapted, 3);
      Surgery.parameters(base)
          .forEach((n, p) -> assertThat(p.value().toArray()).as(n).isEqualTo(before.get(n)));
      Surgery.trainable(adapted)
          .forEach((n, p) -> assertThat(p.value().toArray()).as(n).isNotEqualTo(start.get(n)));
      assertThat(Surgery.trainable(adapted).keySet())
          .hasSize(2 * 2 * 2 + 2)
          .contains(
              "bert.encoder.layer.0.attention.self.query.lora_A.weight",
              "bert.encoder.layer.1.intermediate.dense.lora_B.weight",
              "classifier.weight");
      assertThat(Surgery.parameters(adapted))
          .containsKey("bert.encoder.layer.0.attention.self.query.weight");
      assertThat(Surgery.count(Surgery.trainable(adapted)))
          .isEqualTo(2 * (3 * (12 + 12) + 3 * (12 + 20)) + 2 * 12 + 2);
    }
  }

  @Test
  void mergedModelComputesTheSame() throws IOException {
    try (Engine engine = Engine.ofThreads(1)) {
      TextModel adapted = LORA.applyTo(model(), 1);
      shake(adapted);
      TextModel merged = Lora.merge(adapted);
      float[] a = logits(engine, adapted);
      float[] b = logits(engine, merged);
      for (int i = 0; i < a.length; i++) {
        assertThat(b[i]).isCloseTo(a[i], within(1e-5f));
      }
      assertThat(Surgery.parts(merged).values()).noneMatch(p -> p instanceof LoraLinear);
    }
  }

  @Test
  void layerAndGradientsAgreeWithDouble() {
    try (Engine engine = Engine.ofThreads(1)) {
      int t = 5;
      Tensor x = RandomStream.of(1, "x", 0).normal(Shape.of(t, 4), 1);
      Parameter w = Parameter.trainable(RandomStream.of(2, "w", 0).normal(Shape.of(3, 4), 1));
      Parameter bias = Parameter.trainable(RandomStream.of(3, "b", 0).normal(Shape.of(3), 1));
      Parameter a = Parameter.trainable(RandomStream.of(4, "a", 0).normal(Shape.of(2, 4), 1));
      Parameter b = Parameter.trainable(RandomStream.of(5, "b", 0).normal(Shape.of(3, 2), 1));
      LoraLinear layer = new LoraLinear(new Linear(w, bias), a, b, 2.5f, 0);
      float[] target = new float[t * 3];
      GradCheck.of(
              engine,
              pass -> Losses.meanSquaredError(pass, layer.forward(pass, pass.constant(x)), target))
          .against(
              in -> {
                double loss = 0;
                for (int i = 0; i < t; i++) {
                  for (int o = 0; o < 3; o++) {
                    double y = in.get(1)[o];
                    for (int k = 0; k < 4; k++) {
                      double delta = 0;
                      for (int r = 0; r < 2; r++) {
                        delta += in.get(3)[o * 2 + r] * in.get(2)[r * 4 + k];
                      }
                      y += (in.get(0)[o * 4 + k] + 2.5 * delta) * x.data()[i * 4 + k];
                    }
                    loss += y * y / (t * 3);
                  }
                }
                return loss;
              },
              w,
              bias,
              a,
              b);
    }
  }

  @Test
  void savedAndLoadedAdapterIsTheSame(@TempDir Path dir) throws IOException {
    try (Engine engine = Engine.ofThreads(1)) {
      TextModel base = model();
      TextModel adapted = LORA.applyTo(base, 1);
      shake(adapted);
      AdapterFile.save(dir, adapted, LORA, "SEQ_CLS", "tiny");
      AdapterFile.Loaded<TextModel> loaded = AdapterFile.load(dir, base);
      assertThat(logits(engine, loaded.model())).isEqualTo(logits(engine, adapted));
      assertThat(loaded.method()).isEqualTo(LORA);
      assertThat(Surgery.trainable(loaded.model()).keySet())
          .isEqualTo(Surgery.trainable(adapted).keySet());
      String config = Files.readString(dir.resolve("adapter_config.json"));
      assertThat(config).contains("\"peft_type\": \"LORA\"").doesNotContain("DEFT");

      Files.writeString(dir.resolve("adapter_config.json"), config.replace("\"r\": 3", "\"r\": 4"));
      assertThatThrownBy(() -> AdapterFile.load(dir, base))
          .hasMessageContaining("adapter_model.safetensors")
          .hasMessageContaining("lora_A");
      Files.writeString(
          dir.resolve("adapter_config.json"),
          config.replace("\"use_dora\": false", "\"use_dora\": true"));
      assertThatThrownBy(() -> AdapterFile.load(dir, base)).hasMessageContaining("use_dora");
      for (String start : List.of("pissa", "pissa_niter_4", "olora", "corda", "loftq")) {
        Files.writeString(
            dir.resolve("adapter_config.json"),
            config.replace(
                "\"init_lora_weights\": true", "\"init_lora_weights\": \"" + start + "\""));
        assertThatThrownBy(() -> AdapterFile.load(dir, base))
            .as(start)
            .hasMessageContaining("adapter_config.json")
            .hasMessageContaining(start)
            .hasMessageContaining("path_initial_model_for_weight_conversion");
      }
      Files.writeString(
          dir.resolve("adapter_config.json"),
          config.replace("\"init_lora_weights\": true", "\"init_lora_weights\": \"gaussian\""));
      assertThat(logits(engine, AdapterFile.load(dir, base).model()))
          .isEqualTo(logits(engine, adapted));
      Files.writeString(dir.resolve("adapter_config.json"), config.replace("\"LORA\"", "\"DEFT\""));
      assertThatThrownBy(() -> AdapterFile.load(dir, base)).hasMessageContaining("DEFT");
    }
  }

  /** Part of what an adapter should bring must not come from the base, where it may be new. */
  @Test
  void missingModulesAreRefused(@TempDir Path dir) throws IOException {
    TextModel base = model();
    TextModel adapted = LORA.applyTo(base, 1);
    AdapterFile.save(dir, adapted, LORA, "SEQ_CLS", "tiny");
    Map<String, Tensor> tensors = new LinkedHashMap<>();
    AdapterFile.parameters(adapted, LORA).forEach((name, p) -> tensors.put(name, p.value()));
    tensors.remove("base_model.model.classifier.bias");
    SafeTensors.write(dir.resolve("adapter_model.safetensors"), tensors);
    assertThatThrownBy(() -> AdapterFile.load(dir, base))
        .hasMessageContaining("adapter_model.safetensors")
        .hasMessageContaining("classifier.bias is missing");
  }

  /** peft names layers by their path, which begins with the base model's name in models with heads. */
  @Test
  void anAdapterFitsTheModelWithAndWithoutItsHead(@TempDir Path dir) throws IOException {
    TextModel withHead = model();
    TextModel bare = ((Bert.Classifier) withHead).bert();
    Lora lora = new Lora(3, 6, 0, false, Targets.of("query", "value"), List.of());
    try (Engine engine = Engine.ofThreads(1)) {
      TextModel[] from = {withHead, bare};
      TextModel[] to = {bare, withHead};
      for (int i = 0; i < 2; i++) {
        TextModel adapted = lora.applyTo(from[i], 1);
        shake(adapted);
        AdapterFile.save(dir, adapted, lora, null, "tiny");
        TextModel loaded = AdapterFile.load(dir, to[i]).model();
        try (Pass pass = Pass.inference(engine)) {
          assertThat(loaded.forward(pass, batch()).hidden().getLast().value().toArray())
              .isEqualTo(adapted.forward(pass, batch()).hidden().getLast().value().toArray());
        }
      }
    }
  }

  /** peft trains a copy of the table, and the head keeps the old one. */
  @Test
  void halfOfTiedWeightsIsNotSaved() throws IOException {
    Json config =
        Json.parse(
            """
            {"model_type": "gpt2", "vocab_size": 20, "n_positions": 8, "n_embd": 6, "n_layer": 1,
             "n_head": 2, "n_inner": 9}
            """,
            "config");
    Map<String, Tensor> weights = new LinkedHashMap<>();
    weights.put("wte.weight", Tensor.zeros(20, 6));
    weights.put("wpe.weight", Tensor.zeros(8, 6));
    for (String norm : List.of("h.0.ln_1", "h.0.ln_2", "ln_f")) {
      weights.put(norm + ".weight", Tensor.zeros(6));
      weights.put(norm + ".bias", Tensor.zeros(6));
    }
    Map<String, int[]> layers =
        Map.of(
            "attn.c_attn", new int[] {6, 18},
            "attn.c_proj", new int[] {6, 6},
            "mlp.c_fc", new int[] {6, 9},
            "mlp.c_proj", new int[] {9, 6});
    layers.forEach(
        (name, dims) -> {
          weights.put("h.0." + name + ".weight", Tensor.zeros(dims));
          weights.put("h.0." + name + ".bias", Tensor.zeros(dims[1]));
        });
    TextModel tied = TextModels.languageModel(Checkpoint.of("tied", config, weights));
    Targets targets = Targets.of("c_attn");
    assertThatThrownBy(() -> new Lora(2, 4, 0, false, targets, List.of("wte")).applyTo(tied, 1))
        .hasMessageContaining("transformer.wte")
        .hasMessageContaining("output layer");
    assertThat(new Lora(2, 4, 0, false, targets, List.of("wpe")).applyTo(tied, 1)).isNotNull();
    weights.put("lm_head.weight", RandomStream.of(1, "head", 0).normal(Shape.of(20, 6), 1));
    TextModel untied = TextModels.languageModel(Checkpoint.of("untied", config, weights));
    assertThat(new Lora(2, 4, 0, false, targets, List.of("wte")).applyTo(untied, 1)).isNotNull();
  }

  @Test
  void severalAdaptersShareOneBase() throws IOException {
    TextModel base = model();
    TextModel one = LORA.applyTo(base, 1);
    TextModel two = LORA.applyTo(base, 2);
    shake(two);
    String name = "bert.encoder.layer.0.attention.self.query.weight";
    assertThat(Surgery.parameters(one).get(name).value())
        .isSameAs(Surgery.parameters(two).get(name).value());
    assertThat(Surgery.parameters(one).get("classifier.weight").value())
        .isNotSameAs(Surgery.parameters(two).get("classifier.weight").value());
  }

  @Test
  void mistakesAreRefused() throws IOException {
    TextModel base = model();
    assertThatThrownBy(
            () -> new Lora(3, 6, 0, false, Targets.of("nothing"), List.of()).applyTo(base, 1))
        .hasMessageContaining("nothing")
        .hasMessageContaining("attention.self.query");
    assertThatThrownBy(() -> LORA.applyTo(LORA.applyTo(base, 1), 1)).hasMessageContaining("merge");
    assertThatThrownBy(() -> new Lora(0, 6, 0, false, Targets.of("q"), List.of()))
        .hasMessageContaining("rank");
    assertThatThrownBy(() -> new Targets(List.of(), "(")).hasMessageContaining("regular");
  }

  @Test
  void targetsMatchAsPeftDoes() {
    assertThat(Targets.of("query").matches("layer.0.query")).isTrue();
    assertThat(Targets.of("query").matches("layer.0.myquery")).isFalse();
    assertThat(Targets.of("output.dense").matches("attention.output.dense")).isTrue();
    assertThat(
            new Targets(List.of(), ".*layer\\.\\d+\\.output\\.dense")
                .matches("x.layer.3.output.dense"))
        .isTrue();
    assertThat(
            new Targets(List.of(), ".*layer\\.\\d+\\.output\\.dense")
                .matches("layer.3.attention.output.dense"))
        .isFalse();
    assertThat(Targets.allLinear().matches("classifier")).isFalse();
    assertThat(Targets.allLinear().matches("pooler.dense")).isTrue();
    assertThat(new Lora(4, 10, 0, true, Targets.of("q"), List.of()).scaling()).isEqualTo(5f);
  }
}
