package tacet.transformer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;
import tacet.autograd.Losses;
import tacet.autograd.Parameter;
import tacet.autograd.Pass;
import tacet.tensor.Engine;
import tacet.tensor.Tensor;
import tacet.tensor.WeightFormat;
import tacet.tensor.Workers;
import tacet.tensor.Workspace;
import tacet.tensor.kernel.Kernels;
import tacet.transformer.checkpoint.Checkpoint;
import tacet.transformer.checkpoint.CheckpointException;
import tacet.transformer.checkpoint.Json;
import tacet.transformer.model.RelativeBuckets;
import tacet.transformer.model.T5;

/** The tree of a T5: names, surgery, loading. Its numbers are checked against golden files. */
class T5Test {
  private static final int[] LABELS = {9, 8, 7, -100, 6, 5, 1, 2, 3, 4, -100, -100};

  private static Json config(String projection, boolean tied) throws IOException {
    return Json.parse(
        """
        {"model_type": "t5", "vocab_size": 40, "d_model": 12, "d_kv": 5, "d_ff": 70,
         "num_layers": 2, "num_decoder_layers": 1, "num_heads": 3, "dropout_rate": 0.1,
         "feed_forward_proj": "%s", "tie_word_embeddings": %s}
        """
            .formatted(projection, tied),
        "config");
  }

  private static Map<String, Tensor> weights(Json config) throws IOException {
    return T5.initialWeights(T5.Config.of(config), 5);
  }

  private static T5.Generator model(String projection, boolean tied) throws IOException {
    Json config = config(projection, tied);
    return T5.open(Checkpoint.of("tiny", config, weights(config)));
  }

  private static Batch source() {
    int[] ids = {5, 6, 7, 8, 9, 3, 4, 0, 0, 0};
    return new Batch(2, 5, ids, new int[10], new int[] {1, 1, 1, 1, 1, 1, 1, 0, 0, 0});
  }

  private static float[] logits(Engine engine, Seq2SeqModel model) {
    try (Pass pass = Pass.inference(engine)) {
      return model.forward(pass, source(), model.target(2, 6, LABELS)).logits().value().toArray();
    }
  }

  @Test
  void parameterNamesAreThoseOfCheckpoints() throws IOException {
    Json config = config("gated-gelu", false);
    Map<String, Parameter> parameters = Surgery.parameters(model("gated-gelu", false));
    assertThat(parameters.keySet())
        .containsExactlyInAnyOrderElementsOf(weights(config).keySet())
        .contains(
            "shared.weight",
            "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight",
            "encoder.block.1.layer.1.DenseReluDense.wi_0.weight",
            "decoder.block.0.layer.1.EncDecAttention.k.weight",
            "decoder.block.0.layer.2.DenseReluDense.wo.weight",
            "decoder.final_layer_norm.weight",
            "lm_head.weight");
    assertThat(Surgery.parameters(model("relu", true)))
        .containsKey("encoder.block.0.layer.1.DenseReluDense.wi.weight")
        .doesNotContainKey("lm_head.weight");
  }

  @Test
  void theTableMayHaveItsOtherNames() throws IOException {
    Json config = config("relu", true);
    Map<String, Tensor> w = weights(config);
    float[] expected;
    try (Engine engine = Engine.ofThreads(1)) {
      expected = logits(engine, model("relu", true));
      Tensor table = w.get("shared.weight");
      w.put("encoder.embed_tokens.weight", table);
      w.put("decoder.embed_tokens.weight", table);
      w.put("lm_head.weight", table);
      T5.Generator repeated = T5.open(Checkpoint.of("t", config, w));
      assertThat(((Linear) repeated.lm_head()).weight()).isSameAs(repeated.shared().weight());
      assertThat(logits(engine, repeated)).isEqualTo(expected);
      w.remove("shared.weight");
      assertThat(logits(engine, T5.open(Checkpoint.of("t", config, w)))).isEqualTo(expected);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"relu", "gated-relu", "gated-gelu"})
  void tapsSeeTheGateOfEachSideAndChangeNothing(String projection) throws IOException {
    try (Engine engine = new Engine(Kernels.best(), new Workers(2), new Workspace(true))) {
      T5.Generator model = model(projection, true);
      List<String> seen = new ArrayList<>();
      try (Pass pass = Pass.inference(engine)) {
        pass.setObserver(
            (name, v) -> {
              seen.add(name);
              int length = name.startsWith("encoder") ? 5 : 6;
              assertThat(v.shape().toArray()).containsExactly(2, length, 70);
            });
        Batch target = model.target(2, 6, LABELS);
        assertThat(
                Tap.onActivations(model).forward(pass, source(), target).logits().value().toArray())
            .isEqualTo(logits(engine, model));
      }
      assertThat(seen)
          .containsExactly(
              "encoder.block.0.layer.1.DenseReluDense.act",
              "encoder.block.1.layer.1.DenseReluDense.act",
              "decoder.block.0.layer.2.DenseReluDense.act");
    }
  }

  /** What enters the activation made so small that hardly a neuron speaks. */
  @ParameterizedTest
  @ValueSource(strings = {"relu", "gated-relu"})
  void skippingZerosDoesNotChangeABit(String projection) throws IOException {
    try (Engine engine = Engine.ofThreads(2)) {
      T5.Generator silent =
          Surgery.replaceParameters(
              model(projection, true),
              (path, p) -> {
                if (!path.endsWith("wi.weight") && !path.endsWith("wi_0.weight")) {
                  return p;
                }
                Tensor w = p.value().copy();
                for (int i = 0; i < w.size(); i++) { // all rows but a few are zero
                  w.data()[i] = i / 12 % 23 == 0 ? w.data()[i] : 0;
                }
                return Parameter.frozen(w);
              });
      long[] active = new long[1];
      try (Pass pass = Pass.inference(engine)) {
        pass.setObserver((name, v) -> active[0] += v.active());
        Tap.onActivations(silent).forward(pass, source(), silent.target(2, 6, LABELS));
      }
      assertThat(active[0]).isBetween(1L, 32L * 5);
      assertThat(logits(engine, silent)).isEqualTo(logits(engine.alwaysDense(), silent));
    }
  }

  @ParameterizedTest
  @CsvSource({"relu, true", "gated-relu, false", "gated-silu, false"})
  void everyParameterGetsAGradient(String projection, boolean tied) throws IOException {
    try (Engine engine = Engine.ofThreads(2)) {
      T5.Generator model =
          Surgery.replaceParameters(model(projection, tied), (path, p) -> p.withTrainable(true));
      try (Pass pass = Pass.training(engine, 1, 2)) {
        Batch target = model.target(2, 6, LABELS);
        pass.backward(
            Losses.crossEntropy(pass, model.forward(pass, source(), target).logits(), LABELS));
      }
      Surgery.parameters(model)
          .forEach(
              (name, p) -> {
                assertThat(p.gradient()).as(name).isNotNull();
                assertThat(p.gradient().toArray())
                    .as(name)
                    .isNotEqualTo(new float[p.value().size()]);
              });
    }
  }

  @ParameterizedTest
  @EnumSource(
      value = WeightFormat.class,
      names = {"BF16", "F16", "NF4"})
  void linearLayersMayBeCompact(WeightFormat format) throws IOException {
    try (Engine engine = Engine.ofThreads(2)) {
      for (String projection : List.of("relu", "gated-relu")) {
        T5.Generator small =
            Compact.linears(model(projection, false), format, path -> !path.equals("lm_head"));
        T5.Generator expanded =
            Surgery.replaceParameters(
                small,
                (path, p) -> {
                  if (path.endsWith("layer_norm.weight") || path.contains("relative")) {
                    return p;
                  }
                  boolean whole = path.equals("shared.weight") || path.equals("lm_head.weight");
                  assertThat(p.compact() == null).as(path).isEqualTo(whole);
                  return Parameter.frozen(p.value());
                });
        float[] found = logits(engine, small);
        float[] expected = logits(engine, expanded);
        for (int i = 0; i < found.length; i++) { // behind gates sums have another order
          assertThat(found[i]).isCloseTo(expected[i], org.assertj.core.data.Offset.offset(1e-4f));
        }
      }
    }
  }

  @Test
  void targetsAreLabelsShiftedRight() throws IOException {
    Batch target = model("relu", true).target(2, 6, LABELS);
    assertThat(target.ids()).containsExactly(0, 9, 8, 7, 0, 6, 0, 1, 2, 3, 4, 0);
    assertThat(target.mask()).containsExactly(1, 1, 1, 0, 1, 1, 1, 1, 1, 1, 0, 0);
  }

  /** The buckets of the usual tables from their boundaries, and from the formula. */
  @Test
  void bucketsFollowTheFormula() {
    for (boolean bidirectional : new boolean[] {true, false}) {
      RelativeBuckets usual = new RelativeBuckets(32, 128, bidirectional);
      int side = bidirectional ? 16 : 32;
      int exact = side / 2;
      for (int d = 0; d < 2000; d++) {
        double exactly =
            d < exact ? d : exact + Math.log(d / (double) exact) / Math.log(128.0 / exact) * exact;
        int bucket = Math.min(side - 1, (int) Math.floor(exactly + 1e-9));
        assertThat(usual.of(-d)).as("distance " + d).isEqualTo(bucket);
        int after = bidirectional && d > 0 ? bucket + 16 : 0;
        assertThat(usual.of(d)).as("distance after " + d).isEqualTo(after);
      }
    }
    // max_exact + trunc(log(rel / 2) / log(20 / 2) * 2), at most 3, of modeling_t5
    RelativeBuckets few = new RelativeBuckets(8, 20, true);
    int[] expected = {0, 1, 2, 2, 2, 2, 2, 3, 3, 3};
    for (int d = 0; d < expected.length; d++) {
      assertThat(few.of(-d)).isEqualTo(expected[d]);
    }
    assertThat(few.of(7)).isEqualTo(7);
    assertThatThrownBy(() -> new RelativeBuckets(1, 128, false)).hasMessageContaining("1");
  }

  @Test
  void misfitsAreListed() throws IOException {
    Json config = config("relu", true);
    Map<String, Tensor> w = weights(config);
    w.remove("decoder.block.0.layer.1.EncDecAttention.q.weight");
    w.put("encoder.final_layer_norm.weight", Tensor.zeros(13));
    w.put(
        "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight", Tensor.zeros(1));
    w.put("extra", Tensor.zeros(1));
    assertThatThrownBy(() -> T5.open(Checkpoint.of("t", config, w)))
        .isInstanceOfSatisfying(
            CheckpointException.class,
            e -> {
              assertThat(e.missing())
                  .containsExactly("decoder.block.0.layer.1.EncDecAttention.q.weight");
              assertThat(e.mismatched()).hasSize(1);
              assertThat(e.unexpected()).containsExactly("extra");
            });
  }

  @ParameterizedTest
  @ValueSource(strings = {"gated-mish", "gated", "swish-gated", "gated-gelu-x"})
  void unknownProjectionsAreRefused(String projection) {
    assertThatThrownBy(() -> model(projection, true))
        .isInstanceOf(IOException.class)
        .hasMessageContaining(projection);
  }
}
