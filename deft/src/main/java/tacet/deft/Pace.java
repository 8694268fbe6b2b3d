package tacet.deft;

/**
 * When a run looks up from its work.
 *
 * @param evaluateEvery steps between evaluations; 0 for each epoch, {@link #AT_THE_END} for one only
 * @param saveEvery steps between checkpoints; 0 for each epoch
 * @param patience evaluations without a better score after which training ends; 0 for never
 */
public record Pace(long evaluateEvery, long saveEvery, int patience) {
  /** One evaluation, after the last step. */
  public static final long AT_THE_END = Long.MAX_VALUE;

  /** Evaluates and saves after each epoch, and never ends early. */
  public static final Pace EPOCHS = new Pace(0, 0, 0);

  /** Checks the numbers. */
  public Pace {
    if (evaluateEvery < 0 || saveEvery < 0 || patience < 0) {
      throw new IllegalArgumentException(
          "steps between evaluations and checkpoints and patience must be 0 or more");
    }
  }

  /** Whether something that is done every so many steps is due after a step. */
  static boolean due(long every, long step, long perEpoch, long total) {
    return step == total || step % (every == 0 ? perEpoch : every) == 0;
  }
}
