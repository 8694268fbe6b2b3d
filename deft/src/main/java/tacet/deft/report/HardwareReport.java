package tacet.deft.report;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.function.ToDoubleFunction;
import java.util.stream.IntStream;
import tacet.deft.report.SvgChart.Bars;
import tacet.deft.report.SvgPlot.Bar;
import tacet.deft.report.SvgPlot.Segment;
import tacet.hardware.arch.Comparison;
import tacet.hardware.arch.LayerResult;
import tacet.hardware.arch.Stall;
import tacet.hardware.study.Figure;
import tacet.hardware.study.Gain;
import tacet.hardware.study.Subject;
import tacet.transformer.checkpoint.AtomicFile;

/**
 * The page about what activation zeros are worth on simulated accelerators: one HTML file that holds everything it
 * shows, without scripts, in light and dark. The text is well-formed XML too.
 */
public final class HardwareReport {
  /** The smallest share of a stack that gets a colour of its own; smaller ones are added up. */
  private static final double VISIBLE = 0.004;

  private static final String TABLE_STYLE =
      """
      th.group { text-align: center; } tbody th { white-space: nowrap; }
      """;

  private static final String PAGE =
      """
      <!DOCTYPE html>
      <html lang="en">
      <head>
      <meta charset="utf-8"/>
      <meta name="viewport" content="width=device-width, initial-scale=1"/>
      <meta name="color-scheme" content="light dark"/>
      <title>%s – Tacet</title>
      <style>
      %s</style>
      </head>
      <body>
      <main>
      <header>
      <p class="eyebrow"><b>Tacet</b> · simulated hardware</p>
      <h1>%s</h1>
      <p class="lede">%s</p>
      </header>
      <section class="card scroll">
      %s</section>
      <p>Each machine is compared with itself without zeros, so rows say what zeros are worth there, not which
      machine is best. <b>Sparse products</b> are those whose inputs have zeros (the second product of an MLP); the
      first product's inputs are dense, so that no machine gains much more than a factor of two over both.
      <b>Energy × delay</b> below 1 is a gain.</p>
      <h2>Where cycles and energy go</h2>
      <section class="charts">
      %s</section>
      <h2>What the gain depends on</h2>
      <section class="charts">
      %s</section>
      %s<h2>How to read this</h2>
      %s
      <h2>What was simulated</h2>
      <section class="card">
      %s</section>
      <h2>Run it again</h2>
      <section class="card">
      <pre>%s</pre>
      </section>
      <footer>One file, no scripts, nothing fetched. Every number, layer by layer, is in report.csv and report.json
      beside it.</footer>
      </main>
      </body>
      </html>
      """;

  private static final String EXPLANATION =
      """
      <p>Every cycle of every unit of a machine is <b>busy</b> or belongs to exactly one class of waiting:
      <b>fill</b> and <b>drain</b> of a pipeline or systolic array, <b>unmapped</b> (the layer is too small for the
      machine), <b>lane sync</b> (waiting for the fullest lane or the slowest element), <b>zero brick</b> (a slot that
      holds no work), <b>queue empty</b> and <b>queue full</b> (broadcast), <b>sram bank</b>, <b>dram read</b>,
      <b>dram write</b>, and <b>encoder</b> (compressing results). A gated multiplication occupies its unit and is
      busy: gating saves energy, not time.</p>
      <p>Counts of cycles, operations and bits are exact for the recorded activations (fidelity TILE, proved equal to
      a simulation that ticks every register). Energy is these counts times a table of prices per event, with leakage
      per cycle; prices, not counts, are where the uncertainty is. Compressed tensors pay for their metadata, and
      compressed results pass an encoder. docs/hardware.md states the model, its assumptions and its validation.</p>
      """;

  /**
   * What the page shows.
   *
   * @param title of the page
   * @param command that makes it again
   * @param subjects the first is what the page is about, the others what it is compared with
   * @param figures sweeps
   * @param facts about traces and machines, in order
   */
  public record Content(
      String title,
      String command,
      List<Subject> subjects,
      List<Figure> figures,
      Map<String, String> facts) {

    /** Copies the lists; there must be a subject with results. */
    public Content {
      subjects = List.copyOf(subjects);
      figures = List.copyOf(figures);
      if (subjects.isEmpty() || subjects.get(0).results().isEmpty()) {
        throw new IllegalArgumentException("nothing was simulated");
      }
    }
  }

  /** A drawing with its name for files and what is written below it. */
  private record Drawing(String id, String svg, String caption) {}

  private final Content content;
  private final List<String> machines;

  private HardwareReport(Content content) {
    this.content = content;
    machines = machines(content.subjects.get(0).results());
  }

  /** Writes the page, replacing the file in one step. */
  public static void write(Path file, Content content) throws IOException {
    Fields.write(file, html(content));
  }

  /** Writes every figure of the page as an SVG file of its own; gives their names. */
  public static List<String> writeFigures(Path dir, Content content) throws IOException {
    HardwareReport r = new HardwareReport(content);
    Files.createDirectories(dir);
    List<Drawing> all = new ArrayList<>(r.stacks());
    all.addAll(r.sweeps());
    all.addAll(r.perLayer());
    List<String> names = new ArrayList<>();
    for (Drawing d : all) {
      String name = d.id + ".svg";
      AtomicFile.write(dir.resolve(name), SvgPlot.standalone(d.svg));
      names.add(name);
    }
    return names;
  }

  /** The whole page. */
  public static String html(Content content) {
    HardwareReport r = new HardwareReport(content);
    List<Drawing> layers = r.perLayer();
    String perLayer =
        layers.isEmpty()
            ? ""
            : "<h2>Layer by layer</h2>\n<section class=\"charts\">\n"
                + figures(layers)
                + "</section>\n";
    return String.format(
        Locale.ROOT,
        PAGE,
        text(content.title),
        SvgChart.STYLE + SvgPlot.STYLE + HtmlReport.PAGE_STYLE + TABLE_STYLE,
        text(content.title),
        text(r.lede()),
        r.table(),
        figures(r.stacks()),
        figures(r.sweeps()),
        perLayer,
        EXPLANATION,
        facts(content.facts),
        text(content.command));
  }

  private static List<String> machines(List<Comparison> results) {
    Set<String> names = new LinkedHashSet<>();
    results.forEach(c -> names.add(c.sparse().architecture()));
    return List.copyOf(names);
  }

  // ---------------------------------------------------------------- words and table

  /** The span of the machines' gains, in one sentence. */
  private String lede() {
    StringBuilder out = new StringBuilder();
    for (Subject s : content.subjects) {
      double[] speed = machines.stream().mapToDouble(m -> gain(s, m, false).speedup()).toArray();
      double[] energy =
          machines.stream().mapToDouble(m -> gain(s, m, false).energyRatio()).toArray();
      out.append(out.isEmpty() ? "" : " ").append(s.name());
      out.append(": activations ")
          .append(Markup.fixed(100 * density(s), 1))
          .append("\u00a0% dense; ");
      out.append("over all layers, ").append(machines.size());
      out.append(machines.size() == 1 ? " machine runs " : " machines run ");
      out.append(range(speed)).append(" times as fast as without zeros, on ");
      out.append(range(energy)).append(" of the energy.");
    }
    return out.toString();
  }

  private static String range(double[] values) {
    Arrays.sort(values);
    String low = Markup.fixed(values[0], 2);
    String high = Markup.fixed(values[values.length - 1], 2);
    return low.equals(high) ? low : low + " to " + high;
  }

  /** Mean density of the sparse products' inputs; 1 where there are none. */
  private double density(Subject s) {
    return s.results().stream()
        .filter(c -> c.sparse().architecture().equals(machines.get(0)))
        .mapToDouble(c -> c.sparse().activationDensity())
        .filter(d -> d < 1)
        .average()
        .orElse(1);
  }

  private static Gain gain(Subject s, String machine, boolean sparseOnly) {
    return Gain.of(s.results(), machine, sparseOnly);
  }

  private String table() {
    StringBuilder out = new StringBuilder("<table>\n<thead><tr><th></th>");
    for (Subject s : content.subjects) {
      out.append("<th class=\"group\" colspan=\"4\">").append(text(s.name())).append("</th>");
    }
    out.append("</tr><tr><th>machine</th>");
    for (int i = 0; i < content.subjects.size(); i++) {
      out.append("<th>speed-up</th><th>sparse products</th><th>energy</th><th>energy × delay</th>");
    }
    out.append("</tr></thead>\n<tbody>\n");
    for (String machine : machines) {
      out.append("<tr><th scope=\"row\">").append(text(machine)).append("</th>");
      for (Subject s : content.subjects) {
        Gain all = gain(s, machine, false);
        cell(out, Markup.fixed(all.speedup(), 2) + "×");
        cell(out, Markup.fixed(gain(s, machine, true).speedup(), 2) + "×");
        cell(out, Markup.fixed(all.energyRatio(), 3));
        cell(out, Markup.fixed(all.energyRatio() / all.speedup(), 3));
      }
      out.append("</tr>\n");
    }
    return out.append("</tbody>\n</table>\n").toString();
  }

  private static void cell(StringBuilder out, String value) {
    out.append("<td>").append(text(value)).append("</td>");
  }

  // ---------------------------------------------------------------- figures

  private List<Drawing> sweeps() {
    return content.figures.stream()
        .map(f -> new Drawing(f.id(), SvgPlot.of(f), f.caption()))
        .toList();
  }

  /** Two stacks per subject: what units do, and where energy goes. */
  private List<Drawing> stacks() {
    List<Drawing> out = new ArrayList<>();
    for (int i = 0; i < content.subjects.size(); i++) {
      Subject s = content.subjects.get(i);
      String number = i == 0 ? "" : "-" + (i + 1);
      out.add(
          new Drawing(
              "stalls" + number,
              stack(s.name() + ": what the units do", "share of all unit-cycles", s, stallParts()),
              "All layers. Longer blue: better used. Bars sum to 1, because every cycle of every unit is"
                  + " accounted for."));
      out.add(
          new Drawing(
              "energy" + number,
              stack(
                  s.name() + ": where the energy goes",
                  "energy / energy without zeros",
                  s,
                  energyParts()),
              "All layers. The number is the energy ratio: the same machine without zeros is 1. A machine that"
                  + " computes zeros still saves where activations are stored compressed."));
    }
    return out;
  }

  /** The parts of a stack by name: of a layer, relative to the layer's weight in the whole bar. */
  private static Map<String, ToDoubleFunction<Comparison>> stallParts() {
    Map<String, ToDoubleFunction<Comparison>> parts = new LinkedHashMap<>();
    parts.put("", c -> (double) c.sparse().cycles() * c.sparse().units());
    parts.put("busy", c -> c.sparse().busy());
    for (Stall stall : Stall.values()) {
      parts.put(
          stall.name().toLowerCase(Locale.ROOT).replace('_', ' '), c -> c.sparse().stall(stall));
    }
    return parts;
  }

  private static Map<String, ToDoubleFunction<Comparison>> energyParts() {
    Map<String, ToDoubleFunction<LayerResult.Energy>> of = new LinkedHashMap<>();
    of.put("multiply", LayerResult.Energy::mac);
    of.put("gated", LayerResult.Energy::gatedMac);
    of.put("registers", LayerResult.Energy::registers);
    of.put("sram", LayerResult.Energy::sram);
    of.put("dram", LayerResult.Energy::dram);
    of.put("encoder", LayerResult.Energy::encoder);
    of.put("leakage", LayerResult.Energy::leakage);
    Map<String, ToDoubleFunction<Comparison>> parts = new LinkedHashMap<>();
    parts.put("", c -> c.dense().energy().sum());
    of.forEach((name, e) -> parts.put(name, c -> e.applyAsDouble(c.sparse().energy())));
    return parts;
  }

  /** The part called "" is the whole that the others are relative to. */
  private String stack(
      String title, String xLabel, Subject s, Map<String, ToDoubleFunction<Comparison>> parts) {
    List<String> names = new ArrayList<>(parts.keySet());
    names.remove("");
    double[][] shares = new double[machines.size()][names.size()];
    for (int m = 0; m < machines.size(); m++) {
      String machine = machines.get(m);
      List<Comparison> layers =
          s.results().stream().filter(c -> c.sparse().architecture().equals(machine)).toList();
      double whole = layers.stream().mapToDouble(parts.get("")).sum();
      for (int p = 0; p < names.size(); p++) {
        shares[m][p] =
            whole == 0 ? 0 : layers.stream().mapToDouble(parts.get(names.get(p))).sum() / whole;
      }
    }
    List<Integer> shown =
        IntStream.range(0, names.size())
            .filter(p -> IntStream.range(0, shares.length).anyMatch(m -> shares[m][p] >= VISIBLE))
            .boxed()
            .toList();
    List<Segment> segments = new ArrayList<>();
    // Busy and multiplying are blue; the rest goes round the colours, grey last.
    shown.forEach(p -> segments.add(new Segment(names.get(p), p + 1)));
    boolean rest = shown.size() < names.size();
    if (rest) {
      segments.add(new Segment("other", 0));
    }
    List<Bar> bars = new ArrayList<>();
    for (int m = 0; m < machines.size(); m++) {
      double[] row = shares[m];
      List<Double> values = new ArrayList<>(shown.stream().map(p -> row[p]).toList());
      if (rest) {
        double seen = values.stream().mapToDouble(Double::doubleValue).sum();
        values.add(Math.max(0, Arrays.stream(row).sum() - seen));
      }
      bars.add(new Bar(machines.get(m), values));
    }
    return SvgPlot.stacks(title, xLabel, segments, bars);
  }

  /** Subjects side by side, one group of bars per sparse product; nothing where there is none. */
  private List<Drawing> perLayer() {
    List<Drawing> out = new ArrayList<>();
    String first = machines.get(0);
    if (sparse(content.subjects.get(0), first).isEmpty()) {
      return out;
    }
    out.add(
        bars(
            "layers-density",
            "Density per layer",
            "activations not zero, %",
            first,
            c -> 100 * c.sparse().activationDensity(),
            "Inputs of the sparse products, first to last layer."));
    for (String machine : machines) {
      boolean gains =
          content.subjects.stream()
              .flatMap(s -> sparse(s, machine).stream())
              .anyMatch(c -> c.speedup() > 1.01);
      if (gains) {
        out.add(
            bars(
                "layers-speedup-" + machine.toLowerCase(Locale.ROOT),
                machine,
                "speed-up of the sparse product",
                machine,
                Comparison::speedup,
                "Dense cycles over cycles, first to last layer."));
      }
    }
    return out;
  }

  private Drawing bars(
      String id,
      String title,
      String label,
      String machine,
      ToDoubleFunction<Comparison> value,
      String caption) {
    List<Bars> bars = new ArrayList<>();
    int layers = 0;
    int n = content.subjects.size();
    for (int i = n - 1; i >= 0; i--) { // what it is compared with first, in grey
      List<Comparison> all = sparse(content.subjects.get(i), machine);
      layers = Math.max(layers, all.size());
      bars.add(
          new Bars(
              content.subjects.get(i).name(),
              i == 0 ? 1 : (i == 1 ? 0 : i),
              all.stream().map(c -> value.applyAsDouble(c)).toList()));
    }
    int most = layers;
    List<Bars> even =
        bars.stream()
            .map(
                b -> {
                  List<Double> values = new ArrayList<>(b.values());
                  while (values.size() < most) {
                    values.add(Double.NaN);
                  }
                  return new Bars(b.name(), b.colour(), values);
                })
            .toList();
    List<String> numbers = IntStream.rangeClosed(1, most).mapToObj(Integer::toString).toList();
    return new Drawing(id, SvgChart.bars(title, "layer", label, numbers, even), caption);
  }

  private static List<Comparison> sparse(Subject s, String machine) {
    return s.results().stream()
        .filter(c -> c.sparse().architecture().equals(machine))
        .filter(c -> c.sparse().activationDensity() < 1)
        .toList();
  }

  // ---------------------------------------------------------------- text

  private static String figures(List<Drawing> drawings) {
    StringBuilder out = new StringBuilder();
    for (Drawing d : drawings) {
      out.append("<figure class=\"card\">\n").append(d.svg);
      out.append("<figcaption>").append(text(d.caption)).append("</figcaption>\n</figure>\n");
    }
    return out.toString();
  }

  private static String facts(Map<String, String> facts) {
    StringBuilder out = new StringBuilder("<dl>\n");
    facts.forEach(
        (name, value) -> {
          out.append("<dt>").append(text(name)).append("</dt>");
          out.append("<dd>").append(text(value)).append("</dd>\n");
        });
    return out.append("</dl>\n").toString();
  }

  private static String text(String s) {
    return Markup.escape(s);
  }
}
