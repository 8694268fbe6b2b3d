package tacet.hardware.arch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tacet.hardware.BitMatrix;
import tacet.hardware.arch.LaneArray.Sync;
import tacet.hardware.arch.LayerResult.Accesses;
import tacet.hardware.arch.LayerResult.Macs;
import tacet.hardware.arch.SystolicArray.Dataflow;

/** Zero-skipping oracles: Eyeriss v2 ground truth, Sparseloop's counters, order statistics. */
class SparseOracleTest {

  private static final Platform IDEAL = Platform.ideal();
  private static final Platform ACCELERGY = IDEAL.with(EnergyTable.accelergy45());

  /**
   * The eight masked layers of the Sparseloop artifact (figure 12). The masks here are our own, with the same sizes and
   * non-zeros and the same Σ_c nnzA[·,c] nnzW[·,c], which is what the published cycles are.
   */
  @ParameterizedTest
  @CsvSource({
    "64, 64, 1024, 47716, 2131, 1702140, 3053824",
    "64, 128, 256, 14158, 6704, 1499682, 1812224",
    "128, 256, 64, 6823, 21111, 1144158, 1746688",
    "256, 256, 64, 9956, 36035, 1457458, 2548736",
    "256, 256, 64, 10506, 39299, 1677684, 2689536",
    "256, 256, 64, 9968, 45795, 1821557, 2551808",
    "256, 512, 16, 2774, 85128, 948572, 1420288",
    "512, 512, 16, 4775, 78606, 775316, 2444800",
  })
  void eyerissV2(int c, int m, int p, int nnzA, int nnzW, long cycles, long activationOnly) {
    int[] w = spread(c, nnzW, m);
    int[] a = matching(c, nnzA, p, w, cycles);
    Workload layer =
        Workload.sparse("masked", m, columns(p, a)).withWeights(Operand.of(columns(m, w)));
    assertThat(layer.activations().mask().count()).isEqualTo(nnzA);
    assertThat(layer.weights().mask().count()).isEqualTo(nnzW);
    LayerResult r = TwoSidedArray.single(IDEAL).simulate(layer, Fidelity.TILE);
    assertThat(r.cycles()).isEqualTo(cycles);
    assertThat(r.macs()).isEqualTo(new Macs(cycles, 0, (long) c * m * p - cycles));
    assertThat(LaneArray.standard(IDEAL).simulate(layer, Fidelity.TILE).macs().issued())
        .isEqualTo(activationOnly);
  }

  /** Counts per column around their mean, by different amounts, that add up to {@code total}. */
  private static int[] spread(int columns, int total, int max) {
    int[] counts = new int[columns];
    int left = total;
    for (int i = 0; i < columns; i++) {
      double share = .5 + i / (columns - 1.0);
      counts[i] = Math.min(max, (int) (share * total / columns));
      left -= counts[i];
    }
    for (int i = 0; left > 0; i = (i + 1) % columns) {
      if (counts[i] < max) {
        counts[i]++;
        left--;
      }
    }
    return counts;
  }

  /** Counts that add up to {@code total} and whose product with {@code w} is exactly {@code target}. */
  private static int[] matching(int columns, int total, int max, int[] w, long target) {
    int[] a = new int[columns];
    for (int i = 0; i < total; i++) {
      a[i % columns]++;
    }
    long sum = 0;
    for (int i = 0; i < columns; i++) {
      sum += (long) a[i] * w[i];
    }
    SplittableRandom random = new SplittableRandom(1);
    for (int tries = 0; sum != target && tries < 5_000_000; tries++) {
      int from = random.nextInt(columns);
      int to = random.nextInt(columns);
      long next = sum + w[to] - w[from];
      if (a[from] > 0 && a[to] < max && Math.abs(next - target) < Math.abs(sum - target)) {
        a[from]--;
        a[to]++;
        sum = next;
      }
    }
    assertThat(sum).as("own masks reach the published product").isEqualTo(target);
    return a;
  }

  private static BitMatrix columns(int rows, int[] counts) {
    BitMatrix m = new BitMatrix(rows, counts.length);
    for (int c = 0; c < counts.length; c++) {
      for (int i = 0; i < counts[c]; i++) {
        m.set((7 * c + i) % rows, c, true);
      }
    }
    return m;
  }

  /** Timeloop exercises 01.2.1 to 01.2.3: a dot product of 16, dense, a quarter gated, a quarter skipped. */
  @Test
  void denseGatedAndSkippedDotProduct() {
    BitMatrix quarter = new BitMatrix(1, 16);
    for (int k : new int[] {2, 3, 8, 13}) {
      quarter.set(0, k, true);
    }
    Workload dense = Workload.dense("dot", 1, 1, 16);
    Workload sparse = Workload.sparse("dot", 1, quarter);
    for (Fidelity fidelity : new Fidelity[] {Fidelity.TILE, Fidelity.CYCLE}) {
      LayerResult d = systolic(false).simulate(dense, fidelity);
      assertThat(d.cycles()).isEqualTo(16);
      assertThat(d.macs()).isEqualTo(new Macs(16, 0, 0));
      assertThat(d.accesses().activations()).isEqualTo(new Accesses(16, 0, 0));
      assertThat(d.accesses().weights()).isEqualTo(new Accesses(16, 0, 0));
      assertThat(d.accesses().partialReads()).isEqualTo(new Accesses(15, 0, 0));
      assertThat(d.accesses().partialWrites()).isEqualTo(new Accesses(16, 0, 0));
      assertThat(d.energy().mac()).isCloseTo(5.04, within(1e-9));

      LayerResult g = systolic(true).simulate(sparse, fidelity);
      assertThat(g.cycles()).isEqualTo(16);
      assertThat(g.macs()).isEqualTo(new Macs(4, 12, 0));
      assertThat(g.accesses().activations()).isEqualTo(new Accesses(16, 0, 0));
      assertThat(g.accesses().weights()).isEqualTo(new Accesses(4, 12, 0));
      assertThat(g.accesses().partialReads()).isEqualTo(new Accesses(3, 12, 0));
      assertThat(g.accesses().partialWrites()).isEqualTo(new Accesses(4, 12, 0));
      assertThat(g.energy().mac()).isCloseTo(1.26, within(1e-9));

      LayerResult s = TwoSidedArray.single(ACCELERGY).simulate(sparse, fidelity);
      assertThat(s.cycles()).isEqualTo(4);
      assertThat(s.macs()).isEqualTo(new Macs(4, 0, 12));
      assertThat(s.accesses().activations().actual()).isEqualTo(4);
      assertThat(s.accesses().metadata()).isEqualTo(4);
      assertThat(s.accesses().weights()).isEqualTo(new Accesses(4, 0, 12));
      assertThat(s.accesses().partialReads().actual()).isEqualTo(3);
      assertThat(s.accesses().partialWrites().actual()).isEqualTo(4);
      assertThat(s.energy().mac()).isCloseTo(1.26, within(1e-9));
    }
  }

  private static SystolicArray systolic(boolean gated) {
    return new SystolicArray(Dataflow.OS, 1, 1, gated, ACCELERGY);
  }

  /** Timeloop exercise 02.2.1: 8 × 8 × 8, a quarter and a half non-zero, both sides skipped. */
  @Test
  void twoSidedMatrixProduct() {
    BitMatrix a = new BitMatrix(8, 8);
    BitMatrix b = new BitMatrix(8, 8);
    for (int k = 0; k < 8; k++) {
      for (int i = 0; i < 4; i++) {
        b.set(i, k, true);
        if (i < 2) {
          a.set(i, k, true);
        }
      }
    }
    LayerResult r =
        TwoSidedArray.single(IDEAL)
            .simulate(Workload.sparse("mm", 8, a).withWeights(Operand.of(b)), Fidelity.TILE);
    assertThat(r.cycles()).isEqualTo(64);
    assertThat(r.macs()).isEqualTo(new Macs(64, 0, 448));
    assertThat(r.accesses().weights()).isEqualTo(new Accesses(64, 0, 192));
    assertThat(r.accesses().partialReads().actual()).isEqualTo(56);
    assertThat(r.accesses().partialWrites().actual()).isEqualTo(64);
  }

  /** E[cycles of a token] = Σ_x 1 - F(x)^P: what waiting for the fullest lane costs. */
  @ParameterizedTest
  @CsvSource({
    "16, .94, 246.95",
    "16, .5, 142.11",
    "16, .415, 120.22",
    "16, .1, 34.37",
    "16, .0141, 7.27",
    "64, .415, 35.87",
    "64, .1, 12.56",
    "64, .0141, 3.69"
  })
  void laneImbalance(int lanes, double density, double expected) {
    int tokens = 1500;
    LaneArray array = new LaneArray(lanes, 16, 16, Sync.TOKEN, false, 64, 0, IDEAL);
    Workload layer =
        Workload.dense("lanes", tokens, 256, 4096).withActivations(Operand.ofDensity(density));
    assertThat(array.simulate(layer, Fidelity.ANALYTIC).cycles() / (double) tokens)
        .isCloseTo(expected, within(.006));
    double measured = array.simulate(layer.sampled(5), Fidelity.TILE).cycles() / (double) tokens;
    assertThat(measured).isCloseTo(expected, within(.01 * expected));
  }

  /** Tokens in lock step can skip only what all of them skip. */
  @ParameterizedTest
  @CsvSource({".415, .66, .88, .99", ".05, .10, .19, .34"})
  void unionOfTokens(double density, double two, double four, double eight) {
    int inputs = 1536;
    BitMatrix mask = BitMatrix.random(800, inputs, density, new SplittableRandom(3));
    Workload layer = Workload.sparse("union", 256, mask);
    int[] parallel = {2, 4, 8};
    double[] union = {two, four, eight};
    for (int i = 0; i < 3; i++) {
      TokenParallelArray array = new TokenParallelArray(parallel[i], 256, 0, 64, 0, IDEAL);
      double groups = 800.0 / parallel[i];
      double share = array.simulate(layer, Fidelity.TILE).cycles() / (groups * inputs);
      assertThat(share).isCloseTo(union[i], within(.01));
      // Looking far enough ahead, every token works at its own pace, and the fullest decides.
      long apart = array.withLookahead(inputs).simulate(layer, Fidelity.TILE).cycles();
      long fullest = 0;
      for (int t = 0; t < 800; t += parallel[i]) {
        int most = 0;
        for (int j = 0; j < parallel[i]; j++) {
          most = Math.max(most, mask.count(t + j));
        }
        fullest += most;
      }
      assertThat(apart).isEqualTo(fullest);
    }
  }

  /** EIE: a queue of depth 1 leaves elements half idle; with unequal work depth helps, with equal work it cannot. */
  @Test
  void queueDepth() {
    BitMatrix activations = BitMatrix.random(20, 512, .3, new SplittableRandom(1));
    Workload dense = Workload.sparse("dense weights", 512, activations);
    Workload pruned =
        dense.withWeights(Operand.of(BitMatrix.random(512, 512, .1, new SplittableRandom(2))));
    double[] busy = new double[3];
    int[] depths = {1, 8, 64};
    for (int i = 0; i < 3; i++) {
      BroadcastArray array = new BroadcastArray(64, depths[i], 16, 64, 0, IDEAL);
      busy[i] = array.simulate(pruned, Fidelity.TILE).utilisation();
      // Eight rows each: one cycle to fill, then never a wait.
      LayerResult r = array.simulate(dense, Fidelity.TILE);
      assertThat(r.cycles() - 8 * activations.count()).isBetween(20L, 25L);
    }
    assertThat(busy[0]).isLessThan(.5);
    assertThat(busy[1]).isGreaterThan(1.4 * busy[0]);
    assertThat(busy[2] - busy[1]).isLessThan(busy[1] - busy[0]);
  }
}
