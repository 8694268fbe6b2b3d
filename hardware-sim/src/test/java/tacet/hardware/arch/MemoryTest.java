package tacet.hardware.arch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.io.StringReader;
import org.junit.jupiter.api.Test;
import tacet.hardware.BitMatrix;
import tacet.hardware.arch.SystolicArray.Dataflow;

class MemoryTest {

  private static Memory memory(double bandwidth, int latency, long sram) {
    return Memory.IDEAL.withSram(sram, sram, sram).withBandwidth(bandwidth).withLatency(latency);
  }

  /** One fold: 4 × 8 activations and 4 × 8 weights arrive, 14 cycles of work, 16 results leave. */
  @Test
  void oneStepByHand() {
    Platform p = Platform.ideal().with(memory(4, 10, 1 << 20));
    SystolicArray a = new SystolicArray(Dataflow.OS, 4, 4, false, p);
    LayerResult r = a.simulate(Workload.dense("x", 4, 4, 8), Fidelity.TILE);
    assertThat(r.stall(Stall.DRAM_READ)).isEqualTo(16 * (10 + 64 / 4));
    assertThat(r.stall(Stall.DRAM_WRITE)).isEqualTo(16 * (10 + 16 / 4));
    assertThat(r.cycles()).isEqualTo(26 + 14 + 14);
    assertThat(r.dram().bits()).isEqualTo(8 * (32 + 32 + 16));
  }

  /** Operands that fit are loaded once, blocks that fit half are loaded when they change, others each time. */
  @Test
  void reuseDependsOnSize() {
    // 4 × 3 folds of 4 × 4; activations 16 × 8 bytes, weights 12 × 8 bytes, blocks of 32 bytes.
    Workload layer = Workload.dense("x", 16, 12, 8);
    assertLoaded(layer, 128, 128, 96);
    // Activations change at every fold and weights every fourth.
    assertLoaded(layer, 64, 3 * 128, 96);
    assertLoaded(layer, 63, 3 * 128, 4 * 96);
  }

  private static void assertLoaded(Workload layer, long sram, long activations, long weights) {
    Platform p = Platform.ideal().with(memory(4, 0, sram));
    LayerResult r = new SystolicArray(Dataflow.OS, 4, 4, false, p).simulate(layer, Fidelity.TILE);
    assertThat(r.dram().activations().bits()).isEqualTo(8 * activations);
    assertThat(r.dram().weights().bits()).isEqualTo(8 * weights);
  }

  /** A broadcast array that cannot keep its weights fetches only columns of non-zero activations. */
  @Test
  void skippingActivationsSkipsWeights() {
    BitMatrix half = new BitMatrix(1, 64);
    for (int k = 0; k < 64; k += 2) {
      half.set(0, k, true);
    }
    Platform p = Platform.ideal().with(memory(4, 0, 16));
    BroadcastArray a = BroadcastArray.standard(p);
    Workload layer = Workload.sparse("decode", 100, half);
    long dense = a.simulate(layer.withoutZeros(), Fidelity.TILE).dram().weights().bits();
    assertThat(dense).isEqualTo(8 * 6400);
    assertThat(a.simulate(layer, Fidelity.TILE).dram().weights().bits()).isEqualTo(dense / 2);
  }

  /** Results wait for an encoder that is slower than the array. */
  @Test
  void slowEncodersAreSeen() {
    Memory slow = Memory.DEFAULT.withEncoder(.01).withBandwidth(1e9);
    BitMatrix mask = BitMatrix.ones(64, 64);
    Workload layer = Workload.dense("x", 64, 64, 16).withResults(Operand.of(mask));
    TwoSidedArray a = new TwoSidedArray(64, 1, 8, 0, Platform.ideal().with(slow));
    LayerResult r = a.simulate(layer, Fidelity.TILE);
    // 64 × 64 results are 256 bricks of 100 cycles each.
    assertThat(r.cycles()).isGreaterThan(25600);
    assertThat(r.stall(Stall.ENCODER)).isPositive();
    assertThat(r.energy().encoder()).isCloseTo(4096 * .1, within(1e-9));
    LayerResult free = a.simulate(layer.withResults(Operand.DENSE), Fidelity.TILE);
    assertThat(free.stall(Stall.ENCODER)).isZero();
  }

  @Test
  void energyAddsUp() {
    Platform p = Platform.standard();
    Workload layer = Workload.dense("x", 64, 64, 64);
    LayerResult r = SystolicArray.standard(Dataflow.OS, p).simulate(layer, Fidelity.TILE);
    assertThat(r.energy().mac()).isCloseTo(64 * 64 * 64 * .23, within(1e-6));
    assertThat(r.energy().dram()).isCloseTo(r.dram().bits() / 32.0 * 640, within(1e-6));
    assertThat(r.energy().leakage()).isCloseTo(r.cycles() * 50.0, within(1e-6));
    assertThat(r.edp()).isCloseTo(r.energy().sum() * r.cycles(), within(1e-3));
    assertThat(r.watts()).isCloseTo(r.energy().sum() / r.cycles() * 1e-3, within(1e-12));
    // The sponge table charges what the sponge model charges: elements through DRAM and products.
    LayerResult sponge =
        SystolicArray.standard(Dataflow.OS, new Platform(32, 1, Memory.IDEAL, EnergyTable.sponge()))
            .simulate(layer, Fidelity.TILE);
    assertThat(sponge.energy().sum()).isCloseTo(1950 * 3 * 4096 + 3.7 * 64 * 4096, within(1e-3));
  }

  @Test
  void tablesNeedNumbersAndSources() throws IOException {
    EnergyTable t = EnergyTable.horowitz45();
    assertThat(t.mac(32)).isEqualTo(4.6);
    assertThat(t.sram(8192, 32)).isEqualTo(5);
    assertThat(t.sram(8193, 32)).isEqualTo(10);
    assertThat(t.sram(1L << 40, 64)).isEqualTo(100);
    assertThat(EnergyTable.accelergy45().mac(8)).isEqualTo(.315);
    assertThatThrownBy(() -> t.mac(4)).hasMessageContaining("8, 16 or 32");
    assertThatThrownBy(() -> EnergyTable.read("t", new StringReader("mac.8=1\n")))
        .hasMessageContaining("mac.8.source is missing");
    assertThatThrownBy(() -> EnergyTable.read("t", new StringReader("mac.8=x\nmac.8.source=y\n")))
        .hasMessageContaining("mac.8 must be a number");
    assertThatThrownBy(() -> EnergyTable.read("t", new StringReader("mac.8=-1\nmac.8.source=y\n")))
        .hasMessageContaining("mac.8 must not be -1");
  }

  @Test
  void nonsenseIsRefused() {
    assertThatThrownBy(() -> Memory.DEFAULT.withBandwidth(0)).hasMessageContaining("positive");
    assertThatThrownBy(() -> new LaneArray.Sync(false, 0)).hasMessageContaining("at least one");
    assertThatThrownBy(() -> LaneArray.standard(Platform.ideal()).withLanes(0))
        .hasMessageContaining("positive");
    assertThatThrownBy(() -> Workload.dense("x", 0, 1, 1)).hasMessageContaining("impossible");
    assertThatThrownBy(
            () -> Workload.dense("x", 2, 2, 2).withWeights(Operand.of(new BitMatrix(3, 2))))
        .hasMessageContaining("weights is 3 x 2, not 2 x 2");
    assertThatThrownBy(() -> Operand.ofDensity(Double.NaN)).hasMessageContaining("0..1");
    assertThatThrownBy(() -> new Platform(12, 1, Memory.IDEAL, EnergyTable.sponge()))
        .hasMessageContaining("8, 16 or 32");
  }
}
