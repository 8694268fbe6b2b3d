package tacet.hardware.arch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tacet.hardware.arch.LayerResult.SramWords;
import tacet.hardware.arch.SystolicArray.Convention;
import tacet.hardware.arch.SystolicArray.Dataflow;

/** Numbers printed by SCALE-Sim (v2 22f88b1, v3 1d62b68) and STONNE (22634b8), or kept in their golden files. */
class DenseOracleTest {

  private static final Platform IDEAL = Platform.ideal();

  private static SystolicArray array(Dataflow dataflow, int rows, int columns) {
    return new SystolicArray(dataflow, rows, columns, false, IDEAL);
  }

  @ParameterizedTest
  @CsvSource({
    // Golden files: AlexNet's first convolution, a matrix product, row-wise compressed filters.
    "WS, 32, 32, 3025, 96, 363, 112283",
    "OS, 32, 32, 256, 128, 256, 10175",
    "WS, 32, 32, 256, 128, 256, 11199",
    "IS, 32, 32, 256, 128, 256, 14207",
    "WS, 128, 128, 3025, 96, 184, 6813",
    // Runs in CALC mode.
    "OS, 4, 4, 4, 4, 4, 9",
    "OS, 8, 8, 8, 8, 8, 21",
    "OS, 16, 16, 16, 16, 16, 45",
    "OS, 32, 32, 32, 32, 32, 93",
    "OS, 8, 8, 16, 24, 40, 323",
    "WS, 8, 8, 16, 24, 40, 569",
    "IS, 8, 8, 16, 24, 40, 459",
    "OS, 4, 4, 5, 7, 9, 59",
    "WS, 4, 4, 5, 7, 9, 89",
    "IS, 4, 4, 5, 7, 9, 101",
    "OS, 32, 32, 128, 64, 256, 2543",
    "WS, 32, 32, 128, 64, 256, 3551",
    "IS, 32, 32, 128, 64, 256, 5055",
    "OS, 16, 16, 128, 64, 256, 9151",
    "WS, 16, 16, 128, 64, 256, 11135",
    "IS, 16, 16, 128, 64, 256, 14079",
    "OS, 16, 16, 32, 32, 64, 375",
  })
  void scaleSimCycles(Dataflow dataflow, int rows, int columns, int m, int n, int k, long cycles) {
    SystolicArray array = array(dataflow, rows, columns);
    Workload layer = Workload.dense("oracle", m, n, k);
    assertThat(array.cycles(layer, Convention.SCALESIM)).isEqualTo(cycles);
    assertThat(array.cycles(layer, Convention.COUNT)).isEqualTo(cycles + 1);
    assertThat(array.simulate(layer, Fidelity.TILE).cycles()).isEqualTo(cycles + 1);
    assertThat(array.simulate(layer, Fidelity.ANALYTIC).cycles()).isEqualTo(cycles + 1);
    if (layer.macs() <= 20_000) {
      assertThat(array.simulate(layer, Fidelity.CYCLE).cycles()).isEqualTo(cycles + 1);
    }
  }

  /** SCALE-Sim v1 was validated against RTL on N × N × N products on N × N arrays: 3 N - 2 cycles. */
  @ParameterizedTest
  @CsvSource({"4", "8", "16", "20", "32", "40", "50", "64", "70", "80", "90"})
  void rtlCycles(int n) {
    Workload layer = Workload.dense("rtl", n, n, n);
    assertThat(array(Dataflow.OS, n, n).cycles(layer, Convention.COUNT)).isEqualTo(3L * n - 2);
  }

  @Test
  void scaleSimUtilisationsAndAccesses() {
    SystolicArray ws = array(Dataflow.WS, 32, 32);
    Workload conv = Workload.dense("Conv1", 3025, 96, 363);
    assertThat(ws.overallUtilisation(conv)).isCloseTo(91.68309650614964, within(1e-11));
    assertThat(ws.mappingEfficiency(conv)).isCloseTo(94.53125, within(1e-11));
    assertThat(ws.computeUtilisation(conv)).isCloseTo(90.78000992063492, within(1e-11));
    assertThat(ws.simulate(conv, Fidelity.TILE).sram())
        .isEqualTo(new SramWords(3294225, 34848, 3484800));
    Workload gemm = Workload.dense("gemm", 256, 128, 256);
    assertThat(array(Dataflow.OS, 32, 32).simulate(gemm, Fidelity.TILE).sram())
        .isEqualTo(new SramWords(262144, 262144, 32768));
    assertThat(array(Dataflow.IS, 32, 32).simulate(gemm, Fidelity.TILE).sram())
        .isEqualTo(new SramWords(256 * 256, 128 * 256 * 8, 256 * 128 * 8));
  }

  @ParameterizedTest
  @CsvSource({
    "4, 4, 4, 4, 16, 27",
    "4, 4, 4, 4, 32, 43",
    "4, 4, 8, 8, 16, 108",
    "4, 4, 8, 8, 64, 300",
    "4, 4, 5, 2, 2, 18",
    "4, 4, 4, 4, 1, 12",
    "1, 1, 1, 1, 16, 20",
    "1, 4, 4, 4, 16, 92",
    "2, 4, 4, 4, 16, 50",
    "16, 16, 16, 16, 64, 99",
    "16, 16, 32, 32, 64, 396",
    "16, 16, 128, 64, 256, 9312",
    "16, 16, 128, 128, 256, 18624",
  })
  void stonneMesh(int rows, int columns, int m, int n, int k, long cycles) {
    Workload layer = Workload.dense("stonne", m, n, k);
    assertThat(array(Dataflow.OS, rows, columns).cycles(layer, Convention.STONNE))
        .isEqualTo(cycles);
  }

  @Test
  void stonneAccesses() {
    Workload layer = Workload.dense("stonne", 32, 32, 64);
    assertThat(array(Dataflow.OS, 16, 16).simulate(layer, Fidelity.TILE).sram())
        .isEqualTo(new SramWords(4096, 4096, 1024));
    assertThatThrownBy(() -> array(Dataflow.WS, 4, 4).cycles(layer, Convention.STONNE))
        .hasMessageContaining("output stationary");
  }
}
