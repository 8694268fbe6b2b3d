package tacet.tensor;

/**
 * The numbers of a tensor where they are kept, a file for example: float32 values in row-major
 * order, read a piece at a time. They never change, and any number of threads may read. A {@link
 * Tensor} is a source whose numbers are in memory already.
 *
 * <pre>{@code
 * float[] row = new float[width];
 * table.read(id * width, row, 0, width);   // one row of [V, width]
 * }</pre>
 */
public interface TensorSource {
  /** The extents. */
  Shape shape();

  /**
   * Copies values: {@code to[at + i] = value[from + i]} for i below n.
   *
   * @param to modified from {@code at} on
   * @throws java.io.UncheckedIOException if the place where they are kept has become unreadable
   */
  void read(int from, float[] to, int at, int n);

  /** All values in a new array. */
  default float[] toArray() {
    float[] all = new float[shape().size()];
    read(0, all, 0, all.length);
    return all;
  }
}
