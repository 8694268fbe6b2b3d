package tacet.deft;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import tacet.autograd.Parameter;
import tacet.autograd.Pass;
import tacet.autograd.Var;
import tacet.hardware.ActivationTrace;
import tacet.hardware.EnergyMeter;
import tacet.hardware.EnergyScope;
import tacet.hardware.arch.Workload;
import tacet.tensor.Engine;
import tacet.tensor.RandomStream;
import tacet.tensor.Shape;
import tacet.tensor.Tensor;
import tacet.transformer.Activation;
import tacet.transformer.Batch;
import tacet.transformer.Layer;
import tacet.transformer.Linear;
import tacet.transformer.Surgery;
import tacet.transformer.Tap;
import tacet.transformer.TextModel;
import tacet.transformer.checkpoint.Checkpoint;
import tacet.transformer.checkpoint.Json;
import tacet.transformer.model.Bert;
import tacet.transformer.model.TextModels;

/** Traces of real forward passes: a small BERT, and a gated MLP as T5 has. */
class ActivationTracerTest {
  private static final ActivationTracer.Source SOURCE =
      new ActivationTracer.Source("tiny", "none", "test", 5);

  private static final String CONFIG =
      """
      {"model_type": "bert", "vocab_size": 20, "hidden_size": 16, "num_hidden_layers": 3,
       "num_attention_heads": 2, "intermediate_size": 40, "hidden_act": "relu",
       "max_position_embeddings": 32, "initializer_range": 0.2}
      """;

  private static TextModel bert() throws Exception {
    Json config = Json.parse(CONFIG, "config");
    Map<String, Tensor> weights = Bert.initialWeights(Bert.Config.of(config), 3);
    return TextModels.encoder(Checkpoint.of("tiny", config, weights));
  }

  private static Dataset data(int sentences) {
    RandomStream r = RandomStream.of(1, "data", 0);
    List<Dataset.Item> items = new ArrayList<>();
    for (int i = 0; i < sentences; i++) {
      int[] ids = new int[2 + r.nextInt(7)];
      for (int t = 0; t < ids.length; t++) {
        ids[t] = r.nextInt(20);
      }
      items.add(new Dataset.Item(ids, new int[ids.length], 0));
    }
    return new Dataset(items, 0);
  }

  /** Bit for bit what a tap on the model shows, with the meter's density. */
  @Test
  void recordsEveryLayerOfEveryToken() throws Exception {
    TextModel model = bert();
    Dataset data = data(7);
    List<Dataset.Cut> batches = data.paddedBatches(3, 9);
    assertThat(batches).hasSize(3);
    assertThat(batches.get(2).batch().shape()).isEqualTo(Shape.of(1, 9));
    try (Engine engine = Engine.ofThreads(2)) {
      ActivationTrace all = ActivationTracer.trace(engine, model, batches, SOURCE, 0, true);
      ActivationTrace valid = ActivationTracer.trace(engine, model, batches, SOURCE, 0, false);
      assertThat(all.withoutPadding()).isEqualTo(valid);
      assertThat(all.tokens()).isEqualTo(7 * 9);
      assertThat(all.header().hidden()).isEqualTo(16);
      assertThat(all.header().neurons()).isEqualTo(40);
      assertThat(all.header().layers().get(2))
          .isEqualTo("encoder.layer.2.intermediate.intermediate_act_fn");
      assertThat(all.header().shortLayers()).containsExactly("layer.0", "layer.1", "layer.2");
      assertThat(valid.validTokens(4)).isEqualTo(data.items().get(4).ids().length);

      Dataset.Cut last = batches.get(2);
      TextModel tapped = Tap.onActivations(model);
      try (Pass pass = Pass.inference(engine)) {
        pass.setObserver(
            (name, value) -> {
              int layer = all.header().layers().indexOf(name);
              float[] x = value.value().data();
              for (int i = 0; i < 9 * 40; i++) {
                assertThat(all.layer(layer).get(6 * 9 + i / 40, i % 40)).isEqualTo(x[i] != 0);
              }
            });
        tapped.forward(pass, last.batch());
      }
      ActivationTrace loud = ActivationTracer.trace(engine, model, batches, SOURCE, .5f, true);
      assertThat(loud.density()).isPositive().isLessThan(all.density());
    }
  }

  @Test
  void refusesWhatCannotBeTraced() throws Exception {
    TextModel model = bert();
    try (Engine engine = Engine.ofThreads(1)) {
      assertThatThrownBy(() -> ActivationTracer.trace(engine, model, List.of(), SOURCE, 0, true))
          .hasMessageContaining("no example");
      TextModel deaf =
          Surgery.replace(model, (path, part) -> part instanceof Activation ? new Silent() : part);
      assertThatThrownBy(
              () -> ActivationTracer.trace(engine, deaf, data(1).sortedBatches(1), SOURCE, 0, true))
          .hasMessageContaining("widths: {}");
    }
    assertThatThrownBy(() -> data(3).paddedBatches(2, 1)).hasMessageContaining("cannot be padded");
  }

  private record Silent() implements Layer {
    @Override
    public Var forward(Pass pass, Var x) {
      return x;
    }

    @Override
    public Silent rebuild(Surgery s) {
      return this;
    }
  }

  /** T5's gated block: wo(act(wi_0 x) · (wi_1 x)), on embeddings looked up by id. */
  private record Gated(Parameter table, Layer wi_0, Layer wi_1, Layer wo, Layer act)
      implements TextModel {
    @Override
    public Output forward(Pass pass, Batch batch) {
      int d = table.value().shape().last();
      Tensor rows = Tensor.zeros(batch.size(), batch.length(), d);
      for (int i = 0; i < batch.ids().length; i++) {
        System.arraycopy(table.value().data(), batch.ids()[i] * d, rows.data(), i * d, d);
      }
      Var x = pass.constant(rows);
      Tensor a = act.forward(pass, wi_0.forward(pass, x)).value();
      Tensor b = wi_1.forward(pass, x).value();
      Tensor h = Tensor.zeros(batch.size(), batch.length(), a.shape().last());
      for (int i = 0; i < h.size(); i++) {
        h.data()[i] = a.data()[i] * b.data()[i];
      }
      return new Output(null, List.of(x, wo.forward(pass, pass.constant(h))));
    }

    @Override
    public Gated rebuild(Surgery s) {
      return new Gated(
          s.parameter("table", table),
          s.at("wi_0", wi_0),
          s.at("wi_1", wi_1),
          s.at("wo", wo),
          s.at("act", act));
    }
  }

  private static Layer linear(int out, int in, String name) {
    RandomStream r = RandomStream.of(4, name, 0);
    Tensor w = Tensor.zeros(out, in);
    for (int i = 0; i < w.size(); i++) {
      // Rows of the gate that are all zero silence neurons that the activation does not.
      w.data()[i] = name.equals("wi_1") && i / in % 3 == 0 ? 0 : r.nextInt(9) - 4;
    }
    return new Linear(Parameter.frozen(w), null);
  }

  private static Gated gated() {
    Tensor table = Tensor.zeros(20, 4);
    for (int i = 0; i < table.size(); i++) {
      table.data()[i] = i % 7 - 3;
    }
    return new Gated(
        Parameter.frozen(table),
        linear(12, 4, "wi_0"),
        linear(12, 4, "wi_1"),
        linear(4, 12, "wo"),
        Activation.of("relu"));
  }

  /** Leaves that the probe does not know would be missing from the sum. */
  @Test
  void otherModelsHaveNoEnergyRatio() {
    try (Engine engine = Engine.ofThreads(1)) {
      assertThatThrownBy(() -> EnergyProbe.meter(engine, gated(), data(5).sortedBatches(2)))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("BERT or RoBERTa");
    }
  }

  /** A gated MLP has two layers in the trace, and three products on a machine. */
  @Test
  void recordsTheGatedProduct() {
    Gated model = gated();
    try (Engine engine = Engine.ofThreads(1)) {
      ActivationTrace t =
          ActivationTracer.trace(engine, model, data(5).sortedBatches(2), SOURCE, 0, false);
      assertThat(t.header().layers()).containsExactly("act", "act.product");
      assertThat(t.header().isGated(0)).isTrue();
      assertThat(t.header().hidden()).isEqualTo(4);
      assertThat(t.density(1)).isPositive().isLessThan(t.density(0));
      for (int row = 0; row < t.tokens(); row++) {
        for (int n = 0; n < 12; n++) {
          boolean product = t.layer(1).get(row, n);
          assertThat(product && !t.layer(0).get(row, n)).isFalse();
          assertThat(product && n % 3 == 0).isFalse();
        }
      }
      List<Workload> layers = Workload.mlps(t);
      assertThat(layers.stream().map(Workload::name))
          .containsExactly("act.in", "act.gate", "act.out");
      assertThat(layers.get(1).results().mask()).isEqualTo(t.layer(1));
      assertThat(layers.get(2).activations().mask()).isEqualTo(t.layer(1));
      // A second look finds the same, though the model carries taps by then.
      TextModel tapped = ActivationTracer.tapped(model);
      assertThat(ActivationTracer.trace(engine, tapped, data(5).sortedBatches(2), SOURCE, 0, false))
          .isEqualTo(t);
    }
  }

  /** One meter, read in every scope; padding lowers the ratio of what is counted with it. */
  @Test
  void oneMeterServesAllScopes() throws Exception {
    Dataset data = data(10);
    try (Engine engine = Engine.ofThreads(2)) {
      TextModel model = bert();
      EnergyMeter tight = EnergyProbe.meter(engine, model, data.sortedBatches(64));
      EnergyMeter padded = EnergyProbe.meter(engine, model, data.paddedBatches(64, 30));
      EnergyMeter.Options hf = EnergyMeter.Options.of(EnergyScope.LEAF_HF);
      assertThat(tight.estimate(hf).ratio())
          .isEqualTo(EnergyProbe.measure(engine, model, data, EnergyScope.LEAF_HF).ratio());
      assertThat(padded.estimate(hf).savings().padding())
          .isGreaterThan(tight.estimate(hf).savings().padding());
      EnergyMeter.Options unpadded = EnergyMeter.Options.of(EnergyScope.UNPADDED);
      assertThat(padded.estimate(unpadded).savings().padding()).isZero();
      assertThat(padded.estimate(unpadded).total().inputs())
          .isEqualTo(tight.estimate(unpadded).total().inputs());
      for (EnergyScope scope : EnergyScope.values()) {
        double ratio = padded.estimate(EnergyMeter.Options.of(scope.resolve("lora"))).ratio();
        assertThat(ratio).as(scope.name()).isBetween(.3, 1.0);
      }
    }
  }
}
