package tacet.benchmarks;

import tacet.tensor.Engine;
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
}
