package tacet.hardware;

/**
 * One call of one leaf module, as a forward hook would see it.
 *
 * @param name the module's path, for the table of modules
 * @param kind what the module computes
 * @param site where in a transformer layer it stands
 * @param all counters of the call with padding
 * @param valid counters of the call without padding positions; parameters are the same in both
 */
public record LeafCall(String name, Kind kind, Site site, Counters all, Counters valid) {

  /** What a leaf module computes. */
  public enum Kind {
    LINEAR,
    EMBEDDING,
    NORM,
    ACTIVATION,
    DROPOUT,
    BATCH_NORM,
    OTHER
  }

  /** Where a leaf stands; decides which scopes see it and what its zeros are called. */
  public enum Site {
    /** Query, key and value projections. */
    ATTENTION_QKV,
    /** Dropout of attention probabilities: a module in eager attention, absent in fused attention and in T5. */
    ATTENTION_PROBABILITIES,
    /** The projection behind attention. */
    ATTENTION_OUTPUT,
    /** The first MLP product (intermediate.dense; wi, wi_0, wi_1). */
    MLP_IN,
    /** The MLP's activation function, and a dropout on its output. */
    MLP_ACTIVATION,
    /** The second MLP product (output.dense; wo). */
    MLP_OUT,
    /** Anything else. */
    OTHER;

    boolean holdsMlpZeros() {
      return this == MLP_ACTIVATION || this == MLP_OUT;
    }
  }
}
