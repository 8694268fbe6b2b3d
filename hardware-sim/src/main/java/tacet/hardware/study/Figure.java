package tacet.hardware.study;

import java.util.List;

/** The data of a figure, with everything that must be written on it. */
public sealed interface Figure permits Figure.Curves, Figure.Grid {
  /** What files are called after: lower-case words joined by hyphens. */
  String id();

  /** What the figure shows. */
  String title();

  /** How to read it. */
  String caption();

  /**
   * An axis.
   *
   * @param label with its unit
   * @param logarithmic whether equal ratios are equally far apart; values must then be positive
   */
  record Axis(String label, boolean logarithmic) {}

  /**
   * A line, or a cloud of points.
   *
   * @param name in the legend; lines of one name are one entry
   * @param colour from 0; lines of one subject share it
   * @param joined whether the points are joined
   * @param marker shape of the points from 0, or -1 for none
   * @param x places
   * @param y values, as many; a pair with a value that is not finite is left out
   */
  record Line(String name, int colour, boolean joined, int marker, List<Double> x, List<Double> y) {

    /** Copies the points; there must be as many places as values. */
    public Line {
      x = List.copyOf(x);
      y = List.copyOf(y);
      if (x.size() != y.size()) {
        throw new IllegalArgumentException(name + ": " + x.size() + " x, " + y.size() + " y");
      }
    }
  }

  /** Lines over a common axis. */
  record Curves(String id, String title, String caption, Axis x, Axis y, List<Line> lines)
      implements Figure {

    /** Copies the lines. */
    public Curves {
      lines = List.copyOf(lines);
    }
  }

  /**
   * A value for every pair of two parameters.
   *
   * @param rowLabel what the rows are
   * @param columnLabel what the columns are
   * @param rows names, from the top
   * @param columns names
   * @param values per row, per column
   */
  record Grid(
      String id,
      String title,
      String caption,
      String rowLabel,
      String columnLabel,
      List<String> rows,
      List<String> columns,
      List<List<Double>> values)
      implements Figure {

    /** Copies the lists; there must be a value for every cell. */
    public Grid {
      rows = List.copyOf(rows);
      columns = List.copyOf(columns);
      values = values.stream().map(List::copyOf).toList();
      int width = columns.size();
      if (values.size() != rows.size() || values.stream().anyMatch(v -> v.size() != width)) {
        throw new IllegalArgumentException(title + ": cells are missing");
      }
    }
  }
}
