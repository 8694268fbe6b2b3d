package tacet.deft.report;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.DoubleStream;
import tacet.hardware.study.Figure;
import tacet.hardware.study.Figure.Axis;
import tacet.hardware.study.Figure.Curves;
import tacet.hardware.study.Figure.Grid;
import tacet.hardware.study.Figure.Line;

/**
 * The figures of the hardware report as SVG text: curves with points over linear or logarithmic axes, stacked bars, and
 * a grid of numbers. Like {@link SvgChart}, whose style they need besides {@link #STYLE}, but with more colours, and a
 * legend of as many rows as it takes.
 */
final class SvgPlot {
  /** The colours beyond {@link SvgChart}'s, light and dark. */
  static final String STYLE =
      """
      :root { --c4: #8a4fb0; --c5: #b3261e; --c6: #00838f; --c7: #8a7200; --c8: #b8437a; --c9: #6d5a4c;
        --c10: #4b5bd0; --c11: #5f7f1f; }
      @media (prefers-color-scheme: dark) {
        :root { --c4: #c79be8; --c5: #ff8a80; --c6: #4dd0e1; --c7: #e0c95a; --c8: #f48fb8; --c9: #bca999;
          --c10: #9fa8ff; --c11: #b5d36a; } }
      svg.chart .s4 { stroke: var(--c4); } svg.chart .f4 { fill: var(--c4); }
      svg.chart .s5 { stroke: var(--c5); } svg.chart .f5 { fill: var(--c5); }
      svg.chart .s6 { stroke: var(--c6); } svg.chart .f6 { fill: var(--c6); }
      svg.chart .s7 { stroke: var(--c7); } svg.chart .f7 { fill: var(--c7); }
      svg.chart .s8 { stroke: var(--c8); } svg.chart .f8 { fill: var(--c8); }
      svg.chart .s9 { stroke: var(--c9); } svg.chart .f9 { fill: var(--c9); }
      svg.chart .s10 { stroke: var(--c10); } svg.chart .f10 { fill: var(--c10); }
      svg.chart .s11 { stroke: var(--c11); } svg.chart .f11 { fill: var(--c11); }
      svg.chart .cell { font-size: 12px; fill: var(--ink); }
      """;

  /** How many colours there are; further ones begin again. */
  static final int COLOURS = 12;

  private static final double WIDTH = 560;
  private static final double LEFT = 52;
  private static final double RIGHT = 14;
  private static final double PLOT_HEIGHT = 250;
  private static final double BOTTOM = 46;
  private static final double LEGEND_ROW = 19;
  private static final double LEGEND_TOP = 40;
  private static final double CHARACTER = 7.4; // mean width of a character, to place what follows
  private static final double NAME_WIDTH = 212;
  private static final double BAR = 26;
  private static final List<String> DASHES = List.of("6 4", "", "2 4", "9 3 2 3", "12 3", "5 2");

  private SvgPlot() {}

  /** One part of every bar of a stack. */
  record Segment(String name, int colour) {}

  /** One bar of a stack: a value per segment. */
  record Bar(String name, List<Double> values) {
    Bar {
      values = List.copyOf(values);
    }
  }

  /** Draws a figure. */
  static String of(Figure figure) {
    return figure instanceof Grid g ? grid(g) : curves((Curves) figure);
  }

  /** The SVG as a file of its own, with its style. */
  static String standalone(String svg) {
    return SvgChart.standalone(svg).replaceFirst("</style>", STYLE + "</style>");
  }

  // ---------------------------------------------------------------- legend

  private record Entry(String name, int colour, int dash, int marker, boolean filled) {}

  /** Title and legend; gives the y below them. */
  private static double header(Svg svg, String title, List<Entry> entries) {
    svg.text("name", 0, 18, "start", title);
    double x = 0;
    double y = LEGEND_TOP;
    for (Entry e : entries) {
      double width = 30 + CHARACTER * e.name.length() + 14;
      if (x > 0 && x + width > WIDTH) {
        x = 0;
        y += LEGEND_ROW;
      }
      int c = e.colour % COLOURS;
      if (e.filled) {
        svg.rect("f" + c, x, y - 10, 14, 12, 2, 1, null);
      } else {
        svg.path("curve s" + c, "M" + Markup.coordinate(x) + " " + (y - 4) + "h24", dash(e.dash));
        if (e.marker >= 0) {
          mark(svg, c, e.marker, x + 12, y - 4, null);
        }
      }
      svg.text("", x + (e.filled ? 20 : 30), y, "start", e.name);
      x += width;
    }
    return entries.isEmpty() ? LEGEND_TOP - LEGEND_ROW : y;
  }

  private static double legendHeight(List<Entry> entries) {
    return header(new Svg(1, 1, ""), "", entries);
  }

  private static String dash(int colour) {
    return DASHES.get(colour % DASHES.size());
  }

  // ---------------------------------------------------------------- curves

  /** Where values lie along an axis, and its ticks. */
  private record Scale(double from, double to, boolean logarithmic, List<Double> ticks) {
    static Scale of(Axis axis, List<Line> lines, Function<Line, List<Double>> values) {
      double[] all =
          lines.stream()
              .flatMap(l -> values.apply(l).stream())
              .mapToDouble(Double::doubleValue)
              .filter(v -> Double.isFinite(v) && (!axis.logarithmic() || v > 0))
              .toArray();
      double min = DoubleStream.of(all).min().orElse(axis.logarithmic() ? 1 : 0);
      double max = DoubleStream.of(all).max().orElse(axis.logarithmic() ? 10 : 1);
      if (!axis.logarithmic()) {
        Ticks t = Ticks.enclosing(Math.min(0, min), max, 5);
        return new Scale(t.from(), t.to(), false, t.values());
      }
      if (max / min < 1.5) {
        min /= 1.5;
        max *= 1.5;
      }
      List<Double> ticks = powersOfTwo(all) ? doublings(min, max) : decades(min, max);
      return new Scale(min, max, true, ticks);
    }

    private static boolean powersOfTwo(double[] all) {
      return DoubleStream.of(all).allMatch(v -> v >= 1 && Math.getExponent(v) == log2(v));
    }

    private static double log2(double v) {
      return Math.log(v) / Math.log(2);
    }

    private static List<Double> doublings(double min, double max) {
      List<Double> ticks = new ArrayList<>();
      for (double v = min; v <= max; v *= 2) {
        ticks.add(v);
      }
      return ticks;
    }

    /** 1, 2 and 5 times powers of ten within the range; only the powers if it is wide. */
    private static List<Double> decades(double min, double max) {
      int[] digits = max / min > 3e3 ? new int[] {1} : new int[] {1, 2, 5};
      List<Double> ticks = new ArrayList<>();
      for (int p = (int) Math.floor(Math.log10(min)); p <= Math.log10(max); p++) {
        for (int digit : digits) {
          double v = p < 0 ? digit / Math.pow(10, -p) : digit * Math.pow(10, p);
          if (v >= min * (1 - 1e-9) && v <= max * (1 + 1e-9)) {
            ticks.add(v);
          }
        }
      }
      return ticks;
    }

    boolean holds(double value) {
      return Double.isFinite(value) && (!logarithmic || value > 0);
    }

    double place(double value) {
      return logarithmic
          ? Math.log(value / from) / Math.log(to / from)
          : (value - from) / (to - from);
    }

    static String label(double tick) {
      return Markup.trimmed(tick, 4);
    }
  }

  private static String curves(Curves figure) {
    List<Entry> legend = legend(figure.lines());
    double top = legendHeight(legend) + 32;
    double bottom = top + PLOT_HEIGHT;
    Svg svg = new Svg(WIDTH, bottom + BOTTOM, figure.title());
    header(svg, figure.title(), legend);
    svg.text("", 0, top - 12, "start", figure.y().label());
    Scale x = Scale.of(figure.x(), figure.lines(), Line::x);
    Scale y = Scale.of(figure.y(), figure.lines(), Line::y);
    for (double tick : y.ticks) {
      double at = bottom - y.place(tick) * PLOT_HEIGHT;
      svg.line("grid", LEFT, at, WIDTH - RIGHT, at);
      svg.text("", LEFT - 8, at + 4, "end", Scale.label(tick));
    }
    svg.line("axis", LEFT, bottom, WIDTH - RIGHT, bottom);
    for (double tick : x.ticks) {
      double at = across(x.place(tick));
      svg.line("axis", at, bottom, at, bottom + 4);
      svg.text("", at, bottom + 18, "middle", Scale.label(tick));
    }
    svg.text("", across(0.5), bottom + BOTTOM - 8, "middle", figure.x().label());
    for (Line line : figure.lines()) {
      curve(svg, line, x, y, bottom);
    }
    return svg.end();
  }

  private static double across(double place) {
    return LEFT + place * (WIDTH - LEFT - RIGHT);
  }

  /** One entry per name; the first line of a name decides how it is drawn. */
  private static List<Entry> legend(List<Line> lines) {
    Map<String, Entry> entries = new LinkedHashMap<>();
    for (Line l : lines) {
      entries.putIfAbsent(l.name(), new Entry(l.name(), l.colour(), l.colour(), l.marker(), false));
    }
    return List.copyOf(entries.values());
  }

  private static void curve(Svg svg, Line line, Scale x, Scale y, double bottom) {
    int c = Math.floorMod(line.colour(), COLOURS);
    StringBuilder path = new StringBuilder();
    List<double[]> points = new ArrayList<>();
    for (int i = 0; i < line.x().size(); i++) {
      double vx = line.x().get(i);
      double vy = line.y().get(i);
      if (x.holds(vx) && y.holds(vy)) {
        double px = across(x.place(vx));
        double py = bottom - y.place(vy) * PLOT_HEIGHT;
        path.append(path.isEmpty() ? 'M' : 'L').append(Markup.coordinate(px)).append(' ');
        path.append(Markup.coordinate(py));
        points.add(new double[] {px, py, vx, vy});
      }
    }
    if (line.joined() && !path.isEmpty()) {
      svg.path("curve s" + c, path.toString(), dash(c));
    }
    for (double[] p : points) {
      if (line.marker() >= 0) {
        String tip = line.name() + ": " + Markup.trimmed(p[2], 4) + ", " + Markup.trimmed(p[3], 3);
        mark(svg, c, line.marker(), p[0], p[1], tip);
      }
    }
  }

  /** A circle, square, diamond or triangle. */
  private static void mark(Svg svg, int colour, int marker, double x, double y, String tip) {
    String shape =
        switch (marker % 4) {
          case 0 -> "m-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0 -9 0z";
          case 1 -> "m-4 -4h8v8h-8z";
          case 2 -> "m0 -5.5l5.5 5.5l-5.5 5.5l-5.5 -5.5z";
          default -> "m0 -5.5l5 9h-10z";
        };
    String at = "M" + Markup.coordinate(x) + " " + Markup.coordinate(y);
    svg.path("mark f" + colour, at + shape, "", tip);
  }

  // ---------------------------------------------------------------- stacks

  /**
   * Horizontal bars of segments that lie end to end.
   *
   * @param xLabel what the length is
   * @param bars from the top; each with a value of at least 0 per segment
   */
  static String stacks(String title, String xLabel, List<Segment> segments, List<Bar> bars) {
    List<Entry> legend =
        segments.stream().map(s -> new Entry(s.name, s.colour, 0, -1, true)).toList();
    double top = legendHeight(legend) + 16;
    double bottom = top + BAR * bars.size();
    Svg svg = new Svg(WIDTH, bottom + BOTTOM, title);
    header(svg, title, legend);
    double longest =
        bars.stream()
            .mapToDouble(b -> b.values.stream().mapToDouble(Double::doubleValue).sum())
            .max()
            .orElse(1);
    Ticks ticks = Ticks.enclosing(0, longest > 0 ? longest : 1, 5);
    double width = WIDTH - NAME_WIDTH - 36;
    for (double tick : ticks.values()) {
      double at = NAME_WIDTH + ticks.place(tick) * width;
      svg.line("grid", at, top, at, bottom);
      svg.text("", at, bottom + 17, "middle", ticks.label(tick));
    }
    svg.text("", NAME_WIDTH + width / 2, bottom + BOTTOM - 8, "middle", xLabel);
    for (int b = 0; b < bars.size(); b++) {
      Bar bar = bars.get(b);
      double y = top + b * BAR;
      svg.text("", NAME_WIDTH - 8, y + BAR / 2 + 4, "end", bar.name);
      double from = 0;
      for (int s = 0; s < segments.size(); s++) {
        double value = bar.values.get(s);
        double left = NAME_WIDTH + ticks.place(from) * width;
        double right = NAME_WIDTH + ticks.place(from + value) * width;
        if (value > 0) {
          String tip = bar.name + ", " + segments.get(s).name + ": " + Markup.trimmed(value, 4);
          String style = "f" + segments.get(s).colour % COLOURS;
          svg.rect(style, left, y + 4, right - left, BAR - 8, 0, 1, tip);
        }
        from += value;
      }
      double end = NAME_WIDTH + ticks.place(from) * width;
      svg.text("value", end + 4, y + BAR / 2 + 4, "start", Markup.fixed(from, 2));
    }
    return svg.end();
  }

  // ---------------------------------------------------------------- grid

  private static String grid(Grid figure) {
    int rows = figure.rows().size();
    double cellHeight = rows > 8 ? 22 : 34;
    double top = 62;
    double bottom = top + rows * cellHeight;
    Svg svg = new Svg(WIDTH, bottom + BOTTOM, figure.title());
    svg.text("name", 0, 18, "start", figure.title());
    svg.text("", 0, top - 12, "start", figure.rowLabel());
    double[] all =
        figure.values().stream()
            .flatMap(List::stream)
            .mapToDouble(Double::doubleValue)
            .filter(v -> v > 0 && v < Double.POSITIVE_INFINITY)
            .toArray();
    double smallest = DoubleStream.of(all).min().orElse(1);
    double span = Math.log(DoubleStream.of(all).max().orElse(1) / smallest);
    int longest = figure.rows().stream().mapToInt(String::length).max().orElse(0);
    double side = Math.max(LEFT, 14 + CHARACTER * longest);
    double width = (WIDTH - side - RIGHT) / Math.max(1, figure.columns().size());
    for (int r = 0; r < rows; r++) {
      double y = top + r * cellHeight;
      svg.text("", side - 10, y + cellHeight / 2 + 4, "end", figure.rows().get(r));
      for (int c = 0; c < figure.columns().size(); c++) {
        double value = figure.values().get(r).get(c);
        if (Double.isFinite(value)) {
          double x = side + c * width;
          // By ratio, and pale enough for the number to be read.
          double share = value > 0 && span > 0 ? Math.log(value / smallest) / span : 0;
          svg.rect("f1", x + 1, y + 1, width - 2, cellHeight - 2, 2, 0.04 + 0.5 * share, null);
          int decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
          String text = Markup.fixed(value, decimals);
          svg.text("cell", x + width / 2, y + cellHeight / 2 + 4, "middle", text);
        }
      }
    }
    for (int c = 0; c < figure.columns().size(); c++) {
      svg.text("", side + (c + 0.5) * width, bottom + 18, "middle", figure.columns().get(c));
    }
    svg.text("", (side + WIDTH - RIGHT) / 2, bottom + 38, "middle", figure.columnLabel());
    return svg.end();
  }
}
