package tacet.hardware.arch;

import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import tacet.hardware.arch.Compression.Size;
import tacet.hardware.arch.LayerResult.SramWords;

/**
 * What every step loads and stores. An operand that fits its SRAM is loaded once; otherwise a block that fits half of it
 * (the other half is being filled) is loaded when it changes; a larger one streams through at every step. An operand
 * that is known to be dense is stored uncompressed, so that a dense baseline pays for no metadata.
 */
final class Traffic {
  final long[] loadBits;
  final long[] storeBits;
  final long[] encodeCycles;
  final long[] words;
  SramWords sram = new SramWords(0, 0, 0);
  Size activations = new Size(0, 0);
  Size weights = new Size(0, 0);
  Size results = new Size(0, 0);
  long raw;
  long encoded;

  Traffic(Engine engine, Workload layer, Platform platform) {
    int steps = engine.steps();
    loadBits = new long[steps];
    storeBits = new long[steps];
    encodeCycles = new long[steps];
    words = new long[steps];
    Memory memory = platform.memory();
    int bits = platform.dataBits();
    Loader activationLoader =
        new Loader(layer.activations(), memory.activations(), memory.activationSram(), bits);
    Loader weightLoader = new Loader(layer.weights(), memory.weights(), memory.weightSram(), bits);
    for (int i = 0; i < steps; i++) {
      activationLoader.measure(engine.activations(i));
      weightLoader.measure(engine.weights(i));
    }
    boolean encode = !layer.results().isDense() && memory.outputs() != Compression.NONE;
    Compression outputs = encode ? memory.outputs() : Compression.NONE;
    for (int i = 0; i < steps; i++) {
      Block a = engine.activations(i);
      Block w = engine.weights(i);
      Size loadedActivations = activationLoader.load(a, a.elements());
      Size loadedWeights = weightLoader.load(w, engine.streamedWeights(i));
      activations = activations.plus(loadedActivations);
      weights = weights.plus(loadedWeights);
      loadBits[i] = loadedActivations.bits() + loadedWeights.bits();
      Block result = engine.results(i);
      if (result != null) {
        Size stored = outputs.size(layer.results(), result, bits);
        results = results.plus(stored);
        storeBits[i] = stored.bits();
        raw += result.elements() * bits;
        if (encode) {
          encoded += result.elements();
          encodeCycles[i] = memory.encodeCycles(result.elements());
        }
      }
      SramWords w0 = engine.sramWords(i);
      words[i] = w0.sum();
      sram = sram.plus(w0);
    }
    raw += activationLoader.raw + weightLoader.raw;
  }

  private static final class Loader {
    private final Operand operand;
    private final Compression format;
    private final long capacityBits;
    private final int dataBits;
    private final Map<Block, Size> sizes = new HashMap<>();
    private final Set<Block> loaded = new HashSet<>();
    private long wholeBits;
    private Block last;
    private long raw;

    Loader(Operand operand, Compression format, long capacity, int dataBits) {
      this.operand = operand;
      this.format = operand.isDense() ? Compression.NONE : format;
      this.capacityBits = capacity > Long.MAX_VALUE / 8 ? Long.MAX_VALUE : capacity * 8;
      this.dataBits = dataBits;
    }

    void measure(Block block) {
      if (!sizes.containsKey(block)) {
        Size size = format.size(operand, block, dataBits);
        sizes.put(block, size);
        wholeBits += size.bits();
      }
    }

    Size load(Block block, long streamedElements) {
      Size size = sizes.get(block);
      boolean fits = size.bits() <= capacityBits / 2;
      boolean present = wholeBits <= capacityBits ? !loaded.add(block) : fits && block.equals(last);
      last = block;
      if (present) {
        return new Size(0, 0);
      }
      if (wholeBits > capacityBits && !fits && streamedElements != block.elements()) {
        double share = streamedElements / (double) block.elements();
        size = new Size(Math.round(size.payload() * share), Math.round(size.metadata() * share));
        raw += streamedElements * dataBits;
      } else {
        raw += block.elements() * dataBits;
      }
      return size;
    }
  }
}
