package tacet.hardware.arch;

import java.util.Arrays;
import tacet.hardware.BitMatrix;
import tacet.hardware.arch.LayerResult.SramWords;

/** A layer on a {@link TwoSidedArray}; a step is a block of tokens. */
final class TwoSidedEngine implements Engine {
  private final TwoSidedArray array;
  private final Workload layer;
  private final TokenBlocks blocks;
  private final int mapped;

  /** Non-zero weights per input and element, [input * mapped + element]; null if weights are dense. */
  private final int[] columns;

  TwoSidedEngine(TwoSidedArray array, Workload layer) {
    this.array = array;
    this.layer = layer;
    this.blocks = new TokenBlocks(layer, array.tokenBlock(), layer.outputs());
    this.mapped = Math.min(array.elements(), layer.outputs());
    BitMatrix w = layer.weights().mask();
    columns = w == null ? null : new int[layer.inputs() * mapped];
    for (int n = 0; w != null && n < layer.outputs(); n++) {
      for (int k = w.next(n, 0); k >= 0; k = w.next(n, k + 1)) {
        columns[k * mapped + n % array.elements()]++;
      }
    }
  }

  @Override
  public Zeros zeros() {
    return Zeros.BOTH_SKIPPED;
  }

  @Override
  public int units() {
    return array.elements();
  }

  @Override
  public long peakMacs() {
    return array.elements();
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
    int from = blocks.firstToken(step);
    int to = blocks.tokenEnd(step);
    long nonZero = layer.nonZeros(from, to);
    long effectual = Math.round(nonZero * layer.outputs() * layer.weights().density());
    if (columns != null && layer.activations().isExact()) {
      effectual = 0;
      for (int t = from; t < to; t++) {
        for (long w : work(t, new long[mapped])) {
          effectual += w;
        }
      }
    }
    return new SramWords(nonZero, effectual, (long) (to - from) * layer.outputs());
  }

  @Override
  public int pipeline() {
    return array.pipeline();
  }

  /** Adds the effectual operations of a token to those of every element. */
  private long[] work(int token, long[] work) {
    BitMatrix a = layer.activations().mask();
    if (columns == null) {
      long nonZero = a == null ? layer.inputs() : a.count(token);
      for (int j = 0; j < mapped; j++) {
        work[j] += nonZero * Compression.ceil(layer.outputs() - j, array.elements());
      }
      return work;
    }
    for (int k = next(a, token, 0); k >= 0; k = next(a, token, k + 1)) {
      for (int j = 0; j < mapped; j++) {
        work[j] += columns[k * mapped + j];
      }
    }
    return work;
  }

  private int next(BitMatrix a, int token, int from) {
    return a != null ? a.next(token, from) : from < layer.inputs() ? from : -1;
  }

  @Override
  public Tally cost(int step) {
    Tally tally = new Tally();
    int end = blocks.tokenEnd(step);
    for (int t = blocks.firstToken(step); t < end; t += array.window()) {
      long[] work = new long[mapped];
      for (int i = t; i < Math.min(end, t + array.window()); i++) {
        work(i, work);
      }
      long slowest = 0;
      for (long w : work) {
        slowest = Math.max(slowest, w);
      }
      for (long w : work) {
        tally.busy += w;
        tally.stall(Stall.LANE_SYNC, slowest - w);
      }
      tally.stall(Stall.UNMAPPED, (array.elements() - mapped) * slowest);
      tally.cycles += slowest;
    }
    return tally;
  }

  @Override
  public double expectedCycles() {
    double both = layer.activations().density() * layer.weights().density();
    double rows = Compression.ceil(layer.outputs(), array.elements());
    if (layer.weights().density() == 1 || mapped == 1) {
      return layer.tokens() * rows * layer.inputs() * both;
    }
    // Elements share the activations, so only the weights spread their work: a binomial over the
    // expected non-zeros.
    int n =
        (int) Math.round(rows * layer.inputs() * layer.activations().density() * array.window());
    double[] work = Binomials.binomial(n, layer.weights().density());
    double[][] all = new double[mapped][];
    Arrays.fill(all, work);
    return Binomials.expectedMax(all) * layer.tokens() / array.window();
  }

  @Override
  public double expectedBusy() {
    return layer.effectual();
  }

  @Override
  public Stall imbalance() {
    return Stall.LANE_SYNC;
  }

  @Override
  public Machine machine(int step, Products products) {
    return new Elements(step, products);
  }

  /** Elements that walk the pairs (token, input, output) of a window, stopping at non-zero pairs only. */
  private final class Elements implements Machine {
    private final Products products;
    private final int end;
    private int windowStart;
    private final int[] token = new int[mapped];
    private final int[] input = new int[mapped];
    private final int[] output = new int[mapped];

    Elements(int step, Products products) {
      this.products = products;
      this.windowStart = blocks.firstToken(step);
      this.end = blocks.tokenEnd(step);
      startWindow();
    }

    private int windowEnd() {
      return Math.min(end, windowStart + array.window());
    }

    /** Places every element on its first pair; windows without any pair take no time. */
    private void startWindow() {
      boolean any = false;
      while (!any && windowStart < end) {
        for (int j = 0; j < mapped; j++) {
          token[j] = windowStart;
          input[j] = 0;
          output[j] = j;
          seek(j);
          any |= token[j] < windowEnd();
        }
        if (!any) {
          windowStart = windowEnd();
        }
      }
    }

    /** Moves element j from where it stands to the next non-zero pair, or to the end of the window. */
    private void seek(int j) {
      while (token[j] < windowEnd() && !hits(j)) {
        output[j] += array.elements();
        if (output[j] >= layer.outputs()) {
          output[j] = j;
          input[j]++;
        }
        if (input[j] == layer.inputs()) {
          input[j] = 0;
          token[j]++;
        }
      }
    }

    private boolean hits(int j) {
      return output[j] < layer.outputs()
          && layer.activations().get(token[j], input[j])
          && layer.weights().get(output[j], input[j]);
    }

    @Override
    public boolean done() {
      return windowStart >= end;
    }

    @Override
    public void tick(Tally tally) {
      tally.stall(Stall.UNMAPPED, array.elements() - mapped);
      boolean any = false;
      for (int j = 0; j < mapped; j++) {
        if (token[j] == windowEnd()) {
          tally.stall(Stall.LANE_SYNC, 1);
          continue;
        }
        tally.busy++;
        tally.issued++;
        products.add(0, token[j], output[j], input[j]);
        // Step off the pair, then look for the next: an output past the end wraps in seek.
        output[j] += array.elements();
        seek(j);
        any |= token[j] < windowEnd();
      }
      if (!any) {
        windowStart = windowEnd();
        startWindow();
      }
    }
  }
}
