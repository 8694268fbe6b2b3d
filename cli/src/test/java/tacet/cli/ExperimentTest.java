package tacet.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tacet.deft.report.LogEntry;
import tacet.deft.report.RunLog;
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

  /** What --plan prints are the commands themselves. */
  @Test
  void plannedCommandsCanBeTyped() throws IOException {
    Path model = Cli.tinyModel(temp.resolve("a model"));
    Path data = Cli.tinyTask(temp.resolve("SST-2"));
    Path plan = temp.resolve("plan.toml");
    Files.writeString(
        plan,
        """
        model = "%s"
        tasks = ["SST-2", "reviews"]
        methods = ["lora"]
        seeds = [1]
        refit = 40
        activation = "gelu"
        steps = 1
        evaluate-every = 0
        dev-samples = 4
        max-length = 16
        after = ["evaluate"]
        [data]
        SST-2 = "%s"
        [variants.PEFT]
        rslora = true
        adaptive = true
        [variants.DEFT]
        rslora = false
        surrogate = "tanh"
        """
            .formatted(model, data));
    Path out = temp.resolve("out");
    Cli.Result planned = Cli.run(experiment(plan, out, "--plan"));
    assertThat(planned.err()).isEmpty();
    List<String> lines = planned.out().lines().toList();
    assertThat(lines).hasSize(1 + 2 * 4).allMatch(l -> l.startsWith("tacet "));
    assertThat(lines.get(0)).startsWith("tacet refit --model '").contains("--data " + data);
    assertThat(lines.get(1)).contains(" --rslora --adaptive").doesNotContain("true");
    for (String line : lines) {
      List<String> words = new ArrayList<>();
      Matcher word = Pattern.compile("'([^']*)'|(\\S+)").matcher(line.substring("tacet ".length()));
      while (word.find()) {
        words.add(word.group(1) == null ? word.group(2) : word.group(1));
      }
      words.add("--quiet");
      Cli.Result typed = Cli.run(words.toArray());
      assertThat(typed.err()).as(line).isEmpty();
    }
    Cli.Result two = Cli.run(experiment(plan, out, "--set", "data.reviews=elsewhere", "--plan"));
    assertThat(two.code()).isEqualTo(1);
    assertThat(two.err()).contains("from one folder", "elsewhere").hasLineCount(1);
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
  void pretrainingRefusesBeforeItWrites() throws IOException {
    Path latin = temp.resolve("latin.txt");
    Files.write(latin, new byte[] {'a', (byte) 0xE9, '\n'});
    Path out = temp.resolve("model");
    Object[][] wrong = {
      {"latin.txt: not valid UTF-8", "--text", latin},
      {"a folder", "--text", temp},
      {"none.txt: no such file", "--text", temp.resolve("none.txt")},
      {"--heads", "--heads", 0},
      {"--heads", "--heads", 0, "--architecture", "t5"},
      {"--hidden 30", "--hidden", 30},
      {"mish", "--activation", "mish"},
    };
    for (Object[] options : wrong) {
      List<Object> command = new ArrayList<>(List.of("pretrain", "--out", out, "--quiet"));
      command.addAll(List.of(options).subList(1, options.length));
      Cli.Result r = Cli.run(command.toArray());
      assertThat(r.code()).isEqualTo(1);
      assertThat(r.err())
          .startsWith("tacet: ")
          .contains(options[0].toString())
          .doesNotContain("Exception")
          .hasLineCount(1);
      assertThat(out).doesNotExist();
    }
  }

  /** The metrics that are printed are those of the model that is written. */
  @Test
  void pretrainingSaysWhatItKeeps() throws IOException {
    Path text = temp.resolve("text.txt");
    StringBuilder lines = new StringBuilder();
    for (int i = 0; i < 60; i++) {
      lines.append("anna hid the key number ").append(i % 7).append(" in the kitchen.\n");
    }
    Files.writeString(text, lines.toString());
    Path out = temp.resolve("model");
    List<Object> command = new ArrayList<>(List.of("pretrain", "--text", text, "--layers", 1));
    command.addAll(List.of("--hidden", 16, "--heads", 2, "--intermediate", 24, "--batch", 8));
    command.addAll(List.of("--steps", 24, "--lr", "3", "--evaluate-every", 2, "--keep", "best"));
    command.addAll(List.of("--quiet", "--json", "--out", out));
    Cli.Result r = Cli.run(command.toArray());
    assertThat(r.err()).isEmpty();
    List<LogEntry.Evaluation> seen =
        RunLog.read(out.resolve("pretraining/log.jsonl")).stream()
            .filter(LogEntry.Evaluation.class::isInstance)
            .map(LogEntry.Evaluation.class::cast)
            .filter(e -> e.step() > 0)
            .toList();
    double best = seen.stream().mapToDouble(LogEntry.Evaluation::score).max().orElseThrow();
    assertThat(seen.get(seen.size() - 1).score()).as("a test that can fail").isLessThan(best);
    assertThat(Json.parse(r.out(), "out").get("metrics").get("accuracy").asDouble())
        .isEqualTo(best);
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
