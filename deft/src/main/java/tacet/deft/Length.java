package tacet.deft;

/**
 * How long training lasts.
 *
 * @param epochs passes over the data; 0 if steps are given
 * @param steps optimizer steps; 0 if epochs are given
 */
public record Length(int epochs, long steps) {
  /** Exactly one of the two must be positive. */
  public Length {
    if (epochs < 0 || steps < 0 || (epochs == 0) == (steps == 0)) {
      throw new IllegalArgumentException(
          "epochs or steps must be at least 1, and only one of them given; got "
              + epochs
              + " epochs, "
              + steps
              + " steps");
    }
  }

  /** So many passes over the data. */
  public static Length epochs(int n) {
    return new Length(n, 0);
  }

  /** So many optimizer steps, through as many epochs as they need. */
  public static Length steps(long n) {
    return new Length(0, n);
  }

  /** Optimizer steps in all. */
  long total(long stepsPerEpoch) {
    return steps > 0 ? steps : epochs * stepsPerEpoch;
  }
}
