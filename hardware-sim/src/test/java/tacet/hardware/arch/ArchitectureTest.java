package tacet.hardware.arch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import tacet.hardware.ActivationTrace;
import tacet.hardware.BitMatrix;
import tacet.hardware.arch.LaneArray.Sync;
import tacet.hardware.arch.SystolicArray.Dataflow;

/** What every architecture must do: compute the product, never suffer from zeros, meet its closed forms. */
class ArchitectureTest {

  private static final Platform IDEAL = Platform.ideal();

  /** Bit for bit the dense product accumulated in the same order: lanes on their own, then lane by lane. */
  @ParameterizedTest
  @EnumSource
  void multipliesExactly(RandomCase.Kind kind) {
    for (long seed = 0; seed < 200; seed++) {
      RandomCase random = new RandomCase(seed);
      int m = random.from(1, 6);
      int n = random.from(1, 9);
      int k = random.from(1, 50);
      float[] a = random.values(m * k, random.density());
      float[] w = random.values(n * k, random.density());
      Accelerator accelerator = random.accelerator(kind, IDEAL);
      int lanes = accelerator instanceof LaneArray l ? l.lanes() : 1;
      int[] got = bits(accelerator.multiply(a, w, m, n, k));
      assertThat(got)
          .as("seed " + seed + ", " + accelerator)
          .isEqualTo(bits(dense(a, w, m, n, k, lanes)));
    }
  }

  private static int[] bits(float[] x) {
    int[] bits = new int[x.length];
    Arrays.setAll(bits, i -> Float.floatToRawIntBits(x[i]));
    return bits;
  }

  private static float[] dense(float[] a, float[] w, int m, int n, int k, int lanes) {
    float[] product = new float[m * n];
    for (int t = 0; t < m; t++) {
      for (int o = 0; o < n; o++) {
        float[] sums = new float[lanes];
        for (int i = 0; i < k; i++) {
          sums[i / 16 % lanes] += a[t * k + i] * w[o * k + i];
        }
        float sum = sums[0];
        for (int l = 1; l < lanes; l++) {
          sum += sums[l];
        }
        product[t * n + o] = sum;
      }
    }
    return product;
  }

  @Test
  void refusesWhatZerosCannotSkip() {
    for (float bad : new float[] {Float.NaN, Float.POSITIVE_INFINITY}) {
      assertThatThrownBy(
              () ->
                  TwoSidedArray.single(IDEAL)
                      .multiply(new float[] {0, 1}, new float[] {bad, 1}, 1, 1, 2))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("cannot skip zeros");
    }
  }

  /** Turning a non-zero into a zero never costs cycles or energy. */
  @ParameterizedTest
  @EnumSource
  void zerosNeverHurt(RandomCase.Kind kind) {
    int changed = 0;
    for (long seed = 0; seed < 500; seed++) {
      RandomCase random = new RandomCase(seed);
      Workload layer = random.layer().withResults(Operand.DENSE);
      Memory compressed =
          Memory.IDEAL.withFormats(Compression.BITMAP, Compression.BITMAP, Compression.BITMAP);
      Accelerator a = random.accelerator(kind, seed % 3 == 0 ? IDEAL : IDEAL.with(compressed));
      boolean skipsWeights = kind == RandomCase.Kind.TWO_SIDED || kind == RandomCase.Kind.BROADCAST;
      boolean activation = !skipsWeights || seed % 2 == 0;
      Operand operand = activation ? layer.activations() : layer.weights();
      int rows = activation ? layer.tokens() : layer.outputs();
      int row = random.from(0, rows - 1);
      int column = random.from(0, layer.inputs() - 1);
      if (!operand.get(row, column)) {
        continue;
      }
      changed++;
      BitMatrix all = operand.isDense() ? BitMatrix.ones(rows, layer.inputs()) : operand.mask();
      // Known to be dense is stored without metadata: the comparison is between masks.
      layer =
          activation ? layer.withActivations(Operand.of(all)) : layer.withWeights(Operand.of(all));
      BitMatrix fewer = all.slice(0, rows);
      fewer.set(row, column, false);
      Workload sparser =
          activation
              ? layer.withActivations(Operand.of(fewer))
              : layer.withWeights(Operand.of(fewer));
      LayerResult before = a.simulate(layer, Fidelity.TILE);
      LayerResult after = a.simulate(sparser, Fidelity.TILE);
      String what = "seed " + seed + ", (" + row + ", " + column + ") of " + layer + ", " + a;
      assertThat(after.cycles()).as(what).isLessThanOrEqualTo(before.cycles());
      assertThat(after.energy().sum())
          .as(what)
          .isLessThanOrEqualTo(before.energy().sum() * (1 + 1e-12));
    }
    assertThat(changed).isGreaterThan(150);
  }

  /** Densities 1 and 0, and the smallest layer of all. */
  @Test
  void closedForms() {
    int m = 10;
    int n = 100;
    int k = 96;
    Workload full = Workload.sparse("full", n, BitMatrix.ones(m, k));
    Workload empty = Workload.sparse("empty", n, new BitMatrix(m, k));
    Workload dense = full.withoutZeros();
    // 6 bricks on 4 lanes: two lanes have 2; 100 outputs by 48 filters are 3 passes.
    LaneArray lanes = new LaneArray(4, 12, 4, Sync.TOKEN, true, 3, 0, IDEAL);
    assertCycles(lanes, full, m * 3 * 2 * 16);
    assertCycles(lanes, dense, m * 3 * 2 * 16);
    assertCycles(lanes, empty, m * 3 * 2);
    assertCycles(new LaneArray(4, 12, 4, Sync.TOKEN, false, 3, 0, IDEAL), empty, 0);
    // One cycle until the first item arrives, then 13 rows per item; 96 inputs by 10 per scan.
    BroadcastArray broadcast = new BroadcastArray(8, 2, 10, 4, 0, IDEAL);
    assertCycles(broadcast, full, m * (1 + k * 13));
    assertCycles(broadcast, dense, m * (1 + k * 13));
    assertCycles(broadcast, empty, m * 10);
    TwoSidedArray two = new TwoSidedArray(8, 1, 4, 0, IDEAL);
    assertCycles(two, full, m * k * 13);
    assertCycles(two, dense, m * k * 13);
    assertCycles(two, empty, 0);
    for (int ahead : new int[] {0, 3}) {
      TokenParallelArray tokens = new TokenParallelArray(4, 30, ahead, 8, 0, IDEAL);
      assertCycles(tokens, full, 3 * 4 * k);
      assertCycles(tokens, dense, 3 * 4 * k);
      assertCycles(tokens, empty, 0);
    }
    Workload one = Workload.dense("one", 1, 1, 1);
    assertCycles(lanes, one, 1);
    assertCycles(broadcast, one, 2);
    assertCycles(two, one, 1);
    assertCycles(new TokenParallelArray(4, 30, 0, 8, 0, IDEAL), one, 1);
    for (Dataflow d : Dataflow.values()) {
      assertCycles(new SystolicArray(d, 1, 1, false, IDEAL), one, d == Dataflow.OS ? 1 : 2);
    }
  }

  private static void assertCycles(Accelerator a, Workload layer, long cycles) {
    assertThat(a.simulate(layer, Fidelity.TILE).cycles())
        .as(a.name() + ", " + layer.name())
        .isEqualTo(cycles);
    assertThat(a.simulate(layer, Fidelity.CYCLE).cycles())
        .as(a.name() + ", " + layer.name())
        .isEqualTo(cycles);
  }

  /** Moving a non-zero within its lane, or tokens among each other, changes nothing if lanes meet after each token. */
  @Test
  void lanesDoNotCareWhere() {
    SplittableRandom random = new SplittableRandom(4);
    BitMatrix mask = BitMatrix.random(12, 256, .3, random);
    LaneArray lanes = new LaneArray(4, 2, 2, Sync.TOKEN, false, 5, 0, IDEAL);
    long cycles = lanes.simulate(Workload.sparse("a", 4, mask), Fidelity.TILE).cycles();
    BitMatrix moved = new BitMatrix(12, 256);
    for (int t = 0; t < 12; t++) {
      for (int k = 0; k < 256; k++) {
        // Rotate the four bricks of each lane, mirror each brick, reverse the tokens.
        moved.set(11 - t, (k / 64 + 1) % 4 * 64 + k % 64 / 16 * 16 + 15 - k % 16, mask.get(t, k));
      }
    }
    assertThat(lanes.simulate(Workload.sparse("b", 4, moved), Fidelity.TILE).cycles())
        .isEqualTo(cycles);
  }

  @Test
  void knowingZeroResultsBoundsTheFirstProduct() {
    BitMatrix fired = BitMatrix.random(32, 256, .2, new SplittableRandom(5));
    Workload first = Workload.dense("in", 32, 256, 64).withResults(Operand.of(fired));
    LayerResult r =
        TwoSidedArray.single(IDEAL).simulate(first.outputSkippingBound(), Fidelity.TILE);
    assertThat(r.macs().issued()).isEqualTo(fired.count() * 64);
    assertThat(r.cycles()).isEqualTo(fired.count() * 64);
    assertThat(r.layer()).contains("bound");
  }

  /** Waiting less often is never slower. */
  @Test
  void looserSynchronisationHelps() {
    BitMatrix mask = BitMatrix.random(64, 512, .1, new SplittableRandom(8));
    Workload layer = Workload.sparse("sync", 256, mask);
    long last = Long.MAX_VALUE;
    for (int window : new int[] {1, 2, 8, 64}) {
      LaneArray barrier = new LaneArray(16, 16, 16, new Sync(false, window), true, 64, 0, IDEAL);
      LaneArray ahead = new LaneArray(16, 16, 16, new Sync(true, window), true, 64, 0, IDEAL);
      long atBarrier = barrier.simulate(layer, Fidelity.TILE).cycles();
      long runAhead = ahead.simulate(layer, Fidelity.TILE).cycles();
      assertThat(runAhead).isLessThanOrEqualTo(atBarrier);
      assertThat(atBarrier).isLessThan(last);
      last = atBarrier;
    }
  }

  /**
   * The bar of a DEFT-tuned MiniLM over SST-2's dev set: 872 sentences of about 25 tokens, 6 layers of 1536 neurons,
   * every architecture, both products, and the dense baselines.
   */
  @Test
  void wholeModelInTileFidelity() {
    ActivationTrace trace = syntheticTrace(872, 25, 6, 1536);
    Platform p = Platform.standard();
    List<Accelerator> all = new ArrayList<>();
    for (Dataflow d : Dataflow.values()) {
      all.add(SystolicArray.standard(d, p));
      all.add(new SystolicArray(d, 32, 32, true, p));
    }
    all.add(LaneArray.standard(p));
    all.add(BroadcastArray.standard(p));
    all.add(TwoSidedArray.standard(p));
    all.add(TokenParallelArray.standard(p));
    all.add(TokenParallelArray.standard(p).withLookahead(8));
    List<Comparison> comparisons = Comparison.all(all, Workload.mlps(trace), Fidelity.TILE);
    assertThat(comparisons).hasSize(all.size() * 12);
    for (Comparison c : comparisons) {
      LayerResult r = c.sparse();
      long stalls = r.stalls().values().stream().mapToLong(Long::longValue).sum();
      assertThat(r.busy() + stalls).as(r.architecture()).isEqualTo(r.cycles() * r.units());
      assertThat(c.speedup()).as(r.architecture()).isGreaterThanOrEqualTo(.99);
    }
  }

  /** Bits are drawn word by word, so that making the trace is not what takes the time. */
  private static ActivationTrace syntheticTrace(
      int sentences, int tokens, int layers, int neurons) {
    SplittableRandom random = new SplittableRandom(9);
    List<String> names = new ArrayList<>();
    for (int l = 0; l < layers; l++) {
      names.add("layer." + l);
    }
    var recorder =
        new ActivationTrace.Recorder(
            new ActivationTrace.Header("synthetic", "none", "deft", 9, 0, neurons, 384, names),
            true);
    float[] x = new float[tokens * neurons];
    for (int s = 0; s < sentences; s++) {
      recorder.batch(tokens, tokens);
      for (int l = 0; l < layers; l++) {
        for (int i = 0; i < x.length; i += 32) {
          int bits = random.nextInt() & random.nextInt();
          for (int b = 0; b < 32; b++) {
            x[i + b] = bits >>> b & 1;
          }
        }
        recorder.record(l, x, 0);
      }
    }
    return recorder.finish();
  }
}
