package tacet.transformer.generation;

/** How the next token is chosen. */
public sealed interface Strategy {
  /** Always the most probable one; of equal ones the first. */
  record Greedy() implements Strategy {}

  /**
   * At random, by its probability after all others were put aside.
   *
   * @param temperature scores are divided by it before anything else; 1 changes nothing
   * @param topK only as many of the most probable tokens (and what is as probable as the last) are
   *     kept; 0 for all
   * @param topP then only the most probable tokens that together have this probability; 1 for all
   * @param seed of the random stream; an example's tokens depend on it, on the example's number and
   *     on the scores, not on the other examples
   */
  record Sampling(double temperature, int topK, double topP, long seed) implements Strategy {
    /** Checks the numbers. */
    public Sampling {
      if (!(temperature > 0) || Double.isInfinite(temperature)) {
        throw new IllegalArgumentException("temperature must be positive, got " + temperature);
      }
      if (topK < 0) {
        throw new IllegalArgumentException("top-k must be 0 (all) or more, got " + topK);
      }
      if (!(topP > 0 && topP <= 1)) {
        throw new IllegalArgumentException("top-p must be in (0, 1], got " + topP);
      }
    }
  }

  /**
   * Several sequences of each example side by side, the most probable as a whole wins.
   *
   * @param beams how many
   * @param lengthPenalty a sequence of n new tokens is worth log-probability / n^penalty: above 0
   *     favours long ones
   * @param stopping when to look no further
   */
  record Beams(int beams, double lengthPenalty, EarlyStopping stopping) implements Strategy {
    /** Checks the numbers. */
    public Beams {
      if (beams < 1) {
        throw new IllegalArgumentException("at least one beam is needed, got " + beams);
      }
      if (Double.isNaN(lengthPenalty) || Double.isInfinite(lengthPenalty)) {
        throw new IllegalArgumentException("length penalty must be finite, got " + lengthPenalty);
      }
    }

    /** Beams as Hugging Face has them when nothing else is said. */
    public Beams(int beams) {
      this(beams, 1, EarlyStopping.HEURISTIC);
    }
  }

  /** When a beam search ends for an example, Hugging Face's {@code early_stopping}. */
  enum EarlyStopping {
    /** As soon as there are as many ended sequences as beams ({@code True}). */
    FIRST,
    /** When the best running sequence, as it is, is no better than the worst ended ({@code False}). */
    HEURISTIC,
    /** When no continuation of it can be better ({@code "never"}). */
    NEVER
  }
}
