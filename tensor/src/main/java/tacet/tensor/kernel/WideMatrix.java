package tacet.tensor.kernel;

import java.util.Arrays;
import tacet.tensor.Workers;

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

  private static final int ROWS = 256; // that a thread lays out at a time
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

  /** A matrix of which nothing is laid out yet. */
  public static WideMatrix empty(int k, int n) {
    return new WideMatrix(k, n, new float[size(k, n)]);
  }

  /** Lays out a row-major k × n matrix. */
  public static WideMatrix of(float[] b, int k, int n) {
    WideMatrix w = empty(k, n);
    for (int g = 0; g < groups(n); g++) {
      w.lay(b, g, 0, k);
    }
    return w;
  }

  /** Lays out the transpose of a row-major n × k matrix: a linear layer's weight [out, in]. */
  public static WideMatrix ofTransposed(float[] b, int k, int n) {
    WideMatrix w = empty(k, n);
    for (int g = 0; g < groups(n); g++) {
      w.layTransposed(new ScalarKernels(), b, g, 0, k);
    }
    return w;
  }

  /** Lays out a row-major matrix in this one, over all threads. */
  public void lay(Workers workers, float[] b) {
    int chunks = (k + ROWS - 1) / ROWS;
    workers.forEach(
        groups(n) * chunks,
        1,
        (part, from, to) -> {
          for (int u = from; u < to; u++) {
            int r0 = u % chunks * ROWS;
            lay(b, u / chunks, r0, Math.min(k, r0 + ROWS));
          }
        });
  }

  /** Lays out the transpose of a row-major n × k matrix in this one, over all threads. */
  public void layTransposed(Workers workers, Kernels kernels, float[] b) {
    int chunks = (k + ROWS - 1) / ROWS;
    workers.forEach(
        groups(n) * chunks,
        1,
        (part, from, to) -> {
          for (int u = from; u < to; u++) {
            int r0 = u % chunks * ROWS;
            layTransposed(kernels, b, u / chunks, r0, Math.min(k, r0 + ROWS));
          }
        });
  }

  /** Lays out the rows r0 to r1 of one group of a row-major k × n matrix. */
  private void lay(float[] b, int g, int r0, int r1) {
    int stride = stride(g, n);
    int width = width(g, n);
    for (int r = r0; r < r1; r++) {
      int to = start(g, k) + r * stride;
      System.arraycopy(b, r * n + g * GROUP, groups, to, width);
      Arrays.fill(groups, to + width, to + stride, 0f);
    }
  }

  private void layTransposed(Kernels kernels, float[] b, int g, int r0, int r1) {
    int stride = stride(g, n);
    int width = width(g, n);
    int to = start(g, k) + r0 * stride;
    kernels.transpose(b, g * GROUP * k + r0, k, width, r1 - r0, groups, to, stride);
    for (int r = 0; r < r1 - r0 && width < stride; r++) {
      Arrays.fill(groups, to + r * stride + width, to + (r + 1) * stride, 0f);
    }
  }
}
