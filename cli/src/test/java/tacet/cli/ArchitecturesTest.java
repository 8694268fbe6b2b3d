package tacet.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import tacet.autograd.Parameter;
import tacet.autograd.Pass;
import tacet.deft.report.RunMetrics;
import tacet.tensor.Engine;
import tacet.tensor.RandomStream;
import tacet.tensor.Tensor;
import tacet.transformer.Activation;
import tacet.transformer.Part;
import tacet.transformer.Surgery;
import tacet.transformer.Tap;
import tacet.transformer.TextModel;
import tacet.transformer.checkpoint.Checkpoint;
import tacet.transformer.checkpoint.CheckpointException;
import tacet.transformer.checkpoint.Json;
import tacet.transformer.checkpoint.SafeTensors;
import tacet.transformer.model.T5;
import tacet.transformer.model.TextModels;
import tacet.transformer.model.TextModels.Head;
import tacet.transformer.model.Vit;

/** What holds for every architecture, on the tiny checkpoints of the golden cases. */
class ArchitecturesTest {
  @TempDir Path temp;

  private static Path golden(String name) throws URISyntaxException {
    return Path.of(ArchitecturesTest.class.getResource("/golden/" + name).toURI());
  }

  /** The tensors of a checkpoint, to be changed and opened again. */
  private static Map<String, Tensor> tensors(Checkpoint c) throws IOException {
    Map<String, Tensor> all = new LinkedHashMap<>();
    for (String name : c.names()) {
      all.put(name, c.read(name));
    }
    return all;
  }

  @ParameterizedTest
  @CsvSource({
    "bert-relu, CLASSIFIER",
    "bert-qa, QUESTION_ANSWERING",
    "roberta-qa, QUESTION_ANSWERING",
    "roberta-multilabel, CLASSIFIER",
    "gpt2-bare, LANGUAGE_MODEL",
    "opt-bf16, LANGUAGE_MODEL",
    "opt-bare-f16, CLASSIFIER"
  })
  void theHeadIsFound(String name, Head head) throws Exception {
    try (Checkpoint c = Checkpoint.open(golden(name))) {
      assertThat(TextModels.head(c)).isEqualTo(head);
    }
  }

  /** Whatever the file calls them, parameters have the names of Hugging Face's modules. */
  @ParameterizedTest
  @CsvSource({
    "bert-qa, bert.encoder.layer.1.attention.output.LayerNorm.bias",
    "roberta-multilabel, classifier.out_proj.weight",
    "gpt2-bare, transformer.h.1.mlp.c_proj.weight",
    "gpt2-untied, lm_head.weight",
    "opt-bare-f16, model.decoder.layers.0.self_attn.out_proj.weight"
  })
  void parametersHaveTheirNames(String name, String parameter) throws Exception {
    try (Checkpoint c = Checkpoint.open(golden(name))) {
      assertThat(Surgery.parameters(TextModels.open(c))).containsKey(parameter);
    }
  }

  @Test
  void whatDoesNotFitIsListed() throws Exception {
    try (Checkpoint c = Checkpoint.open(golden("opt-bf16"))) {
      Map<String, Tensor> changed = tensors(c);
      changed.remove("model.decoder.layers.1.fc2.bias");
      changed.put("model.decoder.layers.2.fc1.bias", Tensor.zeros(36));
      changed.put("model.decoder.embed_positions.weight", Tensor.zeros(20, 20));
      assertThatThrownBy(() -> TextModels.open(Checkpoint.of("t", c.config(), changed)))
          .isInstanceOfSatisfying(
              CheckpointException.class,
              e -> {
                assertThat(e.missing()).containsExactly("decoder.layers.1.fc2.bias");
                assertThat(e.unexpected()).containsExactly("model.decoder.layers.2.fc1.bias");
                assertThat(e.mismatched()).hasSize(1);
                assertThat(e.mismatched().get(0).toString()).contains("embed_positions", "22");
              });
    }
  }

  /** Any value in config.json: the model opens, or is refused with the file's name, soon. */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "bert-qa",
        "roberta-multilabel",
        "gpt2-untied",
        "gpt2-bare",
        "opt-bare-f16",
        "vit-images",
        "t5-untied"
      })
  @Timeout(60)
  void strangeConfigurationsAreRefused(String name) throws Exception {
    Object[] awkward = {
      null,
      0,
      1,
      -1,
      3,
      65536,
      1_000_000_000,
      Integer.MAX_VALUE,
      1L << 40,
      0.5,
      -1e30,
      true,
      "x",
      "",
      List.of(),
      List.of(7, 9),
      Map.of(),
      Map.of("0", 1)
    };
    long seed = 20261;
    RandomStream random = RandomStream.of(seed, name, 0);
    try (Checkpoint c = Checkpoint.open(golden(name))) {
      Map<String, Tensor> tensors = tensors(c);
      List<String> members = List.copyOf(c.config().members().keySet());
      int refused = 0;
      for (int i = 0; i < 400; i++) {
        Map<String, Object> config = new LinkedHashMap<>(c.config().members());
        for (int n = 1 + random.nextInt(2); n > 0; n--) {
          String member = members.get(random.nextInt(members.size()));
          config.put(member, awkward[random.nextInt(awkward.length)]);
        }
        Json json = Json.parse(Json.of(config).toString(), "config.json");
        try {
          Checkpoint changed = Checkpoint.of("tiny", json, tensors);
          if (name.startsWith("vit")) {
            Vit.open(changed);
          } else if (name.startsWith("t5")) {
            T5.open(changed);
          } else {
            TextModels.open(changed);
          }
        } catch (IOException e) {
          refused++;
          assertThat(e.getMessage()).containsAnyOf("config.json", "tiny");
        } catch (RuntimeException | OutOfMemoryError e) {
          throw new AssertionError("seed " + seed + ", case " + i + ": " + json, e);
        }
      }
      assertThat(refused).isBetween(40, 399);
    }
  }

  /** A tap per block sees the activations, ReLU is counted, and skipping zeros changes no bit. */
  @ParameterizedTest
  @ValueSource(strings = {"roberta-qa", "gpt2-untied", "gpt2-bare", "opt-bf16"})
  void silentNeuronsAreSeenAndSkipped(String name) throws Exception {
    try (Checkpoint c = Checkpoint.open(golden(name));
        SafeTensors in = SafeTensors.open(golden(name).resolve("inputs.safetensors"));
        Engine engine = Engine.ofThreads(2)) {
      TextModel relu =
          Surgery.replace(
              TextModels.open(c),
              (path, part) -> part instanceof Activation ? Activation.of("relu") : part);
      TextModel silent = mostlySilent(relu);
      ForwardInputs inputs = new ForwardInputs(golden(name), in);
      int[] seen = new int[1];
      float[] sparse;
      try (Pass pass = Pass.inference(engine)) {
        pass.setObserver(
            (path, value) -> {
              seen[0]++;
              assertThat(value.active()).isBetween(1L, value.shape().size() / 5L);
            });
        sparse =
            Tap.onActivations(silent).forward(pass, inputs.batch(true)).logits().value().toArray();
      }
      assertThat(seen[0]).isEqualTo(2);
      try (Pass pass = Pass.inference(engine.alwaysDense())) {
        float[] dense = silent.forward(pass, inputs.batch(true)).logits().value().toArray();
        assertThat(sparse).isEqualTo(dense);
      }
    }
  }

  /** The biases before the activations lowered, so that few neurons speak. */
  private static <P extends Part> P mostlySilent(P model) {
    return Surgery.replaceParameters(
        model,
        (path, p) -> {
          if (!path.matches(".*(intermediate\\.dense|c_fc|fc1)\\.bias")) {
            return p;
          }
          Tensor lower = p.value().copy();
          for (int i = 0; i < lower.size(); i++) {
            lower.data()[i] -= 1.1f;
          }
          return Parameter.frozen(lower);
        });
  }

  /** Training with a new head, and the same score when the result is read from files again. */
  @ParameterizedTest
  @CsvSource({"roberta-qa, lora", "gpt2-bare, lora", "gpt2-bare, full", "opt-bf16, lora"})
  void gluesTasksTrainAndEvaluate(String name, String method) throws Exception {
    Path model = temp.resolve("model");
    Path data = Cli.tinyTask(temp.resolve("data"));
    Files.createDirectories(model);
    try (Checkpoint c = Checkpoint.open(golden(name))) {
      Checkpoint.write(model, c.config(), tensors(c));
    }
    Files.write(model.resolve("vocab.txt"), Cli.vocabulary());
    Path out = temp.resolve("out");
    Cli.Result trained =
        Cli.run(
            "train",
            "--model",
            model,
            "--task",
            "SST-2",
            "--data",
            data,
            "--method",
            method,
            "--rank",
            4,
            "--batch",
            8,
            "--epochs",
            16,
            "--lr",
            "1e-2",
            "--surrogate",
            "tanh",
            "--lambda",
            "0.01",
            "--quiet",
            "--out",
            out);
    assertThat(trained.err()).isEmpty();
    double score = RunMetrics.read(out.resolve("metrics.json")).score();
    assertThat(score).isGreaterThan(55);
    boolean full = method.equals("full");
    Object[] what = {"--model", full ? out.resolve("model") : model};
    Object[] adapter = full ? new Object[0] : new Object[] {"--adapter", out.resolve("adapter")};
    List<Object> args = new ArrayList<>(List.of("evaluate", "--json"));
    args.addAll(List.of(what));
    args.addAll(List.of(adapter));
    args.addAll(List.of("--task", "SST-2", "--data", data));
    Cli.Result evaluated = Cli.run(args.toArray());
    assertThat(evaluated.err()).isEmpty();
    assertThat(Json.parse(evaluated.out(), "stdout").get("score").asDouble()).isEqualTo(score);
  }
}
