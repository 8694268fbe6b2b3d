package tacet.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tacet.deft.report.RunMetrics;
import tacet.peft.AdapterFile;
import tacet.peft.Lora;
import tacet.peft.Targets;
import tacet.tensor.Shape;
import tacet.tensor.Tensor;
import tacet.transformer.Part;
import tacet.transformer.checkpoint.Checkpoint;
import tacet.transformer.checkpoint.DType;
import tacet.transformer.checkpoint.Json;
import tacet.transformer.checkpoint.SafeTensors;
import tacet.transformer.checkpoint.SafeTensorsWriter;
import tacet.transformer.model.TextModels;

/** {@code tacet forward --adapter} against peft and plain PyTorch; see make_peft_goldens.py. */
class AdapterGoldenTest {
  private static final double VALUES = 1e-4;
  private static final double GRADIENTS = 1e-3;
  private static final double NOISE = 1e-6; // a gradient that is zero by algebra

  /** What the script makes: a case that gets lost is noticed. */
  private static final int CASES = 34;

  @TempDir Path temp;

  static Path folder() throws Exception {
    return Path.of(AdapterGoldenTest.class.getResource("/golden/peft").toURI());
  }

  @Test
  void allMethodsOnAllArchitecturesAgreeWithPython() throws Exception {
    List<Path> cases;
    try (Stream<Path> all = Files.list(folder())) {
      cases = all.filter(p -> p.getFileName().toString().contains("-")).sorted().toList();
    }
    assertThat(cases).hasSize(CASES);
    for (Path dir : cases) {
      String name = dir.getFileName().toString();
      Path out = temp.resolve(name + ".safetensors");
      Cli.Result r =
          Cli.run(
              "forward",
              "--model",
              folder().resolve(name.substring(0, name.indexOf('-'))),
              "--adapter",
              dir.resolve("adapter"),
              "--inputs",
              dir.resolve("inputs.safetensors"),
              "--output",
              out,
              "--gradients");
      assertThat(r.err()).as(name).isEmpty();
      assertThat(r.code()).as(name).isZero();
      compare(name, dir.resolve("expected.safetensors"), out);
    }
  }

  /** A merged model needs no adapter any more; the other methods cannot be merged. */
  @Test
  void mergedModelsComputeTheSame() throws Exception {
    for (String name : List.of("bert-lora-patterns", "gpt2-lora", "t5-lora")) {
      Path dir = folder().resolve(name);
      Path base = folder().resolve(name.substring(0, name.indexOf('-')));
      Path merged = temp.resolve(name);
      Cli.Result r =
          Cli.run("merge", "--model", base, "--adapter", dir.resolve("adapter"), "--out", merged);
      assertThat(r.err()).as(name).isEmpty();
      Path out = temp.resolve(name + ".safetensors");
      Cli.run(
          "forward",
          "--model",
          merged,
          "--inputs",
          dir.resolve("inputs.safetensors"),
          "--output",
          out);
      try (SafeTensors expected = SafeTensors.open(dir.resolve("expected.safetensors"));
          SafeTensors found = SafeTensors.open(out)) {
        float[] e = expected.read("logits").toArray();
        float[] f = found.read("logits").toArray();
        for (int i = 0; i < e.length; i++) {
          assertThat(f[i]).isCloseTo(e[i], within(1e-4f));
        }
      }
    }
    Path prefix = folder().resolve("bert-prefix").resolve("adapter");
    Cli.Result r =
        Cli.run(
            "merge",
            "--model",
            folder().resolve("bert"),
            "--adapter",
            prefix,
            "--out",
            temp.resolve("no"));
    assertThat(r.code()).isEqualTo(1);
    assertThat(r.err()).contains("prefix", "only LoRA");
  }

  /**
   * An adapter without a head, on a model without one, gives states, as the model does; one that
   * brings other parts leaves a new head to chance and is refused.
   */
  @Test
  void aHeadIsNeverLeftToChance() throws Exception {
    Path model = Cli.tinyModel(temp.resolve("model"));
    Path inputs = temp.resolve("inputs.safetensors");
    new SafeTensorsWriter()
        .addLongs("input_ids", Shape.of(1, 4), new long[] {2, 5, 9, 3}, DType.I64)
        .write(inputs);
    Targets targets = Targets.of("query");
    try (Checkpoint c = Checkpoint.open(model)) {
      for (List<String> saved : List.<List<String>>of(List.of(), List.of("LayerNorm"))) {
        Lora lora = new Lora(2, 4, 0, false, targets, saved);
        Part adapted = lora.applyTo(TextModels.classifier(c, 2, 1).model(), 1);
        AdapterFile.save(temp.resolve("lora" + saved.size()), adapted, lora, null, "tiny");
      }
    }
    Path out = temp.resolve("out.safetensors");
    for (int modules = 0; modules < 2; modules++) {
      Path adapter = temp.resolve("lora" + modules);
      Cli.Result r =
          Cli.run(
              "forward",
              "--model",
              model,
              "--adapter",
              adapter,
              "--inputs",
              inputs,
              "--output",
              out);
      if (modules == 0) {
        assertThat(r.err()).isEmpty();
        try (SafeTensors found = SafeTensors.open(out)) {
          assertThat(found.names()).containsExactly("last_hidden_state");
        }
      } else {
        assertThat(r.code()).isEqualTo(1);
        assertThat(r.err()).contains("lora1", "classifier.weight", "another head");
      }
    }
    Path data = Cli.tinyTask(temp.resolve("data"));
    Cli.Result r =
        Cli.run(
            "evaluate",
            "--model",
            model,
            "--adapter",
            temp.resolve("lora0"),
            "--task",
            "SST-2",
            "--data",
            data);
    assertThat(r.code()).isEqualTo(1);
    assertThat(r.err()).contains("lora0", "classifier.weight", "another head");
  }

  /** Every method trains through the command line, and evaluates to the same score from its files. */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "lora --rslora --rank-pattern query=2",
        "adapter --placement houlsby --reduction 4",
        "prefix --virtual-tokens 4",
        "prompt --virtual-tokens 4 --prompt-init vocabulary",
        "prompt --virtual-tokens 4 --prompt-init text --prompt-text good"
      })
  void everyMethodTrainsAndEvaluates(String method) throws Exception {
    Path model = Cli.tinyModel(temp.resolve("model"));
    Path data = Cli.tinyTask(temp.resolve("data"));
    Path out = temp.resolve("out");
    List<Object> args =
        new ArrayList<>(List.of("train", "--model", model, "--task", "SST-2", "--data", data));
    args.add("--method");
    args.addAll(List.of(method.split(" ")));
    args.addAll(List.of("--batch", 16, "--epochs", 3, "--lr", "2e-2", "--surrogate", "tanh"));
    args.addAll(List.of("--lambda", "0.01", "--quiet", "--out", out));
    Cli.Result trained = Cli.run(args.toArray());
    assertThat(trained.err()).isEmpty();
    RunMetrics metrics = RunMetrics.read(out.resolve("metrics.json"));
    assertThat(metrics.method()).isEqualTo(method.substring(0, method.indexOf(' ')));
    Cli.Result evaluated =
        Cli.run(
            "evaluate",
            "--json",
            "--model",
            model,
            "--adapter",
            out.resolve("adapter"),
            "--task",
            "SST-2",
            "--data",
            data);
    assertThat(evaluated.err()).isEmpty();
    Json result = Json.parse(evaluated.out(), "stdout");
    assertThat(result.get("score").asDouble()).isEqualTo(metrics.score());
    assertThat(result.get("density").get("exact").asDouble())
        .isCloseTo(metrics.density().exact(), within(1e-3));
    assertThat(result.get("trainable").asLong()).isEqualTo(metrics.trainable());
  }

  /** The same names, and every tensor within tolerance of its largest value. */
  private static void compare(String name, Path expectedFile, Path foundFile) throws IOException {
    try (SafeTensors expected = SafeTensors.open(expectedFile);
        SafeTensors found = SafeTensors.open(foundFile)) {
      assertThat(found.names()).as(name).containsExactlyInAnyOrderElementsOf(expected.names());
      for (String tensor : expected.names()) {
        String what = name + ": " + tensor;
        Tensor e = expected.read(tensor);
        Tensor f = found.read(tensor);
        assertThat(f.shape()).as(what).isEqualTo(e.shape());
        double largest = 0;
        double worst = 0;
        for (int i = 0; i < e.size(); i++) {
          largest = Math.max(largest, Math.abs(e.data()[i]));
          worst = Math.max(worst, Math.abs(e.data()[i] - f.data()[i]));
        }
        double tolerance = tensor.startsWith("grad.") ? GRADIENTS : VALUES;
        assertThat(worst).as(what).isLessThanOrEqualTo(Math.max(NOISE, tolerance * largest));
      }
    }
  }
}
