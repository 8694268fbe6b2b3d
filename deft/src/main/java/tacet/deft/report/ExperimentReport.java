package tacet.deft.report;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import tacet.deft.experiment.Results;
import tacet.deft.experiment.Table;

/** The report of an experiment: one HTML file with its tables and figures, no scripts. */
public final class ExperimentReport {
  private static final int MOST_COLOURS = 4;
  private static final String PAGE =
      """
      <!DOCTYPE html>
      <html lang="en">
      <head>
      <meta charset="utf-8">
      <meta name="viewport" content="width=device-width, initial-scale=1">
      <title>%s</title>
      <style>
      %s</style>
      </head>
      <body>
      <main>
      <p class="eyebrow"><b>Tacet</b> experiment</p>
      <h1>%s</h1>
      <p class="lede">Scores are those of examples that were not trained on, in percent; density is the
      share of MLP activations that are not exactly zero. Time and memory are measured on the machine
      below; energy ratios, where there are any, are simulated.</p>
      %s
      <h2>Figures</h2>
      <section class="charts">
      %s</section>
      <h2>Run</h2>
      <section class="card"><dl>
      %s</dl></section>
      </main>
      </body>
      </html>
      """;

  private ExperimentReport() {}

  /**
   * Writes the report, replacing the file in one step.
   *
   * @param facts about the run: command, settings, machine, versions
   */
  public static void write(
      Path file, String title, Results results, List<Table> tables, Map<String, String> facts)
      throws IOException {
    StringBuilder html = new StringBuilder();
    for (Table t : tables) {
      html.append("<h2>").append(Markup.escape(t.title())).append("</h2>\n");
      html.append("<section class=\"card scroll\">\n").append(table(t)).append("</section>\n");
    }
    String figures =
        figures(results).stream()
            .map(svg -> "<figure class=\"card\">" + svg + "</figure>\n")
            .collect(Collectors.joining());
    String run =
        facts.entrySet().stream()
            .map(
                e ->
                    "<dt>"
                        + Markup.escape(e.getKey())
                        + "</dt><dd>"
                        + Markup.escape(e.getValue())
                        + "</dd>\n")
            .collect(Collectors.joining());
    Fields.write(
        file,
        String.format(
            PAGE,
            Markup.escape(title),
            SvgChart.STYLE + HtmlReport.PAGE_STYLE,
            Markup.escape(title),
            html,
            figures,
            run));
  }

  private static String table(Table t) {
    StringBuilder out = new StringBuilder("<table>\n<thead><tr>");
    t.columns().forEach(c -> out.append("<th>").append(Markup.escape(c)).append("</th>"));
    out.append("</tr></thead>\n<tbody>\n");
    for (List<String> row : t.rows()) {
      out.append("<tr>");
      for (int i = 0; i < row.size(); i++) {
        String tag = i == 0 ? "th" : "td";
        out.append('<').append(tag).append('>').append(Markup.escape(row.get(i)));
        out.append("</").append(tag).append('>');
      }
      out.append("</tr>\n");
    }
    return out.append("</tbody>\n</table>\n").toString();
  }

  // ------------------------------------------------------------------ figures

  /** The figures that the results have the numbers for. */
  static List<String> figures(Results results) {
    List<String> svgs = new ArrayList<>();
    for (String axis : results.labelNames()) {
      List<String> values = results.labelValues(axis);
      if (values.size() > 1 && values.stream().allMatch(ExperimentReport::isNumber)) {
        svgs.addAll(overAxis(results, axis));
      }
    }
    svgs.addAll(bars(results));
    svgs.addAll(perLayer(results, "layers", "Non-zero activations per layer", "density, %"));
    svgs.addAll(
        perLayer(
            results, "decoder_layers", "Non-zero activations per decoder layer", "density, %"));
    svgs.addAll(perLayer(results, "ada", "Weights of the blocks (ADA)", "weight"));
    svgs.addAll(pruned(results));
    return svgs;
  }

  private static boolean isNumber(String s) {
    try {
      Double.parseDouble(s);
      return true;
    } catch (NumberFormatException e) {
      return false;
    }
  }

  private static String name(Map<String, String> labels) {
    return String.join(" ", labels.values());
  }

  /** Score and density against the values of an option. */
  private static List<String> overAxis(Results results, String axis) {
    Map<Map<String, String>, List<Results.Group>> lines = new LinkedHashMap<>();
    for (Results.Group g : results.groups()) {
      lines.computeIfAbsent(g.without(axis), l -> new ArrayList<>()).add(g);
    }
    List<String> svgs = new ArrayList<>();
    lines.forEach(
        (labels, groups) -> {
          List<SvgChart.Series> series = new ArrayList<>();
          for (String value : List.of("score", "density")) {
            List<Double> x = new ArrayList<>();
            List<Double> y = new ArrayList<>();
            groups.stream()
                .filter(g -> g.mean(value) != null)
                .sorted(
                    (a, b) ->
                        Double.compare(
                            Double.parseDouble(a.labels().get(axis)),
                            Double.parseDouble(b.labels().get(axis))))
                .forEach(
                    g -> {
                      double at = Double.parseDouble(g.labels().get(axis));
                      x.add(at > 0 && logarithmic(results, axis) ? Math.log10(at) : at);
                      y.add(g.mean(value).mean());
                    });
            boolean right = value.equals("density");
            series.add(new SvgChart.Series(value, right ? 1 : 0, x, y, right, false));
          }
          if (series.stream().allMatch(s -> s.x().size() > 1)) {
            String label = logarithmic(results, axis) ? "log10 of " + axis : axis;
            svgs.add(
                SvgChart.lines(
                    name(labels) + ": effect of " + axis,
                    label,
                    "score, %",
                    "density, %",
                    false,
                    series));
          }
        });
    return svgs;
  }

  /** Whether values span so much that their logarithms are drawn. */
  private static boolean logarithmic(Results results, String axis) {
    List<Double> values = results.labelValues(axis).stream().map(Double::parseDouble).toList();
    double least = values.stream().mapToDouble(v -> v).min().orElse(1);
    double most = values.stream().mapToDouble(v -> v).max().orElse(1);
    return least > 0 && most / least >= 100;
  }

  /** Score and density of the variants, a group of bars per task and method. */
  private static List<String> bars(Results results) {
    List<String> variants = results.labelValues("variant");
    List<String> svgs = new ArrayList<>();
    Map<Map<String, String>, Map<String, Results.Group>> rows = new LinkedHashMap<>();
    for (Results.Group g : results.groups()) {
      rows.computeIfAbsent(g.without("variant"), l -> new LinkedHashMap<>())
          .put(g.labels().get("variant"), g);
    }
    if (variants.size() > MOST_COLOURS || rows.size() > 24) {
      return svgs;
    }
    List<String> categories = rows.keySet().stream().map(ExperimentReport::name).toList();
    for (String value : List.of("score", "density", "energy_ratio")) {
      List<SvgChart.Bars> bars = new ArrayList<>();
      boolean any = false;
      for (int v = 0; v < variants.size(); v++) {
        List<Double> heights = new ArrayList<>();
        for (Map<String, Results.Group> row : rows.values()) {
          Results.Group g = row.get(variants.get(v));
          Results.Mean m = g == null ? null : g.mean(value);
          heights.add(m == null ? Double.NaN : m.mean());
          any |= m != null;
        }
        bars.add(new SvgChart.Bars(variants.get(v), v, heights));
      }
      if (any) {
        String title = value.equals("energy_ratio") ? "Energy ratio (simulated)" : capital(value);
        String unit = value.equals("energy_ratio") ? "share of a dense run" : value + ", %";
        svgs.add(SvgChart.bars(title, "", unit, categories, bars));
      }
    }
    return svgs;
  }

  private static String capital(String s) {
    return Character.toUpperCase(s.charAt(0)) + s.substring(1);
  }

  /** A number per layer, a line per variant, a chart per task and method. */
  private static List<String> perLayer(Results results, String what, String title, String unit) {
    Map<Map<String, String>, List<Results.Group>> charts = new LinkedHashMap<>();
    for (Results.Group g : results.groups()) {
      if (!g.series(what).isEmpty()) {
        charts.computeIfAbsent(g.without("variant"), l -> new ArrayList<>()).add(g);
      }
    }
    List<String> svgs = new ArrayList<>();
    charts.forEach(
        (labels, groups) -> {
          List<SvgChart.Series> series = new ArrayList<>();
          for (Results.Group g : groups.subList(0, Math.min(MOST_COLOURS, groups.size()))) {
            List<Double> y = g.series(what);
            List<Double> x = new ArrayList<>();
            for (int i = 0; i < y.size(); i++) {
              x.add(i + 1.0);
            }
            series.add(
                new SvgChart.Series(g.labels().get("variant"), series.size(), x, y, false, false));
          }
          svgs.add(SvgChart.lines(title + ": " + name(labels), "layer", unit, null, true, series));
        });
    return svgs;
  }

  /** Score and density against the share of weights that WANDA removed. */
  private static List<String> pruned(Results results) {
    Map<Map<String, String>, List<Results.Group>> charts = new LinkedHashMap<>();
    for (Results.Group g : results.groups()) {
      if (!g.series("wanda.sparsity").isEmpty()) {
        charts.computeIfAbsent(g.without("variant"), l -> new ArrayList<>()).add(g);
      }
    }
    List<String> svgs = new ArrayList<>();
    charts.forEach(
        (labels, groups) -> {
          for (String value : List.of("score", "density")) {
            List<SvgChart.Series> series = new ArrayList<>();
            for (Results.Group g : groups.subList(0, Math.min(MOST_COLOURS, groups.size()))) {
              List<Double> x = g.series("wanda.sparsity").stream().map(s -> 100 * s).toList();
              series.add(
                  new SvgChart.Series(
                      g.labels().get("variant"),
                      series.size(),
                      x,
                      g.series("wanda." + value),
                      false,
                      false));
            }
            svgs.add(
                SvgChart.lines(
                    "WANDA, " + value + ": " + name(labels),
                    "weights removed from the first matrix of each MLP, %",
                    value + ", %",
                    null,
                    false,
                    series));
          }
        });
    return svgs;
  }
}
