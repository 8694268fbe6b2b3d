package tacet.hardware.arch;

import tacet.hardware.arch.LayerResult.SramWords;

/**
 * One layer mapped to one architecture: a sequence of steps, each of which reads a block of activations and a block of
 * weights, runs undisturbed, and may complete a block of results.
 */
interface Engine {

  /** What happens to an operation with a zero operand. */
  enum Zeros {
    COMPUTED,
    GATED,
    /** Zero activations are skipped, zero weights multiplied. */
    ACTIVATIONS_SKIPPED,
    BOTH_SKIPPED
  }

  Zeros zeros();

  int units();

  long peakMacs();

  int steps();

  Block activations(int step);

  Block weights(int step);

  /** The block of results a step completes, or null. */
  Block results(int step);

  /** Weights that a step fetches if they cannot stay on chip, in elements; by default the whole block. */
  default long streamedWeights(int step) {
    return weights(step).elements();
  }

  SramWords sramWords(int step);

  /** Cycles of the pipeline behind the last step. */
  int pipeline();

  /** {@link Fidelity#TILE}: the cycles of a step and what all units do in them. Issued and gated are not counted. */
  Tally cost(int step);

  /** {@link Fidelity#CYCLE}: a machine for a step. */
  Machine machine(int step, Products products);

  /** {@link Fidelity#ANALYTIC}: expected cycles of all steps. */
  double expectedCycles();

  /** {@link Fidelity#ANALYTIC}: expected busy unit-cycles. */
  double expectedBusy();

  /** {@link Fidelity#ANALYTIC}: the class that takes what is not busy. */
  Stall imbalance();

  /** Accumulators per result; more than one where lanes add up on their own first. */
  default int accumulators() {
    return 1;
  }

  /** Ticks until done. A machine may be done before its first tick. */
  interface Machine {
    boolean done();

    /** One cycle of all units: each adds itself to {@code tally} exactly once, as busy or stalled. */
    void tick(Tally tally);
  }

  /** Receives every issued operation, in order. */
  interface Products {
    void add(int accumulator, int token, int output, int input);
  }
}
