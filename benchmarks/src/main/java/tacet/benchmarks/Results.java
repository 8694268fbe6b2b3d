package tacet.benchmarks;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import tacet.tensor.Engine;
import tacet.tensor.kernel.Roofline;
import tacet.tensor.measure.Host;
import tacet.transformer.checkpoint.AtomicFile;
import tacet.transformer.checkpoint.Json;

/**
 * What a program found: the machine's roofline of that run, tables, bars that are held or missed, and
 * data of charts. Printed for a person, and written as JSON for {@link Page}.
 */
final class Results {
  private final String program;
  private final Options options;
  private final Map<String, Object> content = new LinkedHashMap<>();
  private final List<Object> tables = new ArrayList<>();
  private final List<Object> bars = new ArrayList<>();
  private final List<Object> charts = new ArrayList<>();
  private final List<String> notes = new ArrayList<>();
  private Roofline roofline;

  /**
   * Begins with a measurement of the machine on the threads of the engine.
   *
   * @param program a short name; the page's template refers to it
   */
  Results(String program, Options options, Engine engine) {
    this.program = program;
    this.options = options;
    content.put("program", program);
    content.put("quick", options.quick());
    content.put("machine", Host.facts(engine));
    measureRoofline(engine);
  }

  private void measureRoofline(Engine engine) {
    Roofline.measure(engine.workers()); // the compiler's turn
    roofline = Roofline.measure(engine.workers());
    content.put("threads", engine.workers().size());
    content.put("gflops", roofline.gflops());
    content.put("gigabytes", roofline.gigabytes());
    say(
        "%s: %d thread(s), %s, measured peak %.1f GFLOP/s, read bandwidth %.1f GB/s%n",
        program,
        engine.workers().size(),
        engine.kernels().name(),
        roofline.gflops(),
        roofline.gigabytes());
  }

  /** What the machine can do, as measured at the start of this run. */
  Roofline roofline() {
    return roofline;
  }

  // ------------------------------------------------------------------ content

  /** A table under construction; printed row by row. */
  final class Table {
    private final List<Object> rows = new ArrayList<>();

    /** Adds a row: numbers are shown with three significant digits, text as it is. */
    void row(Object... cells) {
      List<String> texts = Arrays.stream(cells).map(Results::show).toList();
      rows.add(texts);
      say("| %s |%n", String.join(" | ", texts));
    }
  }

  /** Begins a table. */
  Table table(String title, String... columns) {
    Table table = new Table();
    Map<String, Object> map = new LinkedHashMap<>();
    map.put("title", title);
    map.put("columns", List.of(columns));
    map.put("rows", table.rows);
    tables.add(map);
    say("%n%s%n| %s |%n", title, String.join(" | ", columns));
    return table;
  }

  /** A bar that holds if the value is at least the target. */
  void atLeast(int number, String what, double value, double target) {
    bar(number, what, value, target, value >= target, "≥ ");
  }

  /** A bar that holds if the value is at most the target. */
  void atMost(int number, String what, double value, double target) {
    bar(number, what, value, target, value <= target, "≤ ");
  }

  /** A bar that something is so; the value is shown as yes or no. */
  void isTrue(int number, String what, boolean value) {
    bar(number, what, value ? 1 : 0, 1, value, "");
  }

  private void bar(
      int number, String what, double value, double target, boolean held, String relation) {
    Map<String, Object> map = new LinkedHashMap<>();
    map.put("number", number);
    map.put("what", what);
    map.put("figure", relation.isEmpty() ? held ? "yes" : "no" : exactly(value));
    map.put("target", relation.isEmpty() ? "yes" : relation + show(target));
    map.put("held", held);
    bars.add(map);
    say(
        "bar %d: %s: %s (%s) %s%n",
        number, what, map.get("figure"), map.get("target"), held ? "held" : "MISSED");
  }

  /** A remark below the tables. */
  void note(String text) {
    notes.add(text);
    say("%s%n", text);
  }

  /**
   * A chart of bars over categories.
   *
   * @param file name of the SVG without its ending
   * @param series name to values, one per category; NaN for none
   */
  void chart(
      String file,
      String title,
      String xLabel,
      String yLabel,
      List<String> categories,
      Map<String, double[]> series) {
    Map<String, Object> map = new LinkedHashMap<>();
    map.put("file", file);
    map.put("title", title);
    map.put("x_label", xLabel);
    map.put("y_label", yLabel);
    map.put("categories", categories);
    Map<String, Object> values = new LinkedHashMap<>();
    series.forEach(
        (name, v) ->
            values.put(
                name, Arrays.stream(v).mapToObj(d -> Double.isFinite(d) ? d : null).toList()));
    map.put("series", values);
    charts.add(map);
  }

  // ------------------------------------------------------------------ end

  /** Writes the JSON file if one was asked for. */
  void finish() throws IOException {
    content.put("tables", tables);
    content.put("bars", bars);
    content.put("notes", notes);
    content.put("charts", charts);
    Path file = options.path("json");
    if (file != null) {
      AtomicFile.write(file, Json.of(content).pretty());
    }
  }

  /** Three significant digits. */
  static String show(Object cell) {
    if (!(cell instanceof Number number)) {
      return String.valueOf(cell);
    }
    double v = number.doubleValue();
    if (!Double.isFinite(v)) {
      return "–";
    }
    if (number instanceof Integer || number instanceof Long) {
      return number.toString();
    }
    double a = Math.abs(v);
    String format =
        a == 0 ? "%.0f" : a < 1e-3 ? "%.1e" : a < 9.995 ? "%.2f" : a < 99.95 ? "%.1f" : "%.0f";
    return String.format(Locale.ROOT, format, v);
  }

  /** A figure beside its bar: with so many digits that the two can be told apart. */
  private static String exactly(double v) {
    return v >= 1e-3 && v < 9.9995 ? String.format(Locale.ROOT, "%.3f", v) : show(v);
  }

  static void say(String format, Object... args) {
    System.out.print(String.format(Locale.ROOT, format, args));
  }
}
