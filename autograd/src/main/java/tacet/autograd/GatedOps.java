package tacet.autograd;

import java.util.concurrent.atomic.AtomicLong;
import tacet.tensor.Engine;
import tacet.tensor.Tensor;
import tacet.tensor.kernel.MatMul;
import tacet.tensor.kernel.SparseMatMul;
import tacet.tensor.kernel.SparseRows;

/**
 * The gated MLP of T5 1.1 and its kin (Shazeer 2020, "GLU Variants Improve Transformer"): h = g ∘ (x
 * W₁ᵀ), where the gate g = a(x W_gᵀ) is a ReLU or a GELU. Where a ReLU gate is silent, neither value nor
 * gradient of the other factor matters, so none is computed once few gates speak.
 *
 * <p>Letters as in {@link Ops}: T tokens, D model width, F MLP width.
 */
public final class GatedOps {
  private GatedOps() {}

  /**
   * h = g ∘ (x Wᵀ), which is {@link #multiply} of the gate and {@link #linearWhere}.
   *
   * @param x [.., D]
   * @param g the gate's activation, [.., F]
   * @param weight W, [F, D]
   * @return [.., F]
   */
  public static Var gated(Pass pass, Var x, Var g, Parameter weight) {
    return multiply(pass, g, linearWhere(pass, x, weight, g));
  }

  /**
   * u = x Wᵀ for a factor of a gate: where a ReLU gate is silent, u holds x Wᵀ or 0, whichever is
   * cheaper; only {@link #multiply} with that gate, after what may be added to u (a low-rank update),
   * has a defined result. That result has the same bits either way, because behind a ReLU gate the sums
   * are always made by lanes ({@link tacet.tensor.kernel.Kernels#productByLanes}).
   *
   * <p>dX = dU W, dW = dUᵀ X.
   *
   * @param x [.., D]
   * @param weight W, [F, D]
   * @param g the gate's activation, [.., F]
   * @return [.., F]
   */
  public static Var linearWhere(Pass pass, Var x, Parameter weight, Var g) {
    int d = x.shape().last();
    int f = weight.shape().dim(0);
    if (weight.shape().last() != d
        || g.shape().last() != f
        || g.shape().rows() != x.shape().rows()) {
      throw new IllegalArgumentException(
          "gated product: input "
              + x.shape()
              + " and gate "
              + g.shape()
              + " do not fit a weight of shape "
              + weight.shape());
    }
    if (weight.compact() != null) { // all of it: what is expanded serves every token
      return CompactLinear.forward(pass, x, weight.compact(), null);
    }
    Engine engine = pass.engine();
    int t = x.shape().rows();
    float[] in = x.value().data();
    Tensor u = pass.take(x.shape().withLast(f)); // (T, F)
    if (!g.masked()) {
      MatMul.dense(engine, in, t, weight.transposed().packed(engine), null, u.data());
    } else if (MatMul.samples(engine, t, g.active(), weight.plain())) {
      SparseRows places = pass.rows(g).sibling(engine.workspace());
      SparseMatMul.sampled(engine, in, weight.plain().wide(engine), places);
      places.expand(engine, u.data());
      places.release(engine.workspace());
    } else {
      MatMul.denseByLanes(engine, in, t, weight.transposedByLanes(engine), u.data());
    }
    return pass.record(u)
        .from(
            x,
            (dU, dX) ->
                MatMul.dense(engine, dU.data(), t, weight.plain().packed(engine), null, dX.data()))
        .skipping(
            (dU, dX) ->
                SparseMatMul.product(engine, dU, weight.plain().wide(engine), null, dX.data()))
        .from(
            weight, (dU, dW) -> MatMul.transposedProduct(engine, dU.data(), t, f, in, d, dW.data()))
        .skipping((dU, dW) -> LinearOps.sparseGradient(pass, dU, x.value(), false, dW))
        .done();
  }

  /**
   * h = g ∘ u, exactly 0 wherever g is, and counting what is not. Behind a ReLU gate the gradient by h
   * matters only where the gate speaks; h is {@link Var#masked} if it speaks in the same places.
   *
   * <p>dG = dH ∘ u, dU = dH ∘ g, which is 0 wherever g is.
   *
   * @param g the gate's activation, [.., F]
   * @param u the other factor, of the same shape
   */
  public static Var multiply(Pass pass, Var g, Var u) {
    if (!g.shape().equals(u.shape())) {
      throw new IllegalArgumentException(
          "gate: shapes " + g.shape() + " and " + u.shape() + " differ");
    }
    Engine engine = pass.engine();
    Tensor h = pass.take(g.shape());
    AtomicLong active = new AtomicLong();
    Rows.forEach(
        pass,
        h.size(),
        (from, n) -> active.addAndGet(gate(g.value().data(), u.value().data(), from, n, h.data())));
    // u may be 0 where g is not, and the gradient by u is dH ∘ g there.
    return pass.record(h)
        .active(active.get())
        .masked(g.masked() && active.get() == g.active())
        .from(
            g,
            (dH, dG) ->
                Rows.forEach(
                    pass,
                    h.size(),
                    (from, n) -> multiply(dH.data(), u.value().data(), from, n, dG.data())))
        .alike((dH, dG) -> multiplyAt(engine, dH, u.value(), dG))
        .from(
            u,
            (dH, dU) ->
                Rows.forEach(
                    pass,
                    h.size(),
                    (from, n) -> gate(g.value().data(), dH.data(), from, n, dU.data())))
        .alike((dH, dU) -> multiplyAt(engine, dH, g.value(), dU))
        .done();
  }

  /** z = x ∘ y for some elements. */
  private static void multiply(float[] x, float[] y, int from, int n, float[] z) {
    for (int i = from; i < from + n; i++) {
      z[i] = x[i] * y[i];
    }
  }

  /** The same where x is not zero, else 0 whatever y is; returns how many results are not zero. */
  private static int gate(float[] x, float[] y, int from, int n, float[] z) {
    int active = 0;
    for (int i = from; i < from + n; i++) {
      float v = x[i] == 0 ? 0 : x[i] * y[i];
      z[i] = v;
      active += v == 0 ? 0 : 1;
    }
    return active;
  }

  /** dX = dY ∘ factor at the places of dY. */
  private static void multiplyAt(Engine engine, SparseRows dY, Tensor factor, SparseRows dX) {
    dX.gather(engine, factor.data());
    multiply(dY.value(), dX.value(), 0, dY.entries(), dX.value());
  }
}
