package tacet.hardware.arch;

/**
 * A systolic array with the mapping and timing of SCALE-Sim. Zeros take their cycles; with {@code gated} they save the
 * energy of the multiplier and of the second operand, which is what many a zero-skipping claim amounts to.
 *
 * <p>Cycles of a fold: output stationary T + R + C - 2, weight and input stationary T + 2R + C - 2, where edge folds
 * pass through the whole array. See {@link #cycles(Workload, Convention)} for the whole layer.
 *
 * @param dataflow what stays in the array
 * @param rows R
 * @param columns C
 * @param gated whether operations with a zero operand are held still
 * @param platform memory and prices
 */
public record SystolicArray(
    Dataflow dataflow, int rows, int columns, boolean gated, Platform platform)
    implements Accelerator {

  /** What stays in the array: partial sums, weights, or activations. */
  public enum Dataflow {
    /** Rows are tokens, columns outputs; inputs stream. */
    OS,
    /** Rows are inputs, columns outputs; tokens stream. */
    WS,
    /** Rows are inputs, columns tokens; outputs stream. */
    IS
  }

  /** How a program counts the cycles of a layer. */
  public enum Convention {
    /** Number of cycles. */
    COUNT,
    /** SCALE-Sim: the highest cycle index, one less. */
    SCALESIM,
    /**
     * STONNE's OS_MESH: output stationary, per tile K + r + c + 3, less one if r or c is 1, where r × c is the used part
     * of the array.
     */
    STONNE
  }

  /** @throws IllegalArgumentException if the array is empty */
  public SystolicArray {
    if (rows < 1 || columns < 1) {
      throw new IllegalArgumentException("impossible array: " + rows + " x " + columns);
    }
  }

  /** 32 × 32, not gated. */
  public static SystolicArray standard(Dataflow dataflow, Platform platform) {
    return new SystolicArray(dataflow, 32, 32, false, platform);
  }

  @Override
  public SystolicArray with(Platform other) {
    return new SystolicArray(dataflow, rows, columns, gated, other);
  }

  @Override
  public String name() {
    return (gated ? "gated-systolic-" : "systolic-") + dataflow + "-" + rows + "x" + columns;
  }

  /**
   * Compute cycles of a layer without memory stalls, as a program counts them.
   *
   * @throws IllegalArgumentException if {@link Convention#STONNE} is asked of a dataflow other than OS
   */
  public long cycles(Workload layer, Convention convention) {
    SystolicEngine engine = new SystolicEngine(this, layer);
    return switch (convention) {
      case COUNT -> engine.steps() * engine.foldCycles();
      case SCALESIM -> engine.steps() * engine.foldCycles() - 1;
      case STONNE -> {
        if (dataflow != Dataflow.OS) {
          throw new IllegalArgumentException(
              "STONNE's OS_MESH is output stationary, not " + dataflow);
        }
        long cycles = 0;
        for (int i = 0; i < engine.steps(); i++) {
          int r = engine.usedRows(i);
          int c = engine.usedColumns(i);
          cycles += layer.inputs() + r + c + 3 - (r == 1 || c == 1 ? 1 : 0);
        }
        yield cycles;
      }
    };
  }

  /** SCALE-Sim's "Overall Util %": operations per cycle and element, of cycles counted its way. */
  public double overallUtilisation(Workload layer) {
    double slots = (double) cycles(layer, Convention.SCALESIM) * rows * columns;
    return 100 * layer.macs() / slots;
  }

  /** SCALE-Sim's "Mapping Efficiency %": mean share of the array that folds use. */
  public double mappingEfficiency(Workload layer) {
    SystolicEngine engine = new SystolicEngine(this, layer);
    double used = 0;
    for (int i = 0; i < engine.steps(); i++) {
      used += (double) engine.usedRows(i) * engine.usedColumns(i);
    }
    return 100 * used / ((double) rows * columns * engine.steps());
  }

  /** SCALE-Sim's "Compute Util %"; for WS and IS its skewed operands count the skew twice. */
  public double computeUtilisation(Workload layer) {
    double stream = new SystolicEngine(this, layer).stream();
    double fold = dataflow == Dataflow.OS ? rows + columns - 2 : 2 * rows + 2 * columns - 3;
    return mappingEfficiency(layer) * stream / (stream + fold);
  }
}
