package tacet.hardware.arch;

/** Why a unit does nothing useful in a cycle. Every cycle of every unit is busy or belongs to exactly one class. */
public enum Stall {
  /** Operands have not arrived yet: skew and weight loading of a systolic array. */
  FILL,
  /** Operands have passed; others still work, or the pipeline empties. */
  DRAIN,
  /** The layer is too small: the unit has nothing mapped to it. */
  UNMAPPED,
  /** Waiting for slower units at a synchronisation point. */
  LANE_SYNC,
  /** A slot that holds no work: an all-zero brick, a column without weights, a padding zero of a run length. */
  ZERO_BRICK,
  /** The broadcaster found no non-zero activation in its scan window. */
  QUEUE_EMPTY,
  /** Starved because another unit's full queue stops the broadcast. */
  QUEUE_FULL,
  /** On-chip memory ports cannot deliver the words of a step in time. */
  SRAM_BANK,
  /** Waiting for a load from DRAM. */
  DRAM_READ,
  /** Waiting for a store to DRAM. */
  DRAM_WRITE,
  /** Waiting for the encoder that compresses outputs. */
  ENCODER
}
