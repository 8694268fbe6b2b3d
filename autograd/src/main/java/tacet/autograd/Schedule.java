package tacet.autograd;

/** A learning rate that changes from step to step. */
@FunctionalInterface
public interface Schedule {
  /** The learning rate of optimizer step {@code step}, counted from 0. */
  double at(long step);

  /**
   * Linear warm-up from 0 to {@code peak}, then linear decay to 0 at the end, as Hugging Face's and
   * the paper's: the first step has rate 0.
   *
   * @param warmUp share of the steps that warm up, for example 0.06
   */
  static Schedule linear(double peak, double warmUp, long totalSteps) {
    return warmedUp(peak, warmUp, totalSteps, rest -> rest);
  }

  /**
   * Linear warm-up, then half a cosine down to 0 (Loshchilov and Hutter, ICLR 2017, without
   * restarts).
   *
   * @param warmUp share of the steps that warm up
   */
  static Schedule cosine(double peak, double warmUp, long totalSteps) {
    return warmedUp(
        peak, warmUp, totalSteps, rest -> 0.5 * (1 + StrictMath.cos(Math.PI * (1 - rest))));
  }

  /** The same rate at every step. */
  static Schedule constant(double rate) {
    return step -> rate;
  }

  /** What is left of the peak when so large a share of the decaying steps is still to come. */
  @FunctionalInterface
  interface Decay {
    /** A share of the peak, for a share of the steps from 1 down to 0. */
    double at(double rest);
  }

  private static Schedule warmedUp(double peak, double warmUp, long totalSteps, Decay decay) {
    double warm = warmUp * totalSteps;
    return step ->
        peak
            * (step < warm
                ? step / Math.max(1, warm)
                : decay.at(Math.max(0, (totalSteps - step) / Math.max(1, totalSteps - warm))));
  }
}
