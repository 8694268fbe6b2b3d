package tacet.hardware.io;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;
import tacet.hardware.arch.Comparison;
import tacet.hardware.arch.LayerResult;
import tacet.hardware.arch.Stall;
import tacet.hardware.study.Figure;
import tacet.hardware.study.Gain;
import tacet.hardware.study.Subject;

/** Comparisons as CSV, Markdown and JSON text. All three say per architecture, never one number for all. */
public final class Reports {
  private Reports() {}

  /** One row per layer and architecture, every number. */
  public static String csv(List<Comparison> comparisons) {
    return rows(comparisons.stream().map(Reports::flat).toList());
  }

  /** The same for several subjects, whose name is the first column. */
  public static String subjectsCsv(List<Subject> subjects) {
    List<Map<String, Object>> rows = new ArrayList<>();
    for (Subject subject : subjects) {
      for (Comparison c : subject.results()) {
        Map<String, Object> row = new LinkedHashMap<>();
        row.put("subject", subject.name());
        row.putAll(flat(c));
        rows.add(row);
      }
    }
    return rows(rows);
  }

  private static String rows(List<Map<String, Object>> rows) {
    StringBuilder csv = new StringBuilder();
    if (!rows.isEmpty()) {
      csv.append(String.join(",", rows.get(0).keySet())).append('\n');
    }
    for (Map<String, Object> row : rows) {
      csv.append(row.values().stream().map(Reports::field).collect(Collectors.joining(",")));
      csv.append('\n');
    }
    return csv.toString();
  }

  /** {@code layers}, one object per layer and architecture, and {@code totals}, one per architecture. */
  public static String json(List<Comparison> comparisons) {
    Map<String, Object> report = new LinkedHashMap<>();
    report.put("layers", comparisons.stream().map(Reports::nested).toList());
    report.put("totals", totals(comparisons));
    return Json.write(report);
  }

  /**
   * {@code layers} and {@code totals} of the first subject as above, its name as {@code subject}; the other subjects in
   * the same form as {@code compared}; and the data of the figures.
   */
  public static String json(List<Subject> subjects, List<Figure> figures) {
    List<Map<String, Object>> all = new ArrayList<>();
    for (Subject subject : subjects) {
      Map<String, Object> o = new LinkedHashMap<>();
      o.put("subject", subject.name());
      o.put("layers", subject.results().stream().map(Reports::nested).toList());
      o.put("totals", totals(subject.results()));
      all.add(o);
    }
    Map<String, Object> report = all.get(0);
    report.put("compared", all.subList(1, all.size()));
    report.put("figures", figures.stream().map(Reports::figure).toList());
    return Json.write(report);
  }

  private static Map<String, Object> figure(Figure figure) {
    Map<String, Object> o = new LinkedHashMap<>();
    o.put("id", figure.id());
    o.put("title", figure.title());
    if (figure instanceof Figure.Grid grid) {
      o.put("row", grid.rowLabel());
      o.put("column", grid.columnLabel());
      o.put("rows", grid.rows());
      o.put("columns", grid.columns());
      o.put("values", grid.values());
    } else if (figure instanceof Figure.Curves curves) {
      o.put("x", curves.x().label());
      o.put("y", curves.y().label());
      o.put("lines", curves.lines().stream().map(Reports::line).toList());
    }
    return o;
  }

  private static Map<String, Object> line(Figure.Line line) {
    Map<String, Object> o = new LinkedHashMap<>();
    o.put("name", line.name());
    o.put("joined", line.joined());
    o.put("x", line.x());
    o.put("y", line.y());
    return o;
  }

  /** One row per architecture: what the zeros of every subject are worth there, over all layers. */
  public static String summary(List<Subject> subjects) {
    StringBuilder text = new StringBuilder("| architecture |");
    StringBuilder rule = new StringBuilder("|---|");
    for (Subject s : subjects) {
      text.append(' ').append(s.name()).append(": speed-up |");
      text.append(" of sparse products | energy ratio | energy × delay ratio |");
      rule.append("---:|---:|---:|---:|");
    }
    text.append('\n').append(rule).append('\n');
    for (String architecture : totalsByArchitecture(subjects.get(0).results()).keySet()) {
      text.append("| ").append(architecture).append(" |");
      for (Subject s : subjects) {
        Gain all = Gain.of(s.results(), architecture, false);
        Gain sparse = Gain.of(s.results(), architecture, true);
        text.append(
            String.format(
                Locale.ROOT,
                " %.3f | %.3f | %.3f | %.3f |",
                all.speedup(),
                sparse.speedup(),
                all.energyRatio(),
                all.energyRatio() / all.speedup()));
      }
      text.append('\n');
    }
    return text.toString();
  }

  /** A table of layers and one of totals. */
  public static String markdown(List<Comparison> comparisons) {
    StringBuilder text = new StringBuilder();
    text.append(
        "| architecture | layer | density | cycles | dense cycles | speed-up | of ideal | busy |"
            + " energy µJ | energy ratio | largest stall |\n"
            + "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---|\n");
    for (Comparison c : comparisons) {
      LayerResult r = c.sparse();
      text.append(
          String.format(
              Locale.ROOT,
              "| %s | %s | %.4f | %d | %d | %.3f | %.3f | %.3f | %.3f | %.3f | %s |%n",
              r.architecture(),
              r.layer(),
              r.activationDensity(),
              r.cycles(),
              c.dense().cycles(),
              c.speedup(),
              c.efficiency(),
              r.utilisation(),
              r.energy().sum() * 1e-6,
              c.energyRatio(),
              largestStall(r)));
    }
    text.append(
        "\n| architecture | cycles | dense cycles | speed-up | energy µJ | energy ratio |\n"
            + "|---|---:|---:|---:|---:|---:|\n");
    for (Map<String, Object> t : totals(comparisons)) {
      text.append(
          String.format(
              Locale.ROOT,
              "| %s | %d | %d | %.3f | %.3f | %.3f |%n",
              t.get("architecture"),
              t.get("cycles"),
              t.get("dense_cycles"),
              t.get("speedup"),
              (double) t.get("energy_pj") * 1e-6,
              t.get("energy_ratio")));
    }
    return text.toString().replace(System.lineSeparator(), "\n");
  }

  private static String largestStall(LayerResult r) {
    Stall largest = Stall.FILL;
    for (Stall s : Stall.values()) {
      largest = r.stall(s) > r.stall(largest) ? s : largest;
    }
    double share = r.cycles() == 0 ? 0 : r.stall(largest) / ((double) r.cycles() * r.units());
    return share == 0 ? "none" : String.format(Locale.ROOT, "%s %.3f", largest, share);
  }

  private static List<Map<String, Object>> totals(List<Comparison> comparisons) {
    return List.copyOf(totalsByArchitecture(comparisons).values());
  }

  private static Map<String, Map<String, Object>> totalsByArchitecture(
      List<Comparison> comparisons) {
    Map<String, List<Comparison>> byArchitecture = new LinkedHashMap<>();
    for (Comparison c : comparisons) {
      byArchitecture.computeIfAbsent(c.sparse().architecture(), a -> new ArrayList<>()).add(c);
    }
    Map<String, Map<String, Object>> totals = new LinkedHashMap<>();
    byArchitecture.forEach(
        (architecture, list) -> totals.put(architecture, total(architecture, list)));
    return totals;
  }

  private static Map<String, Object> total(String architecture, List<Comparison> layers) {
    long cycles = layers.stream().mapToLong(c -> c.sparse().cycles()).sum();
    long dense = layers.stream().mapToLong(c -> c.dense().cycles()).sum();
    double energy = layers.stream().mapToDouble(c -> c.sparse().energy().sum()).sum();
    double denseEnergy = layers.stream().mapToDouble(c -> c.dense().energy().sum()).sum();
    double time = layers.stream().mapToDouble(c -> c.sparse().nanoseconds()).sum();
    Map<String, Object> t = new LinkedHashMap<>();
    t.put("architecture", architecture);
    t.put("layers", layers.size());
    t.put("cycles", cycles);
    t.put("dense_cycles", dense);
    t.put("speedup", cycles == 0 ? 1.0 : dense / (double) cycles);
    t.put("energy_pj", energy);
    t.put("dense_energy_pj", denseEnergy);
    t.put("energy_ratio", energy / denseEnergy);
    t.put("nanoseconds", time);
    t.put("edp_pj_ns", energy * time);
    t.put("ed2p_pj_ns2", energy * time * time);
    return t;
  }

  /** Nested objects become columns NAME.KEY. */
  private static Map<String, Object> flat(Comparison c) {
    Map<String, Object> row = new LinkedHashMap<>();
    nested(c)
        .forEach(
            (key, value) -> {
              if (value instanceof Map<?, ?> inner) {
                inner.forEach((k, v) -> row.put(key + "." + k, v));
              } else {
                row.put(key, value);
              }
            });
    return row;
  }

  private static Map<String, Object> nested(Comparison c) {
    LayerResult r = c.sparse();
    Map<String, Object> o = new LinkedHashMap<>();
    o.put("name", r.layer());
    o.put("architecture", r.architecture());
    o.put("fidelity", r.fidelity());
    o.put("tokens", r.tokens());
    o.put("outputs", r.outputs());
    o.put("inputs", r.inputs());
    o.put("activation_density", r.activationDensity());
    o.put("weight_density", r.weightDensity());
    o.put("cycles", r.cycles());
    o.put("dense_cycles", c.dense().cycles());
    o.put("speedup", c.speedup());
    o.put("ideal_speedup", r.idealSpeedup());
    o.put("efficiency", c.efficiency());
    o.put("units", r.units());
    o.put("utilisation", r.utilisation());
    o.put("mac_utilisation", r.macUtilisation());
    o.put("macs", macs(r));
    o.put("unit_cycles", unitCycles(r));
    o.put("sram_words", sram(r));
    o.put("dram_bits", dram(r));
    o.put("macs_per_byte", r.operationsPerByte());
    o.put("energy_pj", energy(r));
    o.put("energy_ratio", c.energyRatio());
    o.put("watts", r.watts());
    o.put("edp_pj_ns", r.edp());
    o.put("ed2p_pj_ns2", r.ed2p());
    return o;
  }

  private static Map<String, Object> macs(LayerResult r) {
    Map<String, Object> o = new LinkedHashMap<>();
    o.put("issued", r.macs().issued());
    o.put("gated", r.macs().gated());
    o.put("skipped", r.macs().skipped());
    return o;
  }

  private static Map<String, Object> unitCycles(LayerResult r) {
    Map<String, Object> o = new LinkedHashMap<>();
    o.put("busy", r.busy());
    for (Stall s : Stall.values()) {
      o.put(s.name().toLowerCase(Locale.ROOT), r.stall(s));
    }
    return o;
  }

  private static Map<String, Object> sram(LayerResult r) {
    Map<String, Object> o = new LinkedHashMap<>();
    o.put("activations", r.sram().activations());
    o.put("weights", r.sram().weights());
    o.put("results", r.sram().results());
    return o;
  }

  private static Map<String, Object> dram(LayerResult r) {
    Map<String, Object> o = new LinkedHashMap<>();
    o.put("activations", r.dram().activations().payload());
    o.put("weights", r.dram().weights().payload());
    o.put("results", r.dram().results().payload());
    o.put("metadata", r.dram().metadata());
    o.put("uncompressed", r.dram().raw());
    return o;
  }

  private static Map<String, Object> energy(LayerResult r) {
    Map<String, Object> o = new LinkedHashMap<>();
    o.put("mac", r.energy().mac());
    o.put("gated_mac", r.energy().gatedMac());
    o.put("registers", r.energy().registers());
    o.put("sram", r.energy().sram());
    o.put("dram", r.energy().dram());
    o.put("encoder", r.energy().encoder());
    o.put("leakage", r.energy().leakage());
    o.put("total", r.energy().sum());
    return o;
  }

  private static String field(Object value) {
    String text = value.toString();
    return text.matches("[^,\"\\r\\n]*") ? text : '"' + text.replace("\"", "\"\"") + '"';
  }
}
