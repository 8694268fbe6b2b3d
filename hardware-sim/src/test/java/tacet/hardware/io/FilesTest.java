package tacet.hardware.io;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tacet.hardware.FormatException;
import tacet.hardware.arch.Accelerator;
import tacet.hardware.arch.BroadcastArray;
import tacet.hardware.arch.Compression;
import tacet.hardware.arch.EnergyTable;
import tacet.hardware.arch.Fidelity;
import tacet.hardware.arch.LaneArray;
import tacet.hardware.arch.Memory;
import tacet.hardware.arch.SystolicArray;
import tacet.hardware.arch.SystolicArray.Convention;
import tacet.hardware.arch.SystolicArray.Dataflow;
import tacet.hardware.arch.TokenParallelArray;
import tacet.hardware.arch.TwoSidedArray;
import tacet.hardware.arch.Workload;

class FilesTest {

  private static final String CONFIG =
      """
      [general]
      run_name = golden

      [architecture_presets]
      ArrayHeight:    32
      ArrayWidth:     32
      IfmapSramSzkB:  64
      FilterSramSzkB: 64
      OfmapSramSzkB:  64
      IfmapOffset:    0
      Bandwidth : 10
      Dataflow : ws
      MemoryBanks: 1
      [layout]
      IfmapCustomLayout: False
      [run_presets]
      InterfaceBandwidth: CALC
      """;

  private static final String HEADER = "Layer name, whatever,\n";

  @TempDir Path folder;

  private Path file(String text) throws IOException {
    return Files.writeString(folder.resolve("file"), text);
  }

  private void assertRefused(Reading reading, String text, int line, String problem)
      throws IOException {
    Path file = file(text);
    assertThatThrownBy(() -> reading.read(file))
        .isInstanceOf(FormatException.class)
        .hasMessageStartingWith(file + ", line " + line + ": ")
        .hasMessageContaining(problem);
  }

  private interface Reading {
    Object read(Path file) throws IOException;
  }

  @Test
  void readsScaleSimConfigurations() throws IOException {
    ScaleSimConfig config = ScaleSimConfig.read(file(CONFIG));
    assertThat(config)
        .isEqualTo(
            new ScaleSimConfig(
                "golden", 32, 32, 64, 64, 64, Double.POSITIVE_INFINITY, Dataflow.WS));
    String user = CONFIG.replace("CALC", "USER").replace(": ws", "= OS");
    assertThat(ScaleSimConfig.read(file(user)).bandwidth()).isEqualTo(10);
    assertThat(ScaleSimConfig.read(file(user)).dataflow()).isEqualTo(Dataflow.OS);
    assertThat(ArchitectureFile.read(file(CONFIG)).name()).isEqualTo("systolic-WS-32x32");
  }

  @Test
  void refusesMalformedConfigurations() throws IOException {
    Reading read = ScaleSimConfig::read;
    assertRefused(read, CONFIG.replace("[general]\n", ""), 1, "expected [section]");
    assertRefused(read, CONFIG.replace("ArrayWidth: ", "ArrayWidth "), 6, "expected [section]");
    assertRefused(read, CONFIG.replace("    32\nArrayW", " x32\nArrayW"), 5, "not 'x32'");
    assertRefused(read, CONFIG.replace("    32\nArrayW", " 0\nArrayW"), 5, "at least 1");
    assertRefused(read, CONFIG.replace(": ws", ": xs"), 12, "os or ws or is, not 'xs'");
    assertRefused(read, CONFIG.replace("CALC", "MAYBE"), 17, "calc or user");
    assertRefused(read, CONFIG.replace("OfmapSramSzkB:  64\n", ""), 16, "needs OfmapSramSzkB");
    assertRefused(read, CONFIG.replace("IfmapOffset", "ArrayHeight"), 10, "set twice");
    assertRefused(read, CONFIG.replace("golden", ""), 2, "needs run_name");
    assertRefused(read, "", 1, "needs");
    Path binary = Files.write(folder.resolve("binary"), new byte[] {(byte) 0xff, (byte) 0xfe});
    assertThatThrownBy(() -> ScaleSimConfig.read(binary))
        .isInstanceOf(FormatException.class)
        .hasMessageContaining("UTF-8");
  }

  @Test
  void readsTopologies() throws IOException {
    List<Workload> layers =
        Topology.read(
            file(
                HEADER
                    + "Conv1, 224, 224, 11, 11, 3, 96, 4,\n"
                    + "\n"
                    + "Gemm, 256, 128, 256,\n"
                    + "Half, 16, 16, 15, 1:2,\n"
                    + "SparseConv, 5, 4, 2, 2, 3, 7, 1, 2:4,\n"));
    assertThat(layers)
        .containsExactly(
            Workload.dense("Conv1", 3025, 96, 363),
            Workload.dense("Gemm", 256, 128, 256),
            Workload.dense("Half", 16, 16, 8),
            Workload.dense("SparseConv", 12, 7, 6));
  }

  @Test
  void refusesMalformedTopologies() throws IOException {
    Reading read = Topology::read;
    assertRefused(read, HEADER + "a, 1, 2, 3,\nb, 1, 2, 3\n", 3, "end with a comma");
    assertRefused(read, HEADER + "a, 1, 2,\n", 2, "found 3");
    assertRefused(read, HEADER + "a, 1, x, 3,\n", 2, "N must be a positive integer, not 'x'");
    assertRefused(read, HEADER + "a, 1, 0, 3,\n", 2, "N must be");
    assertRefused(read, HEADER + ", 1, 2, 3,\n", 2, "no name");
    assertRefused(read, HEADER + "a, 1, 2, 3, 4:2,\n", 2, "sparsity must be N:M");
    assertRefused(read, HEADER + "a, 4, 4, 5, 1, 1, 1, 1,\n", 2, "larger than its input");
    assertRefused(read, HEADER, 1, "no layer");
    assertRefused(read, HEADER + "a, 900000, 900000, 1, 1, 1, 1, 1,\n", 2, "layer too large");
  }

  @Test
  void readsArchitectures() throws IOException {
    Accelerator lanes =
        ArchitectureFile.read(
            file(
                """
                # Cnvlutin with more lanes
                [architecture]
                kind: lanes
                lanes: 32
                sync: 8
                run-ahead: yes
                [platform]
                data-bits: 16
                energy: accelergy45
                [memory]
                bytes-per-cycle: 64
                sram-words-per-cycle: infinite
                activation-format: run-length
                """));
    assertThat(lanes.name()).isEqualTo("lanes-32x16x16-ahead8");
    assertThat(lanes.platform().dataBits()).isEqualTo(16);
    assertThat(lanes.platform().energy().name()).isEqualTo("accelergy45");
    assertThat(lanes.platform().memory())
        .isEqualTo(
            Memory.DEFAULT
                .withBandwidth(64)
                .withFormats(Compression.RUN_LENGTH, Compression.NONE, Compression.BITMAP));
    assertThat(kind("systolic\ndataflow: is\ngated: yes")).isInstanceOf(SystolicArray.class);
    assertThat(kind("broadcast\nqueue: 2")).isInstanceOf(BroadcastArray.class);
    assertThat(kind("two-sided\nwindow: 4")).isInstanceOf(TwoSidedArray.class);
    assertThat(kind("token-parallel\nlookahead: 4\n[memory]\npreset: ideal"))
        .isInstanceOf(TokenParallelArray.class);
    assertThat(((LaneArray) kind("lanes\nzero-brick-bubble: no")).zeroBrickBubble()).isFalse();
  }

  private Accelerator kind(String kind) throws IOException {
    return ArchitectureFile.read(file("[architecture]\nkind: " + kind + "\n"));
  }

  @Test
  void refusesMalformedArchitectures() throws IOException {
    Reading read = ArchitectureFile::read;
    String lanes = "[architecture]\nkind: lanes\n";
    assertRefused(read, "[architecture]\n", 1, "needs kind");
    assertRefused(read, "[architecture]\nkind: gpu\n", 2, "kind must be systolic or lanes");
    assertRefused(read, lanes + "queue: 3\n", 3, "unknown key 'queue'");
    assertRefused(read, lanes + "lanes: none\n", 3, "lanes must be an integer");
    assertRefused(read, lanes + "[platform]\ndata-bits: 12\n", 4, "8, 16 or 32");
    assertRefused(read, lanes + "[platform]\nenergy: mine\n", 4, "energy must be");
    assertRefused(read, lanes + "[memory]\nbytes-per-cycle: -1\n", 4, "positive number");
    assertRefused(read, lanes + "[memory]\nweight-format: zip\n", 4, "none or bitmap");
    Files.writeString(folder.resolve("mine"), "mac.8=1\n");
    assertRefused(read, lanes + "[platform]\nenergy: mine\n", 4, "mac.8.source is missing");
  }

  @Test
  void writesScaleSimReports() throws IOException {
    SystolicArray ws = ScaleSimConfig.read(file(CONFIG)).array(EnergyTable.horowitz45());
    ScaleSimReports reports =
        new ScaleSimReports(ws, List.of(Workload.dense("Conv1", 3025, 96, 363)));
    // The golden file of SCALE-Sim's own tests.
    assertThat(reports.compute())
        .isEqualTo(
            "LayerID, Total Cycles, Stall Cycles, Overall Util %, Mapping Efficiency %, Compute Util %,\n"
                + "0, 112283, 0, 91.68309650614964, 94.53125, 90.78000992063492,\n");
    String[] detailed = reports.detailedAccess().split("\n");
    assertThat(detailed[0])
        .startsWith(
            "LayerID, SRAM IFMAP Start Cycle, SRAM IFMAP Stop Cycle, SRAM IFMAP Reads, SRAM")
        .endsWith("DRAM OFMAP Start Cycle, DRAM OFMAP Stop Cycle, DRAM OFMAP Writes,");
    assertThat(detailed[1])
        .startsWith("0, 0, 112283, 3294225, 0, 112283, 34848, 0, 112283, 3484800, 0,");
    assertThat(detailed[1].split(",")).hasSameSizeAs(detailed[0].split(","));
    assertThat(reports.bandwidth().split("\n")[1].split(",")).hasSize(7);
    SystolicArray os =
        ScaleSimConfig.read(file(CONFIG.replace(": ws", ": os").replace("CALC", "USER")))
            .array(EnergyTable.horowitz45());
    Workload gemm = Workload.dense("gemm", 256, 128, 256);
    ScaleSimReports user = new ScaleSimReports(os, List.of(gemm));
    // 32768 results and 64 too many for each of 32 folds, as SCALE-Sim counts them.
    assertThat(user.detailedAccess()).contains(", 34816, ");
    String[] row = user.compute().split("\n")[1].split(", ");
    long total = Long.parseLong(row[1]);
    assertThat(total - Long.parseLong(row[2]))
        .isEqualTo(os.cycles(gemm, Convention.SCALESIM))
        .isEqualTo(10175);
    assertThat(total).isEqualTo(os.simulate(gemm, Fidelity.TILE).cycles() - 1);
  }
}
