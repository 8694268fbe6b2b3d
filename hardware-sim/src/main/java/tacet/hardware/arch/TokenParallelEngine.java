package tacet.hardware.arch;

import java.util.Arrays;
import tacet.hardware.BitMatrix;
import tacet.hardware.arch.LayerResult.SramWords;

/** A layer on a {@link TokenParallelArray}; a step is a block of tokens for one range of outputs. */
final class TokenParallelEngine implements Engine {
  private final TokenParallelArray array;
  private final Workload layer;
  private final TokenBlocks blocks;
  private final int parallel;

  /** The same for every range of outputs: costs, needed weight rows, and non-zeros of a block of tokens. */
  private final Tally[] costs;

  private final long[] neededRows;
  private final long[] nonZeros;

  TokenParallelEngine(TokenParallelArray array, Workload layer) {
    this.array = array;
    this.layer = layer;
    this.parallel = array.tokens();
    int block = (int) Compression.ceil(array.tokenBlock(), parallel) * parallel;
    this.blocks = new TokenBlocks(layer, block, array.columns());
    this.costs = new Tally[blocks.blocks];
    this.neededRows = new long[blocks.blocks];
    this.nonZeros = new long[blocks.blocks];
    for (int b = 0; b < blocks.blocks; b++) {
      neededRows[b] = neededRows(blocks.firstToken(b), blocks.tokenEnd(b));
      nonZeros[b] = layer.nonZeros(blocks.firstToken(b), blocks.tokenEnd(b));
    }
  }

  private long neededRows(int from, int to) {
    long rows = 0;
    for (int t = from; t < to; t += parallel) {
      int end = Math.min(to, t + parallel);
      if (layer.activations().isExact()) {
        rows += union(t, end).length;
      } else {
        rows += Math.round(expectedUnion(end - t));
      }
    }
    return rows;
  }

  private double expectedUnion(int tokens) {
    return layer.inputs() * (1 - Math.pow(1 - layer.activations().density(), tokens));
  }

  /** Inputs that at least one of the tokens needs, ascending. */
  private int[] union(int from, int to) {
    int[] union = new int[layer.inputs()];
    int n = 0;
    BitMatrix a = layer.activations().mask();
    if (a == null) {
      Arrays.setAll(union, k -> k);
      return union;
    }
    for (int w = 0; w < a.wordsPerRow(); w++) {
      long bits = 0;
      for (int t = from; t < to; t++) {
        bits |= a.word(t, w);
      }
      for (; bits != 0; bits &= bits - 1) {
        union[n++] = (w << 6) + Long.numberOfTrailingZeros(bits);
      }
    }
    return Arrays.copyOf(union, n);
  }

  @Override
  public Zeros zeros() {
    return Zeros.ACTIVATIONS_SKIPPED;
  }

  @Override
  public int units() {
    return parallel;
  }

  @Override
  public long peakMacs() {
    return (long) parallel * array.columns();
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

  /** Rows that no token of a group needs are not fetched. */
  @Override
  public long streamedWeights(int step) {
    return neededRows[blocks.block(step)] * blocks.outputs(step);
  }

  @Override
  public SramWords sramWords(int step) {
    int b = blocks.block(step);
    long outputs = blocks.outputs(step);
    return new SramWords(nonZeros[b], neededRows[b] * outputs, blocks.tokens(step) * outputs);
  }

  @Override
  public int pipeline() {
    return array.pipeline();
  }

  @Override
  public Tally cost(int step) {
    int b = blocks.block(step);
    if (costs[b] == null) {
      Tally tally = new Tally();
      int end = blocks.tokenEnd(step);
      for (int t = blocks.firstToken(step); t < end; t += parallel) {
        group(t, Math.min(end, t + parallel), tally);
      }
      tally.busy = nonZeros[b];
      tally.stall(
          Stall.LANE_SYNC,
          parallel * tally.cycles - tally.busy - tally.stalls[Stall.UNMAPPED.ordinal()]);
      costs[b] = tally;
    }
    return costs[b];
  }

  private void group(int from, int to, Tally tally) {
    long cycles = array.lookahead() == 0 ? unionSize(from, to) : lookahead(from, to);
    tally.cycles += cycles;
    tally.stall(Stall.UNMAPPED, (parallel - (to - from)) * cycles);
  }

  private long unionSize(int from, int to) {
    BitMatrix a = layer.activations().mask();
    if (a == null) {
      return layer.inputs();
    }
    long size = 0;
    for (int w = 0; w < a.wordsPerRow(); w++) {
      long bits = 0;
      for (int t = from; t < to; t++) {
        bits |= a.word(t, w);
      }
      size += Long.bitCount(bits);
    }
    return size;
  }

  /**
   * Token j takes row i in cycle c = max(its last + 1, passed[i - L - 1]), where passed[m] is the cycle from which all
   * rows up to m are taken.
   */
  private long lookahead(int from, int to) {
    int[] rows = union(from, to);
    int ahead = array.lookahead() + 1;
    long[] passed = new long[rows.length + 1];
    long[] free = new long[to - from];
    for (int i = 0; i < rows.length; i++) {
      long visible = i < ahead ? 0 : passed[i - ahead + 1];
      long latest = passed[i];
      for (int j = 0; j < free.length; j++) {
        if (layer.activations().get(from + j, rows[i])) {
          free[j] = Math.max(free[j], visible) + 1;
          latest = Math.max(latest, free[j]);
        }
      }
      passed[i + 1] = latest;
    }
    return passed[rows.length];
  }

  @Override
  public double expectedCycles() {
    double expected = 0;
    for (int t = 0; t < layer.tokens(); t += parallel) {
      int n = Math.min(parallel, layer.tokens() - t);
      double union = expectedUnion(n);
      if (array.lookahead() == 0) {
        expected += union;
      } else {
        // A bound: no token is faster than its own non-zeros, no window moves more than its length.
        double[][] own = new double[n][];
        Arrays.fill(own, Binomials.binomial(layer.inputs(), layer.activations().density()));
        expected += Math.max(Binomials.expectedMax(own), union / (array.lookahead() + 1));
      }
    }
    return expected * blocks.passes;
  }

  @Override
  public double expectedBusy() {
    return layer.activations().density() * layer.tokens() * layer.inputs() * blocks.passes;
  }

  @Override
  public Stall imbalance() {
    return Stall.LANE_SYNC;
  }

  @Override
  public Machine machine(int step, Products products) {
    return new Rows(step, products);
  }

  /** Token rows that take weight rows out of a sliding window. */
  private final class Rows implements Machine {
    private final int step;
    private final Products products;
    private int from;
    private int to;
    private int[] rows;

    /** Per token, the index in {@code rows} of the next one it needs; {@code rows.length} if none. */
    private int[] next;

    Rows(int step, Products products) {
      this.step = step;
      this.products = products;
      startGroup(blocks.firstToken(step));
    }

    /** Groups that need no row take no time. */
    private void startGroup(int first) {
      from = first;
      while (from < blocks.tokenEnd(step)) {
        to = Math.min(blocks.tokenEnd(step), from + parallel);
        rows = union(from, to);
        if (rows.length > 0) {
          next = new int[to - from];
          for (int j = 0; j < next.length; j++) {
            seek(j);
          }
          return;
        }
        from = to;
      }
    }

    private void seek(int j) {
      while (next[j] < rows.length && !layer.activations().get(from + j, rows[next[j]])) {
        next[j]++;
      }
    }

    @Override
    public boolean done() {
      return from >= blocks.tokenEnd(step);
    }

    @Override
    public void tick(Tally tally) {
      int oldest = Arrays.stream(next).min().getAsInt();
      tally.stall(Stall.UNMAPPED, parallel - next.length);
      for (int j = 0; j < next.length; j++) {
        if (next[j] == rows.length || next[j] > oldest + array.lookahead()) {
          tally.stall(Stall.LANE_SYNC, 1);
          continue;
        }
        tally.busy++;
        for (int n = blocks.firstOutput(step); n < blocks.outputEnd(step); n++) {
          tally.issued++;
          products.add(0, from + j, n, rows[next[j]]);
        }
        next[j]++;
        seek(j);
      }
      if (Arrays.stream(next).min().getAsInt() == rows.length) {
        startGroup(to);
      }
    }
  }
}
