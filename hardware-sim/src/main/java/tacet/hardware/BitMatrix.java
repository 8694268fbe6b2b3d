package tacet.hardware;

import java.util.Arrays;
import java.util.random.RandomGenerator;

/**
 * A rows × columns matrix of bits: which elements of a tensor are not zero. Rows start at word boundaries; bit
 * {@code c} of a row is bit {@code c % 64} of its word {@code c / 64}. Unused bits of the last word are zero.
 */
public final class BitMatrix {

  private final int rows;
  private final int columns;
  private final int stride;
  private final long[] words;

  /**
   * A matrix of zeros.
   *
   * @throws IllegalArgumentException if a dimension is negative or the matrix exceeds 2<sup>31</sup> words
   */
  public BitMatrix(int rows, int columns) {
    this(rows, columns, new long[size(rows, columns)]);
  }

  /** Takes ownership of {@code words}, which may be longer than needed. */
  BitMatrix(int rows, int columns, long[] words) {
    this.rows = rows;
    this.columns = columns;
    this.stride = wordsFor(columns);
    this.words = words;
  }

  /** A matrix of ones. */
  public static BitMatrix ones(int rows, int columns) {
    BitMatrix m = new BitMatrix(rows, columns);
    for (int r = 0; r < rows; r++) {
      Arrays.fill(m.words, r * m.stride, (r + 1) * m.stride, -1L);
      if (columns % 64 != 0) {
        m.words[(r + 1) * m.stride - 1] = (1L << columns) - 1;
      }
    }
    return m;
  }

  /** Bits where |value| is strictly greater than {@code threshold}; {@code values} is row-major. */
  public static BitMatrix of(float[] values, int rows, int columns, float threshold) {
    if (values.length != (long) rows * columns) {
      throw new IllegalArgumentException(
          values.length + " values for " + rows + " x " + columns + " elements");
    }
    BitMatrix m = new BitMatrix(rows, columns);
    for (int r = 0; r < rows; r++) {
      pack(values, r * columns, columns, threshold, m.words, r * m.stride);
    }
    return m;
  }

  /**
   * Mean share of columns that are set in at least one row of a group. Groups are consecutive rows; the last may be
   * smaller. 1 for a matrix without rows.
   *
   * @param group rows per group, at least 1
   */
  public double unionDensity(int group) {
    long set = 0;
    int groups = 0;
    for (int start = 0; start < rows; start += group, groups++) {
      int end = Math.min(rows, start + group);
      for (int w = 0; w < stride; w++) {
        long union = 0;
        for (int r = start; r < end; r++) {
          union |= words[r * stride + w];
        }
        set += Long.bitCount(union);
      }
    }
    return groups == 0 ? 1 : set / ((double) groups * columns);
  }

  /** Independent bits, each set with probability {@code density}. */
  public static BitMatrix random(int rows, int columns, double density, RandomGenerator random) {
    BitMatrix m = new BitMatrix(rows, columns);
    for (int r = 0; r < rows; r++) {
      for (int c = 0; c < columns; c++) {
        if (random.nextDouble() < density) {
          m.set(r, c, true);
        }
      }
    }
    return m;
  }

  /**
   * Packs {@code length} values into words from {@code to}. All bits of the last word are written.
   *
   * @return whether a NaN was among the values
   */
  static boolean pack(float[] values, int from, int length, float threshold, long[] words, int to) {
    boolean nan = false;
    for (int start = 0; start < length; start += 64) {
      int n = Math.min(64, length - start);
      int base = from + start;
      long bits = 0;
      for (int i = 0; i < n; i++) {
        float x = values[base + i];
        bits |= (Math.abs(x) > threshold ? 1L : 0L) << i;
        nan |= x != x;
      }
      words[to++] = bits;
    }
    return nan;
  }

  static int wordsFor(int columns) {
    return (columns + 63) >>> 6;
  }

  private static int size(int rows, int columns) {
    if (rows < 0 || columns < 0) {
      throw new IllegalArgumentException("impossible matrix: " + rows + " x " + columns);
    }
    long size = (long) rows * wordsFor(columns);
    if (size > Integer.MAX_VALUE - 8) {
      throw new IllegalArgumentException("matrix too large: " + rows + " x " + columns + " bits");
    }
    return (int) size;
  }

  /** Number of rows. */
  public int rows() {
    return rows;
  }

  /** Number of columns. */
  public int columns() {
    return columns;
  }

  /** Words of one row. */
  public int wordsPerRow() {
    return stride;
  }

  /** Word {@code index} of row {@code row}. */
  public long word(int row, int index) {
    return words[row * stride + index];
  }

  /** The bit at (row, column). */
  public boolean get(int row, int column) {
    check(row, column);
    return (words[row * stride + (column >>> 6)] >>> column & 1) != 0;
  }

  /** Sets or clears the bit at (row, column). */
  public void set(int row, int column, boolean value) {
    check(row, column);
    int index = row * stride + (column >>> 6);
    long bit = 1L << column;
    words[index] = value ? words[index] | bit : words[index] & ~bit;
  }

  /** Set bits of the whole matrix. */
  public long count() {
    long count = 0;
    for (int i = 0; i < rows * stride; i++) {
      count += Long.bitCount(words[i]);
    }
    return count;
  }

  /** Set bits of one row. */
  public int count(int row) {
    int count = 0;
    for (int i = row * stride; i < (row + 1) * stride; i++) {
      count += Long.bitCount(words[i]);
    }
    return count;
  }

  /** Set bits of {@code row} in columns {@code from} (inclusive) to {@code to} (exclusive). */
  public int count(int row, int from, int to) {
    if (from >= to) {
      return 0;
    }
    int base = row * stride;
    int first = from >>> 6;
    int last = (to - 1) >>> 6;
    long head = -1L << from;
    long tail = -1L >>> -to;
    if (first == last) {
      return Long.bitCount(words[base + first] & head & tail);
    }
    int count = Long.bitCount(words[base + first] & head);
    for (int i = first + 1; i < last; i++) {
      count += Long.bitCount(words[base + i]);
    }
    return count + Long.bitCount(words[base + last] & tail);
  }

  /** Set bits of each column. */
  public int[] columnCounts() {
    int[] counts = new int[columns];
    for (int r = 0; r < rows; r++) {
      for (int w = 0; w < stride; w++) {
        for (long bits = word(r, w); bits != 0; bits &= bits - 1) {
          counts[(w << 6) + Long.numberOfTrailingZeros(bits)]++;
        }
      }
    }
    return counts;
  }

  /**
   * The next set bit of {@code row} at or after {@code from}.
   *
   * @return the column, or -1 if there is none
   */
  public int next(int row, int from) {
    if (from >= columns) {
      return -1;
    }
    int w = from >>> 6;
    long bits = word(row, w) & (-1L << from);
    while (bits == 0) {
      if (++w == stride) {
        return -1;
      }
      bits = word(row, w);
    }
    return (w << 6) + Long.numberOfTrailingZeros(bits);
  }

  /** Share of set bits; 1 for an empty matrix. */
  public double density() {
    return rows == 0 || columns == 0 ? 1 : count() / ((double) rows * columns);
  }

  /** A copy of rows {@code from} (inclusive) to {@code to} (exclusive). */
  public BitMatrix slice(int from, int to) {
    return new BitMatrix(to - from, columns, Arrays.copyOfRange(words, from * stride, to * stride));
  }

  /** The words, row after row, at least as many as needed. Not a copy. */
  long[] words() {
    return words;
  }

  private void check(int row, int column) {
    if (row < 0 || row >= rows || column < 0 || column >= columns) {
      throw new IndexOutOfBoundsException(
          "(" + row + ", " + column + ") in " + rows + " x " + columns);
    }
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof BitMatrix m
        && rows == m.rows
        && columns == m.columns
        && Arrays.equals(words, 0, rows * stride, m.words, 0, rows * stride);
  }

  @Override
  public int hashCode() {
    return 31 * (31 * rows + columns) + Long.hashCode(count());
  }

  @Override
  public String toString() {
    return rows + " x " + columns + " bits, " + count() + " set";
  }
}
