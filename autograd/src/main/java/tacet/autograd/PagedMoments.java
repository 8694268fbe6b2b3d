package tacet.autograd;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/**
 * The moments of an optimizer in a file, of which a window at a time is mapped: the operating system
 * keeps in memory what it has room for, and the process never holds more than a window.
 *
 * <p>The file is temporary: it is deleted when this is closed, or the process ends.
 */
final class PagedMoments implements AutoCloseable {
  /** Values of a window: 4 MiB of each of weights, gradients and both moments. */
  static final int WINDOW = 1 << 20;

  private static final int ZEROS = 1 << 16;

  private final FileChannel file;
  private final float[] w;
  private final float[] g;
  private final float[] m;
  private final float[] v;

  /** What happens to a window: {@code n} values of four arrays, from 0. */
  @FunctionalInterface
  interface Update {
    /** Changes w, m and v. */
    void apply(float[] w, float[] g, float[] m, float[] v, int n);
  }

  /**
   * Moments of zero.
   *
   * @param path the file; created, or overwritten
   * @param values number of values of all parameters
   * @param largest number of values of the largest parameter
   * @throws UncheckedIOException if the file cannot be made as large as that
   */
  PagedMoments(Path path, long values, int largest) {
    int window = Math.min(WINDOW, largest);
    w = new float[window];
    g = new float[window];
    m = new float[window];
    v = new float[window];
    FileChannel channel = null;
    try {
      channel =
          FileChannel.open(
              path,
              StandardOpenOption.CREATE,
              StandardOpenOption.TRUNCATE_EXISTING,
              StandardOpenOption.READ,
              StandardOpenOption.WRITE,
              StandardOpenOption.DELETE_ON_CLOSE);
      ByteBuffer zeros = ByteBuffer.allocate(ZEROS); // written: a full disk shows here, not later
      for (long left = 8 * values; left > 0; left -= zeros.limit()) {
        zeros.clear().limit((int) Math.min(ZEROS, left));
        while (zeros.hasRemaining()) {
          channel.write(zeros);
        }
      }
    } catch (IOException e) {
      try {
        if (channel != null) {
          channel.close();
        }
      } catch (IOException second) {
        e.addSuppressed(second);
      }
      throw new UncheckedIOException(
          new IOException(path + ": no place for the optimizer's moments: " + e.getMessage(), e));
    }
    file = channel;
  }

  /**
   * Updates a parameter, window by window.
   *
   * @param place values of the parameters before this one
   */
  void update(long place, float[] weight, float[] gradient, int size, Update update) {
    for (int from = 0; from < size; from += w.length) {
      int n = Math.min(w.length, size - from);
      System.arraycopy(weight, from, w, 0, n);
      System.arraycopy(gradient, from, g, 0, n);
      long at = 8 * place + 4L * from;
      long second = at + 4L * size;
      try (Arena arena = Arena.ofConfined()) {
        MemorySegment first = map(at, n, arena);
        MemorySegment other = map(second, n, arena);
        MemorySegment.copy(first, ValueLayout.JAVA_FLOAT_UNALIGNED, 0, m, 0, n);
        MemorySegment.copy(other, ValueLayout.JAVA_FLOAT_UNALIGNED, 0, v, 0, n);
        update.apply(w, g, m, v, n);
        MemorySegment.copy(m, 0, first, ValueLayout.JAVA_FLOAT_UNALIGNED, 0, n);
        MemorySegment.copy(v, 0, other, ValueLayout.JAVA_FLOAT_UNALIGNED, 0, n);
      }
      System.arraycopy(w, 0, weight, from, n);
    }
  }

  /** A copy of a parameter's first moments, or of its second. */
  float[] read(long place, int size, boolean second) {
    float[] values = new float[size];
    through(
        place,
        size,
        second,
        (s, from, n) -> {
          MemorySegment.copy(s, ValueLayout.JAVA_FLOAT_UNALIGNED, 0, values, from, n);
        });
    return values;
  }

  /** Overwrites a parameter's first moments, or its second. */
  void write(long place, float[] values, int size, boolean second) {
    through(
        place,
        size,
        second,
        (s, from, n) -> {
          MemorySegment.copy(values, from, s, ValueLayout.JAVA_FLOAT_UNALIGNED, 0, n);
        });
  }

  private interface Window {
    void use(MemorySegment s, int from, int n);
  }

  private void through(long place, int size, boolean second, Window window) {
    for (int from = 0; from < size; from += w.length) {
      int n = Math.min(w.length, size - from);
      try (Arena arena = Arena.ofConfined()) {
        window.use(map(8 * place + 4L * from + (second ? 4L * size : 0), n, arena), from, n);
      }
    }
  }

  private MemorySegment map(long at, int n, Arena arena) {
    try {
      return file.map(MapMode.READ_WRITE, at, 4L * n, arena);
    } catch (IOException e) {
      throw new UncheckedIOException("the optimizer's moments cannot be mapped", e);
    }
  }

  @Override
  public void close() {
    try {
      file.close();
    } catch (IOException e) {
      throw new UncheckedIOException("the optimizer's moments cannot be closed", e);
    }
  }
}
