package tacet.deft;

import tacet.autograd.Schedule;

/**
 * The learning rate over a run.
 *
 * @param shape how it falls
 * @param peak its largest value
 * @param warmUp share of the steps in which it rises from 0; not used by {@link Shape#CONSTANT}
 * @param blocks how much larger it is for the weights of blocks ({@link Ada}), which have a longer way
 *     to go than other parameters
 */
public record Rate(Shape shape, double peak, double warmUp, double blocks) {
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
    if (!(blocks > 0) || Double.isInfinite(blocks)) {
      throw new IllegalArgumentException(
          "the rate of the blocks' weights must be positive, got " + blocks);
    }
  }

  /** The same rate for all parameters. */
  public Rate(Shape shape, double peak, double warmUp) {
    this(shape, peak, warmUp, 1);
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
