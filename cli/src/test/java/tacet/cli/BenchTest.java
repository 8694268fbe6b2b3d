package tacet.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tacet.transformer.checkpoint.Json;

/** {@code tacet bench}: that it runs and prints what it promises; no test asserts a time. */
class BenchTest {
  @TempDir Path temp;

  @Test
  void kernelsAndModelAsJson() throws Exception {
    Path model = Cli.tinyModel(temp.resolve("model"));
    Cli.Result r =
        Cli.run(
            "bench",
            "--model",
            model,
            "--quick",
            "--tokens",
            2,
            "--rounds",
            1,
            "--warm-up",
            1,
            "--quiet",
            "--json",
            "--threads",
            2);
    assertThat(r.err()).isEmpty();
    assertThat(r.code()).isZero();
    Json json = Json.parse(r.out(), "bench");
    assertThat(json.get("peak_gflops").asDouble()).isPositive();
    assertThat(json.get("read_gigabytes").asDouble()).isPositive();
    assertThat(json.get("machine").get("Threads used").asString()).isEqualTo("2");
    Json dense = json.get("dense").elements().get(0);
    assertThat(dense.get("shape").asString()).isEqualTo("2x384x1536");
    assertThat(dense.get("share_of_peak").asDouble())
        .isEqualTo(dense.get("gflops").asDouble() / json.get("peak_gflops").asDouble());
    assertThat(json.get("sparse").elements().get(0).get("speed_up").members())
        .containsOnlyKeys("0.5", "0.25", "0.1", "0.05", "0.01");
    Json silent = json.get("model").get("silent");
    assertThat(silent.get("milliseconds_dense").asDouble()).isPositive();
    assertThat(silent.get("milliseconds_sparse").asDouble()).isPositive();
    assertThat(json.get("model").get("milliseconds").members()).isNotEmpty();
  }

  @Test
  void onePartForAPerson() throws Exception {
    Path model = Cli.tinyModel(temp.resolve("model"));
    Cli.Result r =
        Cli.run(
            "bench",
            "model",
            "--model",
            model,
            "--quick",
            "--rounds",
            1,
            "--warm-up",
            1,
            "--quiet");
    assertThat(r.code()).isZero();
    assertThat(r.out())
        .contains("Measured peak", "batch x length", "times faster")
        .doesNotContain("Dense product");
  }

  @Test
  void unknownPart() {
    Cli.Result r = Cli.run("bench", "everything");
    assertThat(r.code()).isEqualTo(2);
    assertThat(r.err()).startsWith("tacet: ").contains("everything");
  }
}
