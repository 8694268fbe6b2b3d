package tacet.tensor.kernel;

import static tacet.tensor.kernel.VectorMath.L;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorShuffle;
import jdk.incubator.vector.VectorSpecies;

/**
 * Transposes blocks of 8 x 8 in registers, whatever wider vectors there are: sixteen of them and what
 * they need in between would not fit. Three rounds swap the halves, quarters and eighths of rows that
 * are 4, 2 and 1 apart.
 */
final class VectorTranspose {
  /** Whether vectors are wide enough. */
  static final boolean POSSIBLE = L >= 8;

  private static final int SIDE = 8;
  private static final int LINE = 16; // floats of a cache line
  private static final VectorSpecies<Float> S = FloatVector.SPECIES_256;

  /** Swap lanes that are so far apart. */
  private static final VectorShuffle<Float> SWAP1 = VectorShuffle.fromOp(S, i -> i ^ 1);

  private static final VectorShuffle<Float> SWAP2 = VectorShuffle.fromOp(S, i -> i ^ 2);
  private static final VectorShuffle<Float> SWAP4 = VectorShuffle.fromOp(S, i -> i ^ 4);

  /** Lanes with this bit in their number: what moves from the upper row of a pair to the lower. */
  private static final VectorMask<Float> BIT1 = VectorMask.fromLong(S, 0b10101010);

  private static final VectorMask<Float> BIT2 = VectorMask.fromLong(S, 0b11001100);
  private static final VectorMask<Float> BIT4 = VectorMask.fromLong(S, 0b11110000);

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
    block(x, xo, ldx, y, yo, ldy);
    block(x, xo + SIDE * ldx, ldx, y, yo + SIDE, ldy);
    block(x, xo + SIDE, ldx, y, yo + SIDE * ldy, ldy);
    block(x, xo + SIDE * ldx + SIDE, ldx, y, yo + SIDE * ldy + SIDE, ldy);
  }

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
