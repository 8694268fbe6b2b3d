package tacet.transformer.checkpoint;

import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import tacet.tensor.Shape;
import tacet.tensor.TensorSource;

/**
 * A tensor that stays in its mapped file and is converted to float32 as it is read. What has been
 * read in large pieces is taken out of the process's memory again: who reads all of a tensor makes
 * something else of it, and the pages stay in the system's cache of files.
 */
final class MappedTensor implements TensorSource {
  /** Bytes from which a read is one of many that go through the whole tensor. */
  private static final long LARGE = 1 << 16;

  private final MappedFile file;
  private final Shape shape;
  private final DType dtype;
  private final MemorySegment elements;

  /**
   * A tensor of a file.
   *
   * @param elements as they are stored, in a mapping that outlives the file's being closed
   */
  MappedTensor(MappedFile file, TensorInfo info, MemorySegment elements) throws FormatException {
    this.file = file;
    this.shape = info.floatShape();
    this.dtype = info.dtype();
    this.elements = elements;
  }

  @Override
  public Shape shape() {
    return shape;
  }

  @Override
  public void read(int from, float[] to, int at, int n) {
    long width = dtype.bytes();
    MemorySegment part = elements.asSlice(from * width, n * width);
    try {
      file.guarded(() -> dtype.decode(part, to, at, n));
    } catch (FormatException e) {
      throw new UncheckedIOException(e);
    }
    if (part.byteSize() >= LARGE) {
      // The system maps some pages around each that is touched: the last piece takes them all out.
      boolean last = from + n == shape.size();
      (last ? elements : part).unload();
    }
  }
}
