package tacet.deft;

/**
 * Training cannot go on, because a loss or a weight is no longer a number. The last checkpoint is
 * from before.
 */
public final class DivergedException extends ArithmeticException {
  private static final long serialVersionUID = 1L;

  private final long step;
  private final double loss;

  DivergedException(String what, long step, double loss) {
    super(
        what
            + " at step "
            + step
            + " (loss "
            + loss
            + "); the last checkpoint is from before: try a smaller learning rate, or --clip 1");
    this.step = step;
    this.loss = loss;
  }

  /** The step that failed, counted from 1. */
  public long step() {
    return step;
  }

  /** The loss of that step. */
  public double loss() {
    return loss;
  }
}
