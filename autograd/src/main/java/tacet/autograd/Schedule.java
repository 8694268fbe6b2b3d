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
    double warm = warmUp * totalSteps;
    return step ->
        peak
            * (step < warm
                ? step / Math.max(1, warm)
                : Math.max(0, (totalSteps - step) / Math.max(1, totalSteps - warm)));
  }

  /** The same rate at every step. */
  static Schedule constant(double rate) {
    return step -> rate;
  }
}
