package tacet.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tacet.tensor.Tensor;
import tacet.transformer.checkpoint.DType;
import tacet.transformer.checkpoint.Json;
import tacet.transformer.checkpoint.SafeTensors;
import tacet.transformer.checkpoint.SafeTensorsWriter;

/** {@code tacet forward} against Hugging Face transformers, peft and ONNX Runtime. */
class ForwardTest {
  private static final double VALUES = 1e-4;
  private static final double GRADIENTS = 1e-3;

  /**
   * With ε = 1e-7 the l0 surrogate climbs from 0 to 1 within 1e-3 of zero and turns rounding into
   * gradients: PyTorch in float32 is 1e-3 away from itself in double there.
   */
  private static final double STEEP_GRADIENTS = 5e-3;

  /** Below this a gradient is zero up to rounding: that of a key's bias is, by algebra. */
  private static final double NOISE = 1e-6;

  @TempDir Path temp;

  private static Path golden(String name) throws URISyntaxException {
    return Path.of(ForwardTest.class.getResource("/golden/" + name).toURI());
  }

  private Path forward(Path dir, Object... more) {
    List<Object> args =
        new ArrayList<>(
            List.of(
                "forward",
                "--model",
                dir,
                "--inputs",
                dir.resolve("inputs.safetensors"),
                "--output",
                temp.resolve("out.safetensors"),
                "--hidden-states",
                "--gradients"));
    if (Files.exists(dir.resolve("adapter"))) {
      args.addAll(List.of("--adapter", dir.resolve("adapter")));
    }
    args.addAll(List.of(more));
    Cli.Result r = Cli.run(args.toArray());
    assertThat(r.err()).isEmpty();
    assertThat(r.code()).isZero();
    return temp.resolve("out.safetensors");
  }

  /** Every expected tensor within tolerance of its largest value; returns how many there were. */
  private static int compare(Path expectedFile, Path foundFile, double gradients)
      throws IOException {
    return compare(expectedFile, foundFile, gradients, null);
  }

  /**
   * Every expected tensor within tolerance of its largest value; returns how many there were.
   *
   * @param mask 0 for the tokens whose values [B, S, …] are not compared; null compares all
   */
  private static int compare(Path expectedFile, Path foundFile, double gradients, long[] mask)
      throws IOException {
    int compared = 0;
    try (SafeTensors expected = SafeTensors.open(expectedFile);
        SafeTensors found = SafeTensors.open(foundFile)) {
      List<String> names =
          expected.names().stream().filter(n -> !n.equals("generated")).toList(); // not by forward
      assertThat(found.names()).containsAll(names);
      for (String name : names) {
        Tensor e = expected.read(name);
        Tensor f = found.read(name);
        assertThat(f.shape()).as(name).isEqualTo(e.shape());
        double largest = 0;
        double worst = 0;
        int width = e.shape().last();
        for (int i = 0; i < e.size(); i++) {
          if (mask != null && e.shape().rank() == 3 && mask[i / width] == 0) {
            continue;
          }
          largest = Math.max(largest, Math.abs(e.data()[i]));
          worst = Math.max(worst, Math.abs(e.data()[i] - f.data()[i]));
        }
        double tolerance = name.startsWith("grad.") ? gradients : VALUES;
        assertThat(worst).as(name).isLessThanOrEqualTo(Math.max(NOISE, tolerance * largest));
        compared++;
      }
    }
    return compared;
  }

  @ParameterizedTest
  @ValueSource(strings = {"bert-relu", "bert-gelu-regression", "bert-lora", "bert-rslora"})
  void agreesWithTransformersAndPeft(String name) throws Exception {
    Path dir = golden(name);
    int compared = compare(dir.resolve("expected.safetensors"), forward(dir), GRADIENTS);
    assertThat(compared).isGreaterThan(15);
  }

  /** Names, types, shards and heads as hub checkpoints have them; see make_model_goldens.py. */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "bert-qa",
        "roberta-qa",
        "roberta-multilabel",
        "gpt2-untied",
        "vit-images",
        "t5-untied",
        "t5-tied"
      })
  void agreesOnOtherHeadsAndFiles(String name) throws Exception {
    Path dir = golden(name);
    int compared = compare(dir.resolve("expected.safetensors"), forward(dir), GRADIENTS);
    assertThat(compared).isGreaterThan(30);
  }

  /**
   * What padding before the first token sees is nobody's business: Hugging Face's own attention
   * functions do not agree on it.
   */
  @ParameterizedTest
  @ValueSource(strings = {"gpt2-bare", "opt-bf16", "opt-bare-f16"})
  void agreesOnBatchesPaddedOnTheLeft(String name) throws Exception {
    Path dir = golden(name);
    try (SafeTensors inputs = SafeTensors.open(dir.resolve("inputs.safetensors"))) {
      long[] mask = inputs.readLongs("attention_mask");
      assertThat(mask).contains(0);
      int compared = compare(dir.resolve("expected.safetensors"), forward(dir), GRADIENTS, mask);
      assertThat(compared).isGreaterThan(28);
    }
  }

  /** A PNG that shrinks, one that grows, a grey one, and a JPEG. */
  @Test
  void imagesArePreprocessedAsInTransformers() throws Exception {
    Path dir = golden("vit-images");
    List<String> files =
        Stream.of("large.png", "small.png", "grey.png", "photo.jpg")
            .map(f -> dir.resolve(f).toString())
            .toList();
    Path out = temp.resolve("out.safetensors");
    Cli.Result r =
        Cli.run("forward", "--model", dir, "--images", String.join(",", files), "--output", out);
    assertThat(r.err()).isEmpty();
    try (SafeTensors expected = SafeTensors.open(dir.resolve("expected.safetensors"));
        SafeTensors found = SafeTensors.open(out)) {
      float[] e = expected.read("logits").toArray();
      float[] f = found.read("logits").toArray();
      for (int i = 0; i < e.length; i++) { // JPEG decoders may differ by a grey level
        assertThat(f[i]).isCloseTo(e[i], within(i < e.length / 4 * 3 ? 1e-4f : 0.05f));
      }
    }
  }

  @Test
  void inputsThatDoNotSuitTheModelAreRefused() throws Exception {
    Path vit = golden("vit-images");
    Path gpt2 = golden("gpt2-untied");
    Path text = gpt2.resolve("inputs.safetensors");
    Path types = golden("bert-qa").resolve("inputs.safetensors");
    Path out = temp.resolve("none.safetensors");
    Path unlabelled = golden("gpt2-generates").resolve("inputs.safetensors");
    Path damaged = temp.resolve("damaged.png");
    byte[] png = Files.readAllBytes(vit.resolve("large.png"));
    Files.write(damaged, Arrays.copyOf(png, png.length / 2));
    Object[][] cases = {
      {vit, "--inputs", text, "pixel_values"},
      {gpt2, "--inputs", vit.resolve("inputs.safetensors"), "input_ids"},
      {gpt2, "--inputs", types, "token_type_ids"},
      {golden("t5-tied"), "--inputs", unlabelled, "labels"},
      {vit, "--images", vit.resolve("nothing.png"), "nothing.png"},
      {vit, "--images", damaged, "damaged.png"},
      {vit, "--images", vit.resolve("config.json"), "not an image"},
    };
    for (Object[] c : cases) {
      Cli.Result r = Cli.run("forward", "--model", c[0], c[1], c[2], "--output", out);
      assertThat(r.code()).as(r.err()).isEqualTo(1);
      assertThat(r.err())
          .startsWith("tacet: ")
          .hasLineCount(1)
          .contains(c[3].toString())
          .doesNotContain("Exception");
    }
    assertThat(Files.exists(out)).isFalse();
    assertThat(Cli.run("forward", "--model", vit, "--output", out).code()).isEqualTo(2);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "bert-relu",
        "bert-regression",
        "roberta-gelu",
        "gpt2-cls",
        "gpt2-lm",
        "opt-lm",
        "opt350-cls",
        "vit",
        "t5-relu",
        "t5-gated",
        "t5-lora",
        "deft-t5-tanh",
        "deft-bert-tanh",
        "deft-roberta-l0",
        "deft-roberta-l0-paper"
      })
  void agreesWithTheSharedGoldens(String name) throws Exception {
    Path shared = Cli.shared("golden");
    assumeTrue(shared != null, "the shared golden files are not here");
    Path dir = shared.resolve(name);
    Path args = dir.resolve("args.txt");
    Object[] more = Files.exists(args) ? Files.readString(args).strip().split(" ") : new Object[0];
    double gradients = name.endsWith("-paper") ? STEEP_GRADIENTS : GRADIENTS;
    int compared = compare(dir.resolve("expected.safetensors"), forward(dir, more), gradients);
    assertThat(compared).isGreaterThan(25);
  }

  /** The labels' own shift given explicitly is the same; without labels there is no loss. */
  @Test
  void decoderInputsMayBeGiven() throws Exception {
    Path dir = golden("t5-untied");
    byte[] shifted = Files.readAllBytes(forward(dir));
    Path in = temp.resolve("in.safetensors");
    try (SafeTensors inputs = SafeTensors.open(dir.resolve("inputs.safetensors"));
        ModelSource source = ModelSource.open(dir.toString())) {
      int[] labels = Arrays.stream(inputs.readLongs("labels")).mapToInt(Math::toIntExact).toArray();
      int[] ids = source.seq2seq().target(3, 6, labels).ids();
      long[] longs = Arrays.stream(ids).asLongStream().toArray();
      SafeTensorsWriter writer = new SafeTensorsWriter();
      for (String name : List.of("input_ids", "attention_mask", "labels")) {
        writer.addLongs(name, inputs.info(name).shape(), inputs.readLongs(name), DType.I64);
      }
      writer.addLongs("decoder_input_ids", inputs.info("labels").shape(), longs, DType.I64);
      writer.write(in);
    }
    assertThat(Files.readAllBytes(forward(dir, "--inputs", in))).isEqualTo(shifted);
  }

  @Test
  void oneAndTwoThreadsGiveTheSameBytes() throws Exception {
    byte[] one = Files.readAllBytes(forward(golden("bert-relu"), "--threads", 1));
    byte[] two = Files.readAllBytes(forward(golden("bert-relu"), "--threads", 2));
    assertThat(two).isEqualTo(one);
  }

  @Test
  void minilmAgreesWithOnnxRuntime() throws Exception {
    Path dir = golden("minilm");
    Path out = temp.resolve("out.safetensors");
    Cli.Result r =
        Cli.run(
            "forward",
            "--model",
            "minilm",
            "--inputs",
            dir.resolve("inputs.safetensors"),
            "--output",
            out,
            "--hidden-states");
    assertThat(r.err()).isEmpty();
    try (SafeTensors expected = SafeTensors.open(dir.resolve("expected.safetensors"));
        SafeTensors inputs = SafeTensors.open(dir.resolve("inputs.safetensors"));
        SafeTensors found = SafeTensors.open(out)) {
      Tensor e = expected.read("last_hidden_state.every8th");
      Tensor f = found.read("last_hidden_state");
      assertThat(found.read("hidden.6").toArray()).isEqualTo(f.toArray());
      long[] mask = inputs.readLongs("attention_mask");
      int width = e.shape().last();
      int checked = 0;
      for (int t = 0; t < mask.length; t++) {
        for (int j = 0; j < width && mask[t] == 1; j++) {
          float got = f.data()[t * f.shape().last() + 8 * j];
          assertThat(Math.abs(got - e.data()[t * width + j])).isLessThan(1e-4f);
          checked++;
        }
      }
      assertThat(checked).isGreaterThan(1500);
    }
    // The token ids of the golden file are those of our tokenizer.
    List<String> sentences = Files.readAllLines(dir.resolve("sentences.txt"));
    try (ModelSource source = ModelSource.open("minilm");
        SafeTensors inputs = SafeTensors.open(dir.resolve("inputs.safetensors"))) {
      long[] ids = inputs.readLongs("input_ids");
      int length = ids.length / sentences.size();
      for (int i = 0; i < sentences.size(); i++) {
        int[] ours = source.tokenizer().encode(sentences.get(i)).ids();
        for (int j = 0; j < length; j++) {
          assertThat(j < ours.length ? ours[j] : 0).isEqualTo((int) ids[i * length + j]);
        }
      }
    }
  }

  @Test
  void jsonSaysWhatWasWritten() throws Exception {
    Path dir = golden("bert-relu");
    Cli.Result r =
        Cli.run(
            "forward",
            "--json",
            "--model",
            dir,
            "--inputs",
            dir.resolve("inputs.safetensors"),
            "--output",
            temp.resolve("out.safetensors"));
    Json json = Json.parse(r.out(), "stdout");
    assertThat(json.get("tensors").get("logits").toString()).isEqualTo("[4,3]");
    try (SafeTensors expected = SafeTensors.open(dir.resolve("expected.safetensors"))) {
      double difference = json.get("loss").asDouble() - expected.read("loss").item();
      assertThat(Math.abs(difference)).isLessThan(1e-4);
    }
  }

  /** A density is one of activations: it needs no labels, and has the same value without. */
  @Test
  void densityIsWrittenWithoutLabelsToo() throws Exception {
    Path dir = golden("bert-relu");
    Path whole = dir.resolve("inputs.safetensors");
    Path bare = temp.resolve("bare.safetensors");
    SafeTensorsWriter writer = new SafeTensorsWriter();
    try (SafeTensors in = SafeTensors.open(whole)) {
      for (String name : in.names()) {
        if (!name.equals("labels")) {
          writer.addLongs(name, in.read(name).shape(), in.readLongs(name), DType.I64);
        }
      }
    }
    writer.write(bare);
    List<Tensor> found = new ArrayList<>();
    for (Path inputs : List.of(whole, bare)) {
      Path out = temp.resolve("density.safetensors");
      Object[] command = {"forward", "--model", dir, "--inputs", inputs, "--output", out};
      List<Object> all = new ArrayList<>(List.of(command));
      all.addAll(List.of("--surrogate", "tanh", "--lambda", "0.5"));
      assertThat(Cli.run(all.toArray()).err()).isEmpty();
      try (SafeTensors written = SafeTensors.open(out)) {
        assertThat(written.names().contains("loss")).isEqualTo(inputs == whole);
        found.add(written.read("density"));
        found.add(written.read("density_loss"));
      }
    }
    assertThat(found.get(2).data()).isEqualTo(found.get(0).data());
    assertThat(found.get(3).item()).isEqualTo(found.get(1).item()).isPositive();
  }

  @Test
  void mistakesAreOneLine() throws Exception {
    Path dir = golden("bert-relu");
    Path in = dir.resolve("inputs.safetensors");
    Path bad = temp.resolve("bad.safetensors");
    Files.write(bad, new byte[] {1, 2, 3});
    Path out = temp.resolve("none.safetensors");
    List<Object[]> cases =
        List.of(
            new Object[] {"forward", "--model", dir, "--inputs", bad, "--output", out},
            new Object[] {"forward", "--model", temp, "--inputs", in, "--output", out},
            new Object[] {"forward", "--model", "nowhere", "--inputs", in, "--output", out},
            new Object[] {
              "forward", "--model", dir, "--adapter", temp, "--inputs", in, "--output", out
            },
            new Object[] {
              "forward", "--model", dir, "--inputs", temp.resolve("x"), "--output", out
            });
    TreeSet<String> messages = new TreeSet<>();
    for (Object[] args : cases) {
      Cli.Result r = Cli.run(args);
      assertThat(r.code()).isEqualTo(1);
      assertThat(r.err()).startsWith("tacet: ").hasLineCount(1).doesNotContain("Exception");
      messages.add(r.err());
    }
    assertThat(messages).hasSize(cases.size());
    for (Path to : List.of(temp.resolve("none/out.safetensors"), temp)) {
      Cli.Result r = Cli.run("forward", "--model", dir, "--inputs", in, "--output", to);
      assertThat(r.code()).isEqualTo(1);
      assertThat(r.err()).startsWith("tacet: " + to + ": ").hasLineCount(1).doesNotContain(".tmp");
    }
    assertThat(Files.exists(out)).isFalse();
  }
}
