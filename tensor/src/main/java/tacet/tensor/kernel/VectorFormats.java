package tacet.tensor.kernel;

import static tacet.tensor.kernel.Kernels.PANEL;
import static tacet.tensor.kernel.VectorMath.L;
import static tacet.tensor.kernel.VectorMath.S;
import static tacet.tensor.kernel.VectorMath.SI;
import static tacet.tensor.kernel.VectorMath.set;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;
import tacet.tensor.Nf4;
import tacet.tensor.WeightFormat;

/**
 * The kernels of {@link CompactMatrix} on vectors; the same bits as {@link ScalarFormats}. Codes lie
 * in ints, because a load of ints and a shift is one instruction each, and a conversion from bytes
 * or shorts is several, and many nodes for the compiler (see {@link VectorMath}).
 *
 * <p>The level of an NF4 code is looked up in a register: one permutation of 16 ints, or of two
 * times 8. (The same as {@code FloatVector.rearrange} of a shuffle made from codes is a hundred times
 * slower.) Vectors of 128 bits would need four tables: NF4 is left to the scalar loops there.
 */
final class VectorFormats {
  private static final IntVector LEVELS = levels(0);
  private static final IntVector UPPER_LEVELS = levels(8);

  /** 2^112: the exponent of a binary16, seen as one of a binary32, is too small by this. */
  private static final float REBIAS = 0x1p112f;

  private VectorFormats() {}

  private static IntVector levels(int from) {
    int[] bits = new int[L];
    for (int i = 0; i < L; i++) {
      bits[i] = Float.floatToRawIntBits(Nf4.level((from + i) % 16));
    }
    return IntVector.fromArray(SI, bits, 0);
  }

  /** The floats in the upper halves. */
  static FloatVector bf16(IntVector v) {
    return v.and(0xffff0000).reinterpretAsFloats();
  }

  /** Sign to bit 31, the rest to bits 13 to 27; then the exponent is put right by a multiplication. */
  static FloatVector f16(IntVector v) {
    IntVector bits = v.lanewise(VectorOperators.ASHR, 3).and(0x8fffe000);
    return bits.reinterpretAsFloats().mul(REBIAS);
  }

  static void expandHalf(
      WeightFormat format, int[] codes, int co, int r0, int r1, float[] y, int yo) {
    int whole = r1 - (r1 - r0) % 2;
    for (int h = 0; h < PANEL; h += L) {
      int to = yo - r0 * PANEL + h;
      if (format == WeightFormat.BF16) {
        for (int r = r0; r < whole; r += 2) {
          IntVector v = IntVector.fromArray(SI, codes, co + r * (PANEL / 2) + h);
          bf16(v.lanewise(VectorOperators.LSHL, 16)).intoArray(y, to + r * PANEL);
          bf16(v).intoArray(y, to + r * PANEL + PANEL);
        }
      } else {
        for (int r = r0; r < whole; r += 2) {
          IntVector v = IntVector.fromArray(SI, codes, co + r * (PANEL / 2) + h);
          f16(v.lanewise(VectorOperators.LSHL, 16)).intoArray(y, to + r * PANEL);
          f16(v).intoArray(y, to + r * PANEL + PANEL);
        }
      }
    }
    ScalarFormats.expandHalf(format, codes, co, whole, r1, y, yo + (whole - r0) * PANEL);
  }

  /** Two panels at a time: four chains of sums, and two streams for the prefetcher. */
  static void rowHalf(
      WeightFormat format,
      int panels,
      int k,
      float[] x,
      int xo,
      int[] codes,
      int co,
      float[] init,
      int io,
      float[] y,
      int yo) {
    if (k % 2 != 0) {
      ScalarFormats.rowHalf(format, panels, k, x, xo, codes, co, init, io, y, yo);
      return;
    }
    for (int j = 0; j < panels; ) {
      boolean two = j + 2 <= panels;
      for (int h = 0; h < PANEL; h += 2 * L) {
        int c = co + j * (k / 2) * PANEL + h;
        int i = io + j * PANEL + h;
        int o = yo + j * PANEL + h;
        if (format == WeightFormat.BF16) {
          if (two) {
            twoBf16(k, x, xo, codes, c, init, i, y, o);
          } else {
            oneBf16(k, x, xo, codes, c, init, i, y, o);
          }
        } else if (two) {
          twoF16(k, x, xo, codes, c, init, i, y, o);
        } else {
          oneF16(k, x, xo, codes, c, init, i, y, o);
        }
      }
      j += two ? 2 : 1;
    }
  }

  private static void twoBf16(
      int k, float[] x, int xo, int[] codes, int co, float[] init, int io, float[] y, int yo) {
    int c1 = co + k / 2 * PANEL;
    FloatVector a0 = FloatVector.fromArray(S, init, io);
    FloatVector b0 = FloatVector.fromArray(S, init, io + L);
    FloatVector a1 = FloatVector.fromArray(S, init, io + PANEL);
    FloatVector b1 = FloatVector.fromArray(S, init, io + PANEL + L);
    for (int r = 0; r < k; r += 2) {
      int o = r / 2 * PANEL;
      IntVector p0 = IntVector.fromArray(SI, codes, co + o);
      IntVector q0 = IntVector.fromArray(SI, codes, co + o + L);
      IntVector p1 = IntVector.fromArray(SI, codes, c1 + o);
      IntVector q1 = IntVector.fromArray(SI, codes, c1 + o + L);
      for (int i = 0; i < 2; i++) {
        FloatVector s = set(x[xo + r + i]);
        int up = 16 - 16 * i;
        a0 = s.fma(bf16(p0.lanewise(VectorOperators.LSHL, up)), a0);
        b0 = s.fma(bf16(q0.lanewise(VectorOperators.LSHL, up)), b0);
        a1 = s.fma(bf16(p1.lanewise(VectorOperators.LSHL, up)), a1);
        b1 = s.fma(bf16(q1.lanewise(VectorOperators.LSHL, up)), b1);
      }
    }
    a0.intoArray(y, yo);
    b0.intoArray(y, yo + L);
    a1.intoArray(y, yo + PANEL);
    b1.intoArray(y, yo + PANEL + L);
  }

  private static void oneBf16(
      int k, float[] x, int xo, int[] codes, int co, float[] init, int io, float[] y, int yo) {
    FloatVector a = FloatVector.fromArray(S, init, io);
    FloatVector b = FloatVector.fromArray(S, init, io + L);
    for (int r = 0; r < k; r += 2) {
      int o = r / 2 * PANEL;
      IntVector p = IntVector.fromArray(SI, codes, co + o);
      IntVector q = IntVector.fromArray(SI, codes, co + o + L);
      for (int i = 0; i < 2; i++) {
        FloatVector s = set(x[xo + r + i]);
        int up = 16 - 16 * i;
        a = s.fma(bf16(p.lanewise(VectorOperators.LSHL, up)), a);
        b = s.fma(bf16(q.lanewise(VectorOperators.LSHL, up)), b);
      }
    }
    a.intoArray(y, yo);
    b.intoArray(y, yo + L);
  }

  private static void twoF16(
      int k, float[] x, int xo, int[] codes, int co, float[] init, int io, float[] y, int yo) {
    int c1 = co + k / 2 * PANEL;
    FloatVector a0 = FloatVector.fromArray(S, init, io);
    FloatVector b0 = FloatVector.fromArray(S, init, io + L);
    FloatVector a1 = FloatVector.fromArray(S, init, io + PANEL);
    FloatVector b1 = FloatVector.fromArray(S, init, io + PANEL + L);
    for (int r = 0; r < k; r += 2) {
      int o = r / 2 * PANEL;
      IntVector p0 = IntVector.fromArray(SI, codes, co + o);
      IntVector q0 = IntVector.fromArray(SI, codes, co + o + L);
      IntVector p1 = IntVector.fromArray(SI, codes, c1 + o);
      IntVector q1 = IntVector.fromArray(SI, codes, c1 + o + L);
      for (int i = 0; i < 2; i++) {
        FloatVector s = set(x[xo + r + i]);
        int up = 16 - 16 * i;
        a0 = s.fma(f16(p0.lanewise(VectorOperators.LSHL, up)), a0);
        b0 = s.fma(f16(q0.lanewise(VectorOperators.LSHL, up)), b0);
        a1 = s.fma(f16(p1.lanewise(VectorOperators.LSHL, up)), a1);
        b1 = s.fma(f16(q1.lanewise(VectorOperators.LSHL, up)), b1);
      }
    }
    a0.intoArray(y, yo);
    b0.intoArray(y, yo + L);
    a1.intoArray(y, yo + PANEL);
    b1.intoArray(y, yo + PANEL + L);
  }

  private static void oneF16(
      int k, float[] x, int xo, int[] codes, int co, float[] init, int io, float[] y, int yo) {
    FloatVector a = FloatVector.fromArray(S, init, io);
    FloatVector b = FloatVector.fromArray(S, init, io + L);
    for (int r = 0; r < k; r += 2) {
      int o = r / 2 * PANEL;
      IntVector p = IntVector.fromArray(SI, codes, co + o);
      IntVector q = IntVector.fromArray(SI, codes, co + o + L);
      for (int i = 0; i < 2; i++) {
        FloatVector s = set(x[xo + r + i]);
        int up = 16 - 16 * i;
        a = s.fma(f16(p.lanewise(VectorOperators.LSHL, up)), a);
        b = s.fma(f16(q.lanewise(VectorOperators.LSHL, up)), b);
      }
    }
    a.intoArray(y, yo);
    b.intoArray(y, yo + L);
  }

  /** The levels of the low four bits; an index of selectFrom wraps round, so others don't matter. */
  static FloatVector level(IntVector c) {
    IntVector bits = L >= 16 ? c.selectFrom(LEVELS) : c.selectFrom(LEVELS, UPPER_LEVELS);
    return bits.reinterpretAsFloats();
  }

  static void expandNf4(
      int[] codes, int co, float[] scales, int so, int share, int r0, int r1, float[] y, int yo) {
    if (L < 8 || share < 8) {
      ScalarFormats.expandNf4(codes, co, scales, so, share, r0, r1, y, yo);
      return;
    }
    for (int r = r0; r < r1; r += 8) {
      for (int h = 0; h < PANEL; h += L) {
        FloatVector scale = FloatVector.fromArray(S, scales, so + r / share * PANEL + h);
        IntVector c = IntVector.fromArray(SI, codes, co + r / 8 * PANEL + h);
        int to = yo + (r - r0) * PANEL + h;
        for (int q = 0; q < 8; q++) {
          level(c).mul(scale).intoArray(y, to + q * PANEL);
          c = c.lanewise(VectorOperators.LSHR, 4);
        }
      }
    }
  }

  /** Three panels at a time: six chains of sums, and three streams for the prefetcher. */
  static void rowNf4(
      int panels,
      int k,
      float[] x,
      int xo,
      int[] codes,
      int co,
      float[] scales,
      int so,
      int share,
      float[] init,
      int io,
      float[] y,
      int yo) {
    if (L < 8 || share < 8) {
      ScalarFormats.rowNf4(panels, k, x, xo, codes, co, scales, so, share, init, io, y, yo);
      return;
    }
    for (int j = 0; j < panels; ) {
      int left = panels - j;
      int together = left == 2 || left == 4 ? 2 : Math.min(left, 3);
      for (int h = 0; h < PANEL; h += 2 * L) {
        int c = co + j * (k / 8) * PANEL + h;
        int s = so + j * (k / share) * PANEL + h;
        int i = io + j * PANEL + h;
        int o = yo + j * PANEL + h;
        if (together == 3) {
          threeNf4(k, x, xo, codes, c, scales, s, share, init, i, y, o);
        } else if (together == 2) {
          twoNf4(k, x, xo, codes, c, scales, s, share, init, i, y, o);
        } else {
          oneNf4(k, x, xo, codes, c, scales, s, share, init, i, y, o);
        }
      }
      j += together;
    }
  }

  private static void threeNf4(
      int k,
      float[] x,
      int xo,
      int[] codes,
      int co,
      float[] scales,
      int so,
      int share,
      float[] init,
      int io,
      float[] y,
      int yo) {
    int c1 = co + k / 8 * PANEL;
    int c2 = c1 + k / 8 * PANEL;
    int s1 = so + k / share * PANEL;
    int s2 = s1 + k / share * PANEL;
    FloatVector a0 = FloatVector.fromArray(S, init, io);
    FloatVector b0 = FloatVector.fromArray(S, init, io + L);
    FloatVector a1 = FloatVector.fromArray(S, init, io + PANEL);
    FloatVector b1 = FloatVector.fromArray(S, init, io + PANEL + L);
    FloatVector a2 = FloatVector.fromArray(S, init, io + 2 * PANEL);
    FloatVector b2 = FloatVector.fromArray(S, init, io + 2 * PANEL + L);
    for (int r = 0; r < k; r += 8) {
      int o = r / 8 * PANEL;
      int g = r / share * PANEL;
      FloatVector scaleA0 = FloatVector.fromArray(S, scales, so + g);
      FloatVector scaleB0 = FloatVector.fromArray(S, scales, so + g + L);
      FloatVector scaleA1 = FloatVector.fromArray(S, scales, s1 + g);
      FloatVector scaleB1 = FloatVector.fromArray(S, scales, s1 + g + L);
      FloatVector scaleA2 = FloatVector.fromArray(S, scales, s2 + g);
      FloatVector scaleB2 = FloatVector.fromArray(S, scales, s2 + g + L);
      IntVector p0 = IntVector.fromArray(SI, codes, co + o);
      IntVector q0 = IntVector.fromArray(SI, codes, co + o + L);
      IntVector p1 = IntVector.fromArray(SI, codes, c1 + o);
      IntVector q1 = IntVector.fromArray(SI, codes, c1 + o + L);
      IntVector p2 = IntVector.fromArray(SI, codes, c2 + o);
      IntVector q2 = IntVector.fromArray(SI, codes, c2 + o + L);
      for (int i = 0; i < 8; i++) {
        FloatVector s = set(x[xo + r + i]);
        a0 = s.fma(level(p0).mul(scaleA0), a0);
        b0 = s.fma(level(q0).mul(scaleB0), b0);
        a1 = s.fma(level(p1).mul(scaleA1), a1);
        b1 = s.fma(level(q1).mul(scaleB1), b1);
        a2 = s.fma(level(p2).mul(scaleA2), a2);
        b2 = s.fma(level(q2).mul(scaleB2), b2);
        p0 = p0.lanewise(VectorOperators.LSHR, 4);
        q0 = q0.lanewise(VectorOperators.LSHR, 4);
        p1 = p1.lanewise(VectorOperators.LSHR, 4);
        q1 = q1.lanewise(VectorOperators.LSHR, 4);
        p2 = p2.lanewise(VectorOperators.LSHR, 4);
        q2 = q2.lanewise(VectorOperators.LSHR, 4);
      }
    }
    a0.intoArray(y, yo);
    b0.intoArray(y, yo + L);
    a1.intoArray(y, yo + PANEL);
    b1.intoArray(y, yo + PANEL + L);
    a2.intoArray(y, yo + 2 * PANEL);
    b2.intoArray(y, yo + 2 * PANEL + L);
  }

  private static void twoNf4(
      int k,
      float[] x,
      int xo,
      int[] codes,
      int co,
      float[] scales,
      int so,
      int share,
      float[] init,
      int io,
      float[] y,
      int yo) {
    int c1 = co + k / 8 * PANEL;
    int s1 = so + k / share * PANEL;
    FloatVector a0 = FloatVector.fromArray(S, init, io);
    FloatVector b0 = FloatVector.fromArray(S, init, io + L);
    FloatVector a1 = FloatVector.fromArray(S, init, io + PANEL);
    FloatVector b1 = FloatVector.fromArray(S, init, io + PANEL + L);
    for (int r = 0; r < k; r += 8) {
      int o = r / 8 * PANEL;
      int g = r / share * PANEL;
      FloatVector scaleA0 = FloatVector.fromArray(S, scales, so + g);
      FloatVector scaleB0 = FloatVector.fromArray(S, scales, so + g + L);
      FloatVector scaleA1 = FloatVector.fromArray(S, scales, s1 + g);
      FloatVector scaleB1 = FloatVector.fromArray(S, scales, s1 + g + L);
      IntVector p0 = IntVector.fromArray(SI, codes, co + o);
      IntVector q0 = IntVector.fromArray(SI, codes, co + o + L);
      IntVector p1 = IntVector.fromArray(SI, codes, c1 + o);
      IntVector q1 = IntVector.fromArray(SI, codes, c1 + o + L);
      for (int i = 0; i < 8; i++) {
        FloatVector s = set(x[xo + r + i]);
        a0 = s.fma(level(p0).mul(scaleA0), a0);
        b0 = s.fma(level(q0).mul(scaleB0), b0);
        a1 = s.fma(level(p1).mul(scaleA1), a1);
        b1 = s.fma(level(q1).mul(scaleB1), b1);
        p0 = p0.lanewise(VectorOperators.LSHR, 4);
        q0 = q0.lanewise(VectorOperators.LSHR, 4);
        p1 = p1.lanewise(VectorOperators.LSHR, 4);
        q1 = q1.lanewise(VectorOperators.LSHR, 4);
      }
    }
    a0.intoArray(y, yo);
    b0.intoArray(y, yo + L);
    a1.intoArray(y, yo + PANEL);
    b1.intoArray(y, yo + PANEL + L);
  }

  private static void oneNf4(
      int k,
      float[] x,
      int xo,
      int[] codes,
      int co,
      float[] scales,
      int so,
      int share,
      float[] init,
      int io,
      float[] y,
      int yo) {
    FloatVector a = FloatVector.fromArray(S, init, io);
    FloatVector b = FloatVector.fromArray(S, init, io + L);
    for (int r = 0; r < k; r += 8) {
      FloatVector scaleA = FloatVector.fromArray(S, scales, so + r / share * PANEL);
      FloatVector scaleB = FloatVector.fromArray(S, scales, so + r / share * PANEL + L);
      IntVector p = IntVector.fromArray(SI, codes, co + r / 8 * PANEL);
      IntVector q = IntVector.fromArray(SI, codes, co + r / 8 * PANEL + L);
      for (int i = 0; i < 8; i++) {
        FloatVector s = set(x[xo + r + i]);
        a = s.fma(level(p).mul(scaleA), a);
        b = s.fma(level(q).mul(scaleB), b);
        p = p.lanewise(VectorOperators.LSHR, 4);
        q = q.lanewise(VectorOperators.LSHR, 4);
      }
    }
    a.intoArray(y, yo);
    b.intoArray(y, yo + L);
  }
}
