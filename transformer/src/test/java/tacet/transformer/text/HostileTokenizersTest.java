package tacet.transformer.text;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import tacet.transformer.checkpoint.FormatException;

/**
 * Damaged tokenizer files are read or refused by a typed error, and quickly; {@code
 * -Dtacet.mutations=10000} for more of them than usual.
 */
class HostileTokenizersTest {
  private static final int MUTATIONS = Integer.getInteger("tacet.mutations", 3000);
  private static final long MAX_NANOS = 2_000_000_000L; // of a processor, not by the clock
  private static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();
  private static final String TEXT = "We've  naïve 静か 🙂 <mask> word 3.14\n<unk>";

  /** Values that mean something in these files, by the kind of value they replace. */
  private static final String[] STRINGS = {
    "\"\"",
    "\"Sequence\"",
    "\"BPE\"",
    "\"WordPiece\"",
    "\"Unigram\"",
    "\"Metaspace\"",
    "\"ByteLevel\"",
    "\"NFD\"",
    "\"Lowercase\"",
    "\"Fuse\"",
    "\"first\"",
    "\"Removed\"",
    "\"(a+)+\"",
    "\"[\"",
    "\"\\ud800\"",
    "\"a\"",
    "\" \"",
    "\"word\"",
    "null"
  };

  private static final String[] OTHERS = {
    "true",
    "false",
    "null",
    "0",
    "1",
    "7",
    "-1",
    "2147483647",
    "1e300",
    "4194304",
    "0.5",
    "9999999999999",
    "[]",
    "{}"
  };

  @Test
  void mutationsAreReadOrRefused() throws IOException {
    List<Path> files = GoldenTokenizersTest.fixtures();
    int refused = 0;
    long longest = 0;
    for (int i = 0; i < MUTATIONS; i++) {
      Path file = files.get(i % files.size());
      byte[] mutated = mutate(Files.readAllBytes(file), new SplittableRandom(i));
      String where = "seed " + i + " of " + file.getFileName();
      long start = THREADS.getCurrentThreadCpuTime();
      try {
        Tokenizer tokenizer = Tokenizer.parse(mutated, where);
        Encoding e = tokenizer.encode(TEXT, "a pair");
        tokenizer.decode(e.ids(), true);
      } catch (FormatException e) {
        refused++;
        assertThat(e).as(where).hasMessageStartingWith(where + ": ");
      } catch (RuntimeException | Error e) {
        throw new AssertionError(where + ": " + e, e);
      }
      long nanos = THREADS.getCurrentThreadCpuTime() - start;
      assertThat(nanos).as(where).isLessThan(MAX_NANOS);
      longest = Math.max(longest, nanos);
    }
    if (Integer.getInteger("tacet.mutations") != null) {
      System.out.printf(
          "tokenizer.json damaged %d times: %d refused, %d ms at most%n",
          MUTATIONS, refused, longest / 1_000_000);
    }
    assertThat(refused).as("refused").isBetween(MUTATIONS / 2, MUTATIONS * 19 / 20);
  }

  private static byte[] mutate(byte[] json, SplittableRandom random) {
    byte[] out = json;
    // Half of the damage hits the pipeline, which lies before the (long) vocabulary.
    int pipeline = new String(json, StandardCharsets.ISO_8859_1).indexOf("\"model\":");
    for (int n = 1 + random.nextInt(4) / 3; n > 0; n--) {
      int at = random.nextInt(random.nextBoolean() ? Math.min(pipeline, out.length) : out.length);
      switch (random.nextInt(12)) {
        case 0 -> out[at] = (byte) random.nextInt(256);
        case 1 -> out = Arrays.copyOf(out, at + 1);
        case 2 -> out = join(out, at, new byte[0], Math.min(out.length, at + random.nextInt(64)));
        case 3 -> {
          byte[] copy = Arrays.copyOfRange(out, at, Math.min(out.length, at + 40));
          out = join(out, at, copy, at);
        }
        default -> {
          // Replaces one value, mostly by one of its kind.
          String s = new String(out, StandardCharsets.UTF_8);
          int from = Math.max(s.indexOf(':', Math.min(at, s.length() - 1)), 0) + 1;
          int to = from;
          while (to < s.length() && ",}]".indexOf(s.charAt(to)) < 0) {
            to++;
          }
          boolean isString = from < s.length() && s.charAt(from) == '"';
          String[] splices = isString == (random.nextInt(8) > 0) ? STRINGS : OTHERS;
          String splice = splices[random.nextInt(splices.length)];
          out = (s.substring(0, from) + splice + s.substring(to)).getBytes(StandardCharsets.UTF_8);
        }
      }
    }
    return out;
  }

  private static byte[] join(byte[] bytes, int from, byte[] middle, int to) {
    byte[] out = Arrays.copyOf(bytes, from + middle.length + bytes.length - to);
    System.arraycopy(middle, 0, out, from, middle.length);
    System.arraycopy(bytes, to, out, from + middle.length, bytes.length - to);
    return out;
  }
}
