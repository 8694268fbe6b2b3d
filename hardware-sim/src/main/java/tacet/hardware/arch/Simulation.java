package tacet.hardware.arch;

import java.util.BitSet;
import java.util.Collections;
import java.util.EnumMap;
import java.util.Map;
import tacet.hardware.arch.Engine.Zeros;
import tacet.hardware.arch.LayerResult.Accesses;
import tacet.hardware.arch.LayerResult.Dram;
import tacet.hardware.arch.LayerResult.Events;
import tacet.hardware.arch.LayerResult.Macs;
import tacet.hardware.arch.LayerResult.OperandAccesses;

/** Runs an engine in a fidelity and draws up the account. */
final class Simulation {
  private Simulation() {}

  static LayerResult run(
      Accelerator accelerator, Engine engine, Workload layer, Fidelity fidelity) {
    if (fidelity != Fidelity.ANALYTIC) {
      requireMasks(layer);
    }
    Platform platform = accelerator.platform();
    Traffic traffic = new Traffic(engine, layer, platform);
    Tally tally;
    long touched;
    if (fidelity == Fidelity.CYCLE) {
      BitSet seen = new BitSet();
      tally =
          CycleClock.run(
              engine,
              platform.memory(),
              traffic,
              (slot, t, n, k) -> seen.set(t * layer.outputs() + n));
      touched = seen.cardinality();
    } else {
      tally =
          fidelity == Fidelity.TILE
              ? TileClock.run(engine, platform.memory(), traffic)
              : expect(engine, platform.memory(), traffic);
      countMacs(engine.zeros(), layer, tally);
      touched =
          engine.zeros() == Zeros.COMPUTED
              ? (long) layer.tokens() * layer.outputs()
              : layer.touched(engine.zeros() != Zeros.ACTIVATIONS_SKIPPED);
    }
    Macs macs = new Macs(tally.issued, tally.gated, layer.macs() - tally.issued - tally.gated);
    OperandAccesses accesses = accesses(engine.zeros(), layer, macs, touched);
    Events events = events(platform, engine.zeros(), accesses, traffic);
    return new LayerResult(
        layer.name(),
        accelerator.name(),
        fidelity,
        layer.tokens(),
        layer.outputs(),
        layer.inputs(),
        layer.activations().density(),
        layer.weights().density(),
        tally.cycles,
        engine.units(),
        engine.peakMacs(),
        tally.busy,
        stalls(tally),
        macs,
        accesses,
        traffic.sram,
        new Dram(traffic.activations, traffic.weights, traffic.results, traffic.raw),
        events,
        events.priced(platform, tally.cycles, macs),
        platform.gigahertz());
  }

  /** Runs the machine on values; see {@link Accelerator#multiply}. */
  static float[] multiply(Engine engine, Workload layer, float[] a, float[] w) {
    int k = layer.inputs();
    int n = layer.outputs();
    float[][] sums = new float[engine.accumulators()][layer.tokens() * n];
    Engine.Products products =
        (slot, token, output, input) ->
            sums[slot][token * n + output] += a[token * k + input] * w[output * k + input];
    CycleClock.run(engine, Memory.IDEAL, new Traffic(engine, layer, Platform.ideal()), products);
    float[] product = sums[0];
    for (int slot = 1; slot < sums.length; slot++) {
      for (int i = 0; i < product.length; i++) {
        product[i] += sums[slot][i];
      }
    }
    return product;
  }

  private static void requireMasks(Workload layer) {
    if (!layer.activations().isExact()
        || !layer.weights().isExact()
        || !layer.results().isExact()) {
      throw new IllegalArgumentException(
          layer.name()
              + ": only densities are known; use ANALYTIC, a trace, or Workload.sampled(seed)");
    }
  }

  private static void countMacs(Zeros zeros, Workload layer, Tally tally) {
    tally.issued =
        switch (zeros) {
          case COMPUTED -> layer.macs();
          case GATED, BOTH_SKIPPED -> layer.effectual();
          case ACTIVATIONS_SKIPPED -> layer.withWeights(Operand.DENSE).effectual();
        };
    tally.gated = zeros == Zeros.GATED ? layer.macs() - tally.issued : 0;
  }

  private static Tally expect(Engine engine, Memory memory, Traffic traffic) {
    long compute = Math.round(engine.expectedCycles());
    long encode = 0;
    long words = 0;
    long transfers = 0;
    for (int i = 0; i < engine.steps(); i++) {
      encode += traffic.encodeCycles[i];
      words += (long) Math.ceil(traffic.words[i] / memory.sramWordsPerCycle());
      transfers += memory.transferCycles(traffic.loadBits[i] + traffic.storeBits[i]);
    }
    if (transfers > 0) {
      transfers += memory.latency();
    }
    long units = engine.units();
    long pipelined = compute + engine.pipeline();
    Tally tally = new Tally();
    tally.cycles = Math.max(Math.max(pipelined, words), Math.max(encode, transfers));
    tally.busy = Math.min(Math.round(engine.expectedBusy()), compute * units);
    tally.stall(engine.imbalance(), compute * units - tally.busy);
    tally.stall(Stall.DRAIN, engine.pipeline() * units);
    Stall bound =
        transfers == tally.cycles
            ? Stall.DRAM_READ
            : encode == tally.cycles ? Stall.ENCODER : Stall.SRAM_BANK;
    tally.stall(bound, (tally.cycles - pipelined) * units);
    return tally;
  }

  private static Map<Stall, Long> stalls(Tally tally) {
    Map<Stall, Long> stalls = new EnumMap<>(Stall.class);
    for (Stall s : Stall.values()) {
      stalls.put(s, tally.stalls[s.ordinal()]);
    }
    return Collections.unmodifiableMap(stalls);
  }

  private static OperandAccesses accesses(Zeros zeros, Workload layer, Macs macs, long touched) {
    long all = layer.macs();
    long issued = macs.issued();
    // The first product of a result reads no partial sum.
    long reads = issued - touched;
    long allReads = all - (long) layer.tokens() * layer.outputs();
    boolean gates = zeros == Zeros.GATED;
    Accesses partialReads =
        new Accesses(reads, gates ? allReads - reads : 0, gates ? 0 : allReads - reads);
    Accesses partialWrites = new Accesses(issued, macs.gated(), macs.skipped());
    return switch (zeros) {
      case COMPUTED, GATED ->
          new OperandAccesses(
              new Accesses(all, 0, 0),
              new Accesses(issued, macs.gated(), 0),
              partialReads,
              partialWrites,
              0);
      case ACTIVATIONS_SKIPPED ->
          new OperandAccesses(
              new Accesses(issued, 0, 0),
              new Accesses(issued, 0, all - issued),
              partialReads,
              partialWrites,
              issued);
      case BOTH_SKIPPED -> {
        long storedActivations = layer.withWeights(Operand.DENSE).effectual();
        long storedWeights = layer.withActivations(Operand.DENSE).effectual();
        yield new OperandAccesses(
            new Accesses(issued, 0, storedActivations - issued),
            new Accesses(issued, 0, storedWeights - issued),
            partialReads,
            partialWrites,
            issued);
      }
    };
  }

  private static Events events(
      Platform platform, Zeros zeros, OperandAccesses accesses, Traffic traffic) {
    int bits = platform.dataBits();
    double registers =
        (double) accesses.activations().actual()
            + accesses.weights().actual()
            + accesses.partialReads().actual()
            + accesses.partialWrites().actual();
    // A machine that skips an operand's zeros reads its stored non-zeros with their metadata; one
    // that does not reads every element, unpacked on the way into SRAM.
    boolean skipsActivations = zeros == Zeros.ACTIVATIONS_SKIPPED || zeros == Zeros.BOTH_SKIPPED;
    double activationBits = skipsActivations ? storedBits(traffic.activations, bits) : bits;
    double weightBits = zeros == Zeros.BOTH_SKIPPED ? storedBits(traffic.weights, bits) : bits;
    return new Events(
        registers * bits,
        traffic.sram.activations() * activationBits,
        traffic.sram.weights() * weightBits,
        (double) traffic.sram.results() * bits,
        (double) traffic.activations.bits() + traffic.weights.bits() + traffic.results.bits(),
        traffic.encoded);
  }

  /** Width of a stored value with its share of metadata. */
  private static double storedBits(Compression.Size size, int dataBits) {
    return size.payload() == 0 ? dataBits : dataBits * (double) size.bits() / size.payload();
  }
}
