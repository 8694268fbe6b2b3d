package tacet.transformer.checkpoint;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import tacet.tensor.Shape;
import tacet.tensor.Tensor;

/**
 * A file mapped read-only, and the conversions out of it that every container needs. Several threads
 * may read; closing makes whoever still reads fail with an {@link IllegalStateException}.
 */
final class MappedFile implements AutoCloseable {
  private final String name;
  private final Arena arena = Arena.ofShared();
  private final MemorySegment bytes;

  /** Makes the reader of a kind of file, from its bytes. */
  @FunctionalInterface
  interface Format<T> {
    /** The reader closes the file from now on, unless this throws. */
    T read(MappedFile file) throws IOException;
  }

  /** Maps a file and reads what it describes; nothing stays mapped if that fails. */
  static <T> T open(Path path, Format<T> format) throws IOException {
    MappedFile file = new MappedFile(path);
    try {
      return format.read(file);
    } catch (Throwable t) {
      file.close();
      throw t;
    }
  }

  /** Maps all of a regular file; anything else is refused, for a pipe would block for ever. */
  private MappedFile(Path path) throws IOException {
    name = path.toString();
    if (Files.exists(path) && !Files.isRegularFile(path)) {
      throw new FormatException(name, "not a regular file");
    }
    try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
      bytes = channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), arena);
    } catch (Throwable t) {
      arena.close();
      throw t;
    }
  }

  /** The file, as it is named in messages. */
  String name() {
    return name;
  }

  /** The whole file. */
  MemorySegment bytes() {
    if (!arena.scope().isAlive()) {
      throw new IllegalStateException(name + " is closed");
    }
    return bytes;
  }

  /** A tensor as float32, from its stored elements. */
  Tensor read(TensorInfo info, MemorySegment from) throws FormatException {
    Shape shape = info.floatShape();
    float[] values = new float[shape.size()];
    guarded(() -> info.dtype().decode(from, values, 0, values.length));
    return new Tensor(shape, values);
  }

  /** The integers of a tensor. */
  long[] readLongs(TensorInfo info, MemorySegment from) throws FormatException {
    long[] values = new long[info.longCount()];
    guarded(() -> info.dtype().decodeLongs(from, values, 0, values.length));
    return values;
  }

  /** The stored elements of a tensor as an array. */
  byte[] readBytes(TensorInfo info, MemorySegment from) throws FormatException {
    byte[] copy = new byte[info.arrayBytes()];
    guarded(() -> MemorySegment.copy(from, ValueLayout.JAVA_BYTE, 0, copy, 0, copy.length));
    return copy;
  }

  /** Runs a reader; the JVM reports mapped pages that have vanished as an InternalError. */
  void guarded(Runnable reader) throws FormatException {
    try {
      reader.run();
    } catch (InternalError e) {
      throw new FormatException(name, "was truncated by someone while it was open", e);
    }
  }

  @Override
  public synchronized void close() {
    if (arena.scope().isAlive()) {
      arena.close();
    }
  }
}
