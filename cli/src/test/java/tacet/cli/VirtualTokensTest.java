package tacet.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
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
    List<Object> args = new ArrayList<>(List.of("--model", model, "--adapter", adapter));
    args.addAll(List.of("--inputs", in));
    args.addAll(List.of(more));
    return Cli.generated(temp.resolve("out.safetensors"), args);
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

  @Test
  void drawsTheSameAgainAndTheBestOfOne() throws Exception {
    long[] five = drawn("--seed", 5, "--threads", 1);
    assertThat(drawn("--seed", 5, "--threads", 2)).isEqualTo(five);
    assertThat(drawn("--seed", 6, "--threads", 2)).isNotEqualTo(five);
    assertThat(drawn("--top-k", 1, "--seed", 6))
        .isEqualTo(generated(folder("gpt2/prompt"), "padded", "--max-new-tokens", 9));
  }

  private long[] drawn(Object... more) throws Exception {
    List<Object> how = new ArrayList<>(List.of("--sample", "--max-new-tokens", 9));
    how.addAll(List.of(more));
    return generated(folder("gpt2/prompt"), "padded", how.toArray());
  }

  /** The prompt takes places: 7 tokens, 4 vectors and 13 new tokens are the 24 that there are. */
  @Test
  void virtualTokensTakePositions() throws Exception {
    for (String name : List.of("gpt2/prompt", "opt/prompt", "gpt2/prefix")) {
      Path adapter = folder(name);
      Object[] thirteen = {"--max-new-tokens", 13, "--min-new-tokens", 13};
      assertThat(generated(adapter, "padded", thirteen)).hasSize(3 * 20);
      assertRefused(adapter, "than the 20 that the model has positions for", 14);
    }
  }

  /** What peft itself cannot use, or uses in another way. */
  @Test
  void otherVirtualTokensAreRefused() throws Exception {
    String two = "\"num_transformer_submodules\": 2";
    String one = "\"num_transformer_submodules\": 1";
    assertRefused(changed("gpt2/prefix", one, two), "num_transformer_submodules is 2", 9);
    assertRefused(changed("t5/prefix", two, one), "num_transformer_submodules is 1", 9);
    String tokens = "\"num_virtual_tokens\": ";
    String rows = "prompt_embeddings has 4 rows, num_virtual_tokens is 2";
    assertRefused(changed("opt/prompt", tokens + 4, tokens + 2), rows, 9);
    assertRefused(changed("gpt2/prompt", "PROMPT_T", "MULTITASK_PROMPT_T"), "not supported", 9);
  }

  /** A copy of an adapter with another configuration, in a copy of its model's folder. */
  private Path changed(String name, String from, String to) throws Exception {
    Path model = Files.createTempDirectory(temp, "model");
    Path adapter = Files.createDirectory(model.resolve("adapter"));
    for (String file : List.of("config.json", "model.safetensors", "padded.safetensors")) {
      Files.copy(folder(name).resolveSibling(file), model.resolve(file));
    }
    String file = "adapter_model.safetensors";
    Files.copy(folder(name).resolve(file), adapter.resolve(file));
    String config = Files.readString(folder(name).resolve("adapter_config.json"));
    assertThat(config).contains(from);
    Files.writeString(adapter.resolve("adapter_config.json"), config.replace(from, to));
    return adapter;
  }

  private void assertRefused(Path adapter, String why, int newTokens) {
    Path model = adapter.getParent();
    Path out = temp.resolve("none.safetensors");
    List<Object> args = new ArrayList<>(List.of("generate", "--model", model));
    args.addAll(List.of("--adapter", adapter, "--inputs", model.resolve("padded.safetensors")));
    args.addAll(List.of("--output", out, "--max-new-tokens", newTokens));
    Cli.Result r = Cli.run(args.toArray());
    assertThat(r.code()).isEqualTo(1);
    assertThat(r.err()).startsWith("tacet: ").hasLineCount(1).contains(why);
    assertThat(Files.exists(out)).isFalse();
  }
}
