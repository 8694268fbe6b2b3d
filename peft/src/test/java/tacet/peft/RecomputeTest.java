package tacet.peft;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tacet.autograd.Losses;
import tacet.autograd.Parameter;
import tacet.autograd.Pass;
import tacet.autograd.Var;
import tacet.tensor.Engine;
import tacet.tensor.RandomStream;
import tacet.tensor.Shape;
import tacet.tensor.Tensor;
import tacet.tensor.Workers;
import tacet.tensor.Workspace;
import tacet.tensor.kernel.BreakEven;
import tacet.tensor.kernel.Kernels;
import tacet.transformer.Batch;
import tacet.transformer.ImageModel;
import tacet.transformer.Part;
import tacet.transformer.Surgery;
import tacet.transformer.TextModel;
import tacet.transformer.checkpoint.Checkpoint;
import tacet.transformer.model.T5;
import tacet.transformer.model.TextModels;
import tacet.transformer.model.Vit;

/** Blocks that are computed again for their gradients: every model, however it is trained. */
class RecomputeTest {
  private static final int[] IDS = {5, 6, 7, 8, 9, 3, 4, 2, 1, 1};
  private static final Batch BATCH =
      new Batch(2, 5, IDS, new int[10], new int[] {1, 1, 1, 1, 1, 1, 1, 1, 0, 0});
  private static final int[] LABELS = {2, 1};
  private static final int[] TARGET = {9, 8, 7, -100, 6, 5};
  private static final String ENCODER =
      """
      "vocab_size": 40, "hidden_size": 64, "num_hidden_layers": 4, "num_attention_heads": 4,
      "intermediate_size": 128, "max_position_embeddings": 16, "hidden_act": "%s",
      """;

  @TempDir Path temp;

  /** The frozen model of an architecture with random weights; what a ReLU sees is mostly negative. */
  private Part model(String architecture) throws IOException {
    String config =
        switch (architecture) {
          case "bert" -> ENCODER.formatted("relu") + "\"pad_token_id\": 0";
          case "roberta" -> ENCODER.formatted("gelu") + "\"pad_token_id\": 1";
          case "gpt2" ->
              """
              "vocab_size": 40, "n_embd": 64, "n_layer": 4, "n_head": 4, "n_positions": 16,
              "pad_token_id": 1
              """;
          case "opt", "opt-post-norm" ->
              """
              "vocab_size": 40, "hidden_size": 64, "num_hidden_layers": 4, "ffn_dim": 128,
              "num_attention_heads": 4, "max_position_embeddings": 16, "attention_dropout": 0.1,
              "word_embed_proj_dim": %d, "do_layer_norm_before": %b, "pad_token_id": 1
              """
                  .formatted(architecture.equals("opt") ? 64 : 32, architecture.equals("opt"));
          case "vit" ->
              ENCODER.formatted("gelu")
                  + """
                  "image_size": 8, "patch_size": 4, "num_labels": 3,
                  "hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.1
                  """;
          default ->
              """
              "vocab_size": 40, "d_model": 64, "d_kv": 16, "d_ff": 128, "num_layers": 3,
              "num_heads": 4, "feed_forward_proj": "relu"
              """;
        };
    String type = architecture.replaceFirst("-.*", "");
    Files.writeString(
        temp.resolve("config.json"), "{\"model_type\": \"%s\", %s}".formatted(type, config));
    Checkpoint shapes = Checkpoint.shapes(temp);
    Part hollow =
        switch (type) {
          case "vit" -> Vit.open(shapes);
          case "t5" -> T5.open(shapes);
          default -> TextModels.classifier(shapes, 3, 1).model();
        };
    return Surgery.replaceParameters(
        hollow,
        (path, p) -> {
          Tensor w = RandomStream.of(1, path, 0).normal(p.shape(), 0.2);
          boolean norm = path.matches("(?i).*(norm|ln_.)\\.weight");
          boolean silent = path.matches(".*(fc1|intermediate\\.dense)\\.bias");
          for (int i = 0; i < w.size(); i++) {
            w.data()[i] += norm ? 1 : silent ? -3 : 0;
          }
          return Parameter.frozen(w);
        });
  }

  private static Part adapt(Part base, String method) {
    List<String> head = List.of("classifier", "score");
    Part model =
        switch (method) {
          case "full" -> Surgery.replaceParameters(base, (path, p) -> p.withTrainable(true));
          case "lora" ->
              new Lora(3, 6, 0.1, false, Targets.allLinear(), head).<Part>applyTo(base, 1);
          case "prefix" -> new Prefix(3, Prefix.Semantics.PAPER, head).<Part>applyTo(base, 1);
          case "houlsby" -> Bottleneck.houlsby(4, head).<Part>applyTo(base, 1);
          default -> new Prompt(3, Prompt.Start.random(), head).<Part>applyTo(base, 1);
        };
    // Away from the identity start.
    Surgery.trainable(model)
        .forEach(
            (name, p) -> {
              Tensor noise = RandomStream.of(3, name, 0).normal(p.shape(), 0.1);
              for (int i = 0; i < noise.size(); i++) {
                p.value().data()[i] += noise.data()[i];
              }
              p.changed();
            });
    return model;
  }

  private static Var loss(Pass pass, Part model) {
    return switch (model) {
      case TextModel text -> Losses.crossEntropy(pass, text.forward(pass, BATCH).logits(), LABELS);
      case ImageModel image -> {
        Tensor pixels = RandomStream.of(2, "pixels", 0).normal(Shape.of(2, 3, 8, 8), 1);
        yield Losses.crossEntropy(pass, image.forward(pass, pixels).logits(), LABELS);
      }
      case tacet.transformer.Seq2SeqModel t5 ->
          Losses.crossEntropy(
              pass, t5.forward(pass, BATCH, t5.target(2, 3, TARGET)).logits(), TARGET);
      default -> throw new AssertionError(model);
    };
  }

  /**
   * What a training step came to.
   *
   * @param gradients all of them, and the loss as "loss"
   * @param tape operators that were recorded
   * @param peak bytes of buffers in use
   */
  private record Step(Map<String, float[]> gradients, int tape, long peak) {}

  private static Step step(Part model, boolean recompute) {
    Map<String, float[]> found = new LinkedHashMap<>();
    int tape;
    Engine engine =
        new Engine(Kernels.best(), new Workers(2), new Workspace(true))
            .withBreakEven(BreakEven.constant(0.5)); // so that zeros are skipped
    try (engine;
        Pass pass = Pass.training(engine, 3, 4)) {
      if (recompute) {
        pass.recompute();
      }
      Var loss = loss(pass, model);
      tape = pass.tapeLength();
      found.put("loss", loss.value().toArray());
      pass.backward(loss);
    }
    Surgery.trainable(model)
        .forEach(
            (name, p) -> {
              found.put(name, p.gradient().toArray());
              p.clearGradient();
            });
    return new Step(found, tape, engine.workspace().peakBytes());
  }

  @ParameterizedTest
  @CsvSource({
    "bert, full",
    "bert, lora",
    "bert, prefix",
    "bert, houlsby",
    "bert, prompt",
    "roberta, full",
    "roberta, lora",
    "roberta, prefix",
    "gpt2, full",
    "gpt2, lora",
    "gpt2, prefix",
    "gpt2, houlsby",
    "opt, full",
    "opt, lora",
    "opt, prefix",
    "opt-post-norm, full",
    "opt-post-norm, lora",
    "vit, full",
    "vit, lora",
    "vit, prefix",
    "t5, lora",
    "t5, prefix"
  })
  void sameBitsInLessMemory(String architecture, String method) throws IOException {
    Part model = adapt(model(architecture), method);
    Step kept = step(model, false);
    Step less = step(model, true);
    assertThat(less.gradients.keySet()).isEqualTo(kept.gradients.keySet());
    kept.gradients.forEach(
        (name, g) -> {
          assertThat(less.gradients.get(name)).as(name).isEqualTo(g);
          assertThat(g).as(name).doesNotContain(Float.NaN);
        });
    assertThat(kept.gradients.values()).anyMatch(g -> g.length > 1 && g[0] != 0);
    assertThat((double) less.peak).isLessThan(0.8 * kept.peak);
    assertThat(less.tape).isLessThan(kept.tape / 2);
  }

  /** Only what is trained, and what lies above it, is computed again. */
  @Test
  void frozenBlocksAreNotRecorded() throws IOException {
    Part base = model("bert");
    Targets top = new Targets(List.of(), ".*layer\\.3\\..*query");
    Part upper = new Lora(3, 6, 0.1, false, top, List.of("classifier")).applyTo(base, 1);
    Part head = Surgery.replaceParameters(base, (p, w) -> w.withTrainable(p.startsWith("class")));
    int above = step(head, false).tape;
    assertThat(step(head, true).tape).isEqualTo(above);
    assertThat(step(adapt(base, "lora"), true).tape).isGreaterThan(above + 4);
    Step one = step(upper, true);
    Step kept = step(upper, false);
    assertThat(one.tape).isLessThan(above + 6);
    kept.gradients.forEach((name, g) -> assertThat(one.gradients.get(name)).as(name).isEqualTo(g));
    try (Engine engine = Engine.ofThreads(1);
        Pass pass = Pass.training(engine, 1, 1)) {
      pass.recompute();
      Var loss = loss(pass, base);
      assertThatThrownBy(() -> pass.backward(loss))
          .hasMessageContaining("nothing to differentiate");
    }
  }
}
