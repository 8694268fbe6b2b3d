package tacet.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tacet.transformer.checkpoint.SafeTensors;

/**
 * {@code tacet generate} with prompt tuning, P-tuning and prefix tuning against peft's generate; see
 * make_prompt_goldens.py.
 */
class VirtualTokensTest {
  @TempDir Path temp;

  private static Path folder(String name) throws Exception {
    return Path.of(VirtualTokensTest.class.getResource("/golden/virtual-tokens/" + name).toURI());
  }

  private long[] generated(Path adapter, String inputs, Object... more) throws IOException {
    Path model = adapter.getParent();
    Path in = model.resolve(inputs + ".safetensors");
    Path out = temp.resolve("out.safetensors");
    List<Object> args = new ArrayList<>(List.of("generate", "--model", model));
    args.addAll(List.of("--adapter", adapter, "--inputs", in, "--output", out));
    args.addAll(List.of(more));
    Cli.Result r = Cli.run(args.toArray());
    assertThat(r.err()).isEmpty();
    try (SafeTensors found = SafeTensors.open(out)) {
      return found.readLongs("generated");
    }
  }

  /** All adapters of a model, with and without padding, with prompts of one token, greedily and by beams. */
  @ParameterizedTest
  @CsvSource({"gpt2, 4, 6", "opt, 4, 6", "t5, 4, 8"})
  void idsAreThoseOfPeft(String model, int adapters, int cases) throws Exception {
    List<Path> all;
    try (Stream<Path> files = Files.list(folder(model))) {
      all = files.filter(Files::isDirectory).sorted().toList();
    }
    assertThat(all).hasSize(adapters);
    for (Path adapter : all) {
      try (SafeTensors expected = SafeTensors.open(adapter.resolve("generated.safetensors"))) {
        assertThat(expected.names()).hasSize(cases);
        for (String name : expected.names()) { // "padded num_beams=3 max_new_tokens=9"
          String[] words = name.split("[ =]");
          assertThat(
                  generated(adapter, words[0], "--beams", words[2], "--max-new-tokens", words[4]))
              .as(adapter.getFileName() + ": " + name)
              .isEqualTo(expected.readLongs(name));
        }
      }
    }
  }
}
