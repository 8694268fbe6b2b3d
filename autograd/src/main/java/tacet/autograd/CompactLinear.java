package tacet.autograd;

import tacet.tensor.Engine;
import tacet.tensor.Tensor;
import tacet.tensor.kernel.CompactMatMul;
import tacet.tensor.kernel.CompactMatrix;
import tacet.tensor.kernel.SparseMatMul;

/**
 * {@link LinearOps#linear} over a frozen weight in fewer bits: value and gradients have the bits that they
 * have with the expanded weight, and zeros are skipped in the same places.
 */
final class CompactLinear {
  private CompactLinear() {}

  /**
   * y = x Wᵀ + b; dX = dY W, db = Σ_t dY.
   *
   * @param x [.., in]
   * @param w [out, in]
   */
  static Var forward(Pass pass, Var x, CompactMatrix w, Parameter bias) {
    Engine engine = pass.engine();
    int out = w.n();
    int t = x.shape().rows();
    Tensor y = pass.take(x.shape().withLast(out)); // (T, out)
    float[] b = bias == null ? null : bias.value().data();
    boolean sample = x.masked() && out >= LinearOps.SAMPLED_WIDTH;
    if (skips(engine, t, x.active(), w)) {
      CompactMatMul.product(engine, pass.rows(x), w, b, y.data());
    } else {
      CompactMatMul.product(engine, x.value().data(), t, w, b, y.data());
    }
    return pass.record(y)
        .from(
            x,
            (dY, dX) -> {
              if (sample) { // the order of sums that the sampled product has
                CompactMatMul.gradientByLanes(engine, dY.data(), t, w, dX.data());
              } else {
                CompactMatMul.gradient(engine, dY.data(), t, w, dX.data());
              }
            })
        .sampled(sample ? (dY, dX) -> CompactMatMul.sampled(engine, dY.data(), w, dX) : null)
        .skipping((dY, dX) -> CompactMatMul.gradient(engine, dY, w, dX.data()))
        .from(bias, (dY, dB) -> Ops.columnSums(pass, dY, dB))
        .skipping((dY, dB) -> SparseMatMul.columnSums(dY, dB.data()))
        .done();
  }

  private static boolean skips(Engine engine, int t, long active, CompactMatrix w) {
    double share = engine.breakEven().density(t, w.k(), w.n());
    if (t <= CompactMatMul.FEW) {
      share *= w.rowShare();
    }
    return engine.skipsZeros() && active >= 0 && active <= share * t * w.k();
  }
}
