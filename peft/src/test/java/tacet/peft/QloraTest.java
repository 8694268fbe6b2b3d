package tacet.peft;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import tacet.autograd.AdamW;
import tacet.autograd.Losses;
import tacet.autograd.Parameter;
import tacet.autograd.Pass;
import tacet.autograd.Var;
import tacet.tensor.Engine;
import tacet.tensor.RandomStream;
import tacet.tensor.Tensor;
import tacet.tensor.WeightFormat;
import tacet.transformer.Batch;
import tacet.transformer.Compact;
import tacet.transformer.Surgery;
import tacet.transformer.checkpoint.Checkpoint;
import tacet.transformer.checkpoint.Json;
import tacet.transformer.model.T5;

/** LoRA over weights in four bits: the same as over the floats that they stand for. */
class QloraTest {
  private static final int[] LABELS = {9, 8, 7, -100, 6, 5, 1, 2, 3, 4, -100, -100};

  private static T5.Generator fourBits() throws Exception {
    Json config =
        Json.parse(
            """
            {"model_type": "t5", "vocab_size": 40, "d_model": 40, "d_kv": 8, "d_ff": 72,
             "num_layers": 2, "num_heads": 3, "dropout_rate": 0.1,
             "feed_forward_proj": "gated-gelu", "tie_word_embeddings": false}
            """,
            "config");
    Map<String, Tensor> weights = T5.initialWeights(T5.Config.of(config), 5);
    Checkpoint checkpoint = Checkpoint.of("tiny", config, weights);
    return T5.open(checkpoint.linearsAs(WeightFormat.NF4_NESTED));
  }

  private static T5.Generator adapted(T5.Generator base) {
    Lora lora = new Lora(3, 6, 0.1, false, Targets.of("q", "v", "wi_0", "wi_1", "wo"), List.of());
    T5.Generator model = lora.applyTo(base, 1);
    Surgery.trainable(model)
        .forEach( // away from B = 0, which would prove nothing
            (name, p) -> {
              Tensor noise = RandomStream.of(3, name, 0).normal(p.shape(), 0.2);
              System.arraycopy(noise.data(), 0, p.value().data(), 0, noise.size());
              p.changed();
            });
    return model;
  }

  /** The gradients of a step by name, and its loss. */
  private static Map<String, float[]> step(Engine engine, T5.Generator model, AdamW adam, int i) {
    int[] ids = {5, 6, 7, 8, 9, 3, 4, 0, 0, 0};
    Batch source = new Batch(2, 5, ids, new int[10], new int[] {1, 1, 1, 1, 1, 1, 1, 0, 0, 0});
    Map<String, float[]> found = new LinkedHashMap<>();
    try (Pass pass = Pass.training(engine, 3, i)) {
      Var logits = model.forward(pass, source, model.target(2, 6, LABELS)).logits();
      Var loss = Losses.crossEntropy(pass, logits, LABELS);
      found.put("loss", new float[] {loss.value().item()});
      pass.backward(loss);
    }
    Surgery.trainable(model).forEach((name, p) -> found.put(name, p.gradient().toArray()));
    adam.step(1e-2);
    return found;
  }

  @Test
  void stepsHaveTheBitsOfThoseOverExpandedWeights() throws Exception {
    T5.Generator four = fourBits();
    Map<String, Parameter> base = Surgery.parameters(four);
    long compact =
        base.values().stream()
            .filter(p -> p.compact() != null)
            .peek(p -> assertThat(p.compact().format()).isEqualTo(WeightFormat.NF4_NESTED))
            .count();
    assertThat(compact).isEqualTo(2 * 7 + 2 * 11); // all but the head and the tables
    assertThat(base.get("lm_head.weight").compact()).isNull();
    Map<String, float[]> before = new LinkedHashMap<>();
    base.forEach((name, p) -> before.put(name, p.value().toArray()));
    T5.Generator a = adapted(four);
    T5.Generator b = adapted(Compact.expanded(four, path -> false));
    try (Engine one = Engine.ofThreads(1);
        Engine two = Engine.ofThreads(2);
        AdamW adamA = new AdamW(one, Surgery.trainable(a), AdamW.Settings.standard());
        AdamW adamB = new AdamW(two, Surgery.trainable(b), AdamW.Settings.standard())) {
      for (int i = 0; i < 3; i++) {
        Map<String, float[]> x = step(one, a, adamA, i);
        Map<String, float[]> y = step(two, b, adamB, i);
        assertThat(x.keySet()).isEqualTo(y.keySet()).hasSize(1 + 2 * (2 * 5 + 2 * 7));
        x.forEach(
            (name, g) ->
                assertThat(g).as(name).isEqualTo(y.get(name)).isNotEqualTo(new float[g.length]));
      }
    }
    before.forEach((name, w) -> assertThat(base.get(name).value().data()).as(name).isEqualTo(w));
  }
}
