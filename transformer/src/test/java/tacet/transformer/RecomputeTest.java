package tacet.transformer;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tacet.autograd.Losses;
import tacet.autograd.Parameter;
import tacet.autograd.Pass;
import tacet.autograd.Var;
import tacet.tensor.Engine;
import tacet.tensor.RandomStream;
import tacet.tensor.Shape;
import tacet.tensor.Tensor;
import tacet.tensor.WeightFormat;
import tacet.tensor.Workers;
import tacet.tensor.Workspace;
import tacet.tensor.kernel.CompactMatrix;
import tacet.tensor.kernel.Kernels;
import tacet.transformer.checkpoint.Checkpoint;
import tacet.transformer.checkpoint.Json;
import tacet.transformer.model.T5;

/** Blocks that are computed again for their gradients, dropout and all, give the same bits. */
class RecomputeTest {
  private static final int[] LABELS = {9, 8, 7, -100, 6, 5, 1, 2, 3, 4, -100, -100};

  private static T5.Generator model(String projection) throws Exception {
    Json config =
        Json.parse(
            """
            {"model_type": "t5", "vocab_size": 40, "d_model": 32, "d_kv": 8, "d_ff": 96,
             "num_layers": 6, "num_heads": 4, "dropout_rate": 0.1, "feed_forward_proj": "%s"}
            """
                .formatted(projection),
            "config");
    return T5.open(Checkpoint.of("tiny", config, T5.initialWeights(T5.Config.of(config), 5)));
  }

  private static Batch source() {
    int[] ids = {5, 6, 7, 8, 9, 3, 4, 0, 0, 0};
    return new Batch(2, 5, ids, new int[10], new int[] {1, 1, 1, 1, 1, 1, 1, 0, 0, 0});
  }

  /** All gradients of a step, and under "loss" the loss; {@code bytes} gets what was allocated. */
  private static Map<String, float[]> step(T5.Generator model, boolean again, long[] bytes) {
    Map<String, float[]> found = new LinkedHashMap<>();
    Engine engine = new Engine(Kernels.best(), new Workers(1), new Workspace(true));
    try (engine;
        Pass pass = Pass.training(engine, 3, 4)) {
      if (again) {
        pass.recompute();
      }
      Batch target = model.target(2, 6, LABELS);
      Var logits = model.forward(pass, source(), target).logits();
      Var loss = Losses.crossEntropy(pass, logits, LABELS);
      found.put("loss", new float[] {loss.value().item()});
      pass.backward(loss);
    }
    bytes[0] = engine.workspace().allocatedBytes();
    Surgery.trainable(model)
        .forEach(
            (name, p) -> {
              found.put(name, p.gradient().toArray());
              p.clearGradient();
            });
    return found;
  }

  @ParameterizedTest
  @ValueSource(strings = {"relu", "gated-gelu", "gated-relu"})
  void sameBitsInLessMemory(String projection) throws Exception {
    T5.Generator all =
        Surgery.replaceParameters(model(projection), (path, p) -> p.withTrainable(true));
    check(all, 0.67);
    T5.Generator some = // the embeddings are frozen: no gradient enters the first blocks
        Surgery.replaceParameters(
            Compact.linears(
                model(projection), WeightFormat.NF4_NESTED, path -> !path.endsWith("o")),
            (path, p) -> p.compact() != null ? p : p.withTrainable(path.endsWith("o.weight")));
    check(some, 0.8); // what products expand into counts too
  }

  private static void check(T5.Generator model, double share) {
    long[] kept = new long[1];
    long[] less = new long[1];
    Map<String, float[]> expected = step(model, false, kept);
    Map<String, float[]> found = step(model, true, less);
    assertThat(found.keySet()).isEqualTo(expected.keySet()).hasSizeGreaterThan(10);
    expected.forEach((name, g) -> assertThat(found.get(name)).as(name).isEqualTo(g));
    assertThat((double) less[0]).isLessThan(share * kept[0]);
  }

  /** A table in fewer bits gives the rows that it holds. */
  @ParameterizedTest
  @ValueSource(ints = {3, 33})
  void compactTables(int width) {
    Tensor w = RandomStream.of(1, "table", width).normal(Shape.of(70, width), 1);
    Parameter table = Parameter.compact(CompactMatrix.of(WeightFormat.BF16, w.data(), 70, width));
    int[] ids = {69, 0, 32, 31};
    try (Engine engine = Engine.ofThreads(2);
        Pass pass = Pass.inference(engine)) {
      Var y = new Embedding(table).forward(pass, ids, Shape.of(2, 2));
      float[] expanded = table.value().data();
      for (int t = 0; t < ids.length; t++) {
        for (int i = 0; i < width; i++) {
          assertThat(y.value().data()[t * width + i]).isEqualTo(expanded[ids[t] * width + i]);
        }
      }
    }
  }
}
