package tacet.hardware.arch;

import java.util.Map;

/**
 * What one layer costs on one accelerator. In {@link Fidelity#TILE} and {@link Fidelity#CYCLE} all counts are exact;
 * busy cycles and stalls of all units add up to cycles × units, and issued, gated and skipped operations to M N K.
 *
 * @param layer its name
 * @param architecture the accelerator's name
 * @param fidelity how it was simulated
 * @param tokens M
 * @param outputs N
 * @param inputs K
 * @param activationDensity share of non-zero activations
 * @param weightDensity share of non-zero weights
 * @param cycles from the first request to the last byte stored
 * @param units things whose every cycle is accounted for: processing elements, lanes, or token rows
 * @param peakMacs multiply-accumulates per cycle if nothing ever waited
 * @param busy unit-cycles in which a unit works; a gated operation occupies its unit
 * @param stalls unit-cycles of every class
 * @param macs operations
 * @param accesses operand accesses of the units
 * @param sram words through the SRAM ports
 * @param dram bits from and to DRAM
 * @param events what is charged besides multiplications and time
 * @param energy picojoule
 * @param gigahertz clock
 */
public record LayerResult(
    String layer,
    String architecture,
    Fidelity fidelity,
    int tokens,
    int outputs,
    int inputs,
    double activationDensity,
    double weightDensity,
    long cycles,
    long units,
    long peakMacs,
    long busy,
    Map<Stall, Long> stalls,
    Macs macs,
    OperandAccesses accesses,
    SramWords sram,
    Dram dram,
    Events events,
    Energy energy,
    double gigahertz) {

  /**
   * Multiply-accumulates; the sum is M N K.
   *
   * @param issued multiplied
   * @param gated held still: the cycle passes, most of the energy does not
   * @param skipped never seen by a multiplier
   */
  public record Macs(long issued, long gated, long skipped) {}

  /**
   * Accesses to one operand.
   *
   * @param actual made
   * @param gated suppressed, the cycle passes
   * @param skipped never asked for
   */
  public record Accesses(long actual, long gated, long skipped) {}

  /**
   * Accesses of the multipliers to their operands, before any reuse: one each per operation. Accesses to a compressed
   * operand are to its stored non-zeros only.
   *
   * @param activations reads
   * @param weights reads
   * @param partialReads reads of a partial sum; the first product of a result reads none
   * @param partialWrites writes of a partial sum
   * @param metadata reads of a compressed activation's position
   */
  public record OperandAccesses(
      Accesses activations,
      Accesses weights,
      Accesses partialReads,
      Accesses partialWrites,
      long metadata) {}

  /**
   * Words through SRAM ports.
   *
   * @param activations read
   * @param weights read
   * @param results written
   */
  public record SramWords(long activations, long weights, long results) {

    /** All three. */
    public long sum() {
      return activations + weights + results;
    }

    SramWords plus(SramWords o) {
      return new SramWords(activations + o.activations, weights + o.weights, results + o.results);
    }
  }

  /**
   * Bits through the DRAM channel.
   *
   * @param activations read
   * @param weights read
   * @param results written
   * @param raw what the same blocks would take uncompressed
   */
  public record Dram(
      Compression.Size activations, Compression.Size weights, Compression.Size results, long raw) {

    /** All three with metadata. */
    public long bits() {
      return activations.bits() + weights.bits() + results.bits();
    }

    /** Bits that say where values belong. */
    public long metadata() {
      return activations.metadata() + weights.metadata() + results.metadata();
    }
  }

  /**
   * What a table of energy prices charges for, besides multiplications and cycles.
   *
   * @param registerBits accessed in registers and scratch pads
   * @param activationBits read from the activations' SRAM, with metadata where zeros are skipped
   * @param weightBits read from the weights' SRAM, with metadata where their zeros are skipped
   * @param resultBits written to the results' SRAM
   * @param dramBits through the DRAM channel
   * @param encoded results that were compressed
   */
  public record Events(
      double registerBits,
      double activationBits,
      double weightBits,
      double resultBits,
      double dramBits,
      long encoded) {

    Energy priced(Platform platform, long cycles, Macs macs) {
      EnergyTable table = platform.energy();
      Memory memory = platform.memory();
      int bits = platform.dataBits();
      return new Energy(
          macs.issued() * table.mac(bits),
          macs.gated() * table.gatedMac(bits),
          table.register(registerBits),
          table.sram(memory.activationSram(), activationBits)
              + table.sram(memory.weightSram(), weightBits)
              + table.sram(memory.outputSram(), resultBits),
          table.dram(dramBits),
          encoded * table.encoder(),
          cycles * table.leakage());
    }
  }

  /** Picojoule by component. */
  public record Energy(
      double mac,
      double gatedMac,
      double registers,
      double sram,
      double dram,
      double encoder,
      double leakage) {

    /** All components. */
    public double sum() {
      return mac + gatedMac + registers + sram + dram + encoder + leakage;
    }
  }

  /**
   * The energy of the same run at other prices.
   *
   * @param platform what was simulated, with another table
   */
  public Energy pricedFor(Platform platform) {
    return events.priced(platform, cycles, macs);
  }

  /** Unit-cycles of one class. */
  public long stall(Stall stall) {
    return stalls.getOrDefault(stall, 0L);
  }

  /** Share of unit-cycles that were busy. */
  public double utilisation() {
    return cycles == 0 ? 1 : busy / ((double) cycles * units);
  }

  /** Operations issued per operation that could have been. */
  public double macUtilisation() {
    return cycles == 0 ? 1 : macs.issued() / ((double) cycles * peakMacs);
  }

  /** The speed-up if operations with a zero operand took no time: 1 / density, of both operands together. */
  public double idealSpeedup() {
    return 1 / (activationDensity * weightDensity);
  }

  /** Nanoseconds. */
  public double nanoseconds() {
    return cycles / gigahertz;
  }

  /** Mean power in watt. */
  public double watts() {
    return cycles == 0 ? 0 : energy.sum() / nanoseconds() * 1e-3;
  }

  /** Energy-delay product in picojoule × nanoseconds. */
  public double edp() {
    return energy.sum() * nanoseconds();
  }

  /** Energy-delay-squared product in picojoule × nanoseconds². */
  public double ed2p() {
    return edp() * nanoseconds();
  }

  /** Issued operations per byte of DRAM traffic: the abscissa of a roofline. */
  public double operationsPerByte() {
    return dram.bits() == 0 ? Double.POSITIVE_INFINITY : 8.0 * macs.issued() / dram.bits();
  }
}
