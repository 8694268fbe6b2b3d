package tacet.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tacet.tensor.Tensor;
import tacet.transformer.checkpoint.DType;
import tacet.transformer.checkpoint.Json;
import tacet.transformer.checkpoint.SafeTensors;

/** {@code tacet quantize}, and models in four bits, against PyTorch (make_qlora_golden.py). */
class QuantizeTest {
  @TempDir Path temp;

  private static Path golden(String name) throws URISyntaxException {
    return Path.of(QuantizeTest.class.getResource("/qlora/" + name).toURI());
  }

  private static Cli.Result run(Object... args) {
    Cli.Result r = Cli.run(args);
    assertThat(r.err()).isEmpty();
    assertThat(r.code()).isZero();
    return r;
  }

  private Path forward(Path model, Path dir) {
    Path out = temp.resolve("out.safetensors");
    run(
        "forward",
        "--model",
        model,
        "--adapter",
        dir.resolve("adapter"),
        "--inputs",
        dir.resolve("inputs.safetensors"),
        "--output",
        out,
        "--hidden-states",
        "--gradients");
    return out;
  }

  private static int compare(Path expectedFile, Path foundFile) throws IOException {
    try (SafeTensors expected = SafeTensors.open(expectedFile);
        SafeTensors found = SafeTensors.open(foundFile)) {
      for (String name : expected.names()) {
        Tensor e = expected.read(name);
        Tensor f = found.read(name);
        assertThat(f.shape()).as(name).isEqualTo(e.shape());
        double largest = 0;
        double worst = 0;
        for (int i = 0; i < e.size(); i++) {
          largest = Math.max(largest, Math.abs(e.data()[i]));
          worst = Math.max(worst, Math.abs(e.data()[i] - f.data()[i]));
        }
        double tolerance = name.startsWith("grad.") ? 1e-3 : 1e-4;
        assertThat(worst).as(name).isLessThanOrEqualTo(Math.max(1e-6, tolerance * largest));
      }
      return expected.names().size();
    }
  }

  /** Logits, loss, hidden states and the gradients of a LoRA over weights in four bits. */
  @ParameterizedTest
  @ValueSource(strings = {"bert-nested", "gpt2-nested", "opt-plain", "t5-nested"})
  void fourBitModelsComputeWhatPyTorchDoes(String name) throws Exception {
    Path dir = golden(name);
    int compared = compare(dir.resolve("expected.safetensors"), forward(dir.resolve("model"), dir));
    assertThat(compared).isGreaterThan(12);
  }

  /** What we write is what PyTorch wrote: codes and scales to the bit. */
  @ParameterizedTest
  @ValueSource(strings = {"bert-nested", "gpt2-nested", "opt-plain", "t5-nested"})
  void quantisesToTheSameBytes(String name) throws Exception {
    Path dir = golden(name);
    Path out = temp.resolve("quantised");
    boolean nested = name.endsWith("nested");
    run(
        "quantize",
        "--model",
        dir.resolve("floats"),
        "--out",
        out,
        "--quiet",
        nested ? "--json" : "--no-double-quant");
    int codes = 0;
    try (SafeTensors expected = SafeTensors.open(dir.resolve("model/model.safetensors"));
        SafeTensors found = SafeTensors.open(out.resolve("model.safetensors"))) {
      assertThat(found.names()).containsExactlyInAnyOrderElementsOf(expected.names());
      for (String t : expected.names()) {
        assertThat(found.info(t).dtype()).as(t).isEqualTo(expected.info(t).dtype());
        if (t.contains("quant_state")) { // the mean of scales may differ by a rounding
          Json e = Json.parse(expected.readBytes(t), t);
          Json f = Json.parse(found.readBytes(t), t);
          assertThat(f.members().keySet()).isEqualTo(e.members().keySet());
          assertThat(f.get("shape").toString()).isEqualTo(e.get("shape").toString());
          double offset = e.doubleOr("nested_offset", 0);
          assertThat(f.doubleOr("nested_offset", 0)).isCloseTo(offset, within(2e-7));
        } else if (t.endsWith("nested_absmax")) {
          float[] e = expected.read(t).data();
          assertThat(found.read(t).data()).containsExactly(e, within(2e-7f));
        } else {
          assertThat(found.info(t).dims()).as(t).isEqualTo(expected.info(t).dims());
          assertThat(found.readBytes(t)).as(t).isEqualTo(expected.readBytes(t));
          codes += expected.info(t).dtype() == DType.U8 ? 1 : 0;
        }
      }
    }
    assertThat(codes).isGreaterThan(7);
    Json config = Json.read(out.resolve("config.json")).get("quantization_config");
    assertThat(config.get("bnb_4bit_use_double_quant").asBoolean()).isEqualTo(nested);
    compare(dir.resolve("expected.safetensors"), forward(out, dir));
  }

  @Test
  void sixteenBitsAndWhatIsRefused() throws Exception {
    Path floats = golden("gpt2-nested").resolve("floats");
    for (String format : List.of("bf16", "f16")) {
      Path out = temp.resolve(format);
      Cli.Result r =
          run("quantize", "--model", floats, "--out", out, "--quiet", "--format", format);
      assertThat(r.out()).contains("8 tensors as " + format).contains("c_attn.weight");
      try (SafeTensors found = SafeTensors.open(out.resolve("model.safetensors"))) {
        DType dtype = format.equals("bf16") ? DType.BF16 : DType.F16;
        String attention = "transformer.h.0.attn.c_attn.weight";
        assertThat(found.info(attention).dtype()).isEqualTo(dtype);
        assertThat(found.info(attention).dims()).containsExactly(24L, 72L); // not turned
        assertThat(found.info("transformer.wte.weight").dtype()).isEqualTo(DType.F32);
      }
    }
    Object[][] wrong = {
      {golden("gpt2-nested").resolve("model"), temp.resolve("x"), "quantised already"},
      {floats, floats, "--out is the model itself"},
    };
    for (Object[] w : wrong) {
      Cli.Result r = Cli.run("quantize", "--model", w[0], "--out", w[1], "--quiet");
      assertThat(r.code()).isEqualTo(1);
      assertThat(r.err()).hasLineCount(1).contains((String) w[2]);
    }
  }

  /** The base stays in four bits, and what was trained is found again over the same base. */
  @Test
  void trainsAndEvaluates() throws Exception {
    Path model = temp.resolve("model");
    Path data = temp.resolve("data");
    Cli.tinyModel(model);
    Cli.tinyTask(data);
    Path out = temp.resolve("run");
    Path again = temp.resolve("again");
    for (Path o : List.of(out, again)) {
      run(
          "train",
          "--model",
          model,
          "--task",
          "SST-2",
          "--data",
          data,
          "--method",
          "qlora",
          "--batch",
          8,
          "--lr",
          "1e-2",
          "--epochs",
          2,
          "--quiet",
          "--out",
          o);
    }
    assertThat(out.resolve("moments.paged")).doesNotExist();
    String weights = "adapter/adapter_model.safetensors";
    assertThat(Files.readAllBytes(again.resolve(weights)))
        .isEqualTo(Files.readAllBytes(out.resolve(weights)));
    Json trained = Json.read(out.resolve("metrics.json"));
    assertThat(trained.get("method").asString()).isEqualTo("qlora");
    Path stored = temp.resolve("stored");
    run("quantize", "--model", model, "--out", stored, "--quiet");
    for (Object[] base : new Object[][] {{model, "nf4"}, {stored, "f32"}}) {
      Cli.Result r =
          run(
              "evaluate",
              "--model",
              base[0],
              "--weights",
              base[1],
              "--adapter",
              out.resolve("adapter"),
              "--task",
              "SST-2",
              "--data",
              data,
              "--quiet",
              "--json");
      Json judged = Json.parse(r.out(), "evaluate");
      assertThat(judged.get("score").asDouble()).isEqualTo(trained.get("score").asDouble());
      double parameters =
          100 * trained.get("trainable").asDouble() / trained.get("trainable_percent").asDouble();
      assertThat(judged.get("configuration").get("weights_mb").asDouble())
          .isLessThan(0.8 * 4 * parameters / (1 << 20));
    }
  }

  /** Merged into floats it computes the same; quantised again, nearly, and says how nearly. */
  @ParameterizedTest
  @ValueSource(strings = {"bert-nested", "gpt2-nested"})
  void mergesIntoFloatsOrBackIntoFourBits(String name) throws Exception {
    Path dir = golden(name);
    Path model = dir.resolve("model");
    Path floats = temp.resolve("floats");
    Path four = temp.resolve("four");
    Path adapter = dir.resolve("adapter");
    run("merge", "--model", model, "--adapter", adapter, "--out", floats);
    Cli.Result r =
        run(
            "merge",
            "--model",
            model,
            "--adapter",
            adapter,
            "--out",
            four,
            "--requantize",
            "--json");
    Json report = Json.parse(r.out(), "report");
    double worst = 0;
    for (Json t : report.get("tensors").elements()) {
      worst = Math.max(worst, t.get("relative_error").asDouble());
    }
    assertThat(worst).isBetween(0.02, 0.2);
    float[] expected;
    try (SafeTensors e = SafeTensors.open(dir.resolve("expected.safetensors"))) {
      expected = e.read("logits").data();
    }
    float[] merged = logits(floats, dir);
    float[] again = logits(four, dir);
    double largest = 0;
    double difference = 0;
    for (int i = 0; i < expected.length; i++) {
      largest = Math.max(largest, Math.abs(expected[i]));
      difference = Math.max(difference, Math.abs(again[i] - expected[i]));
    }
    assertThat(merged).containsExactly(expected, within((float) (1e-4 * largest)));
    assertThat(difference).isBetween(1e-3 * largest, 0.7 * largest);
    assertThat(Json.read(floats.resolve("config.json")).has("quantization_config")).isFalse();
    Cli.Result wrong =
        Cli.run(
            "merge",
            "--model",
            floats,
            "--adapter",
            adapter,
            "--out",
            temp.resolve("x"),
            "--requantize");
    assertThat(wrong.err()).hasLineCount(1).contains("not in four bits");
  }

  private float[] logits(Path model, Path dir) throws IOException {
    Path out = temp.resolve("logits.safetensors");
    Path inputs = dir.resolve("inputs.safetensors");
    run("forward", "--model", model, "--inputs", inputs, "--output", out);
    try (SafeTensors found = SafeTensors.open(out)) {
      return found.read("logits").data();
    }
  }

  /** A ViT in four bits is nearly what it was. */
  @Test
  void imageModels() throws Exception {
    Path dir = Path.of(QuantizeTest.class.getResource("/golden/vit-images").toURI());
    Path out = temp.resolve("vit");
    run("quantize", "--model", dir, "--out", out, "--quiet");
    float[] before = logits(dir, dir);
    float[] after = logits(out, dir);
    double largest = 0;
    double difference = 0;
    for (int i = 0; i < before.length; i++) {
      largest = Math.max(largest, Math.abs(before[i]));
      difference = Math.max(difference, Math.abs(after[i] - before[i]));
    }
    assertThat(difference).isBetween(1e-4 * largest, 0.7 * largest);
  }
}
