package tacet.hardware;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.SplittableRandom;
import java.util.zip.CRC32;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ActivationTraceTest {

  @TempDir Path folder;

  private static ActivationTrace.Header header(int neurons, String... layers) {
    return new ActivationTrace.Header(
        "tiny", "sst2", "deft-lora", 7, 0, neurons, 16, List.of(layers));
  }

  /** Three sequences in two batches, two layers of {@code neurons} neurons. */
  private static ActivationTrace random(long seed, int neurons, boolean keepPadding) {
    SplittableRandom random = new SplittableRandom(seed);
    var recorder = new ActivationTrace.Recorder(header(neurons, "a", "b"), keepPadding);
    for (int[] valid : new int[][] {{5, 2}, {1}}) {
      recorder.batch(5, valid);
      for (int layer = 0; layer < 2; layer++) {
        float[] x = new float[3 + valid.length * 5 * neurons];
        for (int i = 0; i < x.length; i++) {
          x[i] = random.nextInt(3) == 0 ? random.nextFloat() - .5f : random.nextInt(2) * -0f;
        }
        recorder.record(layer, x, 3);
      }
    }
    return recorder.finish();
  }

  @Test
  void recordsWhatFired() {
    var recorder = new ActivationTrace.Recorder(header(3, "only"), true);
    recorder.batch(2, 2, 1);
    recorder.record(0, new float[] {1, 0, -2, 0, -0f, 0, 0, 3, 0, 4, 5, 6}, 0);
    ActivationTrace t = recorder.finish();
    assertThat(t.sequences()).isEqualTo(2);
    assertThat(t.tokens()).isEqualTo(4);
    assertThat(t.density(0)).isEqualTo(6 / 12.0);
    assertThat(t.tokenDensities(0)).containsExactly(2 / 3.0, 0, 1 / 3.0, 1);
    assertThat(t.neuronDensities(0)).containsExactly(2 / 4.0, 2 / 4.0, 2 / 4.0);
    assertThat(t.unionDensity(0, 1)).isEqualTo(t.density(0));
    assertThat(t.unionDensity(0, 2)).isCloseTo(5 / 6.0, within(1e-12));
    // Groups of three: {all fire}, {all fire}.
    assertThat(t.unionDensity(0, 3)).isEqualTo(1);
    ActivationTrace valid = t.withoutPadding();
    assertThat(valid.tokens()).isEqualTo(3);
    assertThat(valid.density(0)).isCloseTo(3 / 9.0, within(1e-12));
    assertThat(valid.recordedTokens(1)).isEqualTo(1);
  }

  @Test
  void droppingPaddingWhileRecordingOrAfterwardsIsTheSame() {
    for (int neurons : new int[] {1, 63, 64, 65, 200}) {
      assertThat(random(neurons, neurons, true).withoutPadding())
          .isEqualTo(random(neurons, neurons, false));
    }
  }

  @Test
  void samplesDeterministically() {
    ActivationTrace t = random(1, 40, true);
    assertThat(t.sample(2, 5)).isEqualTo(t.sample(2, 5));
    assertThat(t.sample(2, 5).sequences()).isEqualTo(2);
    assertThat(t.sample(9, 5)).isEqualTo(t);
    assertThat(t.sample(0, 5).tokens()).isZero();
  }

  @Test
  void survivesAFile() throws IOException {
    for (int neurons : new int[] {1, 8, 63, 64, 65, 1536}) {
      Path file = folder.resolve("t" + neurons);
      ActivationTrace t = random(neurons, neurons, true);
      t.write(file);
      assertThat(ActivationTrace.read(file)).isEqualTo(t);
    }
    try (var files = Files.list(folder)) {
      assertThat(files.count()).as("no temporary file is left").isEqualTo(6);
    }
    Path empty = folder.resolve("empty");
    ActivationTrace none = new ActivationTrace.Recorder(header(4, "é"), true).finish();
    none.write(empty);
    assertThat(ActivationTrace.read(empty)).isEqualTo(none);
  }

  @Test
  void everyDamagedByteIsNoticed() throws IOException {
    Path file = folder.resolve("whole");
    random(3, 70, true).write(file);
    byte[] bytes = Files.readAllBytes(file);
    Path damaged = folder.resolve("damaged");
    for (int i = 0; i < bytes.length; i++) {
      byte[] copy = bytes.clone();
      copy[i] ^= 4;
      Files.write(damaged, copy);
      assertRefused(damaged, "byte " + i);
      Files.write(damaged, Arrays.copyOf(bytes, i));
      assertRefused(damaged, "cut at " + i);
    }
    Files.write(damaged, Arrays.copyOf(bytes, bytes.length + 1));
    assertRefused(damaged, "longer");
  }

  private static void assertRefused(Path file, String what) {
    assertThatThrownBy(() -> ActivationTrace.read(file))
        .as(what)
        .isInstanceOf(FormatException.class)
        .hasMessageStartingWith(file + ", ")
        .hasMessageMatching("(?s).*, (line|offset) \\d+: .*");
  }

  @Test
  void malformedHeadersNameTheLine() throws IOException {
    assertLine("hello\n", 1, "not an activation trace");
    assertLine("TACET-TRACE 1\nmodel=m\nmethod=x\n", 3, "expected 'task='");
    String start = "TACET-TRACE 1\nmodel=m\ntask=t\nmethod=x\n";
    assertLine(start + "seed=one\n", 5, "seed must be an integer");
    assertLine(start + "seed=1\nthreshold=x\n", 6, "threshold must be a number");
    assertLine(start + "seed=1\nthreshold=0\nneurons=0\n", 7, "neurons must be");
    assertLine(start + "seed=1\nthreshold=0\nneurons=4\nhidden=x\n", 8, "hidden must be");
    String layer = start + "seed=1\nthreshold=0\nneurons=4\nhidden=2\nlayer=a\n";
    assertLine(layer + "recorded=1 2\nvalid=1\n", 11, "1 valid lengths for 2 sequences");
    assertLine(layer + "recorded=1\nvalid=2\n", 11, "2 valid of 1");
    assertLine(layer + "recorded=1 -1\n", 10, "recorded must be");
    assertLine(layer + "recorded=1\nvalid=1\ncrc=00000000\n", 12, "header damaged");
    assertLine(layer, 10, "ends early");
  }

  private void assertLine(String text, int line, String problem) throws IOException {
    Path file = folder.resolve("header");
    Files.write(file, text.getBytes(StandardCharsets.UTF_8));
    assertThatThrownBy(() -> ActivationTrace.read(file))
        .isInstanceOf(FormatException.class)
        .hasMessageStartingWith(file + ", line " + line + ": ")
        .hasMessageContaining(problem);
  }

  @Test
  void refusesAHeaderThatPromisesTooMuch() throws IOException {
    Path file = folder.resolve("huge");
    String text =
        "TACET-TRACE 1\nmodel=m\ntask=t\nmethod=x\nseed=1\nthreshold=0\nneurons=4096\nhidden=8\n"
            + "layer=a\n"
            + "recorded=2000000000\nvalid=1\n";
    var crc = new CRC32();
    crc.update(text.getBytes(StandardCharsets.UTF_8));
    Files.writeString(file, text + String.format(Locale.ROOT, "crc=%08x\n", crc.getValue()));
    assertThatThrownBy(() -> ActivationTrace.read(file))
        .isInstanceOf(FormatException.class)
        .hasMessageContaining("truncated");
  }

  @Test
  void namesAreShortenedToWhatTellsThemApart() {
    assertThat(header(2, "e.layer.0.mlp.act", "e.layer.11.mlp.act").shortLayers())
        .containsExactly("layer.0", "layer.11");
    assertThat(header(2, "b.0.act", "b.0.act.product", "b.1.act", "b.1.act.product").shortLayers())
        .containsExactly("b.0", "b.0.product", "b.1", "b.1.product");
    assertThat(header(2, "x.y", "x.z.y").shortLayers()).containsExactly("x", "x.z");
    assertThat(header(2, "a", "b").shortLayers()).containsExactly("a", "b");
    assertThat(header(2, "only.one").shortLayers()).containsExactly("only.one");
    assertThat(header(2, "b.0.act", "b.0.act.product", "b.1.act").isGated(0)).isTrue();
    assertThat(header(2, "b.0.act", "b.0.act.product", "b.1.act").isGated(1)).isFalse();
  }

  @Test
  void refusesAFolder() {
    assertThatThrownBy(() -> ActivationTrace.read(folder))
        .isInstanceOf(FormatException.class)
        .hasMessageContaining(folder.toString())
        .hasMessageContaining("a folder");
  }

  @Test
  void refusesMisuse() {
    var recorder = new ActivationTrace.Recorder(header(2, "a", "b"), true);
    assertThatThrownBy(() -> recorder.record(0, new float[2], 0))
        .isInstanceOf(IllegalStateException.class);
    recorder.batch(1, 1);
    recorder.record(0, new float[2], 0);
    assertThatThrownBy(() -> recorder.record(0, new float[2], 0)).hasMessageContaining("already");
    assertThatThrownBy(recorder::finish).hasMessageContaining("layer b was not recorded");
    assertThatThrownBy(() -> recorder.batch(1, 1)).hasMessageContaining("layer b");
    assertThatThrownBy(() -> recorder.record(1, new float[] {0, Float.NaN}, 0))
        .hasMessageContaining("NaN");
    recorder.record(1, new float[] {0, 1}, 0);
    assertThatThrownBy(() -> recorder.batch(1, 2)).hasMessageContaining("2 valid tokens of 1");
    assertThat(recorder.finish().density()).isEqualTo(.25);
    assertThatThrownBy(() -> header(2, "a", "b.product")).hasMessageContaining("must follow");
    assertThatThrownBy(() -> header(2, "a\nb")).hasMessageContaining("control character");
  }
}
