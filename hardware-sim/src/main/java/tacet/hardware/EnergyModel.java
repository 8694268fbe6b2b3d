package tacet.hardware;

/**
 * The analytic energy model of Shumailov et al., "Sponge Examples" (EuroS&amp;P 2021), as used by later work on
 * energy-latency attacks: every tensor of every leaf module crosses DRAM once per call, on-chip memory is free, and
 * the accelerator neither moves nor multiplies zeros. The ratio says what skipping zeros leaves of the energy.
 *
 * <pre>
 * E_unopt = M (TP + TI + TO) + m C
 * E_opt   = M (NP + NI + NO) + m C (NP / TP) (NI / TI)
 * </pre>
 *
 * @param dram M, picojoule per element read or written
 * @param mac m, picojoule per multiply-accumulate
 * @param threshold an element is non-zero if |x| is strictly greater
 */
public record EnergyModel(double dram, double mac, float threshold) {

  /** The published constants: 1950 pJ per element, 3.7 pJ per computation, threshold of 32-bit data. */
  public static final EnergyModel SPONGE = new EnergyModel(1950, 3.7, threshold(32));

  /** How the share of computations that remain is found. */
  public enum ComputeFraction {
    /** Original: the product of two fractions pooled over all modules. */
    GLOBAL,
    /** The same product, module call by module call. */
    PER_LAYER,
    /** Multiply-accumulates with two non-zero operands, as the caller counted them. */
    EFFECTUAL
  }

  /**
   * The zero threshold for a bit width: 2<sup>-126</sup>, 2<sup>-30</sup>, 2<sup>-14</sup>.
   *
   * @throws IllegalArgumentException if {@code bits} is not 32, 16 or 8
   */
  public static float threshold(int bits) {
    return switch (bits) {
      case 32 -> 0x1p-126f;
      case 16 -> 0x1p-30f;
      case 8 -> 0x1p-14f;
      default ->
          throw new IllegalArgumentException(
              "no zero threshold for " + bits + " bits; use 32, 16 or 8");
    };
  }

  /** Whether {@code x} counts as non-zero. Subnormals, both zeros and NaN do not. */
  public boolean isNonZero(float x) {
    return Math.abs(x) > threshold;
  }

  /** E_unopt in picojoule. */
  public double unoptimised(Counters c) {
    return dram * (c.parameters() + c.inputs() + c.outputs()) + mac * c.computations();
  }

  /** E_opt in picojoule, with the original's global compute fraction. */
  public double optimised(Counters c) {
    return optimised(c, c.parameterDensity() * c.inputDensity() * c.computations());
  }

  /** E_opt in picojoule if {@code computations} remain. */
  public double optimised(Counters c, double computations) {
    return dram * (c.parametersNonZero() + c.inputsNonZero() + c.outputsNonZero())
        + mac * computations;
  }

  /** E_opt / E_unopt with the global compute fraction; 1 if nothing was counted. */
  public double ratio(Counters c) {
    double whole = unoptimised(c);
    return whole == 0 ? 1 : optimised(c) / whole;
  }
}
