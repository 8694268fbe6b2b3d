package tacet.hardware.arch;

/**
 * What surrounds an array of units.
 *
 * @param dataBits width of activations, weights and results: 8, 16 or 32
 * @param gigahertz clock
 * @param memory SRAM, DRAM and formats
 * @param energy prices
 */
public record Platform(int dataBits, double gigahertz, Memory memory, EnergyTable energy) {

  /** @throws IllegalArgumentException if the width is not 8, 16 or 32 or the clock not positive */
  public Platform {
    energy.mac(dataBits);
    if (!(gigahertz > 0)) {
      throw new IllegalArgumentException("clock must be positive, not " + gigahertz + " GHz");
    }
  }

  /** No memory limits, 8 bits, 1 GHz, Horowitz' prices. */
  public static Platform ideal() {
    return new Platform(8, 1, Memory.IDEAL, EnergyTable.horowitz45());
  }

  /** {@link Memory#DEFAULT}, 8 bits, 1 GHz, Horowitz' prices. */
  public static Platform standard() {
    return new Platform(8, 1, Memory.DEFAULT, EnergyTable.horowitz45());
  }

  /** The same with 1 MB per operand: weights of a small MLP stay on chip, as EIE and DaDianNao demand. */
  public static Platform largeSram() {
    return standard().with(Memory.DEFAULT.withSram(1 << 20, 1 << 20, 1 << 20));
  }

  /** The same with another memory. */
  public Platform with(Memory other) {
    return new Platform(dataBits, gigahertz, other, energy);
  }

  /** The same with other prices. */
  public Platform with(EnergyTable other) {
    return new Platform(dataBits, gigahertz, memory, other);
  }
}
