package tacet.tensor.kernel;

import static tacet.tensor.kernel.Kernels.LANES;
import static tacet.tensor.kernel.Kernels.PANEL;
import static tacet.tensor.kernel.VectorMath.L;
import static tacet.tensor.kernel.VectorMath.S;

import java.util.Arrays;
import jdk.incubator.vector.FloatVector;

/**
 * The dense product over packed panels, in the register tiles of {@link VectorTiles} and {@link
 * VectorStreams}. A panel is
 * {@value Kernels#PANEL} columns for every vector width; narrower vectors pass over it in slices of
 * two vectors.
 *
 * <p>Blocking: {@link #KC} rows of B and at most {@link #MC} rows of A. A block of A stays in the
 * second-level cache while all panels pass; a block of a panel streams through the first level beside
 * six rows of A. Blocks of A are made equal, so that no short last one streams all of B for itself.
 *
 * <p>The first rows that a panel meets read it from memory, if B is too large to be near, and the
 * processor fetches ahead of several streams better than ahead of one: the first two rows of a block
 * take two panels at a time. One row alone takes four.
 */
final class VectorProduct {
  private static final int KC = Kernels.DEPTH;
  private static final int MC = 192;
  private static final long FAR = 1 << 20; // bytes of a B that is not in a cache when it is needed

  private VectorProduct() {}

  static void product(
      int m,
      int n,
      int k,
      float[] a,
      int ao,
      int lda,
      float[] panels,
      int po,
      int j0,
      int j1,
      float[] init,
      int io,
      int initStride,
      float[] c,
      int co,
      int ldc) {
    if (m == 1) {
      int whole = Math.min(j1, n / PANEL);
      for (; j0 + 4 <= whole; j0 += 4) {
        int b = po + j0 * k * PANEL;
        for (int h = 0; h < PANEL; h += 2 * L) {
          VectorStreams.row(
              k,
              a,
              ao,
              panels,
              b + h,
              k * PANEL,
              init,
              io + j0 * PANEL + h,
              c,
              co + j0 * PANEL + h);
        }
      }
    }
    boolean far = 4L * k * n >= FAR && m >= 6;
    int first = far ? 2 : 0; // rows of each block that take two panels at a time
    int blocks = (m + MC - 1) / MC;
    int block = blocks == 0 ? 6 : ((m + blocks - 1) / blocks - first + 5) / 6 * 6 + first;
    for (int k0 = 0; k0 == 0 || k0 < k; k0 += KC) {
      int kc = Math.min(KC, k - k0);
      if (k0 > 0) { // go on from what the last block of k left
        init = c;
        io = co;
        initStride = ldc;
      }
      for (int i0 = 0; i0 < m; i0 += block) {
        int rows = Math.min(block, m - i0);
        int left = ao + i0 * lda + k0;
        for (int j = j0; j < j1; ) {
          boolean two = far && rows >= 2 && j + 2 <= j1 && (j + 2) * PANEL <= n;
          int done = two ? first : 0;
          int right = po + (j * k + k0) * PANEL;
          int from = io + i0 * initStride + j * PANEL;
          int to = co + i0 * ldc + j * PANEL;
          for (int h = 0; h < PANEL && two; h += 2 * L) {
            VectorStreams.firstTwo(
                kc,
                a,
                left,
                lda,
                panels,
                right + h,
                k * PANEL,
                init,
                from + h,
                initStride,
                c,
                to + h,
                ldc);
          }
          for (int end = two ? j + 2 : j + 1; j < end; j++) {
            panel(
                rows - done,
                Math.min(PANEL, n - j * PANEL),
                kc,
                a,
                left + done * lda,
                lda,
                panels,
                right,
                init,
                from + done * initStride,
                initStride,
                c,
                to + done * ldc,
                ldc);
            right += k * PANEL;
            from += PANEL;
            to += PANEL;
          }
        }
      }
    }
  }

  /** Some rows of A with (a block of) one panel of which {@code width} columns are there. */
  private static void panel(
      int rows,
      int width,
      int k,
      float[] a,
      int ao,
      int lda,
      float[] b,
      int bo,
      float[] init,
      int io,
      int initStride,
      float[] c,
      int co,
      int ldc) {
    if (width == PANEL) {
      for (int h = 0; h < PANEL; h += 2 * L) {
        VectorTiles.tiles(rows, k, a, ao, lda, b, bo + h, init, io + h, initStride, c, co + h, ldc);
      }
    } else {
      for (int h = 0; h < width; h += L) {
        VectorTiles.narrow(
            rows,
            Math.min(L, width - h),
            k,
            a,
            ao,
            lda,
            b,
            bo + h,
            init,
            io + h,
            initStride,
            c,
            co + h,
            ldc);
      }
    }
  }

  /** See {@link Kernels#productUnpacked}: a panel and {@link #KC} rows at a time. */
  static void unpacked(
      int m,
      int n,
      int k,
      float[] a,
      int ao,
      int lda,
      float[] b,
      int bo,
      int ldb,
      int j0,
      int j1,
      float[] scratch,
      int so,
      float[] init,
      int io,
      int initStride,
      float[] c,
      int co,
      int ldc) {
    for (int j = j0; j < j1; j++) {
      int width = Math.min(PANEL, n - j * PANEL);
      int from = io + j * PANEL;
      int fromStride = initStride;
      int to = co + j * PANEL;
      float[] start = init;
      for (int k0 = 0; k0 == 0 || k0 < k; k0 += KC) {
        int kc = Math.min(KC, k - k0);
        int left = ao + k0;
        int right = bo + k0 * ldb + j * PANEL;
        int first = width == PANEL && m >= 6 ? 6 : 0; // rows that pack
        for (int h = 0; h < PANEL && first > 0; h += 2 * L) {
          VectorTiles.packing6(
              kc,
              a,
              left,
              lda,
              b,
              right + h,
              ldb,
              scratch,
              so + h,
              start,
              from + h,
              fromStride,
              c,
              to + h,
              ldc);
        }
        if (first == 0) {
          PackedMatrix.pack(b, right, ldb, kc, width, scratch, so, 0, 1);
        }
        product(
            m - first,
            width,
            kc,
            a,
            left + first * lda,
            lda,
            scratch,
            so,
            0,
            1,
            start,
            from + first * fromStride,
            fromStride,
            c,
            to + first * ldc,
            ldc);
        start = c; // go on from what this block of k left
        from = to;
        fromStride = ldc;
      }
    }
  }

  /** See {@link Kernels#productByLanes}. */
  static void byLanes(
      int m,
      int n,
      int k,
      float[] a,
      int ao,
      int lda,
      float[] panels,
      int po,
      int j0,
      int j1,
      float[] c,
      int co,
      int ldc,
      float[] scratch) {
    float[] parts = scratch; // one tile per lane, and zeros to begin with
    int zeros = LANES * 6 * PANEL;
    Arrays.fill(scratch, 0, zeros + PANEL, 0f);
    for (int j = j0; j < j1; j++) {
      int b = po + j * k * PANEL;
      int width = Math.min(PANEL, n - j * PANEL);
      for (int i = 0; i < m; i += 6) {
        int rows = Math.min(6, m - i);
        for (int l = 0; l < LANES; l++) {
          int from = Kernels.laneStart(l, k);
          int length = Kernels.laneStart(l + 1, k) - from;
          int to = l * 6 * PANEL;
          for (int h = 0; h < PANEL; h += 2 * L) {
            VectorTiles.tiles(
                rows,
                length,
                a,
                ao + i * lda + from,
                lda,
                panels,
                b + from * PANEL + h,
                parts,
                zeros,
                0,
                parts,
                to + h,
                PANEL);
          }
        }
        for (int w = LANES / 2; w > 0; w /= 2) { // the tree of ScalarMath
          int far = w * 6 * PANEL;
          for (int q = 0; q < far; q += L) {
            FloatVector.fromArray(S, parts, q)
                .add(FloatVector.fromArray(S, parts, q + far))
                .intoArray(parts, q);
          }
        }
        for (int r = 0; r < rows; r++) {
          System.arraycopy(parts, r * PANEL, c, co + (i + r) * ldc + j * PANEL, width);
        }
      }
    }
  }
}
