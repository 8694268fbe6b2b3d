package tacet.deft.task;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import java.util.zip.GZIPInputStream;
import tacet.deft.task.ImageTask.Example;
import tacet.transformer.checkpoint.FormatException;
import tacet.transformer.image.RgbImage;

/**
 * Readers of two collections of small images: CIFAR-10's binary version (records of a label byte and
 * 3 × 32 × 32 bytes, the colours one after the other) and IDX files, the form of MNIST and its kin
 * (big-endian: two zero bytes, type 8 for bytes, number of dimensions, the dimensions, then the data),
 * packed by gzip or not.
 */
public final class ImageFiles {
  private static final int CIFAR_SIDE = 32;
  private static final int CIFAR_PLANE = CIFAR_SIDE * CIFAR_SIDE;
  private static final int CIFAR_RECORD = 1 + 3 * CIFAR_PLANE;
  private static final List<String> CIFAR_LABELS =
      List.of(
          "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck");

  private static final int IDX_BYTES = 0x0800; // type of unsigned bytes, in the magic number

  private ImageFiles() {}

  // ------------------------------------------------------------------ CIFAR-10

  /**
   * CIFAR-10 from its binary files.
   *
   * @param dir with data_batch_1.bin to data_batch_5.bin (those that are there) and test_batch.bin
   */
  public static ImageTask cifar10(Path dir) {
    return new ImageTask(
        "cifar-10",
        CIFAR_LABELS,
        limit -> {
          List<Path> files =
              IntStream.rangeClosed(1, 5)
                  .mapToObj(i -> dir.resolve("data_batch_" + i + ".bin"))
                  .filter(Files::exists)
                  .toList();
          if (files.isEmpty()) {
            throw new NoSuchFileException(dir.resolve("data_batch_1.bin").toString());
          }
          return cifar(files, limit);
        },
        limit -> cifar(List.of(dir.resolve("test_batch.bin")), limit));
  }

  private static List<Example> cifar(List<Path> files, int limit) throws IOException {
    List<Example> examples = new ArrayList<>();
    for (Path file : files) {
      byte[] bytes = Files.readAllBytes(file);
      if (bytes.length == 0 || bytes.length % CIFAR_RECORD != 0) {
        throw new FormatException(
            file.toString(),
            bytes.length + " bytes are not whole records of " + CIFAR_RECORD + "; truncated?");
      }
      for (int at = 0; at < bytes.length && examples.size() < limit; at += CIFAR_RECORD) {
        int label = bytes[at] & 0xFF;
        if (label >= CIFAR_LABELS.size()) {
          throw new FormatException(
              file.toString(), "record " + at / CIFAR_RECORD + " has the label " + label);
        }
        byte[] rgb = new byte[3 * CIFAR_PLANE];
        for (int i = 0; i < CIFAR_PLANE; i++) {
          for (int c = 0; c < 3; c++) {
            rgb[3 * i + c] = bytes[at + 1 + c * CIFAR_PLANE + i];
          }
        }
        examples.add(new Example(new RgbImage(CIFAR_SIDE, CIFAR_SIDE, rgb), label));
      }
    }
    return examples;
  }

  // ------------------------------------------------------------------ IDX

  /**
   * A collection in IDX files.
   *
   * @param name of the task
   * @param dir with train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and
   *     t10k-labels-idx1-ubyte, each with or without .gz
   */
  public static ImageTask idx(String name, Path dir) {
    return new ImageTask(
        name,
        IntStream.range(0, 10).mapToObj(Integer::toString).toList(),
        limit -> idx(dir, "train", limit),
        limit -> idx(dir, "t10k", limit));
  }

  private static List<Example> idx(Path dir, String side, int limit) throws IOException {
    Path imageFile = file(dir, side + "-images-idx3-ubyte");
    Path labelFile = file(dir, side + "-labels-idx1-ubyte");
    ByteBuffer images = read(imageFile);
    ByteBuffer labels = read(labelFile);
    int[] size = header(images, imageFile, 3);
    int n = header(labels, labelFile, 1)[0];
    if (n != size[0]) {
      throw new FormatException(
          labelFile.toString(), n + " labels for " + size[0] + " images in " + imageFile);
    }
    int pixels = size[1] * size[2];
    List<Example> examples = new ArrayList<>();
    for (int i = 0; i < Math.min(n, limit); i++) {
      byte[] rgb = new byte[3 * pixels];
      for (int p = 0; p < 3 * pixels; p++) {
        rgb[p] = images.get(images.position() + i * pixels + p / 3);
      }
      int label = labels.get(labels.position() + i) & 0xFF;
      if (label > 9) {
        throw new FormatException(labelFile.toString(), "label " + label + " of image " + i);
      }
      examples.add(new Example(new RgbImage(size[2], size[1], rgb), label));
    }
    return examples;
  }

  private static Path file(Path dir, String name) {
    Path packed = dir.resolve(name + ".gz");
    return Files.exists(packed) ? packed : dir.resolve(name);
  }

  private static ByteBuffer read(Path file) throws IOException {
    byte[] bytes = Files.readAllBytes(file);
    if (file.toString().endsWith(".gz")) {
      try (GZIPInputStream in = new GZIPInputStream(new ByteArrayInputStream(bytes))) {
        bytes = in.readAllBytes();
      } catch (IOException e) {
        throw new FormatException(file.toString(), "not a whole gzip file", e);
      }
    }
    return ByteBuffer.wrap(bytes);
  }

  /** The dimensions; the buffer is left at the data. */
  private static int[] header(ByteBuffer in, Path file, int dimensions) throws FormatException {
    if (in.remaining() < 4 + 4 * dimensions || in.getInt() != (IDX_BYTES | dimensions)) {
      throw new FormatException(
          file.toString(), "not an IDX file of bytes with " + dimensions + " dimensions");
    }
    int[] size = new int[dimensions];
    long total = 1;
    for (int i = 0; i < dimensions; i++) {
      size[i] = in.getInt();
      total = size[i] < 1 || total > Integer.MAX_VALUE ? Long.MAX_VALUE : total * size[i];
    }
    if (total != in.remaining()) {
      throw new FormatException(
          file.toString(), in.remaining() + " bytes of data do not fit its dimensions");
    }
    return size;
  }
}
