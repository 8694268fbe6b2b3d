package tacet.tensor.kernel;

import static tacet.tensor.kernel.Kernels.BLOCK;
import static tacet.tensor.kernel.VectorMath.IOTA;
import static tacet.tensor.kernel.VectorMath.L;
import static tacet.tensor.kernel.VectorMath.S;
import static tacet.tensor.kernel.VectorMath.SI;

import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;
import tacet.tensor.measure.Host;

/**
 * Leaves the zeros out of a row; see {@link Kernels#compress}. What costs time here is not work but
 * the processor's guesses: at a density of 4 % half of all vectors of 16 have a value, and a branch
 * on whether this one has takes 31 cycles a vector, most of them for wrong guesses. (A benchmark
 * that compresses the same small matrix again and again does not see it: the processor knows the
 * matrix by heart.)
 *
 * <p>So where bytes can be compressed, the positions of 64 floats are written without such a branch,
 * in 5 cycles for each 16: 64 comparisons make one word, by which 64 bytes are compressed; the first 16
 * of them become the positions. Words with more are few where leaving zeros out is worth it, and go
 * vector by vector. The values are fetched afterwards, in one loop over the row.
 */
final class VectorCompress {
  private static final int WORD = 64;
  private static final VectorSpecies<Byte> SB = S.withLanes(byte.class);
  private static final ByteVector BYTES = ByteVector.zero(SB).addIndex(1);

  /** Without the instruction for bytes, Java compresses them one by one. */
  private static final boolean BY_WORDS = L == 16 && Host.hasFeature("avx512_vbmi2");

  private VectorCompress() {}

  static int compress(
      float[] x, int xo, int n, int[] index, float[] value, int at, int[] start, int so) {
    return BY_WORDS
        ? byWords(x, xo, n, index, value, at, start, so)
        : byVectors(x, xo, n, index, value, at, start, so);
  }

  private static int byWords(
      float[] x, int xo, int n, int[] index, float[] value, int at, int[] start, int so) {
    int q = at;
    int fetched = at; // values so far
    for (int f = 0; f < n; f += BLOCK) {
      start[so++] = q;
      int end = Math.min(n, f + BLOCK);
      int i = f;
      for (; i + WORD <= end; i += WORD) {
        int o = xo + i;
        long word = bits(x, o) | bits(x, o + L) << L;
        word |= bits(x, o + 2 * L) << 2 * L | bits(x, o + 3 * L) << 3 * L;
        int count = Long.bitCount(word);
        // Full-width stores: what lies beyond the last position is overwritten later.
        if (count <= L) {
          ints(BYTES.compress(VectorMask.fromLong(SB, word))).add(i).intoArray(index, q);
        } else {
          fetch(x, xo, index, value, fetched, q);
          fetched = q + count;
          for (int r = 0, to = q; r < WORD; r += L) {
            long quarter = word >>> r & 0xffff;
            IOTA.add(i + r).compress(VectorMask.fromLong(SI, quarter)).intoArray(index, to);
            FloatVector.fromArray(S, x, o + r)
                .compress(VectorMask.fromLong(S, quarter))
                .intoArray(value, to);
            to += Long.bitCount(quarter);
          }
        }
        q += count;
      }
      for (; i < end; i++) {
        if (x[xo + i] != 0) {
          index[q++] = i;
        }
      }
    }
    start[so] = q;
    fetch(x, xo, index, value, fetched, q);
    return q;
  }

  private static void fetch(float[] x, int xo, int[] index, float[] value, int from, int to) {
    for (int p = from; p < to; p++) {
      value[p] = x[xo + index[p]];
    }
  }

  private static long bits(float[] x, int o) {
    return FloatVector.fromArray(S, x, o).compare(VectorOperators.NE, 0f).toLong();
  }

  /** The first 16 bytes, each in an int. */
  private static IntVector ints(ByteVector v) {
    return (IntVector) v.convertShape(VectorOperators.B2I, SI, 0);
  }

  private static int byVectors(
      float[] x, int xo, int n, int[] index, float[] value, int at, int[] start, int so) {
    int q = at;
    for (int f = 0; f < n; f += BLOCK) {
      start[so++] = q;
      int end = Math.min(n, f + BLOCK);
      int i = f;
      for (; i + L <= end; i += L) {
        FloatVector v = FloatVector.fromArray(S, x, xo + i);
        VectorMask<Float> mask = v.compare(VectorOperators.NE, 0f);
        long bits = mask.toLong();
        if (bits != 0) { // full-width stores, as above
          v.compress(mask).intoArray(value, q);
          IOTA.add(i).compress(mask.cast(SI)).intoArray(index, q);
          q += Long.bitCount(bits);
        }
      }
      for (; i < end; i++) {
        if (x[xo + i] != 0) {
          index[q] = i;
          value[q++] = x[xo + i];
        }
      }
    }
    start[so] = q;
    return q;
  }
}
