package tacet.hardware.io;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import tacet.hardware.FormatException;
import tacet.hardware.arch.EnergyTable;
import tacet.hardware.arch.Memory;
import tacet.hardware.arch.Platform;
import tacet.hardware.arch.SystolicArray;
import tacet.hardware.arch.SystolicArray.Dataflow;

/**
 * A SCALE-Sim configuration (v2 or v3). Sections that this simulator has no use for (layout, sparsity) are accepted and
 * ignored, as are keys it does not know; anything malformed is refused.
 *
 * @param runName run_name
 * @param rows ArrayHeight
 * @param columns ArrayWidth
 * @param ifmapKilobytes IfmapSramSzkB
 * @param filterKilobytes FilterSramSzkB
 * @param ofmapKilobytes OfmapSramSzkB
 * @param bandwidth words per cycle; infinite if InterfaceBandwidth is CALC: memory as fast as the array wants
 * @param dataflow Dataflow
 */
public record ScaleSimConfig(
    String runName,
    int rows,
    int columns,
    int ifmapKilobytes,
    int filterKilobytes,
    int ofmapKilobytes,
    double bandwidth,
    Dataflow dataflow) {

  private static final String ARCHITECTURE = "architecture_presets";

  /**
   * Reads a .cfg file.
   *
   * @throws FormatException if a line is malformed or a needed key missing; the message names file and line
   * @throws IOException if reading fails
   */
  public static ScaleSimConfig read(Path file) throws IOException {
    return of(new KeyValues(file.toString(), KeyValues.lines(file)));
  }

  static ScaleSimConfig of(KeyValues p) throws FormatException {
    String interfaceBandwidth =
        p.oneOf("run_presets", "InterfaceBandwidth", List.of("calc", "user"));
    return new ScaleSimConfig(
        p.text("general", "run_name"),
        p.integer(ARCHITECTURE, "ArrayHeight", 1),
        p.integer(ARCHITECTURE, "ArrayWidth", 1),
        p.integer(ARCHITECTURE, "IfmapSramSzkB", 1),
        p.integer(ARCHITECTURE, "FilterSramSzkB", 1),
        p.integer(ARCHITECTURE, "OfmapSramSzkB", 1),
        interfaceBandwidth.equals("calc")
            ? Double.POSITIVE_INFINITY
            : p.integer(ARCHITECTURE, "Bandwidth", 1),
        p.constant(ARCHITECTURE, "Dataflow", Dataflow.values()));
  }

  /** Whether a file is such a configuration. */
  static boolean looksLike(KeyValues p) {
    return p.has(ARCHITECTURE, "ArrayHeight") || p.has("general", "run_name");
  }

  /** The array, with words of one byte, uncompressed, without latency. */
  public SystolicArray array(EnergyTable energy) {
    Memory memory =
        Memory.IDEAL
            .withBandwidth(bandwidth)
            .withSram(1024L * ifmapKilobytes, 1024L * filterKilobytes, 1024L * ofmapKilobytes);
    return new SystolicArray(dataflow, rows, columns, false, new Platform(8, 1, memory, energy));
  }
}
