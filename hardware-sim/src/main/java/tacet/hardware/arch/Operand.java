package tacet.hardware.arch;

import tacet.hardware.BitMatrix;

/**
 * Where a matrix is not zero: exactly, by a mask, or on average, by a density.
 *
 * @param density share of non-zeros in 0..1
 * @param mask the non-zeros; null if only the density is known
 */
public record Operand(double density, BitMatrix mask) {

  /** No zeros. */
  public static final Operand DENSE = new Operand(1, null);

  /** @throws IllegalArgumentException if {@code density} is no fraction */
  public Operand {
    if (!(density >= 0 && density <= 1)) {
      throw new IllegalArgumentException("density must be in 0..1, not " + density);
    }
  }

  /** Exactly these non-zeros. */
  public static Operand of(BitMatrix mask) {
    return new Operand(mask.density(), mask);
  }

  /** Known on average only; enough for {@link Fidelity#ANALYTIC}. */
  public static Operand ofDensity(double density) {
    return new Operand(density, null);
  }

  /** Whether every element is known to be non-zero, so that no mask is needed. */
  public boolean isDense() {
    return mask == null && density == 1;
  }

  /** Whether the place of every zero is known. */
  public boolean isExact() {
    return mask != null || density == 1;
  }

  boolean get(int row, int column) {
    return mask == null || mask.get(row, column);
  }

  /** Non-zeros of a block, rounded if only the density is known. */
  long count(Block b) {
    if (mask == null) {
      return Math.round(density * b.elements());
    }
    long count = 0;
    for (int r = b.row(); r < b.rowEnd(); r++) {
      count += mask.count(r, b.column(), b.columnEnd());
    }
    return count;
  }
}
