package tacet.tensor.kernel;

import static tacet.tensor.kernel.VectorMath.L;
import static tacet.tensor.kernel.VectorMath.S;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorShuffle;

/**
 * Transposes squares of 8 x 8 in registers, two at a time where vectors have 16 lanes: one in each
 * half. Three rounds swap the halves, quarters and eighths of rows that are 4, 2 and 1 apart.
 *
 * <p>The vectors are as wide as those of all other kernels, though narrower ones would do: in a JVM
 * that has used two widths, the compiler no longer knows which one a call will meet, and may make
 * objects of the vectors of a kernel that it compiles later.
 */
final class VectorTranspose {
  /** Whether vectors are wide enough. */
  static final boolean POSSIBLE = L >= 8;

  private static final int SIDE = 8;
  private static final int LINE = 16; // floats of a cache line

  /** Swap lanes that are so far apart. */
  private static final VectorShuffle<Float> SWAP1 = VectorShuffle.fromOp(S, i -> i ^ 1);

  private static final VectorShuffle<Float> SWAP2 = VectorShuffle.fromOp(S, i -> i ^ 2);
  private static final VectorShuffle<Float> SWAP4 = VectorShuffle.fromOp(S, i -> i ^ 4);

  /** Lanes with this bit in their number: what moves from the upper row of a pair to the lower. */
  private static final VectorMask<Float> BIT1 = VectorMask.fromLong(S, 0b1010101010101010);

  private static final VectorMask<Float> BIT2 = VectorMask.fromLong(S, 0b1100110011001100);
  private static final VectorMask<Float> BIT4 = VectorMask.fromLong(S, 0b1111000011110000);

  /** The lanes of the lower of two squares. */
  private static final VectorMask<Float> LOWER = VectorMask.fromLong(S, 0b1111111100000000);

  private VectorTranspose() {}

  /** See {@link Kernels#transpose}. Squares of a cache line, along the side with the near rows. */
  static void transpose(
      float[] x, int xo, int ldx, int rows, int columns, float[] y, int yo, int ldy) {
    int i1 = rows & -LINE;
    int j1 = columns & -LINE;
    if (ldx > ldy) {
      for (int j = 0; j < j1; j += LINE) {
        for (int i = 0; i < i1; i += LINE) {
          square(x, xo + i * ldx + j, ldx, y, yo + j * ldy + i, ldy);
        }
      }
    } else {
      for (int i = 0; i < i1; i += LINE) {
        for (int j = 0; j < j1; j += LINE) {
          square(x, xo + i * ldx + j, ldx, y, yo + j * ldy + i, ldy);
        }
      }
    }
    for (int i = 0; i < rows; i++) {
      for (int j = i < i1 ? j1 : 0; j < columns; j++) {
        y[yo + j * ldy + i] = x[xo + i * ldx + j];
      }
    }
  }

  private static void square(float[] x, int xo, int ldx, float[] y, int yo, int ldy) {
    for (int i = 0; i < LINE; i += L) {
      block(x, xo + i * ldx, ldx, y, yo + i, ldy);
      block(x, xo + i * ldx + SIDE, ldx, y, yo + i + SIDE * ldy, ldy);
    }
  }

  /**
   * As many rows as a vector has lanes, of eight columns. Vectors of 16 lanes read eight floats beside
   * these columns too, which lie in other rows of the square at the furthest, and drop them.
   */
  private static void block(float[] x, int xo, int ldx, float[] y, int yo, int ldy) {
    FloatVector t;
    FloatVector a = FloatVector.fromArray(S, x, xo);
    FloatVector b = FloatVector.fromArray(S, x, xo + ldx);
    FloatVector c = FloatVector.fromArray(S, x, xo + 2 * ldx);
    FloatVector d = FloatVector.fromArray(S, x, xo + 3 * ldx);
    FloatVector e = FloatVector.fromArray(S, x, xo + 4 * ldx);
    FloatVector f = FloatVector.fromArray(S, x, xo + 5 * ldx);
    FloatVector g = FloatVector.fromArray(S, x, xo + 6 * ldx);
    FloatVector h = FloatVector.fromArray(S, x, xo + 7 * ldx);
    if (L > SIDE) { // the lower square, from where its columns lie in the upper half of a vector
      final int lower = xo + SIDE * ldx - SIDE;
      a = a.blend(FloatVector.fromArray(S, x, lower), LOWER);
      b = b.blend(FloatVector.fromArray(S, x, lower + ldx), LOWER);
      c = c.blend(FloatVector.fromArray(S, x, lower + 2 * ldx), LOWER);
      d = d.blend(FloatVector.fromArray(S, x, lower + 3 * ldx), LOWER);
      e = e.blend(FloatVector.fromArray(S, x, lower + 4 * ldx), LOWER);
      f = f.blend(FloatVector.fromArray(S, x, lower + 5 * ldx), LOWER);
      g = g.blend(FloatVector.fromArray(S, x, lower + 6 * ldx), LOWER);
      h = h.blend(FloatVector.fromArray(S, x, lower + 7 * ldx), LOWER);
    }
    t = b.blend(a, BIT1).rearrange(SWAP1); // what moves in either direction
    a = a.blend(t, BIT1);
    b = t.blend(b, BIT1);
    t = d.blend(c, BIT1).rearrange(SWAP1);
    c = c.blend(t, BIT1);
    d = t.blend(d, BIT1);
    t = f.blend(e, BIT1).rearrange(SWAP1);
    e = e.blend(t, BIT1);
    f = t.blend(f, BIT1);
    t = h.blend(g, BIT1).rearrange(SWAP1);
    g = g.blend(t, BIT1);
    h = t.blend(h, BIT1);
    t = c.blend(a, BIT2).rearrange(SWAP2);
    a = a.blend(t, BIT2);
    c = t.blend(c, BIT2);
    t = d.blend(b, BIT2).rearrange(SWAP2);
    b = b.blend(t, BIT2);
    d = t.blend(d, BIT2);
    t = g.blend(e, BIT2).rearrange(SWAP2);
    e = e.blend(t, BIT2);
    g = t.blend(g, BIT2);
    t = h.blend(f, BIT2).rearrange(SWAP2);
    f = f.blend(t, BIT2);
    h = t.blend(h, BIT2);
    t = e.blend(a, BIT4).rearrange(SWAP4);
    a = a.blend(t, BIT4);
    e = t.blend(e, BIT4);
    t = f.blend(b, BIT4).rearrange(SWAP4);
    b = b.blend(t, BIT4);
    f = t.blend(f, BIT4);
    t = g.blend(c, BIT4).rearrange(SWAP4);
    c = c.blend(t, BIT4);
    g = t.blend(g, BIT4);
    t = h.blend(d, BIT4).rearrange(SWAP4);
    d = d.blend(t, BIT4);
    h = t.blend(h, BIT4);
    a.intoArray(y, yo);
    b.intoArray(y, yo + ldy);
    c.intoArray(y, yo + 2 * ldy);
    d.intoArray(y, yo + 3 * ldy);
    e.intoArray(y, yo + 4 * ldy);
    f.intoArray(y, yo + 5 * ldy);
    g.intoArray(y, yo + 6 * ldy);
    h.intoArray(y, yo + 7 * ldy);
  }
}
