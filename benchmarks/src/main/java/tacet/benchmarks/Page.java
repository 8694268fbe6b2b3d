package tacet.benchmarks;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import tacet.deft.report.SvgChart;
import tacet.transformer.checkpoint.AtomicFile;
import tacet.transformer.checkpoint.Json;

/**
 * Makes the page of all results: the hand-written template with {@code {{NAME}}} replaced by the
 * tables of the program of that name, {@code {{machine}}} and {@code {{bars}}} by the machine and
 * every bar. Charts become SVG files in a folder beside the page.
 *
 * <pre>java … tacet.benchmarks.Page RESULTS_DIR TEMPLATE.md PAGE.md</pre>
 */
public final class Page {
  private static final Pattern HOLE = Pattern.compile("\\{\\{([a-z-]+)}}");

  private final Map<String, Json> results = new TreeMap<>(); // by program
  private final Path page;
  private final Path charts;

  private Page(Path page) {
    this.page = page;
    String name = page.getFileName().toString();
    this.charts = page.resolveSibling(name.substring(0, name.lastIndexOf('.')));
  }

  /** Writes the page. */
  public static void main(String[] args) throws IOException {
    Page page = new Page(Path.of(args[2]));
    try (var files = Files.newDirectoryStream(Path.of(args[0]), "*.json")) {
      for (Path f : files) {
        Json json = Json.read(f);
        page.results.put(json.get("program").asString(), json);
      }
    }
    page.write(Files.readString(Path.of(args[1])));
  }

  private void write(String template) throws IOException {
    StringBuilder sb = new StringBuilder();
    Matcher m = HOLE.matcher(template);
    int from = 0;
    while (m.find()) {
      sb.append(template, from, m.start()).append(fill(m.group(1)));
      from = m.end();
    }
    sb.append(template.substring(from));
    Files.createDirectories(page.toAbsolutePath().getParent());
    AtomicFile.write(page, sb.toString());
  }

  private String fill(String name) throws IOException {
    return switch (name) {
      case "machine" -> machine();
      case "bars" -> bars();
      default -> results.containsKey(name) ? section(results.get(name)) : "*Not measured.*";
    };
  }

  // ------------------------------------------------------------------ parts

  private String machine() throws IOException {
    StringBuilder sb = new StringBuilder("| | |\n|---|---|\n");
    Map<String, String> facts = new LinkedHashMap<>();
    List<Double> gflops = new ArrayList<>();
    List<Double> gigabytes = new ArrayList<>();
    boolean quick = false;
    for (Json r : results.values()) {
      quick |= r.get("quick").asBoolean();
      boolean vector = r.get("machine").get("Kernels").asString().startsWith("vector");
      if (vector) {
        for (Map.Entry<String, Json> e : r.get("machine").members().entrySet()) {
          facts.putIfAbsent(e.getKey(), e.getValue().asString());
        }
        if (r.get("threads").asInt() == 1) {
          gflops.add(r.get("gflops").asDouble());
          gigabytes.add(r.get("gigabytes").asDouble());
        }
      }
    }
    facts.remove("Threads used"); // differs between programs
    facts.forEach((k, v) -> sb.append("| ").append(k).append(" | ").append(v).append(" |\n"));
    sb.append(range("Fused multiply-adds, one thread", gflops, "GFLOP/s"));
    sb.append(range("Reading memory, one thread", gigabytes, "GB/s"));
    if (quick) {
      sb.append("\n**Some of these figures are of the quick form, and rough.**\n");
    }
    return sb.toString();
  }

  private static String range(String what, List<Double> values, String unit) {
    double least = values.stream().min(Double::compare).orElse(Double.NaN);
    double most = values.stream().max(Double::compare).orElse(Double.NaN);
    return String.format(
        Locale.ROOT, "| %s | %.1f to %.1f %s over the runs |%n", what, least, most, unit);
  }

  private String bars() throws IOException {
    Map<Integer, StringBuilder> rows = new TreeMap<>();
    int held = 0;
    int all = 0;
    for (Json r : results.values()) {
      for (Json bar : r.get("bars").elements()) {
        int number = bar.get("number").asInt();
        boolean ok = bar.get("held").asBoolean();
        held += ok ? 1 : 0;
        all++;
        rows.computeIfAbsent(number, n -> new StringBuilder())
            .append("| ")
            .append(number)
            .append(" | ")
            .append(bar.get("what").asString())
            .append(" | ")
            .append(bar.get("target").asString())
            .append(" | ")
            .append(bar.get("figure").asString())
            .append(" | ")
            .append(ok ? "held" : "**missed**")
            .append(" |\n");
      }
    }
    return held
        + " of "
        + all
        + " are held.\n\n| | what | bar | figure | |\n|---|---|---|---|---|\n"
        + String.join("", rows.values());
  }

  private String section(Json result) throws IOException {
    StringBuilder sb = new StringBuilder();
    for (Json chart : result.get("charts").elements()) {
      String file = chart.get("file").asString() + ".svg";
      Files.createDirectories(charts);
      AtomicFile.write(charts.resolve(file), SvgChart.standalone(svg(chart)));
      sb.append("![")
          .append(chart.get("title").asString())
          .append("](")
          .append(charts.getFileName())
          .append('/')
          .append(file)
          .append(")\n\n");
    }
    for (Json table : result.get("tables").elements()) {
      sb.append("**").append(table.get("title").asString()).append("**\n\n");
      List<String> columns = texts(table.get("columns"));
      row(sb, columns);
      sb.append("|---".repeat(columns.size())).append("|\n");
      for (Json r : table.get("rows").elements()) {
        row(sb, texts(r));
      }
      sb.append('\n');
    }
    for (Json note : result.get("notes").elements()) {
      sb.append("- ").append(note.asString()).append('\n');
    }
    return sb.toString().stripTrailing();
  }

  private static void row(StringBuilder sb, List<String> cells) {
    sb.append("| ").append(String.join(" | ", cells)).append(" |\n");
  }

  private static List<String> texts(Json array) throws IOException {
    List<String> texts = new ArrayList<>();
    for (Json e : array.elements()) {
      texts.add(e.asString());
    }
    return texts;
  }

  // ------------------------------------------------------------------ charts

  private static String svg(Json chart) throws IOException {
    List<SvgChart.Bars> bars = new ArrayList<>();
    for (Map.Entry<String, Json> e : chart.get("series").members().entrySet()) {
      bars.add(new SvgChart.Bars(e.getKey(), bars.size() + 1, numbers(e.getValue())));
    }
    return SvgChart.bars(
        chart.get("title").asString(),
        chart.get("x_label").asString(),
        chart.get("y_label").asString(),
        texts(chart.get("categories")),
        bars);
  }

  private static List<Double> numbers(Json array) throws IOException {
    List<Double> numbers = new ArrayList<>();
    for (Json e : array.elements()) {
      numbers.add(e.isNull() ? Double.NaN : e.asDouble());
    }
    return numbers;
  }
}
