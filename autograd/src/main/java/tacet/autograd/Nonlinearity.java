package tacet.autograd;

import java.util.concurrent.atomic.AtomicLong;
import tacet.tensor.Tensor;
import tacet.tensor.kernel.Kernels;

/**
 * The functions between the two matrices of an MLP, element by element, with their derivatives: where
 * neurons speak or stay silent. Each counts the results that are not zero, for the product that comes
 * next.
 */
public enum Nonlinearity {
  /** y = max(x, 0): exact zeros, which cost nothing; dX = dY where y is positive. */
  RELU,
  /** y = x Φ(x), the GELU with erf (Hendrycks and Gimpel 2016); dX = dY (Φ(x) + x φ(x)). */
  GELU,
  /**
   * y = x/2 (1 + tanh u), u = √(2/π) (x + 0.044715 x³): the GELU that checkpoints call {@code
   * gelu_new} or {@code gelu_pytorch_tanh}; dX = dY (σ(2u) + x σ'(2u) · 2u').
   */
  GELU_NEW,
  /** y = x σ(x), SiLU; dX = dY (σ(x) + x σ'(x)). */
  SILU;

  /** y = f(x) for n elements; returns how many of y are not zero. {@code y} may be {@code x}. */
  int run(Kernels kernels, float[] x, int xo, int n, float[] y, int yo) {
    return switch (this) {
      case RELU -> kernels.relu(x, xo, n, y, yo);
      case GELU -> kernels.gelu(x, xo, n, y, yo);
      case GELU_NEW -> kernels.geluTanh(x, xo, n, y, yo);
      case SILU -> kernels.silu(x, xo, n, y, yo);
    };
  }

  /** dX = dY · f'(x), from the result where that is enough. */
  private void slope(
      Kernels kernels, float[] dY, int from, float[] x, float[] y, int n, float[] dX) {
    switch (this) {
      case RELU -> kernels.reluBackward(dY, from, y, from, n, dX, from);
      case GELU -> kernels.geluBackward(dY, from, x, from, n, dX, from);
      case GELU_NEW -> kernels.geluTanhBackward(dY, from, x, from, n, dX, from);
      case SILU -> kernels.siluBackward(dY, from, x, from, n, dX, from);
    }
  }

  /** Whether the gradient needs what went in, and not only what came out. */
  boolean needsInput() {
    return this != RELU;
  }

  /** f(x), element by element. */
  Var of(Pass pass, Var x) {
    Tensor y = pass.take(x.shape());
    AtomicLong active = new AtomicLong();
    Rows.forEach(
        pass,
        y.size(),
        (from, n) ->
            active.addAndGet(run(pass.kernels(), x.value().data(), from, n, y.data(), from)));
    return record(pass, x, y, active.get());
  }

  /**
   * Records y = f(x).
   *
   * @param y the values of f(x), in a tensor of their own if a gradient flows and {@link #needsInput}
   * @param active how many are not zero
   */
  Var record(Pass pass, Var x, Tensor y, long active) {
    float[] in = x.value().data();
    Tape.Recorder recorder =
        pass.record(y)
            .active(active)
            .masked(this == RELU)
            .from(
                x,
                (dY, dX) ->
                    Rows.forEach(
                        pass,
                        y.size(),
                        (from, n) ->
                            slope(pass.kernels(), dY.data(), from, in, y.data(), n, dX.data())));
    if (this == RELU) {
      recorder.alike(Ops::copyValues); // wherever y is not zero the derivative is 1
    }
    return recorder.done();
  }
}
