package tacet.hardware.arch;

import java.util.ArrayDeque;

/**
 * Runs the steps of an engine against memory cycle by cycle: machine, DRAM channel, encoder and SRAM ports each tick once
 * per cycle. Between cycles, whatever has finished hands over, in the order loads, then stores. Same rules as
 * {@link TileClock}, other method.
 */
final class CycleClock {

  private static final class Request {
    final long ready;
    long transfers;
    final int store;

    Request(long ready, long transfers, int store) {
      this.ready = ready;
      this.transfers = transfers;
      this.store = store;
    }
  }

  private static final int LOAD = -1;

  private final Engine engine;
  private final Memory memory;
  private final Traffic traffic;
  private final Engine.Products products;
  private final Tally tally = new Tally();
  private final ArrayDeque<Request> channel = new ArrayDeque<>();
  private final ArrayDeque<Integer> encoder = new ArrayDeque<>();
  private final ArrayDeque<Integer> unfinishedStores = new ArrayDeque<>();

  private long now;
  private int step = -1;
  private Engine.Machine machine;
  private long stepCycles;
  private int pipelineLeft;
  private boolean loaded;
  private long encodeLeft;

  private CycleClock(Engine engine, Memory memory, Traffic traffic, Engine.Products products) {
    this.engine = engine;
    this.memory = memory;
    this.traffic = traffic;
    this.products = products;
  }

  static Tally run(Engine engine, Memory memory, Traffic traffic, Engine.Products products) {
    return new CycleClock(engine, memory, traffic, products).run();
  }

  private Tally run() {
    pipelineLeft = engine.pipeline();
    requestLoad(0);
    while (true) {
      settle();
      if (machine == null && step == engine.steps() - 1 && unfinishedStores.isEmpty()) {
        break;
      }
      tick();
      now++;
    }
    tally.cycles = now;
    return tally;
  }

  /** Hands over between two cycles until nothing changes. */
  private void settle() {
    boolean changed = true;
    while (changed) {
      changed = finishTransfers() | finishStep() | startStep();
      if (!changed) {
        changed = finishEncoding();
      }
    }
  }

  private boolean finishTransfers() {
    boolean any = false;
    while (!channel.isEmpty() && channel.peek().transfers == 0 && channel.peek().ready <= now) {
      Request r = channel.remove();
      if (r.store == LOAD) {
        loaded = true;
      } else {
        unfinishedStores.remove(r.store);
      }
      any = true;
    }
    return any;
  }

  private boolean finishStep() {
    if (machine == null || !machine.done() || wordsLeft() || lastStep() && pipelineLeft > 0) {
      return false;
    }
    machine = null;
    if (engine.results(step) != null) {
      if (encoder.isEmpty()) {
        encodeLeft = traffic.encodeCycles[step];
      }
      encoder.add(step);
      unfinishedStores.add(step);
    }
    return true;
  }

  private boolean startStep() {
    if (machine != null || lastStep() || !loaded || unfinishedStores.size() > 1) {
      return false;
    }
    step++;
    machine = engine.machine(step, products);
    stepCycles = 0;
    if (!lastStep()) {
      requestLoad(step + 1);
    }
    return true;
  }

  private boolean finishEncoding() {
    if (encoder.isEmpty() || encodeLeft > 0) {
      return false;
    }
    int done = encoder.remove();
    if (traffic.storeBits[done] == 0) {
      unfinishedStores.remove(done);
    } else {
      request(traffic.storeBits[done], done);
    }
    if (!encoder.isEmpty()) {
      encodeLeft = traffic.encodeCycles[encoder.peek()];
    }
    return true;
  }

  private void requestLoad(int next) {
    loaded = traffic.loadBits[next] == 0;
    if (!loaded) {
      request(traffic.loadBits[next], LOAD);
    }
  }

  private void request(long bits, int store) {
    channel.add(new Request(now + memory.latency(), memory.transferCycles(bits), store));
  }

  private boolean lastStep() {
    return step == engine.steps() - 1;
  }

  private boolean wordsLeft() {
    return stepCycles < (long) Math.ceil(traffic.words[step] / memory.sramWordsPerCycle());
  }

  private void tick() {
    if (machine == null) {
      tally.stall(waitingFor(), engine.units());
    } else {
      if (!machine.done()) {
        machine.tick(tally);
      } else if (wordsLeft()) {
        tally.stall(Stall.SRAM_BANK, engine.units());
      } else {
        tally.stall(Stall.DRAIN, engine.units());
        pipelineLeft--;
      }
      stepCycles++;
    }
    if (!encoder.isEmpty()) {
      encodeLeft--;
    }
    if (!channel.isEmpty() && channel.peek().ready <= now) {
      channel.peek().transfers--;
    }
  }

  private Stall waitingFor() {
    if (!lastStep() && !loaded) {
      return Stall.DRAM_READ;
    }
    // Before the last step the older of two stores blocks; behind it, everything must leave the
    // encoder first.
    boolean encoding = lastStep() ? !encoder.isEmpty() : encoder.contains(unfinishedStores.peek());
    return encoding ? Stall.ENCODER : Stall.DRAM_WRITE;
  }
}
