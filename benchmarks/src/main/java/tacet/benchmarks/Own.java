package tacet.benchmarks;

import tacet.tensor.Engine;
import tacet.tensor.kernel.PackedMatrix;
import tacet.tensor.kernel.RightSide;
import tacet.tensor.kernel.SparseMatMul;
import tacet.tensor.kernel.SparseRows;

/** Calls of Tacet's kernels that several benchmarks share. */
public final class Own {
  private Own() {}

  /** Y = X · B by the sparse product whatever the density: compressing X is part of it. */
  public static void sparse(Engine engine, float[] x, int t, long active, RightSide b, float[] y) {
    SparseRows rows = SparseRows.of(engine, x, t, b.k(), active);
    SparseMatMul.product(engine, rows, b.wide(), null, y);
    rows.release(engine.workspace());
  }

  /** Room for a packed k × n matrix. */
  public static PackedMatrix room(int k, int n) {
    return new PackedMatrix(k, n, new float[PackedMatrix.START + PackedMatrix.size(k, n)]);
  }

  /** Packs a row-major matrix into room made before, as for weights that change. */
  public static void pack(float[] w, PackedMatrix room) {
    PackedMatrix.pack(
        w,
        0,
        room.n(),
        room.k(),
        room.n(),
        room.panels(),
        PackedMatrix.START,
        0,
        PackedMatrix.panels(room.n()));
  }
}
