package tacet.hardware.arch;

/**
 * What lies between an array of units and DRAM: a double-buffered SRAM per operand, one half-duplex channel that serves
 * requests in order, and an encoder for compressed results.
 *
 * @param bytesPerCycle of the channel; infinity for none of its costs
 * @param latency cycles between a request and its first byte; pipelined with earlier transfers
 * @param burst bytes; transfers are rounded up to it
 * @param activationSram bytes, both halves
 * @param weightSram bytes, both halves
 * @param outputSram bytes, both halves; sizes the price of an access, partial sums never spill
 * @param sramWordsPerCycle words of all SRAM ports together (banks × ports); infinity for no limit
 * @param activations how activations are stored
 * @param weights how weights are stored
 * @param outputs how results are stored, unless they are {@link Operand#DENSE}
 * @param encoderBricks bricks of 16 results compressed per cycle; infinity for free
 */
public record Memory(
    double bytesPerCycle,
    int latency,
    int burst,
    long activationSram,
    long weightSram,
    long outputSram,
    double sramWordsPerCycle,
    Compression activations,
    Compression weights,
    Compression outputs,
    double encoderBricks) {

  private static final double INFINITE = Double.POSITIVE_INFINITY;

  /** No memory limits at all: pure compute, as most published cycle formulas assume. */
  public static final Memory IDEAL =
      new Memory(
          INFINITE,
          0,
          1,
          Long.MAX_VALUE,
          Long.MAX_VALUE,
          Long.MAX_VALUE,
          INFINITE,
          Compression.NONE,
          Compression.NONE,
          Compression.NONE,
          INFINITE);

  /** 16 bytes per cycle after 100 cycles, 64 kB per operand, bit maps for activations, one brick per cycle. */
  public static final Memory DEFAULT =
      new Memory(
          16,
          100,
          64,
          65536,
          65536,
          65536,
          INFINITE,
          Compression.BITMAP,
          Compression.NONE,
          Compression.BITMAP,
          1);

  /** @throws IllegalArgumentException if a number makes no sense */
  public Memory {
    if (!(bytesPerCycle > 0)
        || latency < 0
        || burst < 1
        || activationSram < 1
        || weightSram < 1
        || outputSram < 1
        || !(sramWordsPerCycle > 0)
        || !(encoderBricks > 0)) {
      throw new IllegalArgumentException("rates, bursts and SRAM sizes must be positive");
    }
  }

  /** The same with another bandwidth. */
  public Memory withBandwidth(double bytes) {
    return new Memory(
        bytes,
        latency,
        burst,
        activationSram,
        weightSram,
        outputSram,
        sramWordsPerCycle,
        activations,
        weights,
        outputs,
        encoderBricks);
  }

  /** The same with another latency in cycles. */
  public Memory withLatency(int cycles) {
    return new Memory(
        bytesPerCycle,
        cycles,
        burst,
        activationSram,
        weightSram,
        outputSram,
        sramWordsPerCycle,
        activations,
        weights,
        outputs,
        encoderBricks);
  }

  /** The same with another encoder, in bricks per cycle. */
  public Memory withEncoder(double bricks) {
    return new Memory(
        bytesPerCycle,
        latency,
        burst,
        activationSram,
        weightSram,
        outputSram,
        sramWordsPerCycle,
        activations,
        weights,
        outputs,
        bricks);
  }

  /** The same with other SRAM sizes in bytes. */
  public Memory withSram(long activationBytes, long weightBytes, long outputBytes) {
    return new Memory(
        bytesPerCycle,
        latency,
        burst,
        activationBytes,
        weightBytes,
        outputBytes,
        sramWordsPerCycle,
        activations,
        weights,
        outputs,
        encoderBricks);
  }

  /** The same with other formats. */
  public Memory withFormats(Compression activation, Compression weight, Compression output) {
    return new Memory(
        bytesPerCycle,
        latency,
        burst,
        activationSram,
        weightSram,
        outputSram,
        sramWordsPerCycle,
        activation,
        weight,
        output,
        encoderBricks);
  }

  /** Cycles that a transfer occupies the channel. */
  long transferCycles(long bits) {
    long bytes = Compression.ceil(Compression.ceil(bits, 8), burst) * burst;
    return (long) Math.ceil(bytes / bytesPerCycle);
  }

  /** Cycles the encoder needs for {@code results}. */
  long encodeCycles(long results) {
    return (long) Math.ceil(Compression.ceil(results, Compression.BRICK) / encoderBricks);
  }
}
