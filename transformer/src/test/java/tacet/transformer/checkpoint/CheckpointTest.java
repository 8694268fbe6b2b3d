package tacet.transformer.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tacet.tensor.Shape;
import tacet.tensor.Tensor;
import tacet.transformer.checkpoint.CheckpointException.Mismatch;

class CheckpointTest {
  private static final Json CONFIG = Json.of(Map.of("model_type", "bert"));

  @TempDir Path dir;

  // ---------------------------------------------------------------- directories

  @ParameterizedTest
  @ValueSource(strings = {"safetensors", "sharded-safetensors", "torch", "sharded-torch"})
  void directoriesOfPythonAreReadBitForBit(String name) throws IOException {
    Map<String, Json> expected = Golden.expected(name + "/expected.json");
    try (Checkpoint c = Checkpoint.open(Golden.path(name))) {
      assertThat(c.config().get("hidden_size").asInt()).isEqualTo(4);
      assertThat(c.names()).containsExactlyInAnyOrderElementsOf(expected.keySet());
      for (String tensor : c.names()) {
        Golden.assertEqual(tensor, c.read(tensor), expected.get(tensor));
      }
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"sharded-safetensors", "sharded-torch"})
  void aModelLoadsWhateverTheContainerAndTheNames(String name) throws IOException {
    try (Checkpoint c = Checkpoint.open(Golden.path(name))) {
      Weights w = c.weights();
      Weights bert = w.at("bert"); // one golden has the prefix, the other has not
      bert.at("embeddings").tensor("word_embeddings.weight", Shape.of(7, 4));
      Tensor gamma = bert.at("embeddings.LayerNorm").tensor("weight", Shape.of(4));
      bert.at("embeddings").at("LayerNorm").tensor("bias", Shape.of(4));
      Weights dense = bert.at("encoder.layer.0.output.dense");
      dense.tensor("weight", Shape.of(4, 6));
      dense.tensor("bias", Shape.of(4));
      assertThat(w.tensorOrNull("classifier.weight", Shape.of(2, 4))).isNull();
      w.finish(); // position_ids is a known buffer
      assertThat(w.newlyInitialised()).containsExactly("classifier.weight");
      String prefix = name.equals("sharded-torch") ? "" : "bert.";
      assertThat(gamma.toArray())
          .isEqualTo(c.read(prefix + "embeddings.LayerNorm.gamma").toArray());
    }
  }

  @Test
  void safetensorsComeBeforeTorch() throws IOException {
    Checkpoint.write(dir, CONFIG, Map.of("a", Tensor.scalar(1)));
    Files.write(dir.resolve("pytorch_model.bin"), new byte[] {1, 2, 3});
    try (Checkpoint c = Checkpoint.open(dir)) {
      assertThat(c.names()).containsExactly("a");
    }
  }

  @Test
  void whatIsMissingInADirectoryIsNamed() throws IOException {
    refusedToOpen(dir + ": not a Hugging Face model directory: it has no config.json");
    Files.writeString(dir.resolve("config.json"), "{}");
    refusedToOpen(dir + ": has no weights: none of model.safetensors, ");
    Files.writeString(dir.resolve("config.json"), "[]");
    refusedToOpen(dir.resolve("config.json") + ": $: expected an object");
  }

  @Test
  void anIndexCannotLeadElsewhereOrNowhere() throws IOException {
    Files.writeString(dir.resolve("config.json"), "{}");
    for (String shard :
        List.of("../x", "/etc/passwd", "a\\\\b", "..", ".", "", "C:x", "a\\u0000b")) {
      index("{\"weight_map\":{\"a\":\"" + shard + "\"}}");
      refusedToOpen("$.weight_map.a: \"");
      refusedToOpen("is not the plain name of a file");
    }
    index("{\"weight_map\":{\"a\":\"none.safetensors\"}}");
    refusedToOpen("there is no file \"none.safetensors\"");
    index("{\"weight_map\":{\"a\":3}}");
    refusedToOpen("expected a string");
    index("{\"metadata\":{}}");
    refusedToOpen("key \"weight_map\" is missing");
    SafeTensors.write(dir.resolve("s"), Map.of("b", Tensor.scalar(1)));
    index("{\"weight_map\":{\"b\":\"s\",\"a\":\"s\"}}");
    refusedToOpen(dir.resolve("s") + ": has no tensor \"a\"; it has 1: \"b\"");
  }

  @Test
  void ofAnIndexOnlyTheWeightMapCounts() throws IOException {
    Files.writeString(dir.resolve("config.json"), "{}");
    SafeTensors.write(dir.resolve("s"), Map.of("a", Tensor.scalar(1), "extra", Tensor.scalar(2)));
    index("{\"metadata\":{\"total_size\":\"wrong\",\"x\":[1]},\"weight_map\":{\"a\":\"s\"}}");
    try (Checkpoint c = Checkpoint.open(dir)) {
      assertThat(c.names()).containsExactly("a");
      assertThatThrownBy(() -> c.read("extra")).hasMessageContaining("has no tensor \"extra\"");
    }
  }

  private void index(String json) throws IOException {
    Files.writeString(dir.resolve("model.safetensors.index.json"), json);
  }

  private void refusedToOpen(String problem) {
    assertThatThrownBy(() -> Checkpoint.open(dir).close())
        .isInstanceOf(FormatException.class)
        .hasMessageContaining(problem);
  }

  @Test
  void afterCloseNothingIsRead() throws IOException {
    Checkpoint c = Checkpoint.open(Golden.path("sharded-safetensors"));
    c.close();
    c.close();
    String name = c.names().iterator().next();
    assertThatThrownBy(() -> c.read(name)).isInstanceOf(IllegalStateException.class);
  }

  // ---------------------------------------------------------------- writing

  @Test
  void aNewDirectoryAppearsComplete() throws IOException {
    Path target = dir.resolve("parent/model");
    Checkpoint.write(target, CONFIG, Map.of("a.weight", Tensor.of(Shape.of(2), 1, 2)));
    assertThat(files(target)).containsExactlyInAnyOrder("config.json", "model.safetensors");
    assertThat(files(target.getParent())).containsExactly("model");
    try (Checkpoint c = Checkpoint.open(target)) {
      assertThat(c.config().toString()).isEqualTo("{\"model_type\":\"bert\"}");
      assertThat(c.read("a.weight").toArray()).containsExactly(1, 2);
      assertThat(c.info("a.weight").dims()).containsExactly(2L);
    }
  }

  @Test
  void anExistingDirectoryKeepsItsOtherFiles() throws IOException {
    Files.writeString(dir.resolve("tokenizer.json"), "{}");
    Checkpoint.write(dir, CONFIG, Map.of("a", Tensor.scalar(1)));
    SafeTensorsWriter half = new SafeTensorsWriter().add("a", Tensor.scalar(1.5f), DType.BF16);
    Checkpoint.write(dir, CONFIG, half);
    assertThat(files(dir))
        .containsExactlyInAnyOrder("tokenizer.json", "config.json", "model.safetensors");
    try (Checkpoint c = Checkpoint.open(dir)) {
      assertThat(c.info("a").dtype()).isEqualTo(DType.BF16);
      assertThat(c.readBytes("a")).containsExactly(0xc0, 0x3f);
      assertThat(c.read("a").item()).isEqualTo(1.5f);
    }
  }

  @Test
  void aFailedWriteLeavesNothing() throws IOException {
    Path file = Files.writeString(dir.resolve("file"), "in the way");
    assertThatThrownBy(() -> Checkpoint.write(file, CONFIG, Map.of()))
        .isInstanceOf(IOException.class);
    assertThatThrownBy(() -> Checkpoint.write(file.resolve("x"), CONFIG, Map.of()))
        .isInstanceOf(IOException.class);
    assertThat(files(dir)).containsExactly("file");
    assertThat(file).hasContent("in the way");
  }

  private static List<String> files(Path directory) throws IOException {
    try (Stream<Path> list = Files.list(directory)) {
      return list.map(p -> p.getFileName().toString()).toList();
    }
  }

  // ---------------------------------------------------------------- weights

  @Test
  void everythingThatDoesNotFitIsReportedAtOnce() {
    Weights w =
        weights("a.weight", 2, "b.weight", 3, "left.over", 1, "h.0.attn.bias", 1, "cls.x", 1);
    CheckpointException e =
        catchThrowableOfType(
            CheckpointException.class,
            () -> {
              assertThat(w.at("a").tensor("weight", Shape.of(2)).size()).isEqualTo(2);
              assertThat(w.at("b").tensor("weight", Shape.of(2, 2)).size()).isEqualTo(4);
              assertThat(w.at("c").tensor("weight", Shape.of(5)).size()).isEqualTo(5);
              assertThat(w.tensorOrNull("d", Shape.of(5))).isNull();
              w.ignore("cls.");
              w.finish();
            });
    assertThat(e.file()).isEqualTo("memory");
    assertThat(e.missing()).containsExactly("c.weight");
    assertThat(e.unexpected()).containsExactly("left.over");
    assertThat(e.mismatched())
        .containsExactly(new Mismatch("b.weight", List.of(3L), Shape.of(2, 2)));
    assertThat(e)
        .hasMessage(
            "memory: does not fit the model; 1 missing: c.weight; 1 unexpected: left.over; 1 of"
                + " another shape: b.weight is [3] in the file, the model needs [2, 2]; check that"
                + " config.json belongs to these weights");
    assertThat(w.newlyInitialised()).containsExactly("d");
  }

  @Test
  void aHeadOfAnotherShapeIsReportedNotReplaced() throws IOException {
    Weights w = weights("classifier.weight", 3);
    assertThat(w.tensorOrNull("classifier.weight", Shape.of(2))).isNull();
    assertThat(w.newlyInitialised()).isEmpty();
    assertThatThrownBy(w::finish)
        .isInstanceOf(CheckpointException.class)
        .hasMessageContaining("classifier.weight is [3]");
  }

  @ParameterizedTest
  @ValueSource(strings = {"bert.", "roberta.", "transformer.", "model.", "vit."})
  void theNameOfTheBaseModelMayBeThereOrNot(String prefix) throws IOException {
    Weights with = weights(prefix + "x.weight", 2);
    with.tensor("x.weight", Shape.of(2));
    with.finish();
    Weights without = weights("x.weight", 2);
    without.at(prefix.substring(0, prefix.length() - 1)).tensor("x.weight", Shape.of(2));
    without.finish();
  }

  @Test
  void theExactNameWins() throws IOException {
    Weights w = weights("x", 2, "bert.x", 3);
    assertThat(w.tensor("x", Shape.of(2)).size()).isEqualTo(2);
    assertThat(w.unexpected()).containsExactly("bert.x");
  }

  @Test
  void oldNamesOfLayerNormAreForLayerNormOnly() throws IOException {
    Weights w = weights("bert.e.LayerNorm.gamma", 2, "bert.e.LayerNorm.beta", 2, "f.gamma", 2);
    assertThat(w.has("e.LayerNorm.weight")).isTrue();
    assertThat(w.at("e.LayerNorm").has("bias")).isTrue();
    assertThat(w.has("f.weight")).isFalse();
    assertThat(w.unexpected()).hasSize(3); // asking is not using
  }

  @Test
  void knownBuffersAreNotLeftOver() throws IOException {
    weights(
            "bert.embeddings.position_ids", 1,
            "position_ids", 1,
            "roberta.embeddings.token_type_ids", 1,
            "transformer.h.0.attn.bias", 1,
            "h.11.attn.masked_bias", 1,
            "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight", 1)
        .finish();
    assertThat(weights("h.0.attn.c_attn.bias", 1, "my_position_ids", 1).unexpected()).hasSize(2);
  }

  @Test
  void usingByNameCounts() throws IOException {
    Weights w = weights("bert.q.weight.absmax", 2, "other", 1);
    assertThat(w.at("q").use("weight.absmax")).isEqualTo("bert.q.weight.absmax");
    assertThat(w.use("nope")).isNull();
    assertThat(w.unexpected()).containsExactly("other");
    assertThat(w.checkpoint().read("bert.q.weight.absmax").size()).isEqualTo(2);
    assertThat(w.at("a").at("b").path("c")).isEqualTo("a.b.c");
  }

  @Test
  void aConfigurationOfHugeSizesFailsWithoutHugeArrays() {
    Weights w = weights("a", 1);
    assertThatThrownBy(() -> w.tensor("x", Shape.of(1_000_000, 2_000)))
        .isInstanceOf(CheckpointException.class)
        .hasMessageContaining("1 missing: x");
  }

  private static Weights weights(Object... namesAndSizes) {
    Map<String, Tensor> tensors = new LinkedHashMap<>();
    for (int i = 0; i < namesAndSizes.length; i += 2) {
      tensors.put((String) namesAndSizes[i], Tensor.zeros((int) namesAndSizes[i + 1]));
    }
    return Checkpoint.of("memory", CONFIG, tensors).weights();
  }

  // ---------------------------------------------------------------- real files, if they are here

  @Test
  void everyGoldenModelOpens() throws IOException {
    Path golden = sharedOrNull("golden");
    Assumptions.assumeTrue(golden != null, "no shared/golden beside the repository");
    int models = 0;
    try (Stream<Path> list = Files.list(golden)) {
      for (Path model : list.filter(p -> Files.exists(p.resolve("config.json"))).toList()) {
        try (Checkpoint c = Checkpoint.open(model)) {
          for (String name : c.names()) {
            assertThat(c.read(name).size()).isPositive();
          }
          models++;
        }
      }
    }
    assertThat(models).isGreaterThan(10);
  }

  private static Path sharedOrNull(String name) {
    for (Path p = Path.of("").toAbsolutePath(); p != null; p = p.getParent()) {
      if (Files.isDirectory(p.resolve("shared").resolve(name))) {
        return p.resolve("shared").resolve(name);
      }
    }
    return null;
  }
}
