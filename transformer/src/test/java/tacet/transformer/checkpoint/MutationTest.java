package tacet.transformer.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.File;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Damages valid files at random: each must either be read or refused by a {@link FormatException}
 * that begins with its name, within two seconds. Anything else, an OutOfMemoryError included, fails
 * with the seed.
 *
 * <p>More of it: {@code mvn -pl transformer -am test -Dtest=MutationTest -Dtacet.mutations=10000
 * -Dtest.heap=-Xmx512m -Dsurefire.failIfNoSpecifiedTests=false} damages every kind of file so often,
 * and prints what came of it.
 */
@Timeout(1200)
class MutationTest {
  private static final long MAX_NANOS = 2_000_000_000L; // of a processor, not by the clock
  private static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();
  private static final int WANTED = Integer.getInteger("tacet.mutations", 0);

  /** Bytes and integers that readers stumble over. */
  private static final long[] AWKWARD = {
    0,
    1,
    -1,
    127,
    128,
    255,
    65535,
    65536,
    Integer.MAX_VALUE,
    Integer.MIN_VALUE,
    1L << 32,
    Long.MAX_VALUE,
    Long.MIN_VALUE,
    0x20,
    '"',
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    '9',
    '-',
    '.'
  };

  @TempDir Path dir;

  private interface Reader {
    void read(Path file) throws IOException;
  }

  @Test
  void safetensors() throws IOException {
    byte[] valid = Files.readAllBytes(Golden.path("safetensors/model.safetensors"));
    int header = valid[0] & 0xff | (valid[1] & 0xff) << 8;
    mutate(2000, valid, valid.length, "model.safetensors", MutationTest::readAll);
    mutate(1500, valid, 8 + header, "model.safetensors", MutationTest::readAll);
  }

  @Test
  void torchFiles() throws IOException {
    byte[] valid = Files.readAllBytes(Golden.path("torch/pytorch_model.bin"));
    mutate(1500, valid, valid.length, "pytorch_model.bin", MutationTest::readAll);
    byte[] small = Files.readAllBytes(Golden.path("pytorch_adapter.bin"));
    mutate(1000, small, 512, "pytorch_model.bin", MutationTest::readAll); // the pickle
    mutate(500, small, small.length, "pytorch_model.bin", MutationTest::readAll);
  }

  @Test
  void configurationsAndIndexes() throws IOException {
    String config =
        """
        {"model_type": "bert", "hidden_size": 384, "layer_norm_eps": 1e-12, "id2label":
         {"0": "NEGATIVE", "1": "POSITIVE \\u00e9"}, "architectures": ["BertModel", null, [1, 2]],
         "tie_word_embeddings": true, "classifier_dropout": null, "x": -0.5e+3}
        """;
    byte[] valid = config.getBytes(StandardCharsets.UTF_8);
    mutate(1500, valid, valid.length, "config.json", f -> walk(Json.read(f)));

    byte[] index = Files.readAllBytes(Golden.path("sharded-torch/pytorch_model.bin.index.json"));
    Files.writeString(dir.resolve("config.json"), "{}");
    for (int k = 1; k <= 2; k++) {
      String shard = "pytorch_model-0000" + (k - 1) + "-of-00002.bin";
      Files.copy(Golden.path("sharded-torch/" + shard), dir.resolve(shard));
    }
    mutate(
        500,
        index,
        index.length,
        "pytorch_model.bin.index.json",
        f -> {
          try (Checkpoint c = Checkpoint.open(dir)) {
            for (String name : c.names()) {
              c.read(name);
            }
          }
        });
  }

  @Test
  void onnxFiles() throws IOException {
    byte[] valid = Files.readAllBytes(Golden.path("tiny.onnx"));
    mutate(
        1500,
        valid,
        valid.length,
        "tiny.onnx",
        f -> OnnxWeights.read(Files.readAllBytes(f), f.toString()));
  }

  private void mutate(int usual, byte[] valid, int upTo, String name, Reader reader)
      throws IOException {
    int count = WANTED > 0 ? WANTED : usual;
    long longest = 0;
    Path file = dir.resolve(name);
    Files.write(file, valid);
    reader.read(file); // undamaged it must be read
    int refused = 0;
    for (int seed = 0; seed < count; seed++) {
      byte[] bytes = damaged(valid, upTo, new SplittableRandom(seed));
      Files.delete(file); // truncating it instead makes some file systems wait for the disk
      Files.write(file, bytes);
      long start = THREADS.getCurrentThreadCpuTime();
      try {
        reader.read(file);
      } catch (FormatException e) {
        refused++;
        boolean named = e.getMessage().startsWith(dir + File.separator);
        assertThat(named).as("%s, seed %d: %s", name, seed, e.getMessage()).isTrue();
        assertThat(e.getMessage().length()).as("seed %d", seed).isLessThan(3000);
      } catch (IOException | RuntimeException | Error e) {
        throw new AssertionError(name + ", seed " + seed + ": " + e, e);
      }
      long nanos = THREADS.getCurrentThreadCpuTime() - start;
      assertThat(nanos).as("%s, seed %d", name, seed).isLessThan(MAX_NANOS);
      longest = Math.max(longest, nanos);
    }
    if (WANTED > 0) {
      System.out.printf(
          "%s, the first %d bytes damaged %d times: %d read, %d refused, %d ms at most%n",
          name, upTo, count, count - refused, refused, longest / 1_000_000);
    }
    assertThat(refused).as("%s: refused of %d", name, count).isBetween(count / 4, count);
  }

  private static void readAll(Path file) throws IOException {
    try (TensorFile f = TensorFile.open(file)) {
      for (String name : f.names()) {
        TensorInfo info = f.info(name);
        assertThat(f.readBytes(name)).hasSize((int) info.byteSize());
        if (info.dtype().isFloat() || info.dtype().isInteger()) {
          assertThat(f.read(name).size()).isEqualTo(info.shape().size());
        }
      }
    }
  }

  /** Asks for every value by every type: only FormatExceptions may come of it. */
  private static void walk(Json j) throws IOException {
    if (j.isObject()) {
      for (Map.Entry<String, Json> e : j.members().entrySet()) {
        walk(e.getValue());
      }
    } else if (j.isArray()) {
      for (Json e : j.elements()) {
        walk(e);
      }
    } else if (j.isNumber()) {
      assertThat(j.asDouble()).isNotNull();
      assertThat(Json.parse(j.toString(), "again").isNull()).isEqualTo(infinite(j));
    } else if (j.isString()) {
      assertThat(Json.parse(j.toString(), "again").asString()).isEqualTo(j.asString());
    }
  }

  private static boolean infinite(Json j) throws IOException {
    return Double.isInfinite(j.asDouble());
  }

  /** One to four edits in the first {@code upTo} bytes. */
  private static byte[] damaged(byte[] valid, int upTo, SplittableRandom random) {
    byte[] b = valid.clone();
    for (int k = 1 + random.nextInt(4); k > 0; k--) {
      int end = Math.min(upTo, b.length);
      if (end < 16) {
        return b;
      }
      int at = random.nextInt(end - 8);
      int n = 1 + random.nextInt(8);
      long awkward = AWKWARD[random.nextInt(AWKWARD.length)];
      switch (random.nextInt(8)) {
        case 0, 1 -> b[at] ^= (byte) (1 << random.nextInt(8));
        case 2 -> b[at] = (byte) awkward;
        case 3 -> {
          for (int i = 0; i < n; i++) {
            b[at + i] = (byte) (awkward >> 8 * i);
          }
        }
        case 4 -> b = spliced(b, at, n, new byte[0]);
        case 5 -> b = spliced(b, at, 0, Arrays.copyOfRange(b, at, Math.min(b.length, at + 40)));
        case 6 -> {
          byte[] noise = new byte[n];
          random.nextBytes(noise);
          b = spliced(b, at, random.nextInt(2) * n, noise);
        }
        default -> b = random.nextInt(4) == 0 ? Arrays.copyOf(b, at) : b;
      }
    }
    return b;
  }

  private static byte[] spliced(byte[] b, int at, int removed, byte[] inserted) {
    byte[] out = new byte[b.length - removed + inserted.length];
    System.arraycopy(b, 0, out, 0, at);
    System.arraycopy(inserted, 0, out, at, inserted.length);
    System.arraycopy(b, at + removed, out, at + inserted.length, b.length - at - removed);
    return out;
  }
}
