package tacet.cli;

import java.io.PrintWriter;
import java.util.Locale;
import tacet.deft.report.RunMetrics;

/** A run's result on stdout: JSON, or a few lines. */
final class Summary {
  private Summary() {}

  static void print(Common common, RunMetrics m) {
    PrintWriter out = common.out();
    if (common.json) {
      out.println(m.toJson());
      return;
    }
    m.metrics().forEach((name, v) -> out.printf(Locale.ROOT, "%-12s %8.2f%n", name, v));
    out.printf(
        Locale.ROOT,
        "%-12s %8.2f %%   (with padding %.2f, |a| > 1e-3 %.2f)%n",
        "density",
        m.density().exact(),
        m.density().included(),
        m.density().threshold().get("1e-3"));
    out.printf(
        Locale.ROOT,
        "%-12s %8d      (%.2f %%)%n",
        "trainable",
        m.trainable(),
        m.trainablePercent());
    m.seconds().forEach((name, v) -> out.printf(Locale.ROOT, "%-12s %8.1f s%n", name + " time", v));
    out.printf(Locale.ROOT, "%-12s %8.0f MiB%n", "peak memory", m.peakMemoryMb());
  }
}
