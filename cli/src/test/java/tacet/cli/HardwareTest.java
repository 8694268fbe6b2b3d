package tacet.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tacet.deft.report.RunMetrics;
import tacet.hardware.ActivationTrace;
import tacet.hardware.io.Examples;
import tacet.transformer.checkpoint.Json;

/** {@code tacet trace}, {@code energy} and {@code simulate} on a tiny model and task. */
class HardwareTest {
  @TempDir static Path shared;
  @TempDir Path temp;

  private static Path model;
  private static Path data;
  private static Path adapter;
  private static Path trace;

  @BeforeAll
  static void train() throws IOException {
    model = Cli.tinyModel(shared.resolve("model"));
    data = Cli.tinyTask(shared.resolve("data"));
    adapter = shared.resolve("run/adapter");
    Path out = shared.resolve("run");
    ok(
        "train",
        "--model",
        model,
        "--task",
        "SST-2",
        "--data",
        data,
        "--rank",
        2,
        "--epochs",
        1,
        "--batch",
        8,
        "--targets",
        "query,intermediate.dense",
        "--quiet",
        "--out",
        out);
    trace = shared.resolve("t.trace");
    ok(
        "trace",
        "--model",
        model,
        "--adapter",
        adapter,
        "--task",
        "SST-2",
        "--data",
        data,
        "--method",
        "DEFT",
        "--seed",
        7,
        "--quiet",
        "--out",
        trace);
  }

  private static Cli.Result ok(Object... args) {
    Cli.Result r = Cli.run(args);
    assertThat(r.err()).isEmpty();
    assertThat(r.code()).isZero();
    return r;
  }

  private static Object[] with(Object[] a, Object... b) {
    List<Object> all = new ArrayList<>(List.of(a));
    all.addAll(List.of(b));
    return all.toArray();
  }

  // ---------------------------------------------------------------- trace

  @Test
  void tracesHaveTheDensityOfTheEvaluation() throws IOException {
    ActivationTrace t = ActivationTrace.read(trace);
    assertThat(t.header().method()).isEqualTo("DEFT");
    assertThat(t.header().seed()).isEqualTo(7);
    assertThat(t.header().neurons()).isEqualTo(40);
    assertThat(t.header().hidden()).isEqualTo(16);
    assertThat(t.sequences()).isEqualTo(40);
    assertThat(t.header().shortLayers()).containsExactly("layer.0", "layer.1");
    // The meter averages over tokens of an example first, so that the two differ a little.
    RunMetrics metrics = RunMetrics.read(shared.resolve("run/metrics.json"));
    assertThat(100 * t.density()).isCloseTo(metrics.density().exact(), within(2.0));

    Path padded = temp.resolve("padded.trace");
    Cli.Result r =
        ok(
            "trace",
            "--model",
            model,
            "--adapter",
            adapter,
            "--task",
            "SST-2",
            "--data",
            data,
            "--samples",
            5,
            "--pad-to",
            20,
            "--keep-padding",
            "--json",
            "--quiet",
            "--out",
            padded);
    Json json = Json.parse(r.out(), "stdout");
    assertThat(json.get("tokens").asInt()).isEqualTo(100);
    assertThat(json.get("layers").elements()).hasSize(2);
    assertThat(json.get("density").asDouble())
        .isCloseTo(100 * ActivationTrace.read(padded).density(), within(1e-9));
    assertThat(json.get("union_density").get("8").asDouble())
        .isGreaterThanOrEqualTo(json.get("union_density").get("2").asDouble());
    assertThat(ActivationTrace.read(padded).withoutPadding().validTokens(0)).isBetween(4, 12);
  }

  /** What the help names holds for traces and energy too, and what is not said follows from the adapter. */
  @Test
  void devSamplesAndTheKindOfTheAdapterCount() throws IOException {
    Path prefix = temp.resolve("prefix");
    Object[] task = {"--model", model, "--task", "SST-2", "--data", data, "--quiet"};
    ok(
        with(
            with(new Object[] {"train"}, task),
            "--method",
            "prefix",
            "--virtual-tokens",
            3,
            "--steps",
            1,
            "--evaluate-every",
            0,
            "--out",
            prefix));
    Object[] tuned =
        with(task, "--adapter", prefix.resolve("adapter"), "--dev-samples", 6, "--json");
    Path file = temp.resolve("prefix.trace");
    Json traced = Json.parse(ok(with(new Object[] {"trace", "--out", file}, tuned)).out(), "out");
    assertThat(traced.get("sequences").asInt()).isEqualTo(6);
    assertThat(ActivationTrace.read(file).header().method()).isEqualTo("prefix");

    Object[] energy = with(new Object[] {"energy", "--pad-to", 16}, tuned);
    Json rows = Json.parse(ok(energy).out(), "out").get("rows");
    Json plain = rows.elements().get(0);
    Json table2 = rows.elements().get(5);
    assertThat(plain.get("scope").asString()).isEqualTo("LEAF_HF");
    assertThat(table2.get("scope").asString()).isEqualTo("PAPER_TABLE2");
    assertThat(table2.get("models").toString()).isEqualTo(plain.get("models").toString());
    // Six examples are one batch of 6 x 16 tokens, each of which is 16 numbers to a query.
    Json few = Json.parse(ok(with(energy, "--modules", "--scope", "LEAF_HF")).out(), "out");
    Json modules = few.get("rows").elements().get(0).get("models").elements().get(0).get("modules");
    assertThat(modules.toString()).contains("\"TI\":1536.0");
    Object[] none = with(task, "--adapter", adapter, "--dev-samples", 0);
    refused(1, "--dev-samples must be", with(new Object[] {"energy"}, none));
  }

  // ---------------------------------------------------------------- energy

  /** The RoBERTa-large rows of Table 2, from densities alone, as derived beforehand from element counts. */
  @Test
  void reproducesTable2() throws IOException {
    double[][] derived = {
      {.854, .860, .777, .783},
      {.842, .849, .764, .771},
      {.907, .911, .825, .829},
      {.905, .909, .904, .907}
    };
    Json rows = Json.parse(ok("energy", "--table2", "--json").out(), "stdout").get("rows");
    for (int i = 0; i < 4; i++) {
      Json row = rows.elements().get(i);
      double[] got = {
        row.get("peft").get("estimate_20_tokens").asDouble(),
        row.get("peft").get("estimate_25_tokens").asDouble(),
        row.get("deft").get("estimate_20_tokens").asDouble(),
        row.get("deft").get("estimate_25_tokens").asDouble()
      };
      assertThat(got).as("row " + i).containsExactly(derived[i], within(.005));
    }
    assertThat(ok("energy", "--table2").out()).contains("adapter", "lora", "prefix", "prompt");
    Json same =
        Json.parse(
            ok(
                    "energy",
                    "--shape",
                    "roberta-large",
                    "--densities",
                    "93.83,41.50",
                    "--tuning",
                    "adapter",
                    "--extra",
                    64,
                    "--valid",
                    20,
                    "--scope",
                    "paper_table2",
                    "--json")
                .out(),
            "stdout");
    Json models = same.get("rows").elements().get(0).get("models");
    assertThat(models.elements().get(0).get("ratio").asDouble())
        .isEqualTo(rows.elements().get(0).get("peft").get("estimate_20_tokens").asDouble());
    assertThat(same.get("rows").elements().get(0).get("change_percent").asDouble()).isNegative();
    String own = ok("energy", "--shape", "16,40,2,2,20,32,2", "--densities", "30").out();
    assertThat(own).contains("PAPER_TABLE2", "effectual C").doesNotContain("change %");
    Object[] shape = {"energy", "--shape", "bert-base", "--densities", "50"};
    refused(2, "needs --extra", with(shape, "--tuning", "adapter"));
    refused(2, "needs --extra", with(shape, "--tuning", "prompt", "--extra", 0));
    refused(2, "--tuning says it", with(shape, "--method", "adapter"));
  }

  @Test
  void measuresTheRatioOfAModel() throws IOException {
    Object[] base = {
      "energy",
      "--model",
      model,
      "--adapter",
      adapter,
      "--task",
      "SST-2",
      "--data",
      data,
      "--pad-to",
      16,
      "--quiet"
    };
    Json one = Json.parse(ok(with(base, "--json", "--modules")).out(), "stdout");
    assertThat(one.get("rows").elements()).hasSize(6);
    for (Json row : one.get("rows").elements()) {
      Json m = row.get("models").elements().get(0);
      Json s = m.get("savings");
      double sum =
          s.get("padding").asDouble()
              + s.get("mlp").asDouble()
              + s.get("weights").asDouble()
              + s.get("other").asDouble();
      assertThat(sum).isCloseTo(1 - m.get("ratio").asDouble(), within(1e-9));
      assertThat(m.get("modules").elements()).isNotEmpty();
    }
    String two = ok(with(base, "--compare", adapter, "--scope", "leaf_hf,unpadded")).out();
    assertThat(two).contains("change %", "LEAF_HF", "UNPADDED").doesNotContain("ALL_LINEAR");
    assertThat(two.lines().filter(l -> l.startsWith("LEAF_HF ")).findFirst().orElseThrow())
        .endsWith("0.00");
  }

  // ---------------------------------------------------------------- simulate

  @Test
  void simulatesATraceOnEveryArchitecture() throws IOException {
    Path out = temp.resolve("out");
    Cli.Result r =
        ok("simulate", "--trace", trace, "--compare", trace, "--out", out, "--json", "--quiet");
    Json json = Json.parse(r.out(), "stdout");
    int machines = Examples.architectures().size();
    assertThat(json.get("layers").elements()).hasSize(4 * machines);
    assertThat(json.get("totals").elements()).hasSize(machines);
    assertThat(json.get("layers").elements().get(0).get("name").asString()).isEqualTo("layer.0.in");
    assertThat(json.get("layers").elements().get(0).get("cycles").asInt()).isPositive();
    assertThat(json.get("compared").elements().get(0).get("subject").asString())
        .isEqualTo("DEFT (t.trace)");
    assertThat(json.get("figures").elements()).hasSize(8);
    assertThat(Files.readString(out.resolve("report.json"))).isEqualTo(r.out());
    assertThat(Files.readString(out.resolve("report.csv")).lines()).hasSize(1 + 8 * machines);
    String html = Files.readString(out.resolve("report.html"));
    assertThat(html).contains("tacet simulate --trace t.trace --compare t.trace");
    String markdown = Files.readString(out.resolve("report.md"));
    assertThat(markdown).contains("figures/speedup-density.svg", "DEFT: speed-up");
    assertThat(out.resolve("figures/speedup-density.svg")).isRegularFile();
    for (String name : new String[] {"COMPUTE", "BANDWIDTH", "DETAILED_ACCESS"}) {
      assertThat(out.resolve("scale-sim/systolic-WS-12x14/" + name + "_REPORT.csv"))
          .isRegularFile();
    }
    // The same on one thread, and without sweeps.
    Cli.Result again =
        ok(
            "simulate",
            "--trace",
            trace,
            "--compare",
            trace,
            "--out",
            temp.resolve("again"),
            "--json",
            "--quiet",
            "--threads",
            1);
    assertThat(again.out()).isEqualTo(r.out());
    Cli.Result plain =
        ok(
            "simulate",
            "--trace",
            trace,
            "--arch",
            "lanes,broadcast",
            "--sweep-samples",
            0,
            "--samples",
            3,
            "--drop-padding",
            "--out",
            temp.resolve("plain"),
            "--quiet");
    assertThat(plain.out()).contains("lanes-16x16x16-sync1", "broadcast-64-queue8", "speed-up");
    assertThat(Files.readString(temp.resolve("plain/report.html")))
        .contains("--samples 3 --drop-padding --sweep-samples 0 ");
  }

  @Test
  void simulatesATopology() throws IOException {
    Path csv =
        Files.writeString(
            temp.resolve("mine.csv"), "Layer, M, N, K,\na, 16, 32, 48,\nb.out, 16, 24, 64,\n");
    Path arch = Files.writeString(temp.resolve("mine.ini"), Examples.text("two-sided"));
    for (String fidelity : new String[] {"tile", "analytic", "cycle"}) {
      Json json =
          Json.parse(
              ok(
                      "simulate",
                      "--topology",
                      csv,
                      "--arch",
                      arch + ",gated-os",
                      "--density",
                      "b.out=0.25",
                      "--weight-density",
                      0.5,
                      "--fidelity",
                      fidelity,
                      "--out",
                      temp.resolve(fidelity),
                      "--json",
                      "--quiet")
                  .out(),
              "stdout");
      List<Json> layers = json.get("layers").elements();
      assertThat(layers).hasSize(4);
      assertThat(layers.get(0).get("activation_density").asDouble()).isEqualTo(1);
      assertThat(layers.get(1).get("activation_density").asDouble()).isCloseTo(.25, within(.05));
      assertThat(layers.get(1).get("weight_density").asDouble()).isCloseTo(.5, within(.05));
      assertThat(layers.get(1).get("fidelity").asString()).isEqualToIgnoringCase(fidelity);
    }
    String dense =
        ok(
                "simulate",
                "--topology",
                "minilm",
                "--arch",
                "scalesim",
                "--sweep-samples",
                0,
                "--out",
                temp.resolve("dense"),
                "--quiet")
            .out();
    assertThat(dense).contains("systolic-WS-12x14", "1.00x");
  }

  /** No zeros, nothing but zeros, zeros of weights too, a single token: each with its figures. */
  @Test
  void extremesAreSimulatedAndDrawn() throws IOException {
    Path csv =
        Files.writeString(
            temp.resolve("mine.csv"), "Layer, M, N, K,\na, 1, 32, 48,\nb.out, 1, 1, 1,\n");
    for (String density : new String[] {"0", "1", "0.5"}) {
      for (String fidelity : new String[] {"tile", "analytic"}) {
        Object[] command = {"simulate", "--topology", csv, "--density", density};
        command = with(command, "--fidelity", fidelity, "--out", temp.resolve("out"), "--json");
        String json = ok(with(command, "--quiet")).out();
        assertThat(json).as(density).doesNotContain("NaN", "Infinity");
        assertThat(Json.parse(json, "stdout").get("layers").elements()).isNotEmpty();
      }
    }
    Object[] pruned = {"simulate", "--trace", trace, "--weight-density", "0.5", "--arch"};
    for (String fidelity : new String[] {"tile", "analytic"}) {
      Path out = temp.resolve("pruned");
      ok(with(pruned, "two-sided", "--fidelity", fidelity, "--out", out, "--quiet"));
    }
  }

  @Test
  void listsAndShowsWhatComesAlong() {
    String list = ok("simulate", "--list").out();
    assertThat(list).contains(Examples.architectures()).contains(Examples.topologies());
    assertThat(ok("simulate", "--show", "lanes").out()).isEqualTo(Examples.text("lanes"));
  }

  // ---------------------------------------------------------------- refusals

  private static void refused(int code, String problem, Object... args) {
    Cli.Result r = Cli.run(args);
    assertThat(r.err()).startsWith("tacet: ").hasLineCount(1).doesNotContain("Exception");
    assertThat(r.err()).contains(problem);
    assertThat(r.code()).as(r.err()).isEqualTo(code);
    assertThat(r.out()).isEmpty();
  }

  @Test
  void malformedFilesAreRefusedWithFileAndLine() throws IOException {
    Path out = temp.resolve("out");
    Path arch = temp.resolve("bad.ini");
    String lanes = "[architecture]\nkind: lanes\n";
    String[][] architectures = {
      {"[architecture]\nkind: gpu\n", "2: kind must be systolic or lanes"},
      {lanes + "lanes: many\n", "3: lanes must be an integer"},
      {lanes + "speed: 3\n", "3: unknown key 'speed'"},
      {lanes + "[memory]\nlatency: -1\n", "4: latency must be"},
      {"kind: lanes\n", "1: expected [section]"},
      {
        "[general]\nrun_name = x\n[run_presets]\nInterfaceBandwidth: MAYBE\n",
        "4: InterfaceBandwidth"
      },
    };
    for (String[] bad : architectures) {
      Files.writeString(arch, bad[0]);
      refused(
          1,
          arch + ", line " + bad[1],
          "simulate",
          "--trace",
          trace,
          "--arch",
          arch,
          "--out",
          out,
          "--quiet");
    }
    Path topology = temp.resolve("bad.csv");
    String[][] topologies = {
      {"Layer, M, N, K,\na, 1, 2, 3\n", "2: a layer must end with a comma"},
      {"Layer, M, N, K,\na, 1, 2, 3,\nb, 1, x, 3,\n", "3: N must be a positive integer"},
      {"Layer, M, N, K,\n", "1: no layer"},
    };
    for (String[] bad : topologies) {
      Files.writeString(topology, bad[0]);
      refused(
          1,
          topology + ", line " + bad[1],
          "simulate",
          "--topology",
          topology,
          "--out",
          out,
          "--quiet");
    }
    Path damaged = temp.resolve("bad.trace");
    byte[] bytes = Files.readAllBytes(trace);
    bytes[30] ^= 1;
    Files.write(damaged, bytes);
    refused(1, damaged + ", line ", "simulate", "--trace", damaged, "--out", out, "--quiet");
    bytes = Files.readAllBytes(trace);
    bytes[bytes.length - 3] ^= 1;
    Files.write(damaged, bytes);
    refused(1, damaged + ", offset ", "simulate", "--trace", damaged, "--out", out, "--quiet");
    refused(
        1,
        "none.trace: no such file",
        "simulate",
        "--trace",
        temp.resolve("none.trace"),
        "--out",
        out);
    assertThat(out).as("nothing was written").doesNotExist();
  }

  @Test
  void wrongUsageAndChoicesAreOneLine() {
    Path out = temp.resolve("out");
    refused(2, "--trace F or --topology F", "simulate", "--out", out);
    refused(
        2,
        "--trace F or --topology F",
        "simulate",
        "--trace",
        trace,
        "--topology",
        "minilm",
        "--out",
        out);
    refused(2, "--out DIR", "simulate", "--trace", trace);
    Object[] topology = {"simulate", "--topology", "minilm", "--out", out, "--quiet"};
    refused(2, "no layer's name ends so", with(topology, "--density", "mpl.out=0.1"));
    refused(2, "--density must be", with(topology, "--density", "0.1", "--density", "mlp.out=7"));
    refused(2, "belong to --trace", with(topology, "--samples", 3));
    refused(1, "is a file", "simulate", "--trace", trace, "--out", trace);
    refused(1, "a folder, not a trace", "simulate", "--trace", temp, "--out", out);
    refused(
        2,
        "--density to --topology",
        "simulate",
        "--trace",
        trace,
        "--density",
        "0.1",
        "--out",
        out);
    refused(
        2,
        "--density must be",
        "simulate",
        "--topology",
        "minilm",
        "--density",
        "41",
        "--out",
        out);
    refused(2, "--fidelity", "simulate", "--trace", trace, "--fidelity", "exact", "--out", out);
    refused(2, "not in the list", "simulate", "--show", "gpu");
    refused(
        1,
        "no such file, and none of",
        "simulate",
        "--trace",
        trace,
        "--arch",
        "gpu",
        "--out",
        out);
    refused(
        1,
        "another architecture",
        "simulate",
        "--trace",
        trace,
        "--arch",
        "lanes,lanes",
        "--out",
        out);
    refused(2, "name one of --model", "energy");
    refused(
        2, "name one of --model", "energy", "--table2", "--shape", "bert-base", "--densities", "3");
    refused(2, "--densities", "energy", "--shape", "bert-base");
    refused(2, "in percent", "energy", "--shape", "bert-base", "--densities", "300");
    refused(1, "--shape huge", "energy", "--shape", "huge", "--densities", "3");
    refused(
        1, "of 128 tokens", "energy", "--shape", "bert-base", "--densities", "3", "--valid", "200");
    refused(
        2,
        "--compare needs --adapter",
        "energy",
        "--model",
        model,
        "--task",
        "SST-2",
        "--data",
        data,
        "--compare",
        adapter);
    refused(
        1,
        "cannot be padded to 4",
        "energy",
        "--model",
        model,
        "--adapter",
        adapter,
        "--task",
        "SST-2",
        "--data",
        data,
        "--pad-to",
        4,
        "--quiet");
    refused(
        1,
        "no classification head",
        "trace",
        "--model",
        model,
        "--task",
        "SST-2",
        "--data",
        data,
        "--out",
        out);
    refused(
        2,
        "--samples and --batch",
        "trace",
        "--model",
        model,
        "--task",
        "SST-2",
        "--data",
        data,
        "--out",
        out,
        "--samples",
        0);
  }
}
