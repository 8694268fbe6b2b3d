package tacet.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import tacet.tensor.Shape;
import tacet.tensor.Tensor;
import tacet.transformer.checkpoint.DType;
import tacet.transformer.checkpoint.Json;
import tacet.transformer.checkpoint.SafeTensors;
import tacet.transformer.checkpoint.SafeTensorsWriter;

/** {@code tacet generate} against Hugging Face's generate. */
class GenerateTest {
  /** Options by the names of generate's arguments. */
  private static final Map<String, String> OPTIONS =
      Map.of(
          "num_beams", "--beams",
          "max_new_tokens", "--max-new-tokens",
          "min_new_tokens", "--min-new-tokens",
          "length_penalty", "--length-penalty",
          "early_stopping", "--early-stopping");

  @TempDir Path temp;

  private static Path golden(String name) throws URISyntaxException {
    return Path.of(GenerateTest.class.getResource("/golden/" + name).toURI());
  }

  private long[] generated(Path dir, Object... more) throws IOException {
    Path in = dir.resolve("inputs.safetensors");
    List<Object> args = new ArrayList<>(List.of("--model", dir, "--inputs", in));
    args.addAll(List.of(more));
    return Cli.generated(temp.resolve("out.safetensors"), args);
  }

  @ParameterizedTest
  @ValueSource(strings = {"t5-untied", "t5-tied", "gpt2-generates", "opt-generates"})
  void idsAreThoseOfTransformers(String name) throws Exception {
    Path dir = golden(name);
    try (SafeTensors expected = SafeTensors.open(dir.resolve("generated.safetensors"))) {
      assertThat(expected.names()).hasSize(7);
      for (String arguments : expected.names()) {
        List<Object> options = new ArrayList<>();
        for (String argument : arguments.split(" ")) {
          String[] parts = argument.split("=");
          options.addAll(List.of(OPTIONS.get(parts[0]), parts[1]));
        }
        assertThat(generated(dir, options.toArray()))
            .as(arguments)
            .isEqualTo(expected.readLongs(arguments));
      }
    }
  }

  @ParameterizedTest
  @CsvSource({"t5-relu, 1", "t5-gated, 3"})
  void agreesWithTheSharedGoldens(String name, int beams) throws Exception {
    Path shared = Cli.shared("golden");
    assumeTrue(shared != null, "the shared golden files are not here");
    Path dir = shared.resolve(name);
    try (SafeTensors expected = SafeTensors.open(dir.resolve("expected.safetensors"))) {
      assertThat(generated(dir, "--max-new-tokens", 8, "--beams", beams))
          .isEqualTo(expected.readLongs("generated"));
    }
  }

  /**
   * With an adapter each token that is written is the best by the adapted model's own forward pass,
   * which golden files vouch for.
   */
  @ParameterizedTest
  @CsvSource({
    "t5, t5-lora",
    "t5, t5-prefix",
    "t5, t5-prefix-paper",
    "t5, t5-prompt",
    "gpt2, gpt2-prefix",
    "gpt2, gpt2-prompt",
    "opt, opt-prefix",
    "opt, opt-prompt",
    "opt, opt-pfeiffer"
  })
  void adaptersWriteWhatTheyPredict(String model, String adapter) throws Exception {
    Path base = golden("peft/" + model);
    Path dir = golden("peft/" + adapter);
    boolean t5 = model.equals("t5");
    SafeTensorsWriter prompt = new SafeTensorsWriter();
    long[] ids = {7, 9, 4, 12, 5};
    prompt.addLongs("input_ids", Shape.of(1, 5), ids, DType.I64);
    Path in = temp.resolve("in.safetensors");
    prompt.write(in);
    Object[] common = {"--model", base, "--adapter", dir.resolve("adapter"), "--inputs", in};
    Path out = temp.resolve("out.safetensors");
    Object[] all = with(common, "--max-new-tokens", 6, "--min-new-tokens", 6);
    long[] written = Cli.generated(out, List.of(all));
    SafeTensorsWriter again = new SafeTensorsWriter();
    again.addLongs(
        "input_ids", Shape.of(1, t5 ? 5 : written.length), t5 ? ids : written, DType.I64);
    if (t5) {
      again.addLongs("decoder_input_ids", Shape.of(1, written.length), written, DType.I64);
    }
    again.write(in);
    Cli.Result forward = Cli.run(with(with(new Object[] {"forward"}, common), "--output", out));
    assertThat(forward.err()).isEmpty();
    try (SafeTensors found = SafeTensors.open(out)) {
      Tensor logits = found.read("logits");
      int v = logits.shape().last();
      int length = logits.shape().dim(1);
      int end = t5 ? 1 : model.equals("gpt2") ? 0 : 2; // the end token, which came too early
      for (int i = length - 7; i < length - 1; i++) {
        float[] row = Arrays.copyOfRange(logits.data(), i * v, (i + 1) * v);
        int next = (int) written[i + 1 - (length - written.length)];
        for (int token = 0; token < v; token++) {
          if (token != end) {
            assertThat(row[token]).isLessThanOrEqualTo(row[next] + 1e-4f);
          }
        }
      }
    }
  }

  @Test
  void threadsAndSeedsMakeNoDifferenceOrOne() throws Exception {
    Path dir = golden("gpt2-generates");
    long[] one = generated(dir, "--sample", "--temperature", 2, "--seed", 5, "--threads", 1);
    assertThat(generated(dir, "--sample", "--temperature", 2, "--seed", 5, "--threads", 2))
        .isEqualTo(one);
    assertThat(generated(dir, "--sample", "--temperature", 2, "--seed", 6)).isNotEqualTo(one);
    assertThat(generated(dir, "--sample", "--top-k", 1, "--min-new-tokens", 20))
        .isEqualTo(generated(dir, "--min-new-tokens", 20));
  }

  /** A GPT-2 of 53 words: the words of its greedy ids, streamed, at once, and as JSON. */
  @Test
  void textIsContinued() throws Exception {
    Path model = temp.resolve("model");
    Path dir = golden("gpt2-generates");
    Files.createDirectories(model);
    for (String file : List.of("config.json", "model.safetensors")) {
      Files.copy(dir.resolve(file), model.resolve(file));
    }
    List<String> words = new ArrayList<>(List.of("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"));
    for (int i = words.size(); i < 53; i++) {
      words.add("w" + (char) ('a' + i / 26) + (char) ('a' + i % 26));
    }
    Files.write(model.resolve("vocab.txt"), words);
    String text = words.get(9) + " " + words.get(30);
    Object[] args = {"generate", "--model", model, "--text", text, "--max-new-tokens", 6};
    Cli.Result streamed = Cli.run(args);
    assertThat(streamed.err()).isEmpty();
    assertThat(streamed.out().strip()).isNotEmpty();
    Cli.Result json = Cli.run(with(args, "--json"));
    Json result = Json.parse(json.out(), "stdout");
    assertThat(result.get("texts").elements().get(0).asString())
        .isEqualTo(streamed.out().stripTrailing());
    assertThat(result.get("ids").elements().get(0).elements()).hasSizeBetween(5, 10);
    // The same text in a batch, beside a longer one.
    Cli.Result both = Cli.run(with(args, "--text", text + " " + words.get(12) + " wab"));
    assertThat(both.out().lines().toList()).hasSize(2);
    assertThat(both.out().lines().findFirst().orElseThrow())
        .isEqualTo(streamed.out().stripTrailing());
    assertThat(Cli.run(with(args, "--beams", 3)).out()).hasLineCount(1);
  }

  private static Object[] with(Object[] args, Object... more) {
    List<Object> all = new ArrayList<>(List.of(args));
    all.addAll(List.of(more));
    return all.toArray();
  }

  @Test
  void mistakesAreOneLine() throws Exception {
    Path gpt2 = golden("gpt2-generates");
    Path in = gpt2.resolve("inputs.safetensors");
    Path out = temp.resolve("out.safetensors");
    Object[][] usage = {
      {"generate", "--model", gpt2},
      {"generate", "--model", gpt2, "--inputs", in},
      {"generate", "--model", gpt2, "--inputs", in, "--output", out, "--sample", "--beams", 2},
      {"generate", "--model", gpt2, "--inputs", in, "--output", out, "--sample", "--top-p", 0},
      {"generate", "--model", gpt2, "--inputs", in, "--output", out, "--beams", 0}
    };
    for (Object[] args : usage) {
      Cli.Result r = Cli.run(args);
      assertThat(r.code()).as(r.err()).isEqualTo(2);
      assertThat(r.err()).startsWith("tacet: ").hasLineCount(1);
    }
    Path right = golden("t5-tied").resolve("inputs.safetensors");
    Object[][] failures = {
      {"generate", "--model", golden("bert-relu"), "--inputs", in, "--output", out},
      {"generate", "--model", gpt2, "--inputs", in, "--output", out, "--max-new-tokens", 99},
      {"generate", "--model", gpt2, "--inputs", right, "--output", out}
    };
    for (Object[] args : failures) {
      Cli.Result r = Cli.run(args);
      assertThat(r.code()).as(r.err()).isEqualTo(1);
      assertThat(r.err()).startsWith("tacet: ").hasLineCount(1).doesNotContain("Exception");
    }
    assertThat(Files.exists(out)).isFalse();
  }
}
