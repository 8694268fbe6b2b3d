package tacet.transformer.checkpoint;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import tacet.tensor.Shape;
import tacet.tensor.Tensor;
import tacet.tensor.TensorSource;

/**
 * A file mapped read-only, and the conversions out of it that every container needs. Several threads
 * may read; closing makes whoever still reads fail with an {@link IllegalStateException}, but for
 * tensors that were to stay in the file: they keep a mapping of their own for as long as they are in
 * use.
 */
final class MappedFile implements AutoCloseable {
  private final String name;
  private final Arena arena = Arena.ofShared();
  private final FileChannel channel;
  private final MemorySegment bytes;
  private MemorySegment lasting; // the same, unmapped when nobody refers to it any more; or null

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
    channel = FileChannel.open(path, StandardOpenOption.READ);
    try {
      bytes = channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), arena);
    } catch (Throwable t) {
      close();
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

  /** A tensor that stays in the file, also when this is closed; its elements are a piece of it. */
  TensorSource source(TensorInfo info, MemorySegment elements) throws IOException {
    return new MappedTensor(this, info, lasting(elements));
  }

  private synchronized MemorySegment lasting(MemorySegment part) throws IOException {
    if (lasting == null) {
      lasting = channel.map(FileChannel.MapMode.READ_ONLY, 0, bytes.byteSize(), Arena.ofAuto());
    }
    return lasting.asSlice(part.address() - bytes.address(), part.byteSize());
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
    lasting = null;
    try {
      channel.close();
    } catch (IOException e) {
      throw new UncheckedIOException(name + ": cannot be closed", e);
    }
  }
}
