package tacet.cli;

import java.io.PrintWriter;
import java.util.Locale;

/**
 * How far a long job is, on stderr: a bar that is redrawn on a terminal, else a line every few
 * seconds, or nothing when quiet.
 */
final class Progress {
  private static final int WIDTH = 28;
  private static final long LINE_NANOS = 5_000_000_000L;
  private static final long BAR_NANOS = 100_000_000L;

  private final PrintWriter err;
  private final boolean quiet;
  private final boolean terminal;
  private long last;
  private int drawn;

  Progress(PrintWriter err, boolean quiet) {
    this.err = err;
    this.quiet = quiet;
    this.terminal = System.console() != null && System.console().isTerminal();
  }

  /** A line of its own. */
  void say(String line) {
    if (!quiet) {
      clear();
      err.println(line);
    }
  }

  /** Where a job stands; drawn only now and then, and at its end. */
  void update(String what, long done, long total, double secondsLeft, String detail) {
    long now = System.nanoTime();
    boolean end = done >= total;
    if (quiet || !end && now - last < (terminal ? BAR_NANOS : LINE_NANOS)) {
      return;
    }
    last = now;
    String left =
        end || !Double.isFinite(secondsLeft)
            ? ""
            : String.format(
                Locale.ROOT, "  %d:%02d left", (int) secondsLeft / 60, (int) secondsLeft % 60);
    if (terminal) {
      int full = (int) (WIDTH * done / Math.max(1, total));
      String line =
          String.format(
              Locale.ROOT,
              "%-10s %s%s %d/%d  %s%s",
              what,
              "━".repeat(full),
              "─".repeat(WIDTH - full),
              done,
              total,
              detail,
              left);
      err.print("\r" + line + " ".repeat(Math.max(0, drawn - line.length())));
      drawn = line.length();
      if (end) {
        err.println();
        drawn = 0;
      }
      err.flush();
    } else {
      err.println(what + " " + done + "/" + total + "  " + detail + left);
    }
  }

  private void clear() {
    if (drawn > 0) {
      err.print("\r" + " ".repeat(drawn) + "\r");
      drawn = 0;
    }
  }
}
