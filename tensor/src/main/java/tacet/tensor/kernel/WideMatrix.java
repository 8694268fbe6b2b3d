package tacet.tensor.kernel;

/**
 * The right side of a product that skips rows, B[k,n]: groups of {@value #GROUP} columns, each k rows
 * of 128 floats, so that a row that is used is eight whole cache lines, and one that is not costs
 * nothing. The last group is as wide as is left, rounded up to 16, and padded with zeros.
 *
 * <p>It begins at {@link PackedMatrix#START}, for the reason given there.
 *
 * @param k rows of B
 * @param n columns of B
 * @param groups the values; may be longer
 */
public record WideMatrix(int k, int n, float[] groups) {
  /** Columns of a group. */
  public static final int GROUP = 128;

  private static final int START = PackedMatrix.START;

  /** Number of groups for n columns. */
  public static int groups(int n) {
    return (n + GROUP - 1) / GROUP;
  }

  /** Columns of group g. */
  public static int width(int g, int n) {
    return Math.min(GROUP, n - g * GROUP);
  }

  /** Floats between two rows of group g. */
  public static int stride(int g, int n) {
    return (width(g, n) + 15) / 16 * 16;
  }

  /** Index of the first value of group g. */
  public static int start(int g, int k) {
    return START + g * GROUP * k;
  }

  /** Floats of the whole array. */
  public static int size(int k, int n) {
    int columns = (n - 1) / GROUP * GROUP + stride(groups(n) - 1, n);
    return Math.addExact(START, Math.multiplyExact(columns, k));
  }

  /** Lays out a row-major k × n matrix. */
  public static WideMatrix of(float[] b, int k, int n) {
    return of(b, k, n, null);
  }

  /** Same, in the memory of {@code stale}, a matrix of this size that nobody reads; or null. */
  public static WideMatrix of(float[] b, int k, int n, WideMatrix stale) {
    WideMatrix w = stale == null ? new WideMatrix(k, n, new float[size(k, n)]) : stale;
    for (int g = 0; g < groups(n); g++) {
      w.lay(b, g, 0, k);
    }
    return w;
  }

  /** Lays out the transpose of a row-major n × k matrix: a linear layer's weight [out, in]. */
  public static WideMatrix ofTransposed(float[] b, int k, int n) {
    return ofTransposed(b, k, n, null);
  }

  /** Same, in the memory of {@code stale}, a matrix of this size that nobody reads; or null. */
  public static WideMatrix ofTransposed(float[] b, int k, int n, WideMatrix stale) {
    WideMatrix w = stale == null ? new WideMatrix(k, n, new float[size(k, n)]) : stale;
    for (int g = 0; g < groups(n); g++) {
      int to = start(g, k);
      int stride = stride(g, n);
      for (int j = 0; j < width(g, n); j++) {
        int from = (g * GROUP + j) * k;
        for (int r = 0; r < k; r++) {
          w.groups[to + r * stride + j] = b[from + r];
        }
      }
    }
    return w;
  }

  /** Lays out the rows r0 to r1 of one group of a row-major k × n matrix. */
  void lay(float[] b, int g, int r0, int r1) {
    int stride = stride(g, n);
    int width = width(g, n);
    for (int r = r0; r < r1; r++) {
      int to = start(g, k) + r * stride;
      System.arraycopy(b, r * n + g * GROUP, groups, to, width);
      for (int j = width; j < stride; j++) {
        groups[to + j] = 0;
      }
    }
  }
}
