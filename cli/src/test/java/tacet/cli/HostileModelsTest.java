package tacet.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.net.URISyntaxException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tacet.autograd.Pass;
import tacet.peft.AdapterFile;
import tacet.tensor.Engine;
import tacet.tensor.Tensor;
import tacet.transformer.Batch;
import tacet.transformer.TextModel;
import tacet.transformer.checkpoint.Checkpoint;
import tacet.transformer.model.T5;
import tacet.transformer.model.TextModels;
import tacet.transformer.model.Vit;

/**
 * Damages one file of a directory at random: the whole model is opened and runs, or is refused by an
 * IOException that names the directory, within two seconds and little memory.
 *
 * <p>More of it: {@code mvn -pl cli -am test -Dtest=HostileModelsTest -Dtacet.mutations=10000
 * -Dtest.heap=-Xmx512m -Dsurefire.failIfNoSpecifiedTests=false}; that prints what came of it.
 */
@Timeout(1800)
class HostileModelsTest {
  private static final long MAX_NANOS = 2_000_000_000L; // of a processor, not by the clock
  private static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();
  private static final int WANTED = Integer.getInteger("tacet.mutations", 0);

  /** What is put in the place of a value in JSON. */
  private static final String[] VALUES = {
    "null",
    "true",
    "false",
    "0",
    "1",
    "-1",
    "3",
    "7",
    "64",
    "65536",
    "1000000000",
    "2147483647",
    "-2147483648",
    "1099511627776",
    "0.5",
    "1e300",
    "-1e-9",
    "1e999",
    "\"\"",
    "\"x\"",
    "\"gelu\"",
    "\"relu\"",
    "\"../model.safetensors\"",
    "\"config.json\"",
    "[]",
    "[7, 9]",
    "{}",
    "{\"0\": 1}"
  };

  @TempDir Path temp;

  private interface Use {
    void run(Path dir) throws IOException;
  }

  private static Path golden(String name) throws URISyntaxException {
    return Path.of(HostileModelsTest.class.getResource("/golden/" + name).toURI());
  }

  @ParameterizedTest
  @CsvSource({
    "bert-qa, config.json",
    "roberta-multilabel, config.json",
    "gpt2-untied, config.json",
    "opt-bare-f16, config.json",
    "t5-untied, config.json",
    "gpt2-bare, model.safetensors.index.json",
    "bert-qa, model.safetensors"
  })
  void models(String name, String file) throws Exception {
    try (Engine engine = Engine.ofThreads(1)) {
      damage(golden(name), file, 100, dir -> open(engine, dir));
    }
  }

  @ParameterizedTest
  @CsvSource({"config.json", "preprocessor_config.json"})
  void images(String file) throws Exception {
    try (Engine engine = Engine.ofThreads(1)) {
      damage(golden("vit-images"), file, 100, dir -> openImages(engine, dir));
    }
  }

  @ParameterizedTest
  @CsvSource({"adapter_config.json", "adapter_model.safetensors"})
  void adapters(String file) throws Exception {
    try (Checkpoint c = Checkpoint.open(golden("bert-lora"));
        Engine engine = Engine.ofThreads(1)) {
      TextModel base = TextModels.open(c);
      damage(
          golden("bert-lora").resolve("adapter"),
          file,
          100,
          dir -> infer(engine, AdapterFile.load(dir, base).model()));
    }
  }

  /** A head of a configuration's own size is not drawn before the rest has been found to fit. */
  @Test
  void sizesAreComparedBeforeMemoryIsTaken() throws Exception {
    Path dir = copy(golden("bert-qa"));
    String config = Files.readString(dir.resolve("config.json"));
    for (String hidden : List.of("20", "20000", "40000")) {
      String changed = config.replaceAll("\"hidden_size\": 20", "\"hidden_size\": " + hidden);
      Files.writeString(dir.resolve("config.json"), changed);
      try (Checkpoint c = Checkpoint.open(dir)) {
        TextModels.classifier(c, 1 << 20, 1);
        assertThat(hidden).isEqualTo("20");
      } catch (IOException e) {
        assertThat(e).hasMessageContaining(dir.toString());
        assertThat(hidden).isNotEqualTo("20");
      }
    }
  }

  // ------------------------------------------------------------------ using a directory

  private static void open(Engine engine, Path dir) throws IOException {
    try (Checkpoint c = Checkpoint.open(dir)) {
      if (c.config().get("model_type").asString().equals("t5")) {
        T5.open(c);
      } else {
        infer(engine, TextModels.open(c));
      }
    }
  }

  private static void infer(Engine engine, TextModel model) {
    Batch batch = new Batch(1, 4, new int[] {3, 4, 5, 6}, new int[4], new int[] {1, 1, 1, 0});
    try (Pass pass = Pass.inference(engine)) {
      model.forward(pass, batch);
    }
  }

  private static void openImages(Engine engine, Path dir) throws IOException {
    try (Checkpoint c = Checkpoint.open(dir);
        Pass pass = Pass.inference(engine)) {
      Tensor pixels = ModelSource.pixels(c, dir, List.of(dir.resolve("small.png")));
      Vit.open(c).forward(pass, pixels);
    }
  }

  // ------------------------------------------------------------------ damage

  private Path copy(Path from) throws IOException {
    Path dir = Files.createDirectories(temp.resolve("model"));
    try (var files = Files.list(from)) {
      for (Path file : files.filter(Files::isRegularFile).toList()) {
        Files.copy(file, dir.resolve(file.getFileName()));
      }
    }
    return dir;
  }

  private void damage(Path from, String name, int usual, Use use) throws IOException {
    Path dir = copy(from);
    use.run(dir);
    byte[] valid = Files.readAllBytes(dir.resolve(name));
    int count = WANTED > 0 ? WANTED : usual;
    int refused = 0;
    long longest = 0;
    for (int seed = 0; seed < count; seed++) {
      SplittableRandom random = new SplittableRandom(seed);
      byte[] bytes = name.endsWith(".json") ? json(valid, random) : header(valid, random);
      Files.delete(dir.resolve(name));
      Files.write(dir.resolve(name), bytes);
      long start = THREADS.getCurrentThreadCpuTime();
      try {
        use.run(dir);
      } catch (IOException e) {
        refused++;
        assertThat(e.getMessage()).as("%s, seed %d: %s", name, seed, e).contains(dir.toString());
      } catch (RuntimeException | Error e) {
        throw new AssertionError(from.getFileName() + "/" + name + ", seed " + seed + ": " + e, e);
      }
      long nanos = THREADS.getCurrentThreadCpuTime() - start;
      assertThat(nanos).as("%s, seed %d", name, seed).isLessThan(MAX_NANOS);
      longest = Math.max(longest, nanos);
    }
    assertThat(refused).as("refused of %d", count).isBetween(count / 8, count);
    if (WANTED > 0) {
      System.out.printf(
          "%s/%s damaged %d times: %d opened, %d refused, %d ms at most%n",
          from.getFileName(), name, count, count - refused, refused, longest / 1_000_000);
    }
  }

  /** One or two values replaced; sometimes bytes damaged. */
  private static byte[] json(byte[] valid, SplittableRandom random) {
    String s = new String(valid, StandardCharsets.UTF_8);
    for (int n = 1 + random.nextInt(2); n > 0; n--) {
      int from = s.indexOf(':', random.nextInt(s.length())) + 1;
      int to = from;
      while (to < s.length() && ",}]".indexOf(s.charAt(to)) < 0) {
        to++;
      }
      s = s.substring(0, from) + VALUES[random.nextInt(VALUES.length)] + s.substring(to);
    }
    byte[] bytes = s.getBytes(StandardCharsets.UTF_8);
    return random.nextInt(5) == 0 ? bytes(bytes, bytes.length, random) : bytes;
  }

  /** Damage to the header of a safetensors file. */
  private static byte[] header(byte[] valid, SplittableRandom random) {
    return bytes(valid.clone(), 8 + (valid[0] & 0xff | (valid[1] & 0xff) << 8), random);
  }

  private static byte[] bytes(byte[] b, int upTo, SplittableRandom random) {
    int at = random.nextInt(upTo);
    switch (random.nextInt(4)) {
      case 0 -> b[at] ^= (byte) (1 << random.nextInt(8));
      case 1 -> b[at] = (byte) "0123456789\"{}[],:F".charAt(random.nextInt(18));
      case 2 -> {
        return Arrays.copyOf(b, at);
      }
      default -> b[at] = (byte) random.nextInt(256);
    }
    return b;
  }
}
