package tacet.deft.report;

import java.util.ArrayList;
import java.util.List;

/**
 * Round places on an axis: multiples of 1, 2 or 5 times a power of ten that enclose the data.
 *
 * @param from the first tick, at or below the smallest value
 * @param to the last tick, at or above the largest value
 * @param step the distance of two ticks
 */
record Ticks(double from, double to, double step) {
  /**
   * Ticks that enclose a range.
   *
   * @param min smallest value, finite
   * @param max largest value, at least {@code min}
   * @param intervals how many intervals to aim at; between half and twice as many come out
   */
  static Ticks enclosing(double min, double max, int intervals) {
    if (!Double.isFinite(max - min) || min > max) {
      throw new IllegalArgumentException("no axis from " + min + " to " + max);
    }
    double span = max - min;
    if (span <= 1e-9 * Math.max(Math.abs(min), Math.abs(max)) || span == 0) {
      double room = min == 0 ? 1 : Math.abs(min) / 2; // all values alike: put them in the middle
      return enclosing(min - room, max + room, intervals);
    }
    double raw = span / intervals;
    double power = Math.pow(10, Math.floor(Math.log10(raw)));
    double digit = raw / power;
    double step = (digit < 1.5 ? 1 : digit < 3.5 ? 2 : digit < 7.5 ? 5 : 10) * power;
    // A value that is a tick but for rounding must not add another interval.
    double from = Math.floor(min / step + 1e-9) * step;
    double to = Math.ceil(max / step - 1e-9) * step;
    return new Ticks(from, to, step);
  }

  List<Double> values() {
    List<Double> values = new ArrayList<>();
    long n = Math.round((to - from) / step);
    for (long i = 0; i <= n; i++) {
      values.add((Math.rint(from / step) + i) * step);
    }
    return values;
  }

  /** The tick's text, with as many decimals as the step needs. */
  String label(double value) {
    int decimals = Math.max(0, (int) -Math.floor(Math.log10(step) + 1e-9));
    return Markup.fixed(value, decimals);
  }

  /** Where a value lies between the first tick (0) and the last (1). */
  double place(double value) {
    return (value - from) / (to - from);
  }
}
