package tacet.transformer;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import tacet.autograd.LinearOps;
import tacet.autograd.Losses;
import tacet.autograd.Ops;
import tacet.autograd.Parameter;
import tacet.autograd.Pass;
import tacet.autograd.Var;
import tacet.tensor.Engine;
import tacet.tensor.RandomStream;
import tacet.tensor.Shape;
import tacet.tensor.Tensor;
import tacet.tensor.TensorSource;
import tacet.tensor.WeightFormat;
import tacet.transformer.checkpoint.Checkpoint;
import tacet.transformer.checkpoint.DType;
import tacet.transformer.checkpoint.Json;
import tacet.transformer.checkpoint.SafeTensors;
import tacet.transformer.checkpoint.SafeTensorsWriter;
import tacet.transformer.model.Bert;
import tacet.transformer.model.TextModels;

/** Weights that stay in their file compute what weights in memory compute. */
class StoredWeightsTest {
  private static final String CONFIG =
      """
      {"model_type": "bert", "vocab_size": 300, "hidden_size": 72, "num_hidden_layers": 2,
       "num_attention_heads": 3, "intermediate_size": 250, "hidden_act": "relu",
       "max_position_embeddings": 16, "initializer_range": 0.3}
      """;

  @TempDir Path dir;

  private static Json config() throws IOException {
    return Json.parse(CONFIG, "config");
  }

  private Path write(DType dtype) throws IOException {
    Path folder = dir.resolve("model");
    SafeTensorsWriter writer = new SafeTensorsWriter();
    Bert.initialWeights(Bert.Config.of(config()), 5).forEach((n, t) -> writer.add(n, t, dtype));
    Checkpoint.write(folder, config(), writer);
    return folder;
  }

  /** The model of a directory whose files were closed, and one from a copy in memory. */
  private static TextModel[] both(Path folder) throws IOException {
    try (Checkpoint c = Checkpoint.open(folder)) {
      Map<String, Tensor> tensors = new LinkedHashMap<>();
      for (String name : c.names()) {
        tensors.put(name, c.read(name));
      }
      Checkpoint copy = Checkpoint.of("copy", c.config(), tensors);
      return new TextModel[] {
        TextModels.classifier(c, 3, 1).model(), TextModels.classifier(copy, 3, 1).model()
      };
    }
  }

  private static Var logits(Pass pass, TextModel model) {
    int[] ids = {5, 6, 7, 298, 9, 3, 4, 0, 0, 0};
    Batch batch = new Batch(2, 5, ids, new int[10], new int[] {1, 1, 1, 1, 1, 1, 1, 0, 0, 0});
    return model.forward(pass, batch).logits();
  }

  private static float[] infer(Engine engine, TextModel model) {
    try (Pass pass = Pass.inference(engine)) {
      return logits(pass, model).value().toArray();
    }
  }

  /** The gradient of the sum of logits by each parameter. */
  private static Map<String, float[]> gradients(Engine engine, TextModel model) {
    TextModel trained = Surgery.replaceParameters(model, (path, p) -> p.withTrainable(true));
    try (Pass pass = Pass.gradient(engine)) {
      Var y = logits(pass, trained);
      float[] target = new float[y.value().size()];
      pass.backward(Losses.meanSquaredError(pass, y, target));
    }
    Map<String, float[]> all = new LinkedHashMap<>();
    Surgery.parameters(trained)
        .forEach((n, p) -> all.put(n, p.gradient() == null ? null : p.gradient().toArray()));
    return all;
  }

  @ParameterizedTest
  @EnumSource(
      value = DType.class,
      names = {"F32", "F16", "BF16", "F64"})
  void sameBits(DType dtype) throws IOException {
    TextModel[] models = both(write(dtype));
    Parameter word = Surgery.parameters(models[0]).get("bert.embeddings.word_embeddings.weight");
    assertThat(word.source()).isNotInstanceOf(Tensor.class);
    try (Engine engine = Engine.ofThreads(2)) {
      assertThat(infer(engine, models[0])).isEqualTo(infer(engine, models[1]));
      assertThat(infer(engine.alwaysDense(), models[0])).isEqualTo(infer(engine, models[1]));
      assertThat(word.source()).as("still in the file").isNotInstanceOf(Tensor.class);
      TextModel small = Compact.linears(models[0], WeightFormat.NF4, path -> true);
      assertThat(infer(engine, small))
          .isEqualTo(infer(engine, Compact.linears(models[1], WeightFormat.NF4, path -> true)));
      Map<String, float[]> wanted = gradients(engine, models[1]);
      gradients(engine, models[0])
          .forEach((name, g) -> assertThat(g).as(name).isEqualTo(wanted.get(name)));
    }
  }

  /** After its value was asked for and written to, a weight is what was written everywhere. */
  @Test
  void whatIsWrittenCounts() throws IOException {
    TextModel model = both(write(DType.F32))[0];
    Parameter word = Surgery.parameters(model).get("bert.embeddings.word_embeddings.weight");
    Parameter query =
        Surgery.parameters(model).get("bert.encoder.layer.0.attention.self.query.weight");
    try (Engine engine = Engine.ofThreads(1)) {
      Parameter trained = query.withTrainable(true);
      float[] before = product(engine, trained);
      assertThat(trained.value()).as("shared").isSameAs(query.value());
      Arrays.fill(trained.value().data(), 0f);
      trained.changed();
      assertThat(product(engine, trained)).isNotEqualTo(before).containsOnly(0f);
      Arrays.fill(word.value().data(), 2f);
      try (Pass pass = Pass.inference(engine)) {
        Var rows = Ops.embedding(pass, word, new int[] {7}, Shape.of(1));
        assertThat(rows.value().toArray()).containsOnly(2f);
      }
    }
  }

  private static float[] product(Engine engine, Parameter w) {
    Tensor x = RandomStream.of(3, "x", 0).normal(Shape.of(4, w.shape().last()), 1);
    try (Pass pass = Pass.inference(engine)) {
      return LinearOps.linear(pass, pass.constant(x), w, null).value().toArray();
    }
  }

  /** A model may be saved over the directory that it lies in. */
  @Test
  void mayBeReplacedByItself() throws IOException {
    Path folder = write(DType.F32);
    TextModel[] models = both(folder);
    byte[] before = Files.readAllBytes(folder.resolve("model.safetensors"));
    SafeTensorsWriter writer = new SafeTensorsWriter();
    Surgery.parameters(models[0])
        .forEach(
            (path, p) -> {
              if (!path.startsWith("classifier")) {
                writer.add(path.substring("bert.".length()), p.source());
              }
            });
    Checkpoint.write(folder, config(), writer);
    assertThat(Files.readAllBytes(folder.resolve("model.safetensors"))).isEqualTo(before);
    try (Engine engine = Engine.ofThreads(1)) {
      assertThat(infer(engine, models[0])).isEqualTo(infer(engine, models[1]));
    }
  }

  /** Pieces that begin and end anywhere, in the file and beside it. */
  @Test
  void pieces() throws IOException {
    Path file = dir.resolve("t.safetensors");
    Tensor t = RandomStream.of(1, "t", 0).normal(Shape.of(400, 300), 1);
    new SafeTensorsWriter().add("a", t).add("b", t, DType.BF16).write(file);
    TensorSource a;
    try (SafeTensors f = SafeTensors.open(file)) {
      a = f.source("a");
      assertThat(f.source("b").toArray()).isEqualTo(f.read("b").toArray());
    }
    assertThat(a.shape()).isEqualTo(t.shape());
    assertThat(a.toArray()).isEqualTo(t.toArray());
    float[] piece = new float[70_002];
    a.read(12_345, piece, 1, 70_000);
    assertThat(Arrays.copyOfRange(piece, 1, 70_001))
        .isEqualTo(Arrays.copyOfRange(t.data(), 12_345, 82_345));
    assertThat(piece[0] + piece[70_001]).isZero();
  }
}
