package tacet.hardware.io;

import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import tacet.hardware.FormatException;

/**
 * An INI file: [section] lines and key: value or key = value lines. Keys are case-insensitive, # and ; start comment
 * lines. Every complaint names file and line.
 */
final class KeyValues {

  private record Entry(String key, String value, int line) {}

  private final String file;
  private final int end;
  private final Map<String, Entry> entries = new LinkedHashMap<>();
  private final Map<String, Entry> unused = new LinkedHashMap<>();

  KeyValues(String file, List<String> lines) throws FormatException {
    this.file = file;
    this.end = Math.max(1, lines.size());
    String section = null;
    for (int i = 0; i < lines.size(); i++) {
      String line = lines.get(i).strip();
      if (line.isEmpty() || line.startsWith("#") || line.startsWith(";")) {
        continue;
      }
      if (line.startsWith("[") && line.endsWith("]")) {
        section = line.substring(1, line.length() - 1).strip();
        continue;
      }
      String[] parts = line.split("[:=]", 2);
      if (section == null || parts.length < 2 || parts[0].isBlank()) {
        throw FormatException.atLine(
            file, i + 1, "expected [section] or 'key: value', found '" + line + "'");
      }
      Entry entry = new Entry(parts[0].strip(), parts[1].strip(), i + 1);
      if (entries.put(key(section, entry.key()), entry) != null) {
        throw FormatException.atLine(file, i + 1, entry.key() + " is set twice");
      }
    }
    unused.putAll(entries);
  }

  /** Lines of a text file. */
  static List<String> lines(Path file) throws IOException {
    try {
      return Files.readAllLines(file, StandardCharsets.UTF_8);
    } catch (CharacterCodingException e) {
      throw FormatException.atLine(file.toString(), 1, "not a text file in UTF-8");
    }
  }

  private static String key(String section, String name) {
    return (section + "/" + name).toLowerCase(Locale.ROOT);
  }

  boolean has(String section, String name) {
    return entries.containsKey(key(section, name));
  }

  /** Refuses keys that nobody asked for. */
  void requireAllUsed() throws FormatException {
    for (Entry entry : unused.values()) {
      throw FormatException.atLine(file, entry.line(), "unknown key '" + entry.key() + "'");
    }
  }

  private Entry entry(String section, String name) throws FormatException {
    Entry entry = entries.get(key(section, name));
    unused.remove(key(section, name));
    if (entry == null || entry.value().isEmpty()) {
      throw FormatException.atLine(
          file, entry == null ? end : entry.line(), "[" + section + "] needs " + name);
    }
    return entry;
  }

  String text(String section, String name) throws FormatException {
    return entry(section, name).value();
  }

  /** An integer of at least {@code min}. */
  int integer(String section, String name, int min) throws FormatException {
    Entry entry = entry(section, name);
    try {
      int value = Integer.parseInt(entry.value());
      if (value >= min) {
        return value;
      }
    } catch (NumberFormatException e) {
      // Reported below, like a number out of range.
    }
    throw bad(entry, name + " must be an integer of at least " + min);
  }

  int integer(String section, String name, int min, int otherwise) throws FormatException {
    return has(section, name) ? integer(section, name, min) : otherwise;
  }

  /** A positive number, or {@code infinite}. */
  double positive(String section, String name, double otherwise) throws FormatException {
    if (!has(section, name)) {
      return otherwise;
    }
    Entry entry = entry(section, name);
    if (entry.value().equalsIgnoreCase("infinite")) {
      return Double.POSITIVE_INFINITY;
    }
    try {
      double value = Double.parseDouble(entry.value());
      if (value > 0 && value < Double.POSITIVE_INFINITY) {
        return value;
      }
    } catch (NumberFormatException e) {
      // Reported below, like a number out of range.
    }
    throw bad(entry, name + " must be a positive number or 'infinite'");
  }

  boolean yes(String section, String name, boolean otherwise) throws FormatException {
    return has(section, name)
        ? oneOf(section, name, List.of("yes", "no")).equals("yes")
        : otherwise;
  }

  <E extends Enum<E>> E constant(String section, String name, E[] constants, E otherwise)
      throws FormatException {
    return has(section, name) ? constant(section, name, constants) : otherwise;
  }

  /** One of an enum's constants, in any case, with - for _. */
  <E extends Enum<E>> E constant(String section, String name, E[] constants)
      throws FormatException {
    List<String> names = Arrays.stream(constants).map(KeyValues::spelling).toList();
    return constants[names.indexOf(oneOf(section, name, names))];
  }

  private static String spelling(Enum<?> constant) {
    return constant.name().toLowerCase(Locale.ROOT).replace('_', '-');
  }

  /** One of the allowed words, which are in lower case. */
  String oneOf(String section, String name, List<String> allowed) throws FormatException {
    Entry entry = entry(section, name);
    String value = entry.value().toLowerCase(Locale.ROOT);
    if (!allowed.contains(value)) {
      throw bad(entry, name + " must be " + String.join(" or ", allowed));
    }
    return value;
  }

  /** A complaint about a value, at its line. */
  FormatException refuse(String section, String name, String problem) throws FormatException {
    return bad(entry(section, name), problem);
  }

  private FormatException bad(Entry entry, String problem) {
    return FormatException.atLine(file, entry.line(), problem + ", not '" + entry.value() + "'");
  }
}
