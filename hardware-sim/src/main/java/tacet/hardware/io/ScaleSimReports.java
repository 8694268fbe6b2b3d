package tacet.hardware.io;

import java.util.List;
import java.util.StringJoiner;
import tacet.hardware.arch.Fidelity;
import tacet.hardware.arch.LayerResult;
import tacet.hardware.arch.SystolicArray;
import tacet.hardware.arch.SystolicArray.Convention;
import tacet.hardware.arch.SystolicArray.Dataflow;
import tacet.hardware.arch.Workload;

/**
 * The three report files of SCALE-Sim v2, with its columns, its way to count cycles and its count of output-stationary
 * result writes (R + C too many per fold). Compute cycles, utilisations and SRAM accesses equal SCALE-Sim's; stalls and
 * DRAM columns are this simulator's own: bandwidths are means over the whole layer, and start and stop are its first and
 * last cycle.
 */
public final class ScaleSimReports {

  private final SystolicArray array;
  private final List<Workload> layers;
  private final List<LayerResult> results;

  /** Simulates the layers in {@link Fidelity#TILE}. */
  public ScaleSimReports(SystolicArray array, List<Workload> layers) {
    this.array = array;
    this.layers = List.copyOf(layers);
    this.results = layers.stream().map(l -> array.simulate(l, Fidelity.TILE)).toList();
  }

  /** COMPUTE_REPORT.csv. */
  public String compute() {
    StringBuilder csv =
        new StringBuilder(
            "LayerID, Total Cycles, Stall Cycles, Overall Util %, Mapping Efficiency %,"
                + " Compute Util %,\n");
    for (int i = 0; i < layers.size(); i++) {
      Workload layer = layers.get(i);
      double share = array.cycles(layer, Convention.SCALESIM) / (double) totalCycles(i);
      row(
          csv,
          i,
          totalCycles(i),
          totalCycles(i) - array.cycles(layer, Convention.SCALESIM),
          array.overallUtilisation(layer) * share,
          array.mappingEfficiency(layer),
          array.computeUtilisation(layer));
    }
    return csv.toString();
  }

  /** BANDWIDTH_REPORT.csv, in words per cycle. */
  public String bandwidth() {
    StringBuilder csv =
        new StringBuilder(
            "LayerID, Avg IFMAP SRAM BW, Avg FILTER SRAM BW, Avg OFMAP SRAM BW, "
                + "Avg IFMAP DRAM BW, Avg FILTER DRAM BW, Avg OFMAP DRAM BW,\n");
    for (int i = 0; i < layers.size(); i++) {
      LayerResult r = results.get(i);
      double cycles = totalCycles(i);
      row(
          csv,
          i,
          r.sram().activations() / cycles,
          r.sram().weights() / cycles,
          resultWrites(i) / cycles,
          words(r.dram().activations().bits()) / cycles,
          words(r.dram().weights().bits()) / cycles,
          words(r.dram().results().bits()) / cycles);
    }
    return csv.toString();
  }

  /** DETAILED_ACCESS_REPORT.csv. */
  public String detailedAccess() {
    StringJoiner header = new StringJoiner(", ", "LayerID, ", ",\n");
    for (String memory : List.of("SRAM", "DRAM")) {
      for (String operand : List.of("IFMAP", "Filter", "OFMAP")) {
        header.add(memory + " " + operand + " Start Cycle");
        header.add(memory + " " + operand + " Stop Cycle");
        header.add(memory + " " + operand + (operand.equals("OFMAP") ? " Writes" : " Reads"));
      }
    }
    StringBuilder csv = new StringBuilder(header.toString());
    for (int i = 0; i < layers.size(); i++) {
      LayerResult r = results.get(i);
      long last = totalCycles(i);
      row(
          csv,
          i,
          0,
          last,
          r.sram().activations(),
          0,
          last,
          r.sram().weights(),
          0,
          last,
          resultWrites(i),
          0,
          last,
          words(r.dram().activations().bits()),
          0,
          last,
          words(r.dram().weights().bits()),
          0,
          last,
          words(r.dram().results().bits()));
    }
    return csv.toString();
  }

  /** The highest cycle index, SCALE-Sim's "Total Cycles". */
  private long totalCycles(int layer) {
    return results.get(layer).cycles() - 1;
  }

  private long resultWrites(int layer) {
    long writes = results.get(layer).sram().results();
    if (array.dataflow() != Dataflow.OS) {
      return writes;
    }
    Workload w = layers.get(layer);
    long foldCycles = w.inputs() + array.rows() + array.columns() - 2;
    long folds = array.cycles(w, Convention.COUNT) / foldCycles;
    return writes + folds * (array.rows() + array.columns());
  }

  private long words(long bits) {
    return bits / array.platform().dataBits();
  }

  private static void row(StringBuilder csv, int layer, Number... values) {
    csv.append(layer);
    for (Number value : values) {
      csv.append(", ").append(value);
    }
    csv.append(",\n");
  }
}
