package tacet.hardware.arch;

import tacet.hardware.BitMatrix;

/**
 * How a matrix with zeros is stored. Sizes are exact bit counts of streams that can be decoded: {@code Codec} in the
 * tests of this package writes and reads them.
 */
public enum Compression {
  /** Every element; no metadata. */
  NONE,
  /** One bit per element, then the non-zeros. */
  BITMAP,
  /**
   * Bricks of 16 along a row: a count of 5 bits per brick, then per non-zero its value and a 4-bit offset. After the
   * zero-free neuron array format of Cnvlutin (ISCA 2016); the counts make it decodable without padding.
   */
  OFFSETS,
  /**
   * Per row a count of entries, then per entry the 4-bit number of zeros before it and its value; a run of 16 zeros
   * takes one entry with the explicit value zero. After EIE (ISCA 2016).
   */
  RUN_LENGTH,
  /** Per row a pointer of ceil(log2(non-zeros + 1)) bits (at least one) and one more, per non-zero a column index and its value. */
  CSR;

  static final int BRICK = 16;
  static final int OFFSET_BITS = 4;
  static final int BRICK_COUNT_BITS = 5;
  static final int MAX_RUN = 15;

  /**
   * Bits of a stored block.
   *
   * @param payload values, including explicit zeros
   * @param metadata everything else
   */
  public record Size(long payload, long metadata) {

    /** Both. */
    public long bits() {
      return payload + metadata;
    }

    Size plus(Size other) {
      return new Size(payload + other.payload, metadata + other.metadata);
    }
  }

  /** Bits that {@code mask} takes, all of it, with {@code dataBits} per value. */
  public Size size(BitMatrix mask, int dataBits) {
    return size(Operand.of(mask), new Block(0, mask.rows(), 0, mask.columns()), dataBits);
  }

  /** Bits needed to tell {@code values} different numbers apart: ceil(log2(values)). */
  static int bitsFor(long values) {
    return values <= 1 ? 0 : 64 - Long.numberOfLeadingZeros(values - 1);
  }

  Size size(Operand operand, Block b, int dataBits) {
    int rows = b.rowEnd() - b.row();
    int columns = b.columnEnd() - b.column();
    if (this == NONE) {
      return new Size(b.elements() * dataBits, 0);
    }
    long nonZero = operand.count(b);
    return switch (this) {
      case NONE -> throw new AssertionError();
      case BITMAP -> new Size(nonZero * dataBits, b.elements());
      case OFFSETS -> {
        long bricks = (long) rows * ceil(columns, BRICK);
        yield new Size(nonZero * dataBits, nonZero * OFFSET_BITS + bricks * BRICK_COUNT_BITS);
      }
      case RUN_LENGTH -> {
        long entries = nonZero + explicitZeros(operand, b);
        long counts = (long) rows * bitsFor(columns + 1L);
        yield new Size(entries * dataBits, entries * OFFSET_BITS + counts);
      }
      case CSR ->
          new Size(
              nonZero * dataBits,
              nonZero * bitsFor(columns) + (rows + 1L) * Math.max(1, bitsFor(nonZero + 1)));
    };
  }

  private static long explicitZeros(Operand operand, Block b) {
    BitMatrix mask = operand.mask();
    if (mask == null) {
      return Math.round((b.rowEnd() - b.row()) * expectedExplicitZeros(b, operand.density()));
    }
    long zeros = 0;
    for (int r = b.row(); r < b.rowEnd(); r++) {
      int last = b.column() - 1;
      for (int c = mask.next(r, b.column()); c >= 0 && c < b.columnEnd(); c = mask.next(r, c + 1)) {
        zeros += (c - last - 1) / (MAX_RUN + 1);
        last = c;
      }
    }
    return zeros;
  }

  /** Per row: for every column c and run length 16 j, the probability of a non-zero at c behind 16 j zeros. */
  private static double expectedExplicitZeros(Block b, double density) {
    int columns = b.columnEnd() - b.column();
    double expected = 0;
    for (int run = MAX_RUN + 1; run < columns; run += MAX_RUN + 1) {
      expected += (columns - run) * density * Math.pow(1 - density, run);
    }
    return expected;
  }

  static long ceil(long a, long b) {
    return (a + b - 1) / b;
  }
}
