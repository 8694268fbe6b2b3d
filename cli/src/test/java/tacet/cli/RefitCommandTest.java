package tacet.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tacet.transformer.checkpoint.Checkpoint;
import tacet.transformer.checkpoint.Json;

/** {@code tacet refit} on tiny models. */
class RefitCommandTest {
  @TempDir Path temp;

  private Path geluModel() throws IOException {
    Path dir = Cli.tinyModel(temp.resolve("model"));
    Path config = dir.resolve("config.json");
    Files.writeString(config, Files.readString(config).replace("\"relu\"", "\"gelu\""));
    return dir;
  }

  @Test
  void writesADirectoryThatTrainReads() throws IOException {
    Path model = geluModel();
    Cli.tinyTask(temp.resolve("data/SST-2"));
    Path out = temp.resolve("relu");
    Cli.Result r =
        Cli.run(
            "refit",
            "--model",
            model,
            "--activation",
            "relu",
            "--task",
            "SST-2,reviews",
            "--data",
            temp.resolve("data"),
            "--samples",
            90,
            "--out",
            out,
            "--json");
    assertThat(r.code()).as(r.err()).isZero();
    assertThat(r.err()).contains("misses");
    for (Json layer : Json.parse(r.out(), "out").get("layers").elements()) {
      double before = layer.get("missed_before").asDouble();
      assertThat(layer.get("missed_after").asDouble()).isLessThan(before / 2);
    }
    assertThat(Json.read(out.resolve("config.json")).get("hidden_act").asString())
        .isEqualTo("relu");
    Cli.Result trained =
        Cli.run(
            "train",
            "--model",
            out,
            "--task",
            "SST-2",
            "--data",
            temp.resolve("data/SST-2"),
            "--steps",
            2,
            "--batch",
            8,
            "--out",
            temp.resolve("run"),
            "--quiet");
    assertThat(trained.code()).as(trained.err()).isZero();
  }

  /** Weights that lie [in, out]. */
  @Test
  void refitsAGpt2() throws Exception {
    Path model = Files.createDirectories(temp.resolve("gpt2"));
    Path golden = Path.of(RefitCommandTest.class.getResource("/golden/gpt2-bare").toURI());
    try (Stream<Path> files = Files.list(golden)) {
      for (Path file : files.filter(Files::isRegularFile).toList()) {
        Files.copy(file, model.resolve(file.getFileName()));
      }
    }
    Files.write(model.resolve("vocab.txt"), Cli.vocabulary());
    Path out = temp.resolve("relu");
    Cli.Result r =
        Cli.run(
            "refit",
            "--model",
            model,
            "--activation",
            "relu",
            "--task",
            "reviews",
            "--max-length",
            16,
            "--out",
            out,
            "--json",
            "--quiet");
    assertThat(r.code()).as(r.err()).isZero();
    for (Json layer : Json.parse(r.out(), "out").get("layers").elements()) {
      double before = layer.get("missed_before").asDouble();
      assertThat(layer.get("missed_after").asDouble()).isLessThan(before);
    }
    try (Checkpoint was = Checkpoint.open(model);
        Checkpoint is = Checkpoint.open(out)) {
      assertThat(is.config().get("activation_function").asString()).isEqualTo("relu");
      String name = "h.0.mlp.c_fc.weight";
      String written = is.contains(name) ? name : "transformer." + name;
      String read = was.contains(name) ? name : "transformer." + name;
      assertThat(is.read(written).data()).isEqualTo(was.read(read).data());
    }
  }

  @Test
  void whatIsMissingIsSaid() throws IOException {
    Path model = geluModel();
    Path out = temp.resolve("out");
    Cli.Result r = Cli.run("refit", "--model", model, "--task", "reviews", "--out", out);
    assertThat(r.code()).isEqualTo(2);
    assertThat(r.err()).contains("--activation");
    r =
        Cli.run(
            "refit",
            "--model",
            model,
            "--task",
            "reviews,nosuch",
            "--activation",
            "relu",
            "--out",
            out);
    assertThat(r.code()).isEqualTo(1);
    assertThat(r.err()).contains("nosuch");
    assertThat(Files.exists(out)).isFalse();
  }
}
