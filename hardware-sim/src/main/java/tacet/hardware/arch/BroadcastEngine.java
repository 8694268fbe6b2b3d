package tacet.hardware.arch;

import java.util.ArrayDeque;
import java.util.Arrays;
import tacet.hardware.BitMatrix;
import tacet.hardware.arch.LayerResult.SramWords;

/** A layer on a {@link BroadcastArray}; a step is a block of tokens. */
final class BroadcastEngine implements Engine {
  private final BroadcastArray array;
  private final Workload layer;
  private final TokenBlocks blocks;
  private final int mapped;

  /** Distinct elements: with dense weights only those with one row more and those with one less. */
  private final int[] kinds;

  private final int[] kindCounts;

  /** Per input and kind, slots that its column takes. */
  private final int[][] slots;

  /** Per input, slots and multiplications of all elements together. */
  private final long[] allSlots;

  private final long[] allWeights;

  BroadcastEngine(BroadcastArray array, Workload layer) {
    this.array = array;
    this.layer = layer;
    this.blocks = new TokenBlocks(layer, array.tokenBlock(), layer.outputs());
    int pes = array.elements();
    mapped = Math.min(pes, layer.outputs());
    boolean dense = !layer.weights().isExact() || layer.weights().isDense();
    int longer = layer.outputs() % pes;
    if (!dense) {
      kinds = new int[mapped];
      Arrays.setAll(kinds, j -> j);
      kindCounts = new int[mapped];
      Arrays.fill(kindCounts, 1);
    } else if (longer == 0 || layer.outputs() < pes) {
      kinds = new int[] {0};
      kindCounts = new int[] {mapped};
    } else {
      kinds = new int[] {0, longer};
      kindCounts = new int[] {longer, pes - longer};
    }
    slots = new int[layer.inputs()][kinds.length];
    allSlots = new long[layer.inputs()];
    allWeights = new long[layer.inputs()];
    for (int k = 0; k < layer.inputs(); k++) {
      for (int i = 0; i < kinds.length; i++) {
        countColumn(i, k, dense);
      }
    }
  }

  private int rowsOf(int element) {
    return (int) Compression.ceil(layer.outputs() - element, array.elements());
  }

  private void countColumn(int kind, int k, boolean dense) {
    int rows = rowsOf(kinds[kind]);
    int taken = dense ? rows : 0;
    int weights = taken;
    int run = 0;
    for (int i = 0; i < rows && !dense; i++) {
      if (layer.weights().mask().get(kinds[kind] + i * array.elements(), k)) {
        taken += 1 + run / (Compression.MAX_RUN + 1);
        weights++;
        run = 0;
      } else {
        run++;
      }
    }
    slots[k][kind] = Math.max(1, taken);
    allSlots[k] += (long) slots[k][kind] * kindCounts[kind];
    allWeights[k] += (long) weights * kindCounts[kind];
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

  /** Only the columns of non-zero activations are fetched, once per token: there is no reuse across tokens. */
  @Override
  public long streamedWeights(int step) {
    return layer.nonZeros(blocks.firstToken(step), blocks.tokenEnd(step)) * layer.outputs();
  }

  @Override
  public SramWords sramWords(int step) {
    int from = blocks.firstToken(step);
    int to = blocks.tokenEnd(step);
    long nonZero = layer.nonZeros(from, to);
    return new SramWords(
        nonZero, columnWeights(from, to, nonZero), (long) (to - from) * layer.outputs());
  }

  private long columnWeights(int from, int to, long nonZero) {
    if (!layer.weights().isExact() || layer.weights().isDense() || !layer.activations().isExact()) {
      return Math.round(nonZero * layer.outputs() * layer.weights().density());
    }
    long sum = 0;
    for (int t = from; t < to; t++) {
      for (int k = nextNonZero(t, 0); k >= 0; k = nextNonZero(t, k + 1)) {
        sum += allWeights[k];
      }
    }
    return sum;
  }

  @Override
  public int pipeline() {
    return array.pipeline();
  }

  private int nextNonZero(int token, int from) {
    BitMatrix mask = layer.activations().mask();
    return mask != null ? mask.next(token, from) : from < layer.inputs() ? from : -1;
  }

  @Override
  public Tally cost(int step) {
    Tally tally = new Tally();
    for (int t = blocks.firstToken(step); t < blocks.tokenEnd(step); t++) {
      token(t, tally);
    }
    return tally;
  }

  /**
   * One token by recurrences. Item i is sent in cycle b[i] = max(b[i-1] + 1 + empty scans, s[i - depth] + 1) and started
   * by an element in s[i] = max(b[i] + 1, s[i-1] + slots[i-1]); the slowest element's s decides the next b.
   */
  private void token(int t, Tally tally) {
    int depth = array.queue();
    long[] slowestStart = new long[depth];
    long[] free = new long[kinds.length];
    long sent = -1;
    int item = 0;
    int position = 0;
    long weights = 0;
    long taken = 0;
    for (int k = nextNonZero(t, 0); k >= 0; k = nextNonZero(t, k + 1), item++) {
      int scans = (k - position) / array.scan();
      long send = sent + 1 + scans;
      if (item >= depth) {
        send = Math.max(send, slowestStart[item % depth] + 1);
      }
      idle(item == 0 ? 0 : sent + 2, sent + scans + 2, send + 1, free, tally);
      slowestStart[item % depth] = start(send + 1, free, slots[k]);
      weights += allWeights[k];
      taken += allSlots[k];
      sent = send;
      position = k + 1;
    }
    tally.busy += weights;
    tally.stall(Stall.ZERO_BRICK, taken - weights);
    long scanned = sent + 1 + Compression.ceil(layer.inputs() - position, array.scan());
    long end = scanned;
    for (long f : free) {
      end = Math.max(end, f);
    }
    for (int i = 0; i < free.length; i++) {
      long empty = overlap(free[i], end, item == 0 ? 0 : sent + 2, scanned + 1);
      tally.stall(Stall.QUEUE_EMPTY, empty * kindCounts[i]);
      tally.stall(Stall.LANE_SYNC, (end - free[i] - empty) * kindCounts[i]);
    }
    tally.stall(Stall.UNMAPPED, (array.elements() - mapped) * end);
    tally.cycles += end;
  }

  /** Elements wait from when they are free until {@code arrival}: for an empty scan, else for somebody's full queue. */
  private void idle(long scanFrom, long scanTo, long arrival, long[] free, Tally tally) {
    long all = 0;
    long scanned = 0;
    for (int i = 0; i < free.length; i++) {
      all += Math.max(0, arrival - free[i]) * kindCounts[i];
    }
    if (all > 0 && scanTo > scanFrom) {
      for (int i = 0; i < free.length; i++) {
        scanned += overlap(free[i], arrival, scanFrom, scanTo) * kindCounts[i];
      }
    }
    tally.stall(Stall.QUEUE_EMPTY, scanned);
    tally.stall(Stall.QUEUE_FULL, all - scanned);
  }

  /** Starts an item in every element when it has arrived and the element is free; returns the last start. */
  private static long start(long arrival, long[] free, int[] slots) {
    long last = 0;
    for (int i = 0; i < free.length; i++) {
      long start = Math.max(arrival, free[i]);
      last = Math.max(last, start);
      free[i] = start + slots[i];
    }
    return last;
  }

  /** Length of the intersection of [a, b) and [c, d). */
  private static long overlap(long a, long b, long c, long d) {
    return Math.max(0, Math.min(b, d) - Math.max(a, c));
  }

  @Override
  public double expectedCycles() {
    double density = layer.activations().density();
    double outputs = Compression.ceil(layer.outputs(), array.elements());
    double perColumn = Math.max(1, outputs * layer.weights().density());
    // A cycle of scanning passes min(G, S) inputs, G geometric: (1 - q^S) / d on average.
    double passed =
        density == 0 ? array.scan() : (1 - Math.pow(1 - density, array.scan())) / density;
    double scanning = layer.inputs() / passed;
    return layer.tokens() * (Math.max(scanning, layer.inputs() * density * perColumn) + 1);
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

  /** A scanner, a queue of activations per element, and elements that work off their columns. */
  private final class Elements implements Machine {
    private enum Sent {
      NOTHING_YET,
      ITEM,
      SCANNED,
      BLOCKED,
      FINISHED
    }

    private final int tokenEnd;
    private final Products products;
    private final ArrayDeque<Integer>[] queues;

    /** Per element: rows of its column still to do, in order; a negative entry is an empty slot. */
    private final ArrayDeque<Integer>[] column;

    private final int[] input;
    private int token;
    private int position;
    private Sent before = Sent.NOTHING_YET;

    @SuppressWarnings({"unchecked", "rawtypes"})
    Elements(int step, Products products) {
      this.products = products;
      token = blocks.firstToken(step);
      tokenEnd = blocks.tokenEnd(step);
      queues = new ArrayDeque[mapped];
      column = new ArrayDeque[mapped];
      Arrays.setAll(queues, j -> new ArrayDeque<Integer>());
      Arrays.setAll(column, j -> new ArrayDeque<Integer>());
      input = new int[mapped];
    }

    @Override
    public boolean done() {
      return token == tokenEnd;
    }

    @Override
    public void tick(Tally tally) {
      // Queues as they stand before this cycle decide what is sent and what is taken.
      boolean full = Arrays.stream(queues).anyMatch(q -> q.size() == array.queue());
      tally.stall(Stall.UNMAPPED, array.elements() - mapped);
      for (int j = 0; j < mapped; j++) {
        element(j, tally);
      }
      before = send(full);
      boolean idle = true;
      for (int j = 0; j < mapped; j++) {
        idle &= queues[j].isEmpty() && column[j].isEmpty();
      }
      if (position >= layer.inputs() && idle) {
        token++;
        position = 0;
        before = Sent.NOTHING_YET;
      }
    }

    private Sent send(boolean full) {
      if (position >= layer.inputs()) {
        return Sent.FINISHED;
      }
      int seen = Math.min(layer.inputs(), position + array.scan());
      for (int k = position; k < seen; k++) {
        if (layer.activations().get(token, k)) {
          if (full) {
            return Sent.BLOCKED;
          }
          for (ArrayDeque<Integer> q : queues) {
            q.add(k);
          }
          position = k + 1;
          return Sent.ITEM;
        }
      }
      position = seen;
      return Sent.SCANNED;
    }

    private void element(int j, Tally tally) {
      if (column[j].isEmpty() && !queues[j].isEmpty()) {
        input[j] = queues[j].remove();
        readColumn(j);
      }
      if (column[j].isEmpty()) {
        tally.stall(
            switch (before) {
              case NOTHING_YET, ITEM, SCANNED -> Stall.QUEUE_EMPTY;
              case BLOCKED -> Stall.QUEUE_FULL;
              case FINISHED -> Stall.LANE_SYNC;
            },
            1);
        return;
      }
      int output = column[j].remove();
      if (output < 0) {
        tally.stall(Stall.ZERO_BRICK, 1);
      } else {
        tally.busy++;
        tally.issued++;
        products.add(0, token, output, input[j]);
      }
    }

    private void readColumn(int j) {
      int run = 0;
      for (int n = j; n < layer.outputs(); n += array.elements()) {
        if (!layer.weights().get(n, input[j])) {
          run++;
          continue;
        }
        for (; run > Compression.MAX_RUN; run -= Compression.MAX_RUN + 1) {
          column[j].add(-1);
        }
        column[j].add(n);
        run = 0;
      }
      if (column[j].isEmpty()) {
        column[j].add(-1);
      }
    }
  }
}
