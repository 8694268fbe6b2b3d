package tacet.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import tacet.deft.report.HardwareReport;
import tacet.hardware.arch.Accelerator;
import tacet.hardware.arch.SystolicArray;
import tacet.hardware.arch.Workload;
import tacet.hardware.io.Reports;
import tacet.hardware.io.ScaleSimReports;
import tacet.hardware.study.Gain;
import tacet.hardware.study.Subject;
import tacet.transformer.checkpoint.AtomicFile;

/**
 * What {@code tacet simulate} leaves behind: a page, the same as Markdown, CSV and JSON, figures, and SCALE-Sim's files.
 *
 * @param content of the page
 * @param machines in order
 */
record SimulationFiles(HardwareReport.Content content, List<Accelerator> machines) {

  /**
   * Writes everything.
   *
   * @param layers of the first subject; SCALE-Sim's reports are of these without zeros
   */
  void write(Path dir, List<Workload> layers) throws IOException {
    Files.createDirectories(dir);
    List<String> figures = HardwareReport.writeFigures(dir.resolve("figures"), content);
    HardwareReport.write(dir.resolve("report.html"), content);
    String json = Reports.json(content.subjects(), content.figures());
    AtomicFile.write(dir.resolve("report.json"), json);
    AtomicFile.write(dir.resolve("report.csv"), Reports.subjectsCsv(content.subjects()));
    AtomicFile.write(dir.resolve("report.md"), markdown(figures));
    List<Workload> dense = layers.stream().map(Workload::withoutZeros).toList();
    for (Accelerator m : machines) {
      if (m instanceof SystolicArray array && !array.gated()) {
        Path scaleSim = Files.createDirectories(dir.resolve("scale-sim").resolve(array.name()));
        ScaleSimReports reports = new ScaleSimReports(array, dense);
        AtomicFile.write(scaleSim.resolve("COMPUTE_REPORT.csv"), reports.compute());
        AtomicFile.write(scaleSim.resolve("BANDWIDTH_REPORT.csv"), reports.bandwidth());
        AtomicFile.write(scaleSim.resolve("DETAILED_ACCESS_REPORT.csv"), reports.detailedAccess());
      }
    }
  }

  private String markdown(List<String> figures) {
    StringBuilder text = new StringBuilder("# ").append(content.title()).append("\n\n");
    text.append(
            "Each machine is compared with itself without zeros. Sparse products are those whose")
        .append(" inputs have zeros. Made by\n\n    ")
        .append(content.command())
        .append("\n\n")
        .append(Reports.summary(content.subjects()))
        .append("\n| | |\n|---|---|\n");
    content
        .facts()
        .forEach((k, v) -> text.append("| ").append(k).append(" | ").append(v).append(" |\n"));
    text.append("\n## Figures\n\n");
    figures.forEach(
        f -> text.append("![").append(f).append("](figures/").append(f).append(")\n\n"));
    for (Subject s : content.subjects()) {
      text.append("## Layers: ").append(s.name()).append("\n\n");
      text.append(Reports.markdown(s.results())).append('\n');
    }
    return text.toString();
  }

  /** A table of gains per subject. */
  void printSummary(PrintWriter o) {
    for (Subject s : content.subjects()) {
      o.printf(
          Locale.ROOT,
          "%-32s %10s %16s %12s %14s%n",
          s.name(),
          "speed-up",
          "sparse products",
          "energy",
          "energy x delay");
      for (Accelerator m : machines) {
        Gain all = Gain.of(s.results(), m.name(), false);
        Gain sparse = Gain.of(s.results(), m.name(), true);
        o.printf(
            Locale.ROOT,
            "%-32s %9.2fx %15.2fx %12.3f %14.3f%n",
            m.name(),
            all.speedup(),
            sparse.speedup(),
            all.energyRatio(),
            all.energyRatio() / all.speedup());
      }
      o.println();
    }
  }

  /** A machine's platform in a line. */
  static String surroundings(Accelerator m) {
    var p = m.platform();
    var memory = p.memory();
    return String.format(
        Locale.ROOT,
        "%d bits, %s GHz, prices %s; DRAM %s bytes/cycle after %d; SRAM %s kB; activations %s,"
            + " results %s, encoder %s bricks/cycle",
        p.dataBits(),
        number(p.gigahertz()),
        p.energy().name(),
        number(memory.bytesPerCycle()),
        memory.latency(),
        memory.activationSram() > 1L << 40
            ? "unlimited"
            : memory.activationSram() / 1024
                + "/"
                + memory.weightSram() / 1024
                + "/"
                + memory.outputSram() / 1024,
        spelled(memory.activations()),
        spelled(memory.outputs()),
        number(memory.encoderBricks()));
  }

  private static String spelled(Enum<?> constant) {
    return constant.name().toLowerCase(Locale.ROOT).replace('_', '-');
  }

  private static String number(double value) {
    return Double.isInfinite(value)
        ? "unlimited"
        : value == Math.rint(value) ? Long.toString((long) value) : Double.toString(value);
  }
}
