package tacet.hardware.arch;

import java.util.ArrayDeque;

/**
 * Runs the steps of an engine against memory by recurrences. While step i computes, the blocks of step i + 1 are loaded;
 * a step starts when its blocks are there and at most one result block is still on its way out. The DRAM channel
 * serves requests in the order they are made, loads before stores made in the same cycle.
 */
final class TileClock {

  /** A result block on its way: encoded at {@code encoded}, in DRAM at {@code done}. */
  private static final class Store {
    final long encoded;
    final long bits;
    long done;

    Store(long encoded, long bits) {
      this.encoded = encoded;
      this.bits = bits;
    }
  }

  private final Engine engine;
  private final Memory memory;
  private final Traffic traffic;
  private final Tally tally = new Tally();
  private final ArrayDeque<Store> waiting = new ArrayDeque<>();
  private long channelFree;

  private TileClock(Engine engine, Memory memory, Traffic traffic) {
    this.engine = engine;
    this.memory = memory;
    this.traffic = traffic;
  }

  static Tally run(Engine engine, Memory memory, Traffic traffic) {
    return new TileClock(engine, memory, traffic).run();
  }

  private Tally run() {
    long end = 0;
    long loadIssued = 0;
    Store previous = null;
    Store last = null;
    int steps = engine.steps();
    for (int i = 0; i < steps; i++) {
      serveStoresBefore(loadIssued);
      long loaded = serve(loadIssued, traffic.loadBits[i]);
      long start = Math.max(end, loaded);
      stall(Stall.DRAM_READ, start - end);
      if (previous != null) {
        serveThrough(previous);
        start = waitForStore(start, previous);
      }
      loadIssued = start;
      Tally cost = engine.cost(i);
      tally.add(cost);
      end = start + cost.cycles;
      long wordCycles = (long) Math.ceil(traffic.words[i] / memory.sramWordsPerCycle());
      end += stall(Stall.SRAM_BANK, wordCycles - cost.cycles);
      if (i == steps - 1) {
        end += stall(Stall.DRAIN, engine.pipeline());
      }
      if (engine.results(i) != null) {
        long encoderFree = last == null ? 0 : last.encoded;
        long encoded = Math.max(end, encoderFree) + traffic.encodeCycles[i];
        previous = last;
        last = new Store(encoded, traffic.storeBits[i]);
        waiting.add(last);
      }
    }
    if (last != null) {
      serveThrough(last);
      long done = previous == null ? last.done : Math.max(previous.done, last.done);
      end += stall(Stall.ENCODER, last.encoded - end);
      end += stall(Stall.DRAM_WRITE, done - end);
    }
    tally.cycles = end;
    return tally;
  }

  private long waitForStore(long from, Store store) {
    long encoded = from + stall(Stall.ENCODER, Math.min(store.encoded, store.done) - from);
    return encoded + stall(Stall.DRAM_WRITE, store.done - encoded);
  }

  /** Adds cycles of all units to a class; none if negative. */
  private long stall(Stall stall, long cycles) {
    long c = Math.max(0, cycles);
    tally.stall(stall, c * engine.units());
    return c;
  }

  private void serveStoresBefore(long time) {
    while (!waiting.isEmpty() && waiting.peek().encoded < time) {
      serveNext();
    }
  }

  private void serveThrough(Store store) {
    while (waiting.contains(store)) {
      serveNext();
    }
  }

  private void serveNext() {
    Store store = waiting.remove();
    store.done = serve(store.encoded, store.bits);
  }

  private long serve(long issued, long bits) {
    if (bits == 0) {
      return issued;
    }
    channelFree = Math.max(issued + memory.latency(), channelFree) + memory.transferCycles(bits);
    return channelFree;
  }
}
