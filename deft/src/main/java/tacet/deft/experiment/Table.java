package tacet.deft.experiment;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * A table of texts in several notations.
 *
 * @param title above it
 * @param columns heads
 * @param rows cells, as many as there are columns
 */
public record Table(String title, List<String> columns, List<List<String>> rows) {
  private static final String BASELINE = "PEFT";

  /** Copies the lists. */
  public Table {
    columns = List.copyOf(columns);
    rows = rows.stream().map(List::copyOf).toList();
  }

  // ------------------------------------------------------------------ what goes in

  /** Every group with mean ± deviation of every value. */
  public static Table all(Results results) {
    List<String> labels = results.labelNames();
    List<String> values = results.valueNames();
    List<String> columns = new ArrayList<>(labels);
    columns.add("seeds");
    columns.addAll(values);
    List<List<String>> rows = new ArrayList<>();
    for (Results.Group g : results.groups()) {
      List<String> row = new ArrayList<>();
      labels.forEach(l -> row.add(g.labels().getOrDefault(l, "")));
      row.add(Integer.toString(g.runs().size()));
      values.forEach(v -> row.add(shown(g.mean(v))));
      rows.add(row);
    }
    return new Table("All runs: mean ± standard deviation over seeds", columns, rows);
  }

  /**
   * A row per task and method: score and density of the baseline and of each other variant, and the
   * density change (eq. 10) in percent. Null if there is no baseline variant with another beside it.
   */
  public static Table paired(Results results) {
    List<String> variants = results.labelValues("variant");
    String baseline = baseline(variants);
    if (baseline == null) {
      return null;
    }
    Map<Map<String, String>, Map<String, Results.Group>> pairs = pairs(results);
    List<String> labels = new ArrayList<>(results.labelNames());
    labels.remove("variant");
    List<String> columns = new ArrayList<>(labels);
    boolean decoder = results.valueNames().contains("decoder_density");
    for (String v : variants) {
      columns.add(v + " score");
      columns.add(v + " density %");
      if (decoder) {
        columns.add(v + " decoder %");
      }
      if (!v.equals(baseline)) {
        columns.add(v + " density change %");
        if (decoder) {
          columns.add(v + " decoder change %");
        }
      }
    }
    List<List<String>> rows = new ArrayList<>();
    Map<String, List<Double>> sums = new LinkedHashMap<>();
    pairs.forEach(
        (rest, byVariant) -> {
          List<String> row = new ArrayList<>();
          labels.forEach(l -> row.add(rest.getOrDefault(l, "")));
          Results.Group base = byVariant.get(baseline);
          for (String v : variants) {
            Results.Group g = byVariant.get(v);
            add(row, sums, v + " score", g, "score");
            add(row, sums, v + " density %", g, "density");
            if (decoder) {
              add(row, sums, v + " decoder %", g, "decoder_density");
            }
            if (!v.equals(baseline)) {
              change(row, sums, v + " density change %", base, g, "density");
              if (decoder) {
                change(row, sums, v + " decoder change %", base, g, "decoder_density");
              }
            }
          }
          rows.add(row);
        });
    if (rows.size() > 1) {
      List<String> mean = new ArrayList<>();
      for (int i = 0; i < columns.size(); i++) {
        List<Double> values = sums.get(columns.get(i));
        mean.add(
            i == 0
                ? "mean"
                : values == null || values.isEmpty() ? "" : number(Results.Mean.of(values).mean()));
      }
      rows.add(mean);
    }
    return new Table("Score and density", columns, rows);
  }

  /** The variant that others are compared with. */
  static String baseline(List<String> variants) {
    return variants.size() < 2
        ? null
        : variants.stream().filter(v -> v.contains(BASELINE)).findFirst().orElse(null);
  }

  /** Groups that differ in their variant only. */
  static Map<Map<String, String>, Map<String, Results.Group>> pairs(Results results) {
    Map<Map<String, String>, Map<String, Results.Group>> pairs = new LinkedHashMap<>();
    for (Results.Group g : results.groups()) {
      pairs
          .computeIfAbsent(g.without("variant"), l -> new LinkedHashMap<>())
          .put(g.labels().get("variant"), g);
    }
    return pairs;
  }

  private static void add(
      List<String> row,
      Map<String, List<Double>> sums,
      String column,
      Results.Group g,
      String value) {
    Results.Mean m = g == null ? null : g.mean(value);
    row.add(shown(m));
    if (m != null) {
      sums.computeIfAbsent(column, c -> new ArrayList<>()).add(m.mean());
    }
  }

  private static void change(
      List<String> row,
      Map<String, List<Double>> sums,
      String column,
      Results.Group base,
      Results.Group g,
      String value) {
    Results.Mean before = base == null ? null : base.mean(value);
    Results.Mean after = g == null ? null : g.mean(value);
    if (before == null || after == null || before.mean() == 0) {
      row.add("");
      return;
    }
    double percent = 100 * (before.mean() - after.mean()) / before.mean();
    row.add(number(percent));
    sums.computeIfAbsent(column, c -> new ArrayList<>()).add(percent);
  }

  private static String shown(Results.Mean m) {
    if (m == null) {
      return "";
    }
    return m.n() == 1 ? number(m.mean()) : number(m.mean()) + " ± " + number(m.deviation());
  }

  private static String number(double v) {
    double a = Math.abs(v);
    if (a >= 100_000) {
      return String.format(Locale.ROOT, "%.0f", v);
    }
    return String.format(Locale.ROOT, a >= 1 || a == 0 ? "%.2f" : "%.4f", v);
  }

  // ------------------------------------------------------------------ notations

  /** GitHub's Markdown. */
  public String markdown() {
    StringBuilder out = new StringBuilder();
    out.append("### ").append(title).append("\n\n");
    line(out, columns);
    line(out, columns.stream().map(c -> "---").toList());
    rows.forEach(r -> line(out, r));
    return out.toString();
  }

  private static void line(StringBuilder out, List<String> cells) {
    out.append(
        cells.stream()
            .map(c -> c.replace("|", "\\|"))
            .collect(Collectors.joining(" | ", "| ", " |\n")));
  }

  /** Comma-separated values (RFC 4180). */
  public String csv() {
    StringBuilder out = new StringBuilder();
    csvLine(out, columns);
    rows.forEach(r -> csvLine(out, r));
    return out.toString();
  }

  private static void csvLine(StringBuilder out, List<String> cells) {
    out.append(
        cells.stream()
            .map(c -> c.matches("[^,\"\n\r]*") ? c : "\"" + c.replace("\"", "\"\"") + "\"")
            .collect(Collectors.joining(",")));
    out.append("\r\n");
  }

  /** A LaTeX table with booktabs' rules. */
  public String latex() {
    StringBuilder out = new StringBuilder();
    out.append("% ").append(title.replace("±", "+-")).append('\n');
    out.append("\\begin{tabular}{l")
        .append("r".repeat(columns.size() - 1))
        .append("}\n\\toprule\n");
    latexLine(out, columns);
    out.append("\\midrule\n");
    rows.forEach(r -> latexLine(out, r));
    out.append("\\bottomrule\n\\end{tabular}\n");
    return out.toString();
  }

  private static void latexLine(StringBuilder out, List<String> cells) {
    out.append(
        cells.stream()
            .map(
                c ->
                    c.replace("\\", "\\textbackslash ")
                        .replaceAll("([%&#_{}$])", "\\\\$1")
                        .replace(" ± ", "\\,$\\pm$\\,"))
            .collect(Collectors.joining(" & ")));
    out.append(" \\\\\n");
  }
}
