package tacet.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tacet.transformer.checkpoint.Json;

/** {@code tacet experiment}, {@code pretrain} and {@code prune} on tiny models. */
class ExperimentTest {
  @TempDir Path temp;

  @Test
  void everyPlanHasRuns() {
    for (String name : ExperimentPresets.names()) {
      Cli.Result r =
          Cli.run("experiment", name, "--plan", "--set", "data=x", "--out", temp.resolve("none"));
      assertThat(r.err()).as(name).isEmpty();
      assertThat(r.out()).contains("tacet train", "--seed 3");
    }
    assertThat(Files.exists(temp.resolve("none"))).isFalse();
    Cli.Result r = Cli.run("experiment", "fly", "--out", temp);
    assertThat(r.code()).isEqualTo(1);
    assertThat(r.err()).contains("neither a file nor one of").hasLineCount(1);
  }

  private Object[] experiment(Path plan, Path out, Object... more) {
    List<Object> all = new ArrayList<>(List.of("experiment", plan, "--out", out, "--quiet"));
    all.addAll(List.of(more));
    return all.toArray();
  }

  @Test
  void tomlPlanRunsOnceAndIsReported() throws IOException {
    Cli.tinyModel(temp.resolve("model"));
    Cli.tinyTask(temp.resolve("data/SST-2"));
    Path plan = temp.resolve("plan.toml");
    Files.writeString(
        plan,
        """
        title = "A tiny experiment"
        model = "%s"
        data = "%s"
        tasks = ["SST-2"]
        methods = ["lora"]
        seeds = [1, 2]
        after = ["prune", "energy"]
        epochs = 2
        batch = 8
        lr = 1e-2
        max-length = 32

        [variants.PEFT]
        surrogate = "none"

        [variants.ADA-DEFT]
        surrogate = "tanh"
        lambda = 0.5
        adaptive = true
        recompute = true
        """
            .formatted(temp.resolve("model"), temp.resolve("data")));
    Path out = temp.resolve("out");
    Cli.Result r = Cli.run(experiment(plan, out));
    assertThat(r.err()).isEmpty();
    assertThat(r.code()).isZero();
    assertThat(r.out()).contains("ADA-DEFT density change %");
    String markdown = Files.readString(out.resolve("tables.md"));
    assertThat(markdown).contains("A tiny experiment", "| SST-2 | lora |", " ± ");
    assertThat(Files.readString(out.resolve("tables.tex"))).contains("\\begin{tabular}");
    assertThat(Files.readAllLines(out.resolve("runs.csv"))).hasSize(5);
    String html = Files.readString(out.resolve("report.html"));
    assertThat(html).contains("<svg", "WANDA", "Weights of the blocks", "Energy ratio (simulated)");
    Json run = Json.read(out.resolve("run.json"));
    assertThat(run.get("sha256").members().keySet()).anyMatch(f -> f.endsWith("train.tsv"));
    assertThat(run.get("plan").get("epochs").asString()).isEqualTo("2");

    // Finished cells are not run again; a cell whose record is missing is, and only that one.
    Path cell = out.resolve("cells/SST-2-lora-PEFT-seed-1");
    Path other = out.resolve("cells/SST-2-lora-PEFT-seed-2/metrics.json");
    FileTime before = Files.getLastModifiedTime(other);
    byte[] adapter = Files.readAllBytes(cell.resolve("adapter/adapter_model.safetensors"));
    Files.delete(cell.resolve("train.json"));
    Files.delete(cell.resolve("metrics.json"));
    String tables = Files.readString(out.resolve("paired.csv"));
    assertThat(Cli.run(experiment(plan, out)).code()).isZero();
    assertThat(Files.getLastModifiedTime(other)).isEqualTo(before);
    assertThat(Files.exists(cell.resolve("metrics.json"))).isTrue();
    assertThat(Files.readAllBytes(cell.resolve("adapter/adapter_model.safetensors")))
        .isEqualTo(adapter);
    assertThat(Files.readString(out.resolve("paired.csv"))).isEqualTo(tables);

    Files.writeString(plan, "tasks = [\n");
    Cli.Result broken = Cli.run(experiment(plan, out));
    assertThat(broken.code()).isEqualTo(1);
    assertThat(broken.err()).contains("plan.toml").hasLineCount(1);
  }

  @Test
  void aPlanMayRefitTheModelFirst() throws IOException {
    Path model = Cli.tinyModel(temp.resolve("model"));
    Path config = model.resolve("config.json");
    Files.writeString(config, Files.readString(config).replace("\"relu\"", "\"gelu\""));
    Path plan = temp.resolve("plan.toml");
    Files.writeString(
        plan,
        """
        model = "%s"
        tasks = ["reviews"]
        methods = ["lora"]
        seeds = [1]
        refit = 60
        activation = "relu"
        steps = 2
        batch = 8
        max-length = 32
        after = ["evaluate"]
        """
            .formatted(model));
    Path out = temp.resolve("out");
    Cli.Result r = Cli.run(experiment(plan, out));
    assertThat(r.err()).isEmpty();
    assertThat(r.code()).isZero();
    try (Stream<Path> refitted = Files.list(out.resolve("refit"))) {
      Path dir = refitted.findFirst().orElseThrow();
      Json done = Json.read(out.resolve("cells/reviews-lora-run-seed-1/train.json"));
      assertThat(done.get("command").toString())
          .contains(dir.resolve("model").toString())
          .doesNotContain("activation");
      FileTime before = Files.getLastModifiedTime(dir.resolve("refit.json"));
      assertThat(Cli.run(experiment(plan, out)).code()).isZero();
      assertThat(Files.getLastModifiedTime(dir.resolve("refit.json"))).isEqualTo(before);
    }
  }

  @Test
  void pretrainsBothArchitecturesForTasksOfTheirs() throws IOException {
    Path text = temp.resolve("text.txt");
    StringBuilder lines = new StringBuilder();
    for (int i = 0; i < 60; i++) {
      lines.append("question: who hid the key? context: anna hid the key number ").append(i);
      lines.append(" in the kitchen on monday.\n");
    }
    Files.writeString(text, lines.toString());
    for (String architecture : new String[] {"bert", "t5"}) {
      Path model = temp.resolve(architecture);
      Cli.Result r =
          Cli.run(
              "pretrain",
              "--architecture",
              architecture,
              "--text",
              text,
              "--layers",
              1,
              "--hidden",
              16,
              "--heads",
              2,
              "--intermediate",
              24,
              "--steps",
              6,
              "--batch",
              8,
              "--quiet",
              "--json",
              "--out",
              model);
      assertThat(r.err()).as(architecture).isEmpty();
      assertThat(Json.parse(r.out(), "out").get("steps").asInt()).isEqualTo(6);
      Path tuned = temp.resolve(architecture + "-tuned");
      Cli.Result t =
          Cli.run(
              "train",
              "--model",
              model,
              "--task",
              "reading",
              "--train-samples",
              24,
              "--dev-samples",
              8,
              "--epochs",
              1,
              "--batch",
              8,
              "--surrogate",
              "tanh",
              "--adaptive",
              "--targets",
              "all-linear",
              "--quiet",
              "--json",
              "--out",
              tuned);
      assertThat(t.err()).as(architecture).isEmpty();
      Json metrics = Json.parse(t.out(), "out");
      assertThat(metrics.get("metrics").members().keySet()).containsExactly("f1", "exact_match");
      assertThat(metrics.get("density").has("decoder")).isEqualTo(architecture.equals("t5"));
      Cli.Result e =
          Cli.run(
              "evaluate",
              "--model",
              model,
              "--adapter",
              tuned.resolve("adapter"),
              "--task",
              "reading",
              "--dev-samples",
              8,
              "--firing",
              "--thresholds",
              "0,0.1",
              "--json");
      assertThat(e.err()).as(architecture).isEmpty();
      Json again = Json.parse(e.out(), "out");
      assertThat(again.get("score").asDouble()).isEqualTo(metrics.get("score").asDouble());
      assertThat(again.get("firing").elements()).isNotEmpty();
      assertThat(again.get("thresholds").elements().get(0).get("error").asDouble()).isZero();
      Cli.Result p =
          Cli.run(
              "prune",
              "--model",
              model,
              "--adapter",
              tuned.resolve("adapter"),
              "--task",
              "reading",
              "--dev-samples",
              8,
              "--samples",
              8,
              "--sparsity",
              "0,0.5",
              "--json");
      assertThat(p.err()).as(architecture).isEmpty();
      assertThat(Json.parse(p.out(), "out").get("points").elements().get(0).get("score").asDouble())
          .isEqualTo(metrics.get("score").asDouble());
    }
  }

  @Test
  void imagesAreLearnt() throws IOException {
    Path golden = Path.of("src/test/resources/golden/vit-images");
    Cli.Result r =
        Cli.run(
            "train",
            "--model",
            golden,
            "--task",
            "shapes",
            "--method",
            "full",
            "--train-samples",
            48,
            "--dev-samples",
            16,
            "--epochs",
            2,
            "--batch",
            8,
            "--accumulate",
            2,
            "--surrogate",
            "l0",
            "--quiet",
            "--json",
            "--out",
            temp.resolve("vit"));
    assertThat(r.err()).isEmpty();
    Json m = Json.parse(r.out(), "out");
    assertThat(m.get("metrics").members().keySet()).containsExactly("accuracy");
    Cli.Result e =
        Cli.run(
            "evaluate",
            "--model",
            temp.resolve("vit/model"),
            "--task",
            "shapes",
            "--dev-samples",
            16,
            "--json");
    assertThat(e.err()).isEmpty();
    assertThat(Json.parse(e.out(), "out").get("score").asDouble())
        .isEqualTo(m.get("score").asDouble());
  }
}
