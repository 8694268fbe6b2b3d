package tacet.benchmarks;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import tacet.tensor.measure.Interleaved;

/** The command line of a program: {@code --name value} pairs, and {@code --quick}. */
final class Options {
  private static final String QUICK = "quick";

  private final Map<String, String> values = new HashMap<>();

  private Options() {}

  /**
   * Reads the arguments.
   *
   * @param allowed names that the program knows beside {@code quick} and {@code json}
   * @throws IllegalArgumentException if an option is unknown or lacks its value
   */
  static Options of(String[] args, String... allowed) {
    Set<String> known = new java.util.TreeSet<>(Arrays.asList(allowed));
    known.add(QUICK);
    known.add("json");
    Options options = new Options();
    for (int i = 0; i < args.length; i++) {
      String name = args[i].startsWith("--") ? args[i].substring(2) : "";
      if (!known.contains(name)) {
        throw new IllegalArgumentException(
            args[i] + " is not an option of this program; it has --" + String.join(", --", known));
      }
      if (name.equals(QUICK)) {
        options.values.put(name, "");
      } else if (++i < args.length) {
        options.values.put(name, args[i]);
      } else {
        throw new IllegalArgumentException("--" + name + " needs a value");
      }
    }
    return options;
  }

  /** Whether figures may be rough: a look at everything in a few minutes. */
  boolean quick() {
    return values.containsKey(QUICK);
  }

  /** How long to measure. */
  Interleaved.Settings settings() {
    return quick() ? Interleaved.Settings.QUICK : Interleaved.Settings.STANDARD;
  }

  /** The value of an option, or null. */
  String text(String name) {
    return values.get(name);
  }

  /** A number, or what it is without the option. */
  int number(String name, int other) {
    return values.containsKey(name) ? Integer.parseInt(values.get(name)) : other;
  }

  /** A file or folder, or null. */
  Path path(String name) {
    return values.containsKey(name) ? Path.of(values.get(name)) : null;
  }
}
