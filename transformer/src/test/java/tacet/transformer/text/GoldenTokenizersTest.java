package tacet.transformer.text;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/**
 * Small tokenizers of every kind against the tokenizers library: ids, type ids, offsets, sequences,
 * overflowing windows, decoded texts. The files come from src/test/python/make_tokenizers.py.
 */
class GoldenTokenizersTest {

  static List<Path> fixtures() throws IOException {
    try {
      Path folder = Path.of(GoldenTokenizersTest.class.getResource("/tokenizers").toURI());
      try (Stream<Path> files = Files.list(folder)) {
        return files.filter(f -> f.toString().endsWith(".json")).sorted().toList();
      }
    } catch (URISyntaxException e) {
      throw new IOException(e);
    }
  }

  @Test
  void agreesWithTheLibrary() throws IOException {
    List<String> differences = new ArrayList<>();
    int cases = 0;
    for (Path file : fixtures()) {
      differences.addAll(TokenCases.differences(file));
      cases += Files.readAllLines(file.resolveSibling(file.getFileName() + "l")).size();
    }
    assertThat(differences).isEmpty();
    assertThat(fixtures()).hasSize(11);
    assertThat(cases).isGreaterThan(350);
  }
}
