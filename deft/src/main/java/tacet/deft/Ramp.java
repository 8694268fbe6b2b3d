package tacet.deft;

/**
 * How λ grows during training: 0 up to a share of the steps, then linearly, full from another share
 * on. On little data a λ that is full from the first step silences the network before it has learnt
 * the task.
 *
 * @param start share of the steps up to which λ is 0
 * @param end share of the steps from which λ is full
 */
public record Ramp(double start, double end) {
  /** λ is full from the first step, as in the paper. */
  public static final Ramp NONE = new Ramp(0, 0);

  /** Checks the shares. */
  public Ramp {
    if (!(start >= 0 && end >= start && end <= 1)) {
      throw new IllegalArgumentException(
          "a ramp needs 0 <= start <= end <= 1, got " + start + " and " + end);
    }
  }

  /** The share of λ at a step. */
  public double at(long step, long totalSteps) {
    double x = (double) step / totalSteps;
    if (x >= end) {
      return 1;
    }
    return x <= start ? 0 : (x - start) / (end - start);
  }
}
