package tacet.deft.task;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tacet.transformer.checkpoint.FormatException;

final class GlueTest {
  @TempDir Path dir;

  @Test
  void readsEveryTaskInItsOwnForm() throws IOException {
    // One line per task in the official layout; quotes are text, spaces around a sentence are not.
    assertThat(one("CoLA", "gj04\t1\t\t\"Go\", he said.\nbc01\t0\t*\tHim go.\n"))
        .isEqualTo(new Example("\"Go\", he said.", null, 1));
    assertThat(one("SST-2", "sentence\tlabel\ngood fun \t1\n"))
        .isEqualTo(new Example("good fun", null, 1));
    assertThat(
            one("MRPC", "\uFEFFQuality\t#1 ID\t#2 ID\t#1 String\t#2 String\n0\t7\t8\tA .\t\" B\n"))
        .isEqualTo(new Example("A .", "\" B", 0));
    assertThat(
            one("QQP", "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n1\t2\t3\tA?\tB?\t1\n"))
        .isEqualTo(new Example("A?", "B?", 1));
    assertThat(
            one(
                "STS-B",
                "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2\tscore\n"
                    + "0\tg\tf\t2012\t1\tn\tn\tA.\tB.\t3.800\n"))
        .isEqualTo(new Example("A.", "B.", 3.8));
    assertThat(
            one(
                "MNLI",
                "index\tsentence1\tsentence2\tlabel1\tgold_label\n"
                    + "0\tA.\tB.\tneutral\tcontradiction\n"))
        .isEqualTo(new Example("A.", "B.", 2));
    assertThat(one("QNLI", "index\tquestion\tsentence\tlabel\n0\tQ?\tS.\tnot_entailment\n"))
        .isEqualTo(new Example("Q?", "S.", 1));
    assertThat(one("RTE", "index\tsentence1\tsentence2\tlabel\n0\tA.\tB.\tentailment\n"))
        .isEqualTo(new Example("A.", "B.", 0));
  }

  @Test
  void tasksSayWhatTheyAre() {
    assertThat(Glue.names())
        .containsExactly("CoLA", "SST-2", "MRPC", "QQP", "STS-B", "MNLI", "QNLI", "RTE");
    assertThat(Glue.task("sst2", dir).name()).isEqualTo("SST-2");
    assertThat(Glue.task("sts-b", dir).isRegression()).isTrue();
    assertThat(Glue.task("stsb", dir).outputs()).isEqualTo(1);
    assertThat(Glue.task("MNLI", dir).labels()).hasSize(3);
    assertThat(Glue.task("cola", dir).primary()).isEqualTo(Metric.MATTHEWS);
    assertThat(Glue.task("qqp", dir).metrics()).containsExactly(Metric.ACCURACY, Metric.F1);
    assertThat(Glue.has("reviews")).isFalse();
    assertThatThrownBy(() -> Glue.task("sst5", dir))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("sst5")
        .hasMessageContaining("SST-2");
  }

  @Test
  void windowsLineEndsAndAMissingLastOneAreFine() throws IOException {
    write("train.tsv", "sentence\tlabel\r\nfine\u2028stuff\t1\r\nawful\t0");
    assertThat(Glue.task("SST-2", dir).train().read())
        .containsExactly(new Example("fine\u2028stuff", null, 1), new Example("awful", null, 0));
  }

  @Test
  void mnliPrefersTheMatchedDevFile() throws IOException {
    String head = "sentence1\tsentence2\tgold_label\n";
    write("dev.tsv", head + "a\tb\tneutral\n");
    assertThat(Glue.task("MNLI", dir).dev().read().get(0).labelIndex()).isEqualTo(1);
    write("dev_matched.tsv", head + "a\tb\tentailment\n");
    assertThat(Glue.task("MNLI", dir).dev().read().get(0).labelIndex()).isEqualTo(0);
  }

  @Test
  void errorsNameFileAndLine() throws IOException {
    refused("SST-2", "sentence\tlabel\nok\t1\nbad\t2\n", "line 3", "label \"2\"", "0, 1");
    refused("SST-2", "sentence\tlabel\nok\t1\n\nok\t1\n", "line 3", "1 tab-separated columns");
    refused("SST-2", "sentence\tlabel\na\tb\t1\n", "line 2", "3 tab-separated columns, expected 2");
    refused("SST-2", "text\tlabel\na\t1\n", "line 1", "no column \"sentence\"", "right task?");
    refused("SST-2", "sentence\tlabel\n", "no example");
    refused("SST-2", "", "no example");
    refused("STS-B", "sentence1\tsentence2\tscore\na\tb\tNaN\n", "line 2", "score \"NaN\"");
    refused("STS-B", "sentence1\tsentence2\tscore\na\tb\tx\n", "line 2", "score \"x\"");
    refused("STS-B", "sentence1\tsentence2\tscore\na\tb\t5.1\n", "line 2", "from 0 to 5");
    Files.write(dir.resolve("train.tsv"), new byte[] {'a', (byte) 0xff, '\n'});
    assertThatThrownBy(() -> Glue.task("CoLA", dir).train().read())
        .isInstanceOf(FormatException.class)
        .hasMessageContaining("not valid UTF-8");
    assertThatThrownBy(() -> Glue.task("SST-2", dir.resolve("nowhere")).dev().read())
        .isInstanceOf(IOException.class)
        .hasMessageContaining("nowhere");
  }

  @Test
  void aFewBrokenLinesOfQqpArePassedOver() throws IOException {
    String head = "id\tquestion1\tquestion2\tis_duplicate\n";
    write("train.tsv", head + "1\tA\n?\tB?\t1\n2\tC?\tD?\t0\n");
    assertThat(Glue.task("QQP", dir).train().read()).containsExactly(new Example("C?", "D?", 0));
    refused("QQP", head + "x\n".repeat(3) + "2\tC?\tD?\t0\n", "line 4", "1 tab-separated");
  }

  @Test
  void readsTheRealFiles() throws IOException {
    Path glue = shared().resolve("data/glue");
    assumeTrue(Files.isDirectory(glue));
    // Sizes and label counts as seen by an independent program on the same files.
    checkReal(glue, "CoLA", 8551, 1043, Map.of(0.0, 322L, 1.0, 721L));
    checkReal(glue, "SST-2", 67349, 872, Map.of(0.0, 428L, 1.0, 444L));
    checkReal(glue, "MRPC", 3668, 408, Map.of(0.0, 129L, 1.0, 279L));
    checkReal(glue, "QQP", 9309, 1000, Map.of(0.0, 623L, 1.0, 377L));
    checkReal(glue, "MNLI", 9471, 1000, Map.of(0.0, 347L, 1.0, 333L, 2.0, 320L));
    checkReal(glue, "QNLI", 10293, 5463, Map.of(0.0, 2702L, 1.0, 2761L));
    checkReal(glue, "RTE", 2490, 277, Map.of(0.0, 146L, 1.0, 131L));
    Task sts = Glue.task("STS-B", glue.resolve("STS-B"));
    assertThat(sts.train().read()).hasSize(5749);
    assertThat(sts.dev().read()).hasSize(1500);
    assertThat(sts.dev().read().get(1))
        .isEqualTo(
            new Example("A young child is riding a horse.", "A child is riding a horse.", 4.75));
    assertThat(Glue.task("SST-2", glue.resolve("SST-2")).train().read().get(0))
        .isEqualTo(new Example("hide new secretions from the parental units", null, 0));
  }

  private static void checkReal(
      Path glue, String name, int train, int dev, Map<Double, Long> devLabels) throws IOException {
    Task task = Glue.task(name, glue.resolve(name));
    assertThat(task.train().read()).as(name).hasSize(train);
    List<Example> examples = task.dev().read();
    assertThat(examples).as(name).hasSize(dev);
    assertThat(
            examples.stream().collect(Collectors.groupingBy(Example::label, Collectors.counting())))
        .as(name)
        .isEqualTo(devLabels);
    assertThat(examples).as(name).noneMatch(e -> e.text().isBlank());
  }

  /** The folder of real data, looked for in the parents of the working directory. */
  static Path shared() {
    for (Path p = Path.of("").toAbsolutePath(); p != null; p = p.getParent()) {
      if (Files.isDirectory(p.resolve("shared/data"))) {
        return p.resolve("shared");
      }
    }
    return Path.of("shared");
  }

  private Example one(String task, String tsv) throws IOException {
    write("train.tsv", tsv);
    return Glue.task(task, dir).train().read().get(0);
  }

  private void refused(String task, String tsv, String... words) throws IOException {
    write("train.tsv", tsv);
    assertThatThrownBy(() -> Glue.task(task, dir).train().read())
        .isInstanceOf(FormatException.class)
        .hasMessageStartingWith(dir.resolve("train.tsv") + ": ")
        .hasMessageContainingAll(words);
  }

  private void write(String name, String text) throws IOException {
    Files.writeString(dir.resolve(name), text);
  }
}
