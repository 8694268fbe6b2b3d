package tacet.hardware.arch;

import java.util.Arrays;
import tacet.hardware.arch.LayerResult.SramWords;

/** A layer on a {@link LaneArray}; a step is a block of tokens for one group of filters. */
final class LaneEngine implements Engine {
  private static final int BRICK = Compression.BRICK;

  private final LaneArray array;
  private final Workload layer;
  private final TokenBlocks blocks;
  private final int lanes;
  private final int bricks;

  /** Costs and non-zeros are the same for every group of filters. */
  private final Tally[] costs;

  private final long[] nonZeros;

  LaneEngine(LaneArray array, Workload layer) {
    this.array = array;
    this.layer = layer;
    this.lanes = array.lanes();
    this.bricks = (int) Compression.ceil(layer.inputs(), BRICK);
    this.blocks = new TokenBlocks(layer, array.tokenBlock(), array.filters() * array.units());
    this.costs = new Tally[blocks.blocks];
    this.nonZeros = new long[blocks.blocks];
    Arrays.fill(nonZeros, -1);
  }

  @Override
  public Zeros zeros() {
    return Zeros.ACTIVATIONS_SKIPPED;
  }

  @Override
  public int units() {
    return lanes;
  }

  @Override
  public long peakMacs() {
    return (long) lanes * array.filters() * array.units();
  }

  @Override
  public int accumulators() {
    return lanes;
  }

  @Override
  public int steps() {
    return blocks.steps();
  }

  @Override
  public Block activations(int step) {
    return blocks.activations(step);
  }

  @Override
  public Block weights(int step) {
    return blocks.weights(step);
  }

  @Override
  public Block results(int step) {
    return blocks.results(step);
  }

  @Override
  public SramWords sramWords(int step) {
    int b = blocks.block(step);
    if (nonZeros[b] < 0) {
      nonZeros[b] = layer.nonZeros(blocks.firstToken(step), blocks.tokenEnd(step));
    }
    long outputs = blocks.outputs(step);
    return new SramWords(nonZeros[b], nonZeros[b] * outputs, blocks.tokens(step) * outputs);
  }

  @Override
  public int pipeline() {
    return array.pipeline();
  }

  private int mappedLanes() {
    return Math.min(lanes, bricks);
  }

  private int brickEnd(int brick) {
    return Math.min(layer.inputs(), (brick + 1) * BRICK);
  }

  private int nonZeros(int token, int brick) {
    return layer.activations().isDense()
        ? brickEnd(brick) - brick * BRICK
        : layer.activations().mask().count(token, brick * BRICK, brickEnd(brick));
  }

  @Override
  public Tally cost(int step) {
    int b = blocks.block(step);
    if (costs[b] == null) {
      costs[b] = blockCost(blocks.firstToken(step), blocks.tokenEnd(step));
    }
    return costs[b];
  }

  private Tally blockCost(int from, int to) {
    Tally tally = new Tally();
    int mapped = mappedLanes();
    LaneTimes times = new LaneTimes(mapped, to - from);
    int[] work = new int[mapped];
    for (int t = from; t < to; t++) {
      Arrays.fill(work, 0);
      for (int brick = 0; brick < bricks; brick++) {
        int nonZero = nonZeros(t, brick);
        work[brick % lanes] += nonZero;
        tally.busy += nonZero;
        if (nonZero == 0 && array.zeroBrickBubble()) {
          work[brick % lanes]++;
          tally.stall(Stall.ZERO_BRICK, 1);
        }
      }
      times.token(t - from, work);
    }
    tally.cycles = times.last;
    tally.stall(Stall.UNMAPPED, (lanes - mapped) * tally.cycles);
    tally.stall(
        Stall.LANE_SYNC,
        mapped * tally.cycles - tally.busy - tally.stalls[Stall.ZERO_BRICK.ordinal()]);
    return tally;
  }

  /** When lanes finish their tokens. */
  private final class LaneTimes {
    private final long[] finish;
    private final long[] allDone;
    private long last;

    LaneTimes(int lanes, int tokens) {
      finish = new long[lanes];
      allDone = new long[tokens];
    }

    void token(int t, int[] work) {
      long gate = gate(t);
      for (int l = 0; l < finish.length; l++) {
        finish[l] = Math.max(finish[l], gate) + work[l];
        last = Math.max(last, finish[l]);
      }
      allDone[t] = last;
    }

    /** The cycle from which lanes may work on token t. */
    private long gate(int t) {
      int window = array.sync().tokens();
      int before = array.sync().runAhead() ? t - window : t / window * window - 1;
      return before < 0 ? 0 : allDone[before];
    }
  }

  @Override
  public double expectedCycles() {
    int window = array.sync().tokens();
    double density = layer.activations().density();
    double expected = 0;
    for (int t = 0; t < layer.tokens(); t += array.tokenBlock()) {
      int end = Math.min(layer.tokens(), t + array.tokenBlock());
      int whole = (end - t) / window;
      expected += whole == 0 ? 0 : whole * expectedWindow(window, density);
      expected += expectedWindow((end - t) % window, density);
    }
    return expected * blocks.passes;
  }

  /** Running ahead by W tokens is estimated as meeting every W tokens. */
  private double expectedWindow(int tokens, double density) {
    if (tokens == 0) {
      return 0;
    }
    double[] full = brick(BRICK, density);
    double[] rest = brick(layer.inputs() - (bricks - 1) * BRICK, density);
    int share = bricks / lanes;
    int longer = bricks % lanes;
    int lastLane = (bricks - 1) % lanes;
    double[] few = Binomials.sum(full, share * tokens);
    double[] many = longer == 0 ? few : Binomials.sum(full, (share + 1) * tokens);
    double[][] perLane = new double[mappedLanes()][];
    Arrays.setAll(perLane, l -> l < longer ? many : few);
    // The lane that owns the last, possibly shorter brick.
    int before = share + (lastLane < longer ? 1 : 0) - 1;
    perLane[lastLane] =
        Binomials.sum(Binomials.sum(full, before * tokens), Binomials.sum(rest, tokens));
    return Binomials.expectedMax(perLane);
  }

  private double[] brick(int size, double density) {
    double[] p = Binomials.binomial(size, density);
    if (array.zeroBrickBubble()) {
      p[1] += p[0];
      p[0] = 0;
    }
    return p;
  }

  @Override
  public double expectedBusy() {
    return (double) layer.tokens() * layer.inputs() * layer.activations().density() * blocks.passes;
  }

  @Override
  public Stall imbalance() {
    return Stall.LANE_SYNC;
  }

  @Override
  public Machine machine(int step, Products products) {
    return new Lanes(step, products);
  }

  /** Lanes with their own position (token, brick, offset) that read one stored value per cycle. */
  private final class Lanes implements Machine {
    private final int step;
    private final Products products;
    private final int tokens;

    /** Per lane: tokens finished, current brick, next input to look at. */
    private final int[] finished = new int[lanes];

    private final int[] brick = new int[lanes];
    private final int[] next = new int[lanes];

    Lanes(int step, Products products) {
      this.step = step;
      this.products = products;
      this.tokens = blocks.tokens(step);
      for (int l = 0; l < lanes; l++) {
        enterBrick(l, l);
      }
      settle();
    }

    @Override
    public boolean done() {
      return slowest() == tokens;
    }

    @Override
    public void tick(Tally tally) {
      boolean[] may = new boolean[lanes];
      for (int l = 0; l < lanes; l++) {
        may[l] = l < mappedLanes() && finished[l] < tokens && mayWork(l);
      }
      for (int l = 0; l < lanes; l++) {
        if (l >= mappedLanes()) {
          tally.stall(Stall.UNMAPPED, 1);
        } else if (!may[l]) {
          tally.stall(Stall.LANE_SYNC, 1);
        } else {
          work(l, tally);
        }
      }
      settle();
    }

    private void work(int l, Tally tally) {
      int token = blocks.firstToken(step) + finished[l];
      int k = nextNonZero(token, l);
      if (k < 0) {
        tally.stall(Stall.ZERO_BRICK, 1);
        enterBrick(l, brick[l] + lanes);
        return;
      }
      tally.busy++;
      for (int n = blocks.firstOutput(step); n < blocks.outputEnd(step); n++) {
        tally.issued++;
        products.add(l, token, n, k);
      }
      next[l] = k + 1;
      if (nextNonZero(token, l) < 0) {
        enterBrick(l, brick[l] + lanes);
      }
    }

    private int nextNonZero(int token, int l) {
      for (int k = next[l]; k < brickEnd(brick[l]); k++) {
        if (layer.activations().get(token, k)) {
          return k;
        }
      }
      return -1;
    }

    private void enterBrick(int l, int b) {
      brick[l] = b;
      next[l] = b * BRICK;
    }

    /** Passes over bricks and tokens that cost nothing, until every lane has work or must wait. */
    private void settle() {
      boolean changed = true;
      while (changed) {
        changed = false;
        for (int l = 0; l < mappedLanes(); l++) {
          while (finished[l] < tokens && mayWork(l) && passFreeBrick(l)) {
            changed = true;
          }
        }
      }
    }

    private boolean passFreeBrick(int l) {
      if (brick[l] >= bricks) {
        finished[l]++;
        enterBrick(l, l);
        return true;
      }
      if (array.zeroBrickBubble() || nextNonZero(blocks.firstToken(step) + finished[l], l) >= 0) {
        return false;
      }
      enterBrick(l, brick[l] + lanes);
      return true;
    }

    private boolean mayWork(int l) {
      int window = array.sync().tokens();
      return array.sync().runAhead()
          ? finished[l] - slowest() < window
          : slowest() >= finished[l] / window * window;
    }

    private int slowest() {
      int slowest = tokens;
      for (int l = 0; l < mappedLanes(); l++) {
        slowest = Math.min(slowest, finished[l]);
      }
      return slowest;
    }
  }
}
