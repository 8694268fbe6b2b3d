package tacet.autograd;

import tacet.tensor.Shape;
import tacet.tensor.Tensor;
import tacet.tensor.kernel.SparseRows;

/**
 * A value on its way through a {@link Pass}. Its buffer belongs to the pass: copy what must outlive
 * it ({@code var.value().copy()}).
 */
public final class Var {
  private final Tensor value;
  private final boolean tracked;
  private final long active;
  private final boolean masked;
  SparseRows rows; // the value without its zeros, where a product asked for it; owned by the pass
  Tensor gradient; // owned by the tape, during backward only; or
  SparseRows sparseGradient; // the same where only some elements can be other than zero
  boolean spent; // backward has been where it, or something that it is made of, was recorded

  Var(Tensor value, boolean tracked, long active, boolean masked) {
    this.value = value;
    this.tracked = tracked;
    this.active = active;
    this.masked = masked;
  }

  /** The numbers. */
  public Tensor value() {
    return value;
  }

  /** The extents of the value. */
  public Shape shape() {
    return value.shape();
  }

  /** Whether a gradient flows through this value: whether anything behind it is trainable. */
  public boolean tracked() {
    return tracked;
  }

  /** How many elements are not zero, where the operator that made the value counted them; else -1. */
  public long active() {
    return active;
  }

  /**
   * Whether the gradient by this value matters only where the value is not zero: what made it, a ReLU,
   * passes nothing on elsewhere. The elements of the gradient at the zeros may then hold anything.
   */
  public boolean masked() {
    return masked;
  }

  boolean hasGradient() {
    return gradient != null || sparseGradient != null;
  }
}
