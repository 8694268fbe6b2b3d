package tacet.tensor.kernel;

import static tacet.tensor.kernel.Kernels.PANEL;
import static tacet.tensor.kernel.VectorFormats.bf16;
import static tacet.tensor.kernel.VectorFormats.f16;
import static tacet.tensor.kernel.VectorFormats.level;
import static tacet.tensor.kernel.VectorMath.L;
import static tacet.tensor.kernel.VectorMath.S;
import static tacet.tensor.kernel.VectorMath.SI;
import static tacet.tensor.kernel.VectorMath.set;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;
import tacet.tensor.WeightFormat;

/**
 * A row of few entries times a {@link CompactMatrix}, on vectors; the same bits as {@link
 * ScalarFormats}. One panel at a time: its entries are read here and there, and the processor has many
 * such reads under way at once.
 */
final class VectorSparseFormats {
  private VectorSparseFormats() {}

  /** See {@link Kernels#sparseRowHalf}. */
  static void half(
      WeightFormat format,
      int panels,
      int k,
      int p0,
      int p1,
      int[] index,
      float[] value,
      int[] codes,
      int co,
      float[] init,
      int io,
      float[] y,
      int yo) {
    for (int j = 0; j < panels; j++) {
      for (int h = 0; h < PANEL; h += 2 * L) {
        int c = co + j * ((k + 1) / 2) * PANEL + h;
        int i = io + j * PANEL + h;
        int o = yo + j * PANEL + h;
        if (format == WeightFormat.BF16) {
          bf16Entries(p0, p1, index, value, codes, c, init, i, y, o);
        } else {
          f16Entries(p0, p1, index, value, codes, c, init, i, y, o);
        }
      }
    }
  }

  private static void bf16Entries(
      int p0,
      int p1,
      int[] index,
      float[] value,
      int[] codes,
      int co,
      float[] init,
      int io,
      float[] y,
      int yo) {
    FloatVector a = FloatVector.fromArray(S, init, io);
    FloatVector b = FloatVector.fromArray(S, init, io + L);
    for (int p = p0; p < p1; p++) {
      int o = co + (index[p] >> 1) * PANEL;
      int up = 16 - 16 * (index[p] & 1);
      FloatVector s = set(value[p]);
      IntVector u = IntVector.fromArray(SI, codes, o).lanewise(VectorOperators.LSHL, up);
      IntVector v = IntVector.fromArray(SI, codes, o + L).lanewise(VectorOperators.LSHL, up);
      a = s.fma(bf16(u), a);
      b = s.fma(bf16(v), b);
    }
    a.intoArray(y, yo);
    b.intoArray(y, yo + L);
  }

  private static void f16Entries(
      int p0,
      int p1,
      int[] index,
      float[] value,
      int[] codes,
      int co,
      float[] init,
      int io,
      float[] y,
      int yo) {
    FloatVector a = FloatVector.fromArray(S, init, io);
    FloatVector b = FloatVector.fromArray(S, init, io + L);
    for (int p = p0; p < p1; p++) {
      int o = co + (index[p] >> 1) * PANEL;
      int up = 16 - 16 * (index[p] & 1);
      FloatVector s = set(value[p]);
      IntVector u = IntVector.fromArray(SI, codes, o).lanewise(VectorOperators.LSHL, up);
      IntVector v = IntVector.fromArray(SI, codes, o + L).lanewise(VectorOperators.LSHL, up);
      a = s.fma(f16(u), a);
      b = s.fma(f16(v), b);
    }
    a.intoArray(y, yo);
    b.intoArray(y, yo + L);
  }

  /** See {@link Kernels#sparseRowNf4}. */
  static void nf4(
      int panels,
      int k,
      int p0,
      int p1,
      int[] index,
      float[] value,
      int[] codes,
      int co,
      float[] scales,
      int so,
      int share,
      float[] init,
      int io,
      float[] y,
      int yo) {
    if (L < 8) {
      ScalarFormats.sparseRowNf4(
          panels, k, p0, p1, index, value, codes, co, scales, so, share, init, io, y, yo);
      return;
    }
    int log = Integer.numberOfTrailingZeros(share); // a power of two
    for (int j = 0; j < panels; j++) {
      for (int h = 0; h < PANEL; h += 2 * L) {
        int c = co + j * ((k + 7) / 8) * PANEL + h;
        int s = so + j * (k / share) * PANEL + h;
        int i = io + j * PANEL + h;
        int o = yo + j * PANEL + h;
        nf4Entries(p0, p1, index, value, codes, c, scales, s, log, init, i, y, o);
      }
    }
  }

  private static void nf4Entries(
      int p0,
      int p1,
      int[] index,
      float[] value,
      int[] codes,
      int co,
      float[] scales,
      int so,
      int log,
      float[] init,
      int io,
      float[] y,
      int yo) {
    FloatVector a = FloatVector.fromArray(S, init, io);
    FloatVector b = FloatVector.fromArray(S, init, io + L);
    for (int p = p0; p < p1; p++) {
      int c = co + (index[p] >> 3) * PANEL;
      int g = so + (index[p] >> log) * PANEL;
      int down = 4 * (index[p] & 7);
      FloatVector s = set(value[p]);
      IntVector u = IntVector.fromArray(SI, codes, c).lanewise(VectorOperators.LSHR, down);
      IntVector v = IntVector.fromArray(SI, codes, c + L).lanewise(VectorOperators.LSHR, down);
      a = s.fma(level(u).mul(FloatVector.fromArray(S, scales, g)), a);
      b = s.fma(level(v).mul(FloatVector.fromArray(S, scales, g + L)), b);
    }
    a.intoArray(y, yo);
    b.intoArray(y, yo + L);
  }
}
