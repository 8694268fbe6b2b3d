package tacet.hardware.arch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** TILE and CYCLE are two methods for the same numbers; ANALYTIC is the expectation of both. */
class FidelityTest {

  private static final int CASES = 1000;

  @ParameterizedTest
  @EnumSource
  void cycleEqualsTile(RandomCase.Kind kind) {
    for (long seed = 0; seed < CASES; seed++) {
      RandomCase random = new RandomCase(seed);
      Workload layer = random.layer();
      Accelerator a = random.accelerator(kind, random.platform(random.memory()));
      LayerResult tile = a.simulate(layer, Fidelity.TILE);
      LayerResult cycle = a.simulate(layer, Fidelity.CYCLE);
      String what = "seed " + seed + ", " + a + ", " + layer;
      assertThat(everythingBut(cycle)).as(what).isEqualTo(everythingBut(tile));
      assertAccount(tile, what);
    }
  }

  /** No class of stall is there for show: each is met by some machine and layer. */
  @Test
  void everyStallOccurs() {
    Set<Stall> met = EnumSet.noneOf(Stall.class);
    for (long seed = 0; seed < CASES && met.size() < Stall.values().length; seed++) {
      for (RandomCase.Kind kind : RandomCase.Kind.values()) {
        RandomCase random = new RandomCase(seed);
        Workload layer = random.layer();
        Accelerator a = random.accelerator(kind, random.platform(random.memory()));
        LayerResult r = a.simulate(layer, Fidelity.TILE);
        Arrays.stream(Stall.values()).filter(s -> r.stall(s) > 0).forEach(met::add);
      }
    }
    assertThat(met).containsExactlyInAnyOrder(Stall.values());
  }

  /** All numbers of a result but the fidelity. */
  private static List<Object> everythingBut(LayerResult r) {
    return List.of(
        r.cycles(),
        r.busy(),
        r.stalls(),
        r.macs(),
        r.accesses(),
        r.sram(),
        r.dram(),
        r.energy(),
        r.units(),
        r.peakMacs());
  }

  private static void assertAccount(LayerResult r, String what) {
    long stalls = r.stalls().values().stream().mapToLong(Long::longValue).sum();
    assertThat(r.busy() + stalls).as(what).isEqualTo(r.cycles() * r.units());
    assertThat(r.stalls().values()).as(what).allMatch(s -> s >= 0);
    long all = (long) r.tokens() * r.outputs() * r.inputs();
    assertThat(r.macs().issued() + r.macs().gated() + r.macs().skipped()).as(what).isEqualTo(all);
    assertThat(r.macs().issued()).as(what).isLessThanOrEqualTo(r.cycles() * r.peakMacs());
    long partialReads =
        r.accesses().partialReads().actual()
            + r.accesses().partialReads().gated()
            + r.accesses().partialReads().skipped();
    assertThat(partialReads).as(what).isEqualTo(all - (long) r.tokens() * r.outputs());
  }

  /** With memory: no faster than compute or the channel alone, no slower than both one after the other. */
  @ParameterizedTest
  @EnumSource
  void memoryBounds(RandomCase.Kind kind) {
    for (long seed = 0; seed < 300; seed++) {
      RandomCase random = new RandomCase(seed);
      Workload layer = random.layer();
      Memory memory = random.memory();
      Accelerator a = new RandomCase(seed).accelerator(kind, random.platform(memory));
      Accelerator ideal = new RandomCase(seed).accelerator(kind, random.platform(Memory.IDEAL));
      LayerResult r = a.simulate(layer, Fidelity.TILE);
      long compute = ideal.simulate(layer, Fidelity.TILE).cycles();
      Engine engine = Engines.of(a, layer);
      Traffic traffic = new Traffic(engine, layer, a.platform());
      double channel = 0;
      double slack = 0;
      for (int i = 0; i < engine.steps(); i++) {
        channel +=
            memory.transferCycles(traffic.loadBits[i])
                + memory.transferCycles(traffic.storeBits[i]);
        slack += 2 * memory.latency() + traffic.encodeCycles[i];
        slack += Math.ceil(traffic.words[i] / memory.sramWordsPerCycle());
      }
      String what = "seed " + seed + ", " + a + ", " + layer;
      assertThat((double) r.cycles()).as(what).isGreaterThanOrEqualTo(Math.max(compute, channel));
      assertThat((double) r.cycles()).as(what).isLessThanOrEqualTo(compute + channel + slack);
    }
  }

  @ParameterizedTest
  @EnumSource
  void analyticExpectsWhatTileMeasures(RandomCase.Kind kind) {
    for (double density : new double[] {.05, .4, .9}) {
      Workload expected =
          Workload.dense("analytic", 640, 64, 512).withActivations(Operand.ofDensity(density));
      Accelerator a = standard(kind);
      double analytic = a.simulate(expected, Fidelity.ANALYTIC).cycles();
      LayerResult tile = a.simulate(expected.sampled(11), Fidelity.TILE);
      assertThat(analytic)
          .as(a.name() + " at " + density)
          .isCloseTo(tile.cycles(), within(.02 * tile.cycles()));
      LayerResult r = a.simulate(expected, Fidelity.ANALYTIC);
      long stalls = r.stalls().values().stream().mapToLong(Long::longValue).sum();
      assertThat(r.busy() + stalls).isEqualTo(r.cycles() * r.units());
      assertThat(r.macs().issued())
          .isCloseTo(tile.macs().issued(), within(tile.macs().issued() / 50));
    }
  }

  private static Accelerator standard(RandomCase.Kind kind) {
    Platform p = Platform.ideal();
    return switch (kind) {
      case OS, WS, IS -> SystolicArray.standard(SystolicArray.Dataflow.valueOf(kind.name()), p);
      case LANES -> LaneArray.standard(p);
      case BROADCAST -> BroadcastArray.standard(p);
      case TWO_SIDED -> TwoSidedArray.standard(p);
      case TOKEN_PARALLEL -> TokenParallelArray.standard(p);
    };
  }

  @Test
  void masksAreDemandedWhereNeeded() {
    Workload layer = Workload.dense("x", 2, 2, 2).withActivations(Operand.ofDensity(.5));
    LaneArray lanes = LaneArray.standard(Platform.ideal());
    assertThatThrownBy(() -> lanes.simulate(layer, Fidelity.TILE))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("only densities are known");
    assertThat(lanes.simulate(layer.sampled(1), Fidelity.TILE).cycles()).isPositive();
  }

  /** Zeros of activations say nothing about zeros of weights, in whatever order both are drawn. */
  @Test
  void masksOfTheSameSeedAreIndependent() {
    Workload dense = Workload.dense("layer", 64, 64, 256);
    Operand half = Operand.ofDensity(.5);
    Workload together = dense.withActivations(half).withWeights(half).sampled(3);
    Workload inTurn = dense.withActivations(half).sampled(3).withWeights(half).sampled(3);
    assertThat(inTurn).isEqualTo(together);
    int equal = 0;
    for (int row = 0; row < 64; row++) {
      for (int k = 0; k < 256; k++) {
        boolean a = inTurn.activations().mask().get(row, k);
        equal += a == inTurn.weights().mask().get(row, k) ? 1 : 0;
      }
    }
    assertThat(equal / (64.0 * 256)).isBetween(.48, .52);
  }
}
