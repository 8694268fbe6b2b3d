package tacet.transformer.text;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tacet.transformer.checkpoint.FormatException;
import tacet.transformer.checkpoint.Json;

/** The tokenizers of published models, where the folder {@code shared} is there. */
class SharedTokenizersTest {

  @ParameterizedTest
  @CsvSource({
    "bert-base-uncased, tokenizer.json, 30522",
    "bert-base-uncased, vocab.txt, 30522",
    "bert-base-cased, tokenizer.json, 28996",
    "bert-base-cased, vocab.txt, 28996",
    "gpt2, tokenizer.json, 50257",
    "gpt2, vocab.json, 50257",
    "roberta-base, tokenizer.json, 50265",
    "roberta-base, vocab.json, 50265",
    "t5-base, tokenizer.json, 32100",
    "t5-base, spiece.model, 32100"
  })
  void agreesWithTheGoldenFile(String model, String file, int size) throws IOException {
    Path shared = shared();
    assumeTrue(shared != null, "no folder shared");
    Tokenizer tokenizer = Tokenizer.open(shared.resolve("tokenizers/" + model + "/" + file));
    assertThat(tokenizer.vocabularySize()).isEqualTo(size);
    List<String> differences = new ArrayList<>();
    List<String> lines = Files.readAllLines(shared.resolve("golden/tokens/" + model + ".jsonl"));
    for (String line : lines) {
      Json expected = Json.parse(line, model);
      Encoding e =
          tokenizer.encode(expected.get("text").asString(), expected.stringOr("pair", null));
      if (!Json.of(e.ids()).toString().equals(expected.get("ids").toString())
          || !Json.of(e.typeIds()).toString().equals(expected.get("type_ids").toString())) {
        differences.add(tokenizer.tokens(e) + " for " + line);
      }
      if (!tokenizer.decode(ids(expected), true).equals(expected.get("decoded").asString())) {
        differences.add("decoded " + tokenizer.decode(ids(expected), true) + " for " + line);
      }
    }
    assertThat(differences).isEmpty();
    assertThat(lines).hasSize(120);
  }

  private static int[] ids(Json expected) throws FormatException {
    List<Json> list = expected.get("ids").elements();
    int[] ids = new int[list.size()];
    for (int i = 0; i < ids.length; i++) {
      ids[i] = list.get(i).asInt();
    }
    return ids;
  }

  private static Path shared() {
    for (Path p = Path.of("").toAbsolutePath(); p != null; p = p.getParent()) {
      if (Files.isDirectory(p.resolve("shared/tokenizers"))) {
        return p.resolve("shared");
      }
    }
    return null;
  }
}
