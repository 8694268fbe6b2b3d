package tacet.deft.report;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import java.util.stream.DoubleStream;

/**
 * Charts as SVG text: lines, grouped bars and a heat strip. Pure functions of their data, without
 * scripts or outside resources.
 *
 * <p>The colours are CSS variables that {@link #STYLE} defines for light and dark; the series of a
 * chart differ in marker and dash too, so that they stay apart in print and for the colour-blind.
 * Embed an SVG in a page that has the style, or use {@link #standalone} for a file of its own.
 */
public final class SvgChart {
  /** The CSS of all charts: colours, light and dark, and text. */
  public static final String STYLE =
      """
      :root { --ink: #1d2329; --muted: #5d6772; --grid: #e4e3de; --paper: #ffffff;
        --c0: #7b8591; --c1: #0b6fb8; --c2: #c2570c; --c3: #3d8f5f; }
      @media (prefers-color-scheme: dark) {
        :root { --ink: #e8eaed; --muted: #a0a9b4; --grid: #343a41; --paper: #1c2025;
          --c0: #98a2ae; --c1: #5cb3f2; --c2: #f0a35a; --c3: #7fcf9f; } }
      svg.chart { display: block; width: 100%; height: auto; }
      svg.chart text { font: 13px system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
        fill: var(--muted); font-variant-numeric: tabular-nums; }
      svg.chart .name { font-size: 15px; font-weight: 600; fill: var(--ink); }
      svg.chart .value { font-size: 11px; fill: var(--ink); }
      svg.chart .grid { stroke: var(--grid); stroke-width: 1; }
      svg.chart .axis { stroke: var(--muted); stroke-width: 1; }
      svg.chart .curve { fill: none; stroke-width: 2.2; stroke-linejoin: round; stroke-linecap: round; }
      svg.chart .faint { stroke-width: 1; opacity: .35; }
      svg.chart .s0 { stroke: var(--c0); } svg.chart .f0 { fill: var(--c0); }
      svg.chart .s1 { stroke: var(--c1); } svg.chart .f1 { fill: var(--c1); }
      svg.chart .s2 { stroke: var(--c2); } svg.chart .f2 { fill: var(--c2); }
      svg.chart .s3 { stroke: var(--c3); } svg.chart .f3 { fill: var(--c3); }
      svg.chart .mark { stroke: var(--paper); stroke-width: 1.5; }
      """;

  /** How many colours there are; further ones begin again. */
  static final int COLOURS = 4;

  private static final double WIDTH = 520;
  private static final double HEIGHT = 330;
  private static final double LEFT = 56;
  private static final double RIGHT = 14;
  private static final double RIGHT_WITH_AXIS = 56;
  private static final double TOP = 64;
  private static final double BOTTOM = 48;
  private static final double CHARACTER = 7; // mean width of a character, to place what follows
  private static final double SWATCH = 36; // the sample before a name in the legend, and a gap
  private static final int MOST_MARKERS = 30;
  private static final List<String> DASHES = List.of("6 4", "", "2 4", "9 3 2 3");

  private SvgChart() {}

  /**
   * One line of a line chart. Points whose value is not finite leave a gap.
   *
   * @param name in the legend; empty to leave it out
   * @param colour 0 to 3, also choosing marker and dash
   * @param x places, not falling
   * @param y values, as many
   * @param rightAxis whether the values belong to the second axis
   * @param faint whether to draw it thin in the background
   */
  public record Series(
      String name, int colour, List<Double> x, List<Double> y, boolean rightAxis, boolean faint) {
    /** Copies the points; there must be as many places as values. */
    public Series {
      x = List.copyOf(x);
      y = List.copyOf(y);
      if (x.size() != y.size()) {
        throw new IllegalArgumentException(name + ": " + x.size() + " x, " + y.size() + " y");
      }
    }

    /** A plain line on the left axis. */
    public Series(String name, int colour, List<Double> x, List<Double> y) {
      this(name, colour, x, y, false, false);
    }
  }

  /**
   * One colour of a bar chart.
   *
   * @param name in the legend
   * @param colour 0 to 3
   * @param values one per category; not finite for no bar
   */
  public record Bars(String name, int colour, List<Double> values) {
    /** Copies the values. */
    public Bars {
      values = List.copyOf(values);
    }
  }

  // ---------------------------------------------------------------- charts

  /**
   * A line chart.
   *
   * @param title above the chart
   * @param xLabel below the horizontal axis
   * @param leftLabel what the left axis shows
   * @param rightLabel what the right axis shows; null without one
   * @param fromZero whether the left axis begins at 0
   * @param series at least one point in all
   */
  public static String lines(
      String title,
      String xLabel,
      String leftLabel,
      String rightLabel,
      boolean fromZero,
      List<Series> series) {
    Svg svg = new Svg(WIDTH, HEIGHT, title);
    Frame frame = new Frame(rightLabel == null ? RIGHT : RIGHT_WITH_AXIS);
    List<Series> left = series.stream().filter(s -> !s.rightAxis).toList();
    Ticks x = ticks(series, Series::x, false, 6);
    Ticks y = ticks(left, Series::y, fromZero, 5);
    header(svg, title, leftLabel, legend(series));
    leftAxis(svg, frame, y);
    // The horizontal axis ends where the data end, not at the next round number.
    double first = extreme(series, Series::x, true);
    double last = Math.max(extreme(series, Series::x, false), first + 1e-9);
    for (double tick : x.values()) {
      if (tick >= first && tick <= last) {
        double at = frame.x((tick - first) / (last - first));
        svg.line("axis", at, frame.bottom(), at, frame.bottom() + 4);
        svg.text("", at, frame.bottom() + 18, "middle", x.label(tick));
      }
    }
    svg.text("", frame.x(0.5), HEIGHT - 8, "middle", xLabel);
    Ticks second = y;
    if (rightLabel != null) {
      second = ticks(series.stream().filter(Series::rightAxis).toList(), Series::y, false, 5);
      for (double tick : second.values()) {
        svg.text(
            "", frame.right() + 8, frame.y(second.place(tick)) + 4, "start", second.label(tick));
      }
      svg.text("", WIDTH - 4, TOP - 12, "end", rightLabel);
    }
    for (Series s : series) {
      curve(svg, frame, s, first, last, s.rightAxis ? second : y);
    }
    return svg.end();
  }

  /**
   * A grouped bar chart from 0 upwards.
   *
   * @param title above the chart
   * @param xLabel below the horizontal axis
   * @param leftLabel what the bars show
   * @param categories a group each
   * @param bars the members of a group, each with a value per category
   */
  public static String bars(
      String title, String xLabel, String leftLabel, List<String> categories, List<Bars> bars) {
    Svg svg = new Svg(WIDTH, HEIGHT, title);
    Frame frame = new Frame(RIGHT);
    List<Double> all = new ArrayList<>(List.of(0.0));
    for (Bars b : bars) {
      if (b.values.size() != categories.size()) {
        throw new IllegalArgumentException(
            b.name + ": " + b.values.size() + " values for " + categories.size() + " categories");
      }
      b.values.stream().filter(Double::isFinite).map(v -> Math.max(v, 0)).forEach(all::add);
    }
    double largest = all.stream().max(Double::compare).orElseThrow();
    Ticks y = Ticks.enclosing(0, largest == 0 ? 1 : largest, 5);
    header(
        svg, title, leftLabel, bars.stream().map(b -> new Entry(b.name, b.colour, true)).toList());
    leftAxis(svg, frame, y);
    double group = frame.width() / Math.max(1, categories.size());
    double bar = Math.min(34, group * 0.8 / Math.max(1, bars.size()));
    boolean printValues = bar >= 22;
    for (int i = 0; i < categories.size(); i++) {
      double middle = frame.x(0) + (i + 0.5) * group;
      for (int j = 0; j < bars.size(); j++) {
        Bars b = bars.get(j);
        double value = b.values.get(i);
        if (Double.isFinite(value)) {
          double left = middle + (j - bars.size() / 2.0) * bar;
          double top = frame.y(y.place(Math.max(value, 0)));
          String tip = b.name + ", " + categories.get(i) + ": " + Markup.trimmed(value, 2);
          svg.rect(
              "f" + b.colour % COLOURS, left + 1, top, bar - 2, frame.bottom() - top, 2, 1, tip);
          if (printValues) {
            String text = Markup.fixed(value, value < 0.995 ? 2 : value < 9.95 ? 1 : 0);
            svg.text("value", left + bar / 2, top - 5, "middle", text);
          }
        }
      }
      if (categories.size() <= 16 || i % 4 == 0) {
        svg.text("", middle, frame.bottom() + 18, "middle", categories.get(i));
      }
    }
    svg.text("", frame.x(0.5), HEIGHT - 8, "middle", xLabel);
    return svg.end();
  }

  /**
   * A heat strip: a row of cells per name, the stronger the larger the value.
   *
   * @param title above the chart
   * @param xLabel below the columns
   * @param columns name of every column
   * @param rows name of every row, from the top
   * @param values per row, per column; not finite for an empty cell
   * @param colour 0 to 3
   * @param unit after a value in the tool tips, for example " %"
   */
  public static String heat(
      String title,
      String xLabel,
      List<String> columns,
      List<String> rows,
      List<List<Double>> values,
      int colour,
      String unit) {
    Svg svg = new Svg(WIDTH, HEIGHT, title);
    Frame frame = new Frame(RIGHT);
    double largest =
        values.stream()
            .flatMap(List::stream)
            .filter(Double::isFinite)
            .max(Double::compare)
            .filter(m -> m > 0)
            .orElse(1.0);
    svg.text("name", 0, 18, "start", title);
    svg.text("", 0, 44, "start", "0");
    for (int i = 0; i < 10; i++) {
      svg.rect("f" + colour % COLOURS, 14 + 9 * i, 34, 9, 11, 0, shade((i + 0.5) / 10), null);
    }
    svg.text("", 110, 44, "start", Markup.trimmed(largest, 1) + unit);
    double width = frame.width() / Math.max(1, columns.size());
    double height = frame.height() / Math.max(1, rows.size());
    double gap = Math.min(2, width / 5);
    for (int r = 0; r < rows.size(); r++) {
      double top = TOP + r * height;
      svg.text("", LEFT - 8, top + height / 2 + 4, "end", rows.get(r));
      for (int c = 0; c < columns.size(); c++) {
        double value = values.get(r).get(c);
        if (Double.isFinite(value)) {
          String tip = rows.get(r) + ", " + columns.get(c) + ": " + Markup.trimmed(value, 2) + unit;
          double left = frame.x(0) + c * width;
          double opacity = shade(Math.max(0, value) / largest);
          svg.rect("f" + colour % COLOURS, left, top, width - gap, height - gap, 1.5, opacity, tip);
        }
      }
    }
    int every = Math.max(1, (columns.size() + 7) / 8);
    for (int c = 0; c < columns.size(); c += every) {
      double middle = frame.x(0) + (c + 0.5) * width;
      svg.text("", middle, frame.bottom() + 18, "middle", columns.get(c));
    }
    svg.text("", frame.x(0.5), HEIGHT - 8, "middle", xLabel);
    return svg.end();
  }

  /** The SVG as a file of its own, with its style. */
  public static String standalone(String svg) {
    int body = svg.indexOf('>') + 1;
    return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
        + svg.substring(0, body)
        + "<style>"
        + STYLE
        + "</style>"
        + svg.substring(body);
  }

  // ---------------------------------------------------------------- parts

  /** The rectangle of the data. */
  private record Frame(double rightMargin) {
    double width() {
      return WIDTH - LEFT - rightMargin;
    }

    double height() {
      return HEIGHT - TOP - BOTTOM;
    }

    double right() {
      return WIDTH - rightMargin;
    }

    double bottom() {
      return HEIGHT - BOTTOM;
    }

    double x(double place) {
      return LEFT + place * width();
    }

    double y(double place) {
      return bottom() - place * height();
    }
  }

  private record Entry(String name, int colour, boolean filled) {}

  private static List<Entry> legend(List<Series> series) {
    return series.stream()
        .filter(s -> !s.name.isEmpty())
        .map(s -> new Entry(s.name, s.colour, false))
        .toList();
  }

  /** Title, what the left axis shows, and the legend at the right of the title. */
  private static void header(Svg svg, String title, String leftLabel, List<Entry> legend) {
    svg.text("name", 0, 18, "start", title);
    svg.text("", 0, TOP - 22, "start", leftLabel);
    int most = (int) ((WIDTH / Math.max(1, legend.size()) - SWATCH) / CHARACTER);
    double width =
        legend.stream().mapToDouble(e -> SWATCH + CHARACTER * shown(e, most).length()).sum();
    double x = WIDTH - width;
    // Beside the title where there is room, else beside the axis label.
    double y = x > 9 * title.length() ? 18 : TOP - 22;
    for (Entry e : legend) {
      int c = e.colour % COLOURS;
      if (e.filled) {
        svg.rect("f" + c, x + 4, y - 10, 12, 12, 2, 1, null);
      } else {
        svg.path("curve s" + c, "M" + x + " " + (y - 4) + "h20", DASHES.get(c));
        mark(svg, c, x + 10, y - 4, null);
      }
      svg.text("", x + 25, y, "start", shown(e, most));
      x += SWATCH + CHARACTER * shown(e, most).length();
    }
  }

  /** The name, cut where it would leave the picture. */
  private static String shown(Entry entry, int most) {
    String name = entry.name;
    return name.length() <= most ? name : name.substring(0, Math.max(0, most - 1)) + "…";
  }

  private static void leftAxis(Svg svg, Frame frame, Ticks ticks) {
    for (double tick : ticks.values()) {
      double at = frame.y(ticks.place(tick));
      svg.line(tick == ticks.from() ? "axis" : "grid", frame.x(0), at, frame.right(), at);
      svg.text("", LEFT - 8, at + 4, "end", ticks.label(tick));
    }
  }

  private static void curve(
      Svg svg, Frame frame, Series s, double first, double last, Ticks ticks) {
    int c = Math.floorMod(s.colour, COLOURS);
    StringBuilder path = new StringBuilder();
    boolean pen = false;
    for (int i = 0; i < s.x.size(); i++) {
      if (!finite(s, i)) {
        pen = false;
        continue;
      }
      path.append(pen ? 'L' : 'M')
          .append(Markup.coordinate(frame.x((s.x.get(i) - first) / (last - first))))
          .append(' ')
          .append(Markup.coordinate(frame.y(ticks.place(s.y.get(i)))));
      pen = true;
    }
    if (path.isEmpty()) {
      return;
    }
    svg.path(
        (s.faint ? "curve faint s" : "curve s") + c, path.toString(), s.faint ? "" : DASHES.get(c));
    for (int i = 0; i < s.x.size() && s.x.size() <= MOST_MARKERS && !s.faint; i++) {
      if (finite(s, i)) {
        String tip =
            s.name + ", " + Markup.trimmed(s.x.get(i), 2) + ": " + Markup.trimmed(s.y.get(i), 3);
        double x = frame.x((s.x.get(i) - first) / (last - first));
        mark(svg, c, x, frame.y(ticks.place(s.y.get(i))), tip);
      }
    }
  }

  /** A circle, square, diamond or triangle, by colour. */
  private static void mark(Svg svg, int colour, double x, double y, String tip) {
    String shape =
        switch (colour) {
          case 0 -> "m-4 -4h8v8h-8z";
          case 1 -> "m-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0 -9 0z";
          case 2 -> "m0 -5.5l5.5 5.5l-5.5 5.5l-5.5 -5.5z";
          default -> "m0 -5.5l5 9h-10z";
        };
    String at = "M" + Markup.coordinate(x) + " " + Markup.coordinate(y);
    svg.path("mark f" + colour, at + shape, "", tip);
  }

  private static double shade(double part) {
    return 0.06 + 0.94 * part;
  }

  private static boolean finite(Series s, int i) {
    return Double.isFinite(s.x.get(i)) && Double.isFinite(s.y.get(i));
  }

  private static Ticks ticks(
      List<Series> series, Function<Series, List<Double>> values, boolean fromZero, int intervals) {
    double min = extreme(series, values, true);
    double max = extreme(series, values, false);
    return Ticks.enclosing(fromZero ? Math.min(0, min) : min, max, intervals);
  }

  /** Smallest or largest finite value; 0 or 1 where there is none. */
  private static double extreme(
      List<Series> series, Function<Series, List<Double>> values, boolean min) {
    DoubleStream all =
        series.stream()
            .flatMap(s -> values.apply(s).stream())
            .filter(Double::isFinite)
            .mapToDouble(Double::doubleValue);
    return min ? all.min().orElse(0) : all.max().orElse(1);
  }
}
