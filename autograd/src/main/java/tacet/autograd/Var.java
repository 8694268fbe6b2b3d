package tacet.autograd;

import tacet.tensor.Shape;
import tacet.tensor.Tensor;

/**
 * A value on its way through a {@link Pass}. Its buffer belongs to the pass: copy what must outlive
 * it ({@code var.value().copy()}).
 */
public final class Var {
  private final Tensor value;
  private final boolean tracked;
  private final long active;
  Tensor gradient; // owned by the tape, during backward only

  Var(Tensor value, boolean tracked, long active) {
    this.value = value;
    this.tracked = tracked;
    this.active = active;
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
}
