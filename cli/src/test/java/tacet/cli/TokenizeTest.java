package tacet.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tacet.transformer.checkpoint.Json;

/** {@code tacet tokenize}: the golden files of published tokenizers, and mistakes. */
class TokenizeTest {
  @TempDir Path temp;

  @ParameterizedTest
  @ValueSource(
      strings = {"bert-base-uncased", "bert-base-cased", "gpt2", "roberta-base", "t5-base"})
  void agreesWithTheGoldenFile(String name) throws Exception {
    Path shared = Cli.shared("tokenizers");
    assumeTrue(shared != null, "the shared tokenizers are not here");
    Path golden = shared.resolveSibling("golden/tokens/" + name + ".jsonl");
    Cli.Result r = Cli.run("tokenize", "--tokenizer", shared.resolve(name), "--input", golden);
    assertThat(r.err()).isEmpty();
    List<String> expected = Files.readAllLines(golden);
    List<String> found = r.out().lines().toList();
    assertThat(found).hasSameSizeAs(expected);
    for (int i = 0; i < found.size(); i++) {
      Json e = Json.parse(expected.get(i), golden + " line " + (i + 1));
      Json f = Json.parse(found.get(i), "stdout line " + (i + 1));
      for (String key : List.of("ids", "type_ids", "decoded")) {
        assertThat(f.get(key).toString()).as(expected.get(i)).isEqualTo(e.get(key).toString());
      }
    }
  }

  @Test
  void pairsAndMistakes() throws Exception {
    Path vocabulary = temp.resolve("vocab.txt");
    Files.write(vocabulary, Cli.vocabulary());
    Path lines = temp.resolve("lines.jsonl");
    Files.writeString(
        lines, "{\"text\": \"The film\", \"pair\": \"a story\"}\n\n{\"txt\": \"was\"}\n");
    Cli.Result r = Cli.run("tokenize", "--tokenizer", vocabulary, "--input", lines);
    assertThat(r.code()).isEqualTo(1);
    assertThat(r.out().strip())
        .isEqualTo(
            "{\"ids\":[2,15,16,3,18,19,3],\"type_ids\":[0,0,0,0,1,1,1],"
                + "\"decoded\":\"the film a story\"}");
    assertThat(r.err()).hasLineCount(1).contains("lines.jsonl line 3", "text");
    r = Cli.run("tokenize", "--tokenizer", temp.resolve("none"), "--input", lines);
    assertThat(r.code()).isEqualTo(1);
    assertThat(r.err()).hasLineCount(1).contains("none: no such file");
    assertThat(Cli.run("tokenize", "--input", lines).code()).isEqualTo(2);
    Path latin = temp.resolve("latin.jsonl");
    Files.write(latin, new byte[] {'"', (byte) 0xE9, '"'});
    r = Cli.run("tokenize", "--tokenizer", vocabulary, "--input", latin);
    assertThat(r.err()).hasLineCount(1).contains("latin.jsonl: not valid UTF-8");
    r = Cli.run("tokenize", "--tokenizer", vocabulary, "--input", temp);
    assertThat(r.err()).hasLineCount(1).contains("a folder");
  }
}
