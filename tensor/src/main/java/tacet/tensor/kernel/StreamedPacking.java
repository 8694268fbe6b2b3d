package tacet.tensor.kernel;

import java.util.Arrays;
import tacet.tensor.Tensor;
import tacet.tensor.TensorSource;
import tacet.tensor.Workers;

/**
 * Lays a matrix out for products straight from where it is kept, a few rows at a time, so that it is
 * never in memory twice. The layouts are those of {@link PackedMatrix} and {@link WideMatrix}, which
 * do the same for a matrix that is in memory already.
 */
public final class StreamedPacking {
  private static final int CHUNK = 1 << 16; // floats of consecutive rows that are read at a time

  private StreamedPacking() {}

  /** What {@link PackedMatrix#pack} makes of a k × n matrix. */
  public static void pack(Workers workers, TensorSource b, PackedMatrix to) {
    if (b instanceof Tensor t) {
      to.pack(workers, t.data());
      return;
    }
    int k = to.k();
    int n = to.n();
    byRows(
        workers,
        b,
        k,
        n,
        (rows, r, count) -> {
          for (int j = 0; j < PackedMatrix.panels(n); j++) {
            int width = Math.min(Kernels.PANEL, n - j * Kernels.PANEL);
            int at = PackedMatrix.START + (j * k + r) * Kernels.PANEL;
            for (int i = 0; i < count; i++, at += Kernels.PANEL) {
              System.arraycopy(rows, i * n + j * Kernels.PANEL, to.panels(), at, width);
              Arrays.fill(to.panels(), at + width, at + Kernels.PANEL, 0f);
            }
          }
        });
  }

  /** What {@link WideMatrix#lay} makes of a k × n matrix. */
  public static void lay(Workers workers, TensorSource b, WideMatrix to) {
    if (b instanceof Tensor t) {
      to.lay(workers, t.data());
      return;
    }
    int k = to.k();
    int n = to.n();
    byRows(
        workers,
        b,
        k,
        n,
        (rows, r, count) -> {
          for (int g = 0; g < WideMatrix.groups(n); g++) {
            int width = WideMatrix.width(g, n);
            int stride = WideMatrix.stride(g, n);
            int at = WideMatrix.start(g, k) + r * stride;
            for (int i = 0; i < count; i++, at += stride) {
              System.arraycopy(rows, i * n + g * WideMatrix.GROUP, to.groups(), at, width);
              Arrays.fill(to.groups(), at + width, at + stride, 0f);
            }
          }
        });
  }

  /** What {@link PackedMatrix#packTransposed} makes of an n × k matrix: a panel is 32 of its rows. */
  public static void packTransposed(
      Workers workers, Kernels kernels, TensorSource b, PackedMatrix to) {
    if (b instanceof Tensor t) {
      to.packTransposed(workers, kernels, t.data());
      return;
    }
    int k = to.k();
    int n = to.n();
    byColumns(
        workers,
        b,
        k,
        n,
        Kernels.PANEL,
        (rows, j, width) ->
            transposeInto(
                kernels,
                rows,
                width,
                k,
                to.panels(),
                PackedMatrix.START + j * k * Kernels.PANEL,
                Kernels.PANEL));
  }

  /** What {@link WideMatrix#layTransposed} makes of an n × k matrix: a group is 128 of its rows. */
  public static void layTransposed(
      Workers workers, Kernels kernels, TensorSource b, WideMatrix to) {
    if (b instanceof Tensor t) {
      to.layTransposed(workers, kernels, t.data());
      return;
    }
    int k = to.k();
    int n = to.n();
    byColumns(
        workers,
        b,
        k,
        n,
        WideMatrix.GROUP,
        (rows, g, width) ->
            transposeInto(
                kernels,
                rows,
                width,
                k,
                to.groups(),
                WideMatrix.start(g, k),
                WideMatrix.stride(g, n)));
  }

  // ------------------------------------------------------------------ reading

  /** What is done with some rows that have been read. */
  private interface Piece {
    void place(float[] rows, int first, int count);
  }

  /** Reads a k × n matrix in chunks of rows; {@code first} is the number of the first of them. */
  private static void byRows(Workers workers, TensorSource b, int k, int n, Piece piece) {
    int chunk = Math.clamp(CHUNK / Math.max(1, n), 1, Math.max(1, k));
    float[][] scratch = new float[workers.size()][];
    workers.forEach(
        (k + chunk - 1) / chunk,
        1,
        (part, from, to) -> {
          for (int c = from; c < to; c++) {
            int count = Math.min(chunk, k - c * chunk);
            piece.place(
                read(b, c * chunk * n, count * n, chunk * n, scratch, part), c * chunk, count);
          }
        });
  }

  /**
   * Reads an n × k matrix in blocks of rows, which are columns of its transpose; {@code first} is the
   * number of the block.
   */
  private static void byColumns(
      Workers workers, TensorSource b, int k, int n, int block, Piece piece) {
    float[][] scratch = new float[workers.size()][];
    workers.forEach(
        (n + block - 1) / block,
        1,
        (part, from, to) -> {
          for (int j = from; j < to; j++) {
            int width = Math.min(block, n - j * block);
            piece.place(read(b, j * block * k, width * k, block * k, scratch, part), j, width);
          }
        });
  }

  /** Each part of a loop has memory of its own, made when it first reads. */
  private static float[] read(
      TensorSource b, int from, int count, int most, float[][] scratch, int part) {
    if (scratch[part] == null) {
      scratch[part] = new float[most];
    }
    b.read(from, scratch[part], 0, count);
    return scratch[part];
  }

  private static void transposeInto(
      Kernels kernels, float[] rows, int width, int k, float[] to, int at, int stride) {
    kernels.transpose(rows, 0, k, width, k, to, at, stride);
    for (int r = 0; r < k && width < stride; r++) {
      Arrays.fill(to, at + r * stride + width, at + (r + 1) * stride, 0f);
    }
  }
}
