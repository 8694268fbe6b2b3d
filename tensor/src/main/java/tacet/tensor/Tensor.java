package tacet.tensor;

import java.util.Arrays;

/**
 * Numbers in a box: float32 values, row-major and contiguous, on the Java heap. No derivatives live
 * here (see {@code tacet.autograd.Var}).
 *
 * <pre>{@code
 * Tensor t = Tensor.of(Shape.of(2, 3), 1, 2, 3, 4, 5, 6);
 * t.data()[1 * 3 + 2] == 6
 * }</pre>
 *
 * <p>The array may be longer than the tensor, because recycled buffers come in a few sizes: only
 * the first {@link #size()} elements belong to it. The array is shared, not copied; whoever writes
 * to it modifies the tensor.
 */
public final class Tensor implements TensorSource {
  private final Shape shape;
  private final float[] data;

  /**
   * A tensor over an existing array.
   *
   * @param shape the extents
   * @param data at least {@code shape.size()} values, kept and shared
   * @throws IllegalArgumentException if the array is too short
   */
  public Tensor(Shape shape, float[] data) {
    if (data.length < shape.size()) {
      throw new IllegalArgumentException(
          "shape " + shape + " needs " + shape.size() + " values, the array has " + data.length);
    }
    this.shape = shape;
    this.data = data;
  }

  /** A tensor of zeros. */
  public static Tensor zeros(Shape shape) {
    return new Tensor(shape, new float[shape.size()]);
  }

  /** A tensor of zeros. */
  public static Tensor zeros(int... dims) {
    return zeros(Shape.of(dims));
  }

  /** A tensor with the given values in row-major order; the array is kept. */
  public static Tensor of(Shape shape, float... values) {
    if (values.length != shape.size()) {
      throw new IllegalArgumentException(
          "shape " + shape + " needs " + shape.size() + " values, got " + values.length);
    }
    return new Tensor(shape, values);
  }

  /** A tensor of rank 0. */
  public static Tensor scalar(float value) {
    return new Tensor(Shape.of(), new float[] {value});
  }

  /** The extents. */
  @Override
  public Shape shape() {
    return shape;
  }

  /** Number of elements. */
  public int size() {
    return shape.size();
  }

  /** The backing array, shared; only the first {@link #size()} elements belong to this tensor. */
  public float[] data() {
    return data;
  }

  /** The value of a tensor with one element. */
  public float item() {
    if (size() != 1) {
      throw new IllegalStateException("item() needs one element, the shape is " + shape);
    }
    return data[0];
  }

  /** The same values under another shape of the same size; the array is shared. */
  public Tensor reshape(Shape to) {
    if (to.size() != size()) {
      throw new IllegalArgumentException("cannot view " + shape + " as " + to);
    }
    return new Tensor(to, data);
  }

  /** A copy with an array of its own, exactly as long as the tensor. */
  public Tensor copy() {
    return new Tensor(shape, Arrays.copyOf(data, size()));
  }

  /** The values as an array of their own. */
  @Override
  public float[] toArray() {
    return Arrays.copyOf(data, size());
  }

  @Override
  public void read(int from, float[] to, int at, int n) {
    System.arraycopy(data, from, to, at, n);
  }

  /** Shape and the first few values. */
  @Override
  public String toString() {
    int n = Math.min(size(), 6);
    String head = Arrays.toString(Arrays.copyOf(data, n));
    return "Tensor" + shape + (n < size() ? head.substring(0, head.length() - 1) + ", …]" : head);
  }
}
