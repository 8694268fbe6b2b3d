package tacet.deft.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tacet.transformer.checkpoint.FormatException;
import tacet.transformer.checkpoint.Json;

final class RunFilesTest {
  private static final Density DENSITY =
      new Density(5.25, 6, Map.of("1e-3", 5.0), List.of(4.0, 6.5));

  private static final String DENSITY_JSON =
      "{\"exact\":5.25,\"included\":6.0,\"threshold\":{\"1e-3\":5.0},\"layers\":[4.0,6.5]}";

  @TempDir Path dir;

  @Test
  void metricsHaveTheDocumentedForm() throws IOException {
    RunMetrics metrics = metrics(null);
    String expected =
        "{\"task\":\"SST-2\",\"method\":\"lora\",\"score\":81.0,"
            + "\"metrics\":{\"accuracy\":81.0,\"f1\":80.5},\"density\":"
            + DENSITY_JSON
            + ",\"trainable\":12345678901,\"trainable_percent\":1.13,"
            + "\"seconds\":{\"train\":80.5,\"evaluate\":2.0},\"peak_memory_mb\":700.0,"
            + "\"configuration\":{\"lambda\":0.1}}";
    assertThat(metrics.toJson()).hasToString(expected);
    assertThat(RunMetrics.fromJson(Json.parse(expected, "x")).toJson()).hasToString(expected);
    assertThat(metrics.primary()).isEqualTo("accuracy");
  }

  @Test
  void anEncoderDecoderHasTwoDensities() throws IOException {
    Density decoder = new Density(9, 9, Map.of(), List.of(9.0));
    RunMetrics back = RunMetrics.fromJson(metrics(decoder).toJson());
    assertThat(back.density()).isEqualTo(DENSITY);
    assertThat(back.decoder()).isEqualTo(decoder);
    assertThat(back.toJson().get("density").members().keySet())
        .containsExactly("encoder", "decoder");
  }

  @Test
  void metricsFileIsReplacedAsAWholeAndReadBack() throws IOException {
    Path file = dir.resolve("new/folder/metrics.json");
    metrics(null).write(file);
    metrics(null).write(file);
    assertThat(RunMetrics.read(file).toJson()).hasToString(metrics(null).toJson().toString());
    assertThat(Files.readString(file)).startsWith("{\n  \"task\": \"SST-2\",\n").endsWith("}\n");
    try (Stream<Path> files = Files.list(file.getParent())) {
      assertThat(files).containsExactly(file); // no temporary file is left
    }
    Files.writeString(file, Files.readString(file).replace("\"score\"", "\"sore\""));
    assertThatThrownBy(() -> RunMetrics.read(file))
        .isInstanceOf(FormatException.class)
        .hasMessageContaining(file.toString())
        .hasMessageContaining("score");
  }

  @Test
  void aNumberThatIsNoneIsNullAndComesBack() throws IOException {
    LogEntry entry = new LogEntry.Evaluation(3, Double.NaN, 1, List.of(Double.NaN));
    assertThat(entry.toJson())
        .hasToString("{\"step\":3,\"score\":null,\"density\":1.0,\"layers\":[null]}");
    assertThat(LogEntry.fromJson(entry.toJson())).isEqualTo(entry);
  }

  @Test
  void logLinesHaveTheDocumentedFormAndComeBack() throws IOException {
    LogEntry step = new LogEntry.Step(7, 0.25, 0.5, 0.4, 1, 2e-3, 3.5, 60);
    assertThat(step.toJson())
        .hasToString(
            "{\"step\":7,\"epoch\":0.25,\"loss\":0.5,\"task_loss\":0.4,\"density_loss\":1.0,"
                + "\"learning_rate\":0.002,\"seconds\":3.5,\"examples_per_second\":60.0}");
    Path file = dir.resolve("log.jsonl");
    List<LogEntry> entries = Fixture.log(1, 16, 5);
    try (RunLog log = RunLog.create(file)) {
      for (LogEntry e : entries) {
        log.add(e);
        assertThat(Files.readString(file)).endsWith(e.toJson() + "\n"); // written out at once
      }
    }
    assertThat(RunLog.read(file)).isEqualTo(entries);
    RunLog.create(file).close();
    assertThat(RunLog.read(file)).isEmpty();
  }

  @Test
  void resumeKeepsTheLinesUpToTheCheckpoint() throws IOException {
    Path file = dir.resolve("log.jsonl");
    List<LogEntry> entries = Fixture.log(1, 16, 5);
    try (RunLog log = RunLog.create(file)) {
      for (LogEntry e : entries) {
        log.add(e);
      }
    }
    Files.writeString(file, "{\"step\":127,\"epo", StandardOpenOption.APPEND); // a crash
    assertThat(RunLog.read(file)).isEqualTo(entries);
    try (RunLog log = RunLog.resume(file, 50)) {
      entries.stream()
          .filter(e -> e.step() > 50)
          .forEach(
              e -> {
                try {
                  log.add(e);
                } catch (IOException x) {
                  throw new AssertionError(x);
                }
              });
    }
    assertThat(RunLog.read(file)).isEqualTo(entries);
    RunLog.resume(dir.resolve("other.jsonl"), 5).close();
    assertThat(dir.resolve("other.jsonl")).isEmptyFile();
  }

  @Test
  void aBrokenLineIsNamed() throws IOException {
    Path file = dir.resolve("log.jsonl");
    Files.writeString(file, "{\"step\":1,\"score\":1,\"density\":1,\"layers\":[]}\n{\"step\":x}\n");
    assertThatThrownBy(() -> RunLog.read(file))
        .isInstanceOf(FormatException.class)
        .hasMessageContaining(file + ", line 2");
    Files.write(file, new byte[] {(byte) 0xff, '\n'});
    assertThatThrownBy(() -> RunLog.read(file))
        .isInstanceOf(FormatException.class)
        .hasMessageContaining("not valid UTF-8");
  }

  private static RunMetrics metrics(Density decoder) {
    Map<String, Double> values = new LinkedHashMap<>();
    values.put("accuracy", 81.0);
    values.put("f1", 80.5);
    Map<String, Double> seconds = new LinkedHashMap<>();
    seconds.put("train", 80.5);
    seconds.put("evaluate", 2.0);
    return new RunMetrics(
        "SST-2",
        "lora",
        81,
        values,
        DENSITY,
        decoder,
        12_345_678_901L,
        1.13,
        seconds,
        700,
        Json.of(Map.of("lambda", 0.1)));
  }
}
