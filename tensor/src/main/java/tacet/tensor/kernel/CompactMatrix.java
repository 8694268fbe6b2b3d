package tacet.tensor.kernel;

import tacet.tensor.Nf4;
import tacet.tensor.WeightFormat;

/**
 * The right side of a product, B[k,n], in fewer bytes than floats: the transpose of a frozen weight
 * [n, k]. It lies in panels of {@value Kernels#PANEL} columns as in a {@link PackedMatrix}, and is
 * expanded a piece at a time while it is used, see {@link CompactMatMul}; a product has the bits of
 * the float product with the expanded values.
 */
public sealed interface CompactMatrix permits HalfMatrix, Nf4Matrix {
  /** Rows of B: inputs of the layer. */
  int k();

  /** Columns of B: outputs of the layer. */
  int n();

  /** How the values are kept. */
  WeightFormat format();

  /** Memory that the values take. */
  long bytes();

  /**
   * Expands the rows r0 to r1 of panel j.
   *
   * @param r0 a multiple of 8
   * @param r1 a multiple of 8, or k
   * @param y receives rows of {@value Kernels#PANEL} floats from {@code yo}; columns beyond n are 0
   */
  void expand(Kernels kernels, int j, int r0, int r1, float[] y, int yo);

  /**
   * One row of a product for the panels j0 to j1: y = init + x · B, all {@value Kernels#PANEL}
   * columns of each.
   *
   * @param x k values from {@code xo}
   */
  void row(
      Kernels kernels, int j0, int j1, float[] x, int xo, float[] init, int io, float[] y, int yo);

  /**
   * The same for a row of which only some values are there.
   *
   * @param index places of the entries p0 to p1, ascending
   * @param value the values at these places
   */
  void sparseRow(
      Kernels kernels,
      int j0,
      int j1,
      int p0,
      int p1,
      int[] index,
      float[] value,
      float[] init,
      int io,
      float[] y,
      int yo);

  /**
   * Up to which share of non-zeros {@link #sparseRow} is faster than {@link #row}, as a part of the
   * share that holds for floats: a row costs less where its weights take fewer bytes, and an entry that is
   * read for itself does not.
   */
  double rowShare();

  /** The weight [n, k] in full, row-major. */
  default float[] expand() {
    Kernels kernels = Kernels.best();
    int k = k();
    float[] w = new float[Math.multiplyExact(n(), k)];
    float[] panel = new float[k * Kernels.PANEL];
    for (int j = 0; j < PackedMatrix.panels(n()); j++) {
      expand(kernels, j, 0, k, panel, 0);
      int width = Math.min(Kernels.PANEL, n() - j * Kernels.PANEL);
      kernels.transpose(panel, 0, Kernels.PANEL, k, width, w, j * Kernels.PANEL * k, k);
    }
    return w;
  }

  /**
   * A weight [n, k] in a format.
   *
   * @param w row-major n × k; not modified
   * @param format any but F32
   * @throws IllegalArgumentException if the format cannot hold a value
   */
  static CompactMatrix of(WeightFormat format, float[] w, int n, int k) {
    return switch (format) {
      case BF16, F16 -> HalfMatrix.of(format, w, n, k);
      case NF4 -> Nf4Matrix.of(Nf4.quantize(w, Math.multiplyExact(n, k)), n, k);
      case NF4_NESTED -> Nf4Matrix.of(Nf4.quantize(w, Math.multiplyExact(n, k)).nested(), n, k);
      case F32 -> throw new IllegalArgumentException("float32 weights are packed, not compact");
    };
  }

  /**
   * The transpose of a weight [k, n] in a format.
   *
   * @param w row-major k × n; not modified
   * @param format any but F32
   * @throws IllegalArgumentException if the format cannot hold a value
   */
  static CompactMatrix ofTransposed(WeightFormat format, float[] w, int n, int k) {
    float[] turned = new float[Math.multiplyExact(n, k)];
    Kernels.best().transpose(w, 0, n, k, n, turned, 0, k);
    return of(format, turned, n, k);
  }
}
