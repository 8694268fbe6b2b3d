package tacet.hardware.arch;

import tacet.hardware.BitMatrix;

/**
 * An accelerator with all its parameters. Immutable; safe for use by many threads.
 *
 * <pre>{@code
 * Accelerator cnvlutin = LaneArray.standard(Platform.standard());
 * LayerResult r = cnvlutin.simulate(Workload.sparse("ffn.out", 384, trace.layer(0)), Fidelity.TILE);
 * }</pre>
 */
public sealed interface Accelerator
    permits SystolicArray, LaneArray, BroadcastArray, TwoSidedArray, TokenParallelArray {

  /** Architecture and parameters, for reports. */
  String name();

  /** What surrounds the units. */
  Platform platform();

  /** The same with other surroundings. */
  Accelerator with(Platform other);

  /**
   * Runs one layer.
   *
   * @throws IllegalArgumentException if the fidelity needs masks and the layer has only densities
   */
  default LayerResult simulate(Workload layer, Fidelity fidelity) {
    return Simulation.run(this, Engines.of(this, layer), layer, fidelity);
  }

  /**
   * Computes the product with the machine that {@link Fidelity#CYCLE} ticks, in its order of accumulation, skipping what
   * it skips. Skipping is exact: the result has the same bits as the dense product accumulated in that order.
   *
   * @param activations M × K row-major; not modified
   * @param weights N × K row-major; not modified
   * @return M × N row-major
   * @throws IllegalArgumentException if a value is not finite (a skipped zero times infinity would be lost), or the
   *     sizes do not fit
   */
  default float[] multiply(
      float[] activations, float[] weights, int tokens, int outputs, int inputs) {
    requireFinite(activations);
    requireFinite(weights);
    Workload layer =
        Workload.dense("product", tokens, outputs, inputs)
            .withActivations(Operand.of(BitMatrix.of(activations, tokens, inputs, 0)))
            .withWeights(Operand.of(BitMatrix.of(weights, outputs, inputs, 0)));
    return Simulation.multiply(Engines.of(this, layer), layer, activations, weights);
  }

  private static void requireFinite(float[] values) {
    for (float x : values) {
      if (!Float.isFinite(x)) {
        throw new IllegalArgumentException(
            "cannot skip zeros beside " + x + ": 0 x " + x + " is not 0");
      }
    }
  }
}
