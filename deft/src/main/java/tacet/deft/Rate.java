package tacet.deft;

import tacet.autograd.Schedule;

/**
 * The learning rate over a run.
 *
 * @param shape how it falls
 * @param peak its largest value
 * @param warmUp share of the steps in which it rises from 0; not used by {@link Shape#CONSTANT}
 */
public record Rate(Shape shape, double peak, double warmUp) {
  /** How a learning rate falls after its warm-up. */
  public enum Shape {
    /** In a straight line to 0, as in the paper. */
    LINEAR,
    /** Along half a cosine to 0. */
    COSINE,
    /** Not at all. */
    CONSTANT
  }

  /** Checks the numbers. */
  public Rate {
    if (!(peak > 0) || Double.isInfinite(peak) || !(warmUp >= 0 && warmUp <= 1)) {
      throw new IllegalArgumentException(
          "learning rate must be positive and warm-up in [0, 1], got " + peak + " and " + warmUp);
    }
  }

  /** Linear with the paper's 6 % of warm-up. */
  public static Rate linear(double peak) {
    return new Rate(Shape.LINEAR, peak, 0.06);
  }

  /** The rate of every step of a run. */
  Schedule over(long totalSteps) {
    return switch (shape) {
      case LINEAR -> Schedule.linear(peak, warmUp, totalSteps);
      case COSINE -> Schedule.cosine(peak, warmUp, totalSteps);
      case CONSTANT -> Schedule.constant(peak);
    };
  }
}
