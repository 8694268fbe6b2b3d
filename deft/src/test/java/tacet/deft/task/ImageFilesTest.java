package tacet.deft.task;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tacet.transformer.checkpoint.FormatException;

/** Readers of image collections: good files byte by byte, and files that are not what they say. */
class ImageFilesTest {
  @TempDir Path temp;

  private static byte[] cifar(int... labels) {
    byte[] bytes = new byte[labels.length * 3073];
    for (int i = 0; i < labels.length; i++) {
      bytes[i * 3073] = (byte) labels[i];
      for (int j = 0; j < 3072; j++) {
        bytes[i * 3073 + 1 + j] = (byte) (i + j / 1024 * 50 + j % 7);
      }
    }
    return bytes;
  }

  @Test
  void cifarPlanesBecomePixels() throws IOException {
    Files.write(temp.resolve("data_batch_2.bin"), cifar(3, 9));
    Files.write(temp.resolve("test_batch.bin"), cifar(0));
    ImageTask task = ImageFiles.cifar10(temp);
    List<ImageTask.Example> train = task.train().read(100);
    assertThat(train).hasSize(2);
    assertThat(train.get(1).label()).isEqualTo(9);
    assertThat(train.get(1).image().width()).isEqualTo(32);
    // Pixel 5 of the second image: red 1 + 5, green 50 more, blue 100 more, the planes' remainders.
    byte[] rgb = train.get(1).image().rgb();
    assertThat(rgb[15]).isEqualTo((byte) (1 + 5));
    assertThat(rgb[16]).isEqualTo((byte) (1 + 50 + (1024 + 5) % 7));
    assertThat(rgb[17]).isEqualTo((byte) (1 + 100 + (2048 + 5) % 7));
    assertThat(task.train().read(1)).hasSize(1);
    assertThat(task.dev().read(9)).hasSize(1);

    Files.write(temp.resolve("data_batch_2.bin"), new byte[3072]);
    assertThatThrownBy(() -> task.train().read(1))
        .isInstanceOf(FormatException.class)
        .hasMessageContaining("data_batch_2.bin");
    Files.write(temp.resolve("data_batch_2.bin"), cifar(10));
    assertThatThrownBy(() -> task.train().read(1)).hasMessageContaining("label 10");
    Files.delete(temp.resolve("data_batch_2.bin"));
    assertThatThrownBy(() -> task.train().read(1)).isInstanceOf(NoSuchFileException.class);
  }

  private void idx(String name, boolean packed, int type, int[] size, int bytes)
      throws IOException {
    ByteBuffer out = ByteBuffer.allocate(4 + 4 * size.length + bytes);
    out.putInt(type);
    for (int s : size) {
      out.putInt(s);
    }
    for (int i = 0; i < bytes; i++) {
      out.put((byte) (i % 10));
    }
    Path file = temp.resolve(name + (packed ? ".gz" : ""));
    if (packed) {
      ByteArrayOutputStream zip = new ByteArrayOutputStream();
      try (GZIPOutputStream gz = new GZIPOutputStream(zip)) {
        gz.write(out.array());
      }
      Files.write(file, zip.toByteArray());
    } else {
      Files.write(file, out.array());
    }
  }

  @Test
  void idxPlainAndPacked() throws IOException {
    idx("train-images-idx3-ubyte", true, 0x803, new int[] {3, 2, 4}, 24);
    idx("train-labels-idx1-ubyte", false, 0x801, new int[] {3}, 3);
    ImageTask task = ImageFiles.idx("mnist", temp);
    List<ImageTask.Example> train = task.train().read(2);
    assertThat(train).hasSize(2);
    assertThat(train.get(1).label()).isEqualTo(1);
    assertThat(train.get(1).image().width()).isEqualTo(4);
    assertThat(train.get(1).image().height()).isEqualTo(2);
    assertThat(train.get(1).image().rgb()).startsWith(8, 8, 8, 9, 9, 9, 0, 0, 0);

    idx("train-labels-idx1-ubyte", false, 0x801, new int[] {4}, 4);
    assertThatThrownBy(() -> task.train().read(2)).hasMessageContaining("4 labels for 3 images");
    idx("train-labels-idx1-ubyte", false, 0x801, new int[] {4}, 3);
    assertThatThrownBy(() -> task.train().read(2)).hasMessageContaining("do not fit");
    idx("train-labels-idx1-ubyte", false, 0xD01, new int[] {3}, 3);
    assertThatThrownBy(() -> task.train().read(2)).hasMessageContaining("not an IDX file");
    Files.write(temp.resolve("train-images-idx3-ubyte.gz"), new byte[] {1, 2, 3});
    assertThatThrownBy(() -> task.train().read(2)).hasMessageContaining("gzip");
  }

  @Test
  void shapesAreReproducibleAndBalanced() throws IOException {
    ImageTask task = SyntheticShapes.task(4, 300, 60, 24);
    List<ImageTask.Example> a = task.train().read(300);
    List<ImageTask.Example> b = task.train().read(10);
    assertThat(b.get(9).image().rgb()).isEqualTo(a.get(9).image().rgb());
    Map<Integer, Integer> counts = new HashMap<>();
    a.forEach(e -> counts.merge(e.label(), 1, Integer::sum));
    assertThat(counts).hasSize(6).allSatisfy((label, n) -> assertThat(n).isBetween(25, 80));
    assertThat(task.dev().read(60).get(0).image().rgb()).isNotEqualTo(a.get(0).image().rgb());
  }
}
