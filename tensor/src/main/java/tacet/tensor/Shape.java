package tacet.tensor;

import java.util.Arrays;

/**
 * The extents of a tensor, outermost first; a scalar has rank 0 and one element.
 *
 * <p>Immutable. Row-major: the last dimension is contiguous.
 */
public final class Shape {
  private static final Shape SCALAR = new Shape(new int[0]);

  private final int[] dims;
  private final int size;

  private Shape(int[] dims) {
    long n = 1;
    for (int d : dims) {
      if (d < 0) {
        throw new IllegalArgumentException("negative extent in shape " + Arrays.toString(dims));
      }
      n *= d;
      if (n > Integer.MAX_VALUE - 8) {
        throw new IllegalArgumentException(
            "shape "
                + Arrays.toString(dims)
                + " has more than 2^31-9 elements, more than one array");
      }
    }
    this.dims = dims;
    this.size = (int) n;
  }

  /**
   * A shape of the given extents.
   *
   * @param dims extents, outermost first; not modified, not kept
   * @throws IllegalArgumentException if an extent is negative or the product exceeds an array
   */
  public static Shape of(int... dims) {
    return dims.length == 0 ? SCALAR : new Shape(dims.clone());
  }

  /** Number of dimensions; 0 for a scalar. */
  public int rank() {
    return dims.length;
  }

  /** Number of elements, the product of all extents. */
  public int size() {
    return size;
  }

  /** Extent of dimension {@code i}; a negative {@code i} counts from the last one (-1). */
  public int dim(int i) {
    return dims[i < 0 ? dims.length + i : i];
  }

  /** Extent of the last dimension; 1 for a scalar. */
  public int last() {
    return dims.length == 0 ? 1 : dims[dims.length - 1];
  }

  /** Number of rows when all dimensions but the last are folded together. */
  public int rows() {
    int n = 1;
    for (int i = 0; i < dims.length - 1; i++) {
      n *= dims[i];
    }
    return n;
  }

  /** A copy of the extents. */
  public int[] toArray() {
    return dims.clone();
  }

  /** This shape with its last extent replaced. */
  public Shape withLast(int last) {
    int[] d = dims.clone();
    d[d.length - 1] = last;
    return new Shape(d);
  }

  @Override
  public boolean equals(Object o) {
    return o instanceof Shape s && Arrays.equals(dims, s.dims);
  }

  @Override
  public int hashCode() {
    return Arrays.hashCode(dims);
  }

  /** For example {@code [2, 3]}. */
  @Override
  public String toString() {
    return Arrays.toString(dims);
  }
}
