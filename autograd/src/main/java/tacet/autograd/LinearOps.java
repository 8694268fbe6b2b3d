package tacet.autograd;

import java.util.concurrent.atomic.AtomicLong;
import tacet.tensor.Engine;
import tacet.tensor.Tensor;
import tacet.tensor.kernel.Kernels;
import tacet.tensor.kernel.MatMul;
import tacet.tensor.kernel.PackedMatrix;
import tacet.tensor.kernel.RightSide;
import tacet.tensor.kernel.SparseMatMul;
import tacet.tensor.kernel.SparseRows;

/**
 * Products with weights. Each takes the dense or the sparse way, forwards and backwards, by how many
 * zeros its input was counted to have; the result has the same bits.
 *
 * <p>Letters as in {@link Ops}.
 */
public final class LinearOps {
  /** Outputs below which a gradient costs less in all places than in the few that matter. */
  static final int SAMPLED_WIDTH = 64;

  private LinearOps() {}

  /**
   * y = x Wᵀ + b. When x is the result of an activation that counted its zeros, and few values are
   * left, the product skips them (with the same result bit for bit), and so do the gradients: dX is
   * made only where a ReLU spoke, dW only from those places.
   *
   * <p>dX = dY W, dW = dYᵀ X, db = Σ_t dY.
   *
   * @param x [.., in]
   * @param weight [out, in]; one of more dimensions, such as the kernel [out, C, h, w] of a
   *     convolution over patches, counts as [out, C·h·w]
   * @param bias [out], or null
   * @return [.., out]
   */
  public static Var linear(Pass pass, Var x, Parameter weight, Parameter bias) {
    int out = weight.shape().dim(0);
    requireFit("linear", x, Parameter.columns(weight.shape()), out, weight, bias);
    if (weight.compact() != null) {
      return CompactLinear.forward(pass, x, weight.compact(), bias);
    }
    return product(pass, x, weight, bias, out, false, null);
  }

  /**
   * f(x Wᵀ + b), as {@link #linear} and {@link Ops#activation} make it one after the other; but f is
   * taken of each part of the product while that is near, and where nobody needs the product, its
   * place is used for the result.
   *
   * @param weight [out, in]
   * @param bias [out], or null
   * @return [.., out]
   */
  public static Var linear(Pass pass, Var x, Parameter weight, Parameter bias, Nonlinearity f) {
    if (weight.compact() != null) {
      return f.of(pass, linear(pass, x, weight, bias));
    }
    int out = weight.shape().dim(0);
    requireFit("linear", x, Parameter.columns(weight.shape()), out, weight, bias);
    return product(pass, x, weight, bias, out, false, f);
  }

  /**
   * y = x W + b: {@link #linear} with a weight that lies the other way round, as GPT-2's files have
   * it. Zeros are skipped in the same way.
   *
   * <p>dX = dY Wᵀ, dW = Xᵀ dY, db = Σ_t dY.
   *
   * @param x [.., in]
   * @param weight [in, out]
   * @param bias [out], or null
   * @return [.., out]
   */
  public static Var product(Pass pass, Var x, Parameter weight, Parameter bias) {
    int out = weight.shape().last();
    requireFit("product", x, weight.shape().dim(0), out, weight, bias);
    return product(pass, x, weight, bias, out, true, null);
  }

  /**
   * f(x W + b); see {@link #linear(Pass, Var, Parameter, Parameter, Nonlinearity)}.
   *
   * @param weight [in, out]
   * @param bias [out], or null
   * @return [.., out]
   */
  public static Var product(Pass pass, Var x, Parameter weight, Parameter bias, Nonlinearity f) {
    int out = weight.shape().last();
    requireFit("product", x, weight.shape().dim(0), out, weight, bias);
    return product(pass, x, weight, bias, out, true, f);
  }

  private static void requireFit(
      String op, Var x, int in, int out, Parameter weight, Parameter bias) {
    Ops.requireWidth(op, x.shape().last(), in, weight);
    if (bias != null && bias.shape().size() != out) {
      throw new IllegalArgumentException(
          op + ": a bias of shape " + bias.shape() + " for results of width " + out);
    }
  }

  /**
   * Any of them.
   *
   * @param inFirst whether the weight is [in, out]
   * @param f of the product; null for none
   */
  private static Var product(
      Pass pass,
      Var x,
      Parameter weight,
      Parameter bias,
      int out,
      boolean inFirst,
      Nonlinearity f) {
    Engine engine = pass.engine();
    int in = x.shape().last();
    int t = x.shape().rows();
    Tensor y = pass.take(x.shape().withLast(out)); // (T, out)
    float[] b = bias == null ? null : bias.value().data();
    RightSide forward = inFirst ? weight.plain() : weight.transposed(); // [in, out]
    RightSide back = inFirst ? weight.transposed() : weight.plain(); // [out, in]
    boolean skips = MatMul.skips(engine, t, x.active(), forward);
    boolean sample = x.masked() && out >= SAMPLED_WIDTH;
    Tensor z = f != null && f.needsInput() && pass.taping() ? pass.take(y.shape()) : y; // f(y)
    AtomicLong active = new AtomicLong();
    MatMul.Finish finish =
        f == null
            ? MatMul.NOTHING
            : (row, rows, column, columns) -> {
              long n = 0;
              for (int i = row; i < row + rows; i++) {
                int at = i * out + column;
                n += f.run(pass.kernels(), y.data(), at, columns, z.data(), at);
              }
              active.addAndGet(n);
            };
    if (skips) {
      SparseMatMul.product(engine, pass.rows(x), forward.wide(engine), b, y.data(), finish);
    } else {
      MatMul.dense(engine, x.value().data(), t, forward.packed(engine), b, y.data(), finish);
    }
    Var product =
        pass.record(y)
            .from(
                x,
                (dY, dX) -> {
                  if (sample) { // the order of sums that the sampled product has
                    PackedMatrix lanes =
                        inFirst ? weight.transposedByLanes(engine) : weight.byLanes(engine);
                    MatMul.denseByLanes(engine, dY.data(), t, lanes, dX.data());
                  } else {
                    MatMul.dense(engine, dY.data(), t, back.packed(engine), null, dX.data());
                  }
                })
            .sampled(
                sample
                    ? (dY, dX) -> SparseMatMul.sampled(engine, dY.data(), forward.wide(engine), dX)
                    : null)
            .skipping(
                (dY, dX) -> SparseMatMul.product(engine, dY, back.wide(engine), null, dX.data()))
            .from(
                weight,
                (dY, dW) -> {
                  if (skips) {
                    sparseGradient(pass, pass.rows(x), dY, !inFirst, dW);
                  } else if (inFirst) {
                    MatMul.transposedProduct(
                        engine, x.value().data(), t, in, dY.data(), out, dW.data());
                  } else {
                    MatMul.transposedProduct(
                        engine, dY.data(), t, out, x.value().data(), in, dW.data());
                  }
                })
            .skipping((dY, dW) -> sparseGradient(pass, dY, x.value(), inFirst, dW))
            .from(bias, (dY, dB) -> Ops.columnSums(pass, dY, dB))
            .skipping((dY, dB) -> SparseMatMul.columnSums(dY, dB.data()))
            .done();
    return f == null ? product : f.record(pass, product, z, active.get());
  }

  /** dW = Aᵀ B for a sparse A [T, m] and B [T, n]; its transpose [n, m] if {@code turn}. */
  static void sparseGradient(Pass pass, SparseRows a, Tensor b, boolean turn, Tensor dW) {
    Engine engine = pass.engine();
    int m = a.columns();
    int n = b.shape().last();
    SparseRows columns = a.transposed(engine);
    float[] product = turn ? engine.workspace().take(m * n) : dW.data();
    SparseMatMul.gradient(engine, columns, b.data(), n, product);
    columns.release(engine.workspace());
    if (turn) {
      engine
          .workers()
          .forEach(
              m,
              64,
              (part, from, to) ->
                  pass.kernels().transpose(product, from * n, n, to - from, n, dW.data(), from, m));
      engine.workspace().give(product);
    }
  }

  /**
   * y = base + scale · z Wᵀ: the second half of a low-rank update.
   *
   * <p>dBase = dY, dZ = scale · dY W, dW = scale · dYᵀ Z.
   *
   * @param base [.., out]
   * @param z [.., r]
   * @param weight [out, r]
   */
  public static Var addScaledLinear(Pass pass, Var base, Var z, Parameter weight, float scale) {
    int r = z.shape().last();
    int out = weight.shape().dim(0);
    Ops.requireWidth("low-rank update", r, weight.shape().last(), weight);
    Ops.requireWidth("low-rank update", base.shape().last(), out, weight);
    int t = base.shape().rows();
    if (z.shape().rows() != t) {
      throw new IllegalArgumentException(
          "low-rank update: " + z.shape() + " for a base of " + base.shape());
    }
    Tensor y = pass.take(base.shape());
    Tensor scaled = pass.take(z.shape()); // (T, r): small, kept for dW
    Kernels kernels = pass.kernels();
    kernels.scale(z.value().data(), 0, t * r, scale, scaled.data(), 0);
    Rows.forEach(
        pass,
        y.size(),
        (from, n) -> System.arraycopy(base.value().data(), from, y.data(), from, n));
    Engine engine = pass.engine();
    MatMul.accumulate(engine, scaled.data(), t, weight.transposed().packed(engine), y.data());
    return pass.record(y)
        .same(base)
        .from(
            z,
            (dY, dZ) -> {
              MatMul.dense(engine, dY.data(), t, weight.plain().packed(engine), null, dZ.data());
              kernels.scale(dZ.data(), 0, t * r, scale, dZ.data(), 0);
            })
        .skipping(
            (dY, dZ) -> {
              SparseMatMul.product(engine, dY, weight.plain().wide(engine), null, dZ.data());
              kernels.scale(dZ.data(), 0, t * r, scale, dZ.data(), 0);
            })
        .from(
            weight,
            (dY, dW) ->
                MatMul.transposedProduct(engine, dY.data(), t, out, scaled.data(), r, dW.data()))
        .skipping((dY, dW) -> sparseGradient(pass, dY, scaled, false, dW))
        .done();
  }
}
