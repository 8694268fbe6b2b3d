package tacet.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tacet.deft.report.LogEntry;
import tacet.deft.report.RunLog;
import tacet.deft.report.RunMetrics;
import tacet.transformer.checkpoint.Json;

/** {@code tacet train} and {@code evaluate} on a tiny model and task. */
class TrainTest {
  @TempDir Path temp;

  private Cli.Result train(Path out, Object... more) throws IOException {
    Path model = temp.resolve("model");
    Path data = temp.resolve("data");
    if (!Files.exists(model)) {
      Cli.tinyModel(model);
      Cli.tinyTask(data);
    }
    List<Object> args =
        new ArrayList<>(
            List.of(
                "train",
                "--model",
                model,
                "--task",
                "SST-2",
                "--data",
                data,
                "--rank",
                4,
                "--targets",
                "query,value,intermediate.dense,output.dense",
                "--batch",
                8,
                "--lr",
                "1e-2",
                "--quiet",
                "--out",
                out));
    args.addAll(List.of(more));
    Cli.Result r = Cli.run(args.toArray());
    assertThat(r.err()).isEmpty();
    assertThat(r.code()).isZero();
    return r;
  }

  private static byte[] adapter(Path out) throws IOException {
    return Files.readAllBytes(out.resolve("adapter/adapter_model.safetensors"));
  }

  @Test
  void learnsAndBecomesSparse() throws IOException {
    Path plain = temp.resolve("plain");
    Path deft = temp.resolve("deft");
    Object[] full = {"--method", "full", "--lr", "3e-3", "--epochs", 15};
    train(plain, full);
    Cli.Result printed =
        train(deft, with(full, "--surrogate", "tanh", "--lambda", "0.3", "--json"));
    RunMetrics a = RunMetrics.read(plain.resolve("metrics.json"));
    RunMetrics b = RunMetrics.read(deft.resolve("metrics.json"));
    assertThat(a.score()).isGreaterThan(85);
    assertThat(b.score()).isGreaterThan(80);
    assertThat(b.density().exact()).isLessThan(0.7 * a.density().exact());
    assertThat(a.density().layers()).hasSize(2);
    assertThat(Json.parse(printed.out(), "stdout").get("score").asDouble()).isEqualTo(b.score());

    List<LogEntry> log = RunLog.read(deft.resolve("log.jsonl"));
    assertThat(log).hasSize(15 * 12 + 16);
    LogEntry.Step first = (LogEntry.Step) log.get(1);
    assertThat(first.learningRate()).isZero();
    assertThat(first.loss())
        .isCloseTo(
            first.taskLoss() + 0.3 * first.densityLoss(),
            org.assertj.core.data.Offset.offset(1e-6));

    Cli.Result r =
        Cli.run(
            "evaluate",
            "--model",
            deft.resolve("model"),
            "--task",
            "SST-2",
            "--data",
            temp.resolve("data"),
            "--json");
    assertThat(r.err()).isEmpty();
    Json again = Json.parse(r.out(), "stdout");
    assertThat(again.get("score").asDouble()).isEqualTo(b.score());
    assertThat(again.get("density").get("exact").asDouble()).isEqualTo(b.density().exact());
  }

  @Test
  void sameBitsTwiceOnAnyThreadsAndAfterResume() throws IOException {
    Path one = temp.resolve("one");
    Path two = temp.resolve("two");
    Path half = temp.resolve("half");
    Object[] deft = {"--surrogate", "l0", "--epsilon", "1e-3", "--lambda", "0.1", "--epochs", 4};
    train(one, with(deft, "--threads", 1));
    train(two, with(deft, "--threads", 2));
    assertThat(adapter(two)).isEqualTo(adapter(one));
    RunMetrics a = RunMetrics.read(one.resolve("metrics.json"));
    RunMetrics b = RunMetrics.read(two.resolve("metrics.json"));
    assertThat(b.score()).isEqualTo(a.score());
    assertThat(b.density()).isEqualTo(a.density());
    // Per layer: three targets of 16 to 16 (the last also matches attention), two of 16 and 40.
    assertThat(a.trainable()).isEqualTo(2 * (3 * 4 * 32 + 2 * 4 * 56) + 2 * 16 + 2);
    Cli.Result r =
        Cli.run(
            "evaluate",
            "--model",
            temp.resolve("model"),
            "--adapter",
            two.resolve("adapter"),
            "--task",
            "SST-2",
            "--data",
            temp.resolve("data"),
            "--json");
    assertThat(Json.parse(r.out(), "stdout").get("score").asDouble()).isEqualTo(a.score());
    train(one, with(deft, "--threads", 1, "--seed", 2));
    assertThat(adapter(one)).isNotEqualTo(adapter(two));

    // As if the process had been killed after the second epoch: its checkpoint is all there is.
    TrainInterrupter.run(temp.resolve("model"), temp.resolve("data"), half, 2);
    assertThat(Files.exists(half.resolve("adapter"))).isFalse();
    train(half, with(deft, "--resume", "--recompute")); // which changes no bit either
    assertThat(adapter(half)).isEqualTo(adapter(two));
    Json configuration = Json.read(half.resolve("metrics.json")).get("configuration");
    assertThat(configuration.get("recompute").asBoolean()).isTrue();
    List<LogEntry> log = RunLog.read(half.resolve("log.jsonl"));
    assertThat(log.stream().map(LogEntry::step).toList())
        .isEqualTo(RunLog.read(two.resolve("log.jsonl")).stream().map(LogEntry::step).toList());
  }

  /** A checkpoint does not know what the model is made of, or how its texts are cut; the folder does. */
  @Test
  void goesOnWithTheSameOptionsOnly() throws IOException {
    Path out = temp.resolve("out");
    Object[] first = {"--epochs", 2, "--adaptive"};
    train(out, first);
    byte[] before = adapter(out);
    Object[][] others = {
      {"--alpha", 3},
      {"--lora-dropout", 0},
      {"--activation", "gelu"},
      {"--max-length", 6},
      {"--rank-pattern", "query=2"},
    };
    List<Object> command = new ArrayList<>(List.of("train", "--model", temp.resolve("model")));
    command.addAll(List.of("--task", "SST-2", "--data", temp.resolve("data"), "--rank", 4));
    command.addAll(List.of("--targets", "query,value,intermediate.dense,output.dense"));
    command.addAll(List.of("--batch", 8, "--lr", "1e-2", "--quiet", "--resume", "--out", out));
    for (Object[] other : others) {
      Cli.Result r = Cli.run(with(with(command.toArray(), first), other));
      assertThat(r.code()).as(other[0].toString()).isEqualTo(1);
      assertThat(r.err())
          .contains("options.json", other[0].toString().substring(2).replace('-', '_'), "--resume")
          .hasLineCount(1);
    }
    Cli.Result plain = Cli.run(with(command.toArray(), "--epochs", 2));
    assertThat(plain.err()).contains("adaptive true, not null").hasLineCount(1);
    List<LogEntry> log = RunLog.read(out.resolve("log.jsonl"));
    train(out, with(first, "--resume", "--threads", 1));
    assertThat(adapter(out)).isEqualTo(before);
    assertThat(RunLog.read(out.resolve("log.jsonl"))).isEqualTo(log);
  }

  private static Object[] with(Object[] a, Object... b) {
    List<Object> all = new ArrayList<>(List.of(a));
    all.addAll(List.of(b));
    return all.toArray();
  }

  @Test
  void wrongUsageIsTwoAndOneLine() {
    String[][] wrong = {
      {},
      {"fly"},
      {"train"},
      {"train", "--model", "x", "--task", "SST-2", "--out", "y", "--lr", "z"},
      {"forward", "--model", "x", "--inputs", "a", "--output", "b", "--threads", "0"},
      {"forward", "--model", "x", "--inputs", "a", "--output", "b", "--lambda-ramp", "0,1"},
      {"generate", "--model", "x", "--text", "a", "--top-k", "3"},
      {"evaluate", "--model", "x", "--task", "reviews", "--firing-samples", "0"},
      {"evaluate", "--model", "x", "--task", "reviews", "--thresholds", "1,-1"},
      {"bench", "kernels", "--warm-up", "-1"},
      {"generate", "--model", "x", "--text", "a", "--sample", "--length-penalty", "2"},
      {"pretrain", "--out", "x", "--ada-rate", "3"}
    };
    for (String[] args : wrong) {
      Cli.Result r = Cli.run((Object[]) args);
      assertThat(r.code()).as(String.join(" ", args)).isEqualTo(2);
      assertThat(r.err()).startsWith("tacet: ").hasLineCount(1);
    }
    Cli.Result help = Cli.run("--help");
    assertThat(help.code()).isZero();
    assertThat(help.out()).contains("demo", "train", "evaluate", "forward");
  }

  @Test
  void wrongChoicesAreOneLine() throws IOException {
    Path model = Cli.tinyModel(temp.resolve("m"));
    Path data = Cli.tinyTask(temp.resolve("d"));
    Object[][] wrong = {
      {"--task", "nothing", "--data", data},
      {"--task", "SST-2"},
      {"--task", "SST-2", "--data", data.resolve("none")},
      {"--task", "SST-2", "--data", data, "--activation", "mish"},
      {"--task", "SST-2", "--data", data, "--targets", "nothing"},
      {"--task", "SST-2", "--data", data, "--surrogate", "tanh", "--lambda", "-1"},
      {"--task", "SST-2", "--data", data, "--surrogate", "tanh", "--lambda-ramp", "3"},
      {"--task", "SST-2", "--data", data, "--epochs", "0"},
      {"--task", "SST-2", "--data", data, "--lambda", "0.1"},
      {"--task", "SST-2", "--data", data, "--beta", "5"},
      {"--task", "SST-2", "--data", data, "--modules-to-save", "poler.dense"},
      {"--task", "SST-2", "--data", data, "--rank-pattern", "qery=2"},
      {"--task", "SST-2", "--data", data, "--alpha-pattern", "layer.7.*query=2"},
      {"--task", "SST-2", "--data", data, "--dev-samples", "-1"},
      {"--task", "SST-2", "--data", data, "--out", model.resolve("config.json")},
    };
    for (Object[] options : wrong) {
      Object[] command = {"train", "--model", model, "--out", temp.resolve("out")};
      Cli.Result r = Cli.run(with(command, options));
      assertThat(r.code()).isEqualTo(1);
      assertThat(r.err())
          .as(java.util.Arrays.toString(options))
          .startsWith("tacet: ")
          .hasLineCount(1)
          .contains(" ")
          .doesNotEndWith("config.json\n")
          .doesNotContain("Exception");
    }
  }

  @Test
  void judgesByExamplesHeldOut() throws IOException {
    Path held = temp.resolve("held");
    train(held, "--epochs", 1, "--train-samples", 90, "--hold-out", 16);
    // 96 examples without the last 16: ten steps of eight.
    List<LogEntry> log = RunLog.read(held.resolve("log.jsonl"));
    assertThat(log.stream().filter(e -> e instanceof LogEntry.Step)).hasSize(10);
    double share = RunMetrics.read(held.resolve("metrics.json")).score() * 16 / 100;
    assertThat(share).isCloseTo(Math.rint(share), org.assertj.core.data.Offset.offset(1e-9));
    Cli.Result r =
        Cli.run(
            "train",
            "--model",
            temp.resolve("model"),
            "--task",
            "SST-2",
            "--data",
            temp.resolve("data"),
            "--hold-out",
            96,
            "--out",
            temp.resolve("no"));
    assertThat(r.code()).isNotZero();
    assertThat(r.err()).contains("--hold-out 96").contains("only 96");
  }
}
