package tacet.hardware.io;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import tacet.hardware.FormatException;
import tacet.hardware.arch.Compression;
import tacet.hardware.arch.EnergyTable;
import tacet.hardware.arch.Memory;
import tacet.hardware.arch.Platform;
import tacet.hardware.arch.SystolicArray;
import tacet.hardware.arch.SystolicArray.Dataflow;

/**
 * A SCALE-Sim configuration (v2 or v3). Sections that this simulator has no use for (layout, sparsity) are accepted and
 * ignored, as are keys it does not know; anything malformed is refused.
 *
 * @param runName run_name
 * @param rows ArrayHeight
 * @param columns ArrayWidth
 * @param ifmapKilobytes IfmapSramSzkB
 * @param filterKilobytes FilterSramSzkB
 * @param ofmapKilobytes OfmapSramSzkB
 * @param bandwidth words per cycle; used if {@code calculated} is false
 * @param dataflow Dataflow
 * @param calculated InterfaceBandwidth CALC: memory is as fast as the array wants
 */
public record ScaleSimConfig(
    String runName,
    int rows,
    int columns,
    int ifmapKilobytes,
    int filterKilobytes,
    int ofmapKilobytes,
    double bandwidth,
    Dataflow dataflow,
    boolean calculated) {

  /**
   * Reads a .cfg file.
   *
   * @throws FormatException if a line is malformed or a needed key missing; the message names file and line
   * @throws IOException if reading fails
   */
  public static ScaleSimConfig read(Path file) throws IOException {
    return parse(file.toString(), Lines.read(file));
  }

  static ScaleSimConfig parse(String file, List<String> lines) throws FormatException {
    Parser p = new Parser(file, lines);
    boolean user = p.oneOf("run_presets", "InterfaceBandwidth", "CALC", "USER").equals("USER");
    return new ScaleSimConfig(
        p.text("general", "run_name"),
        p.integer("architecture_presets", "ArrayHeight"),
        p.integer("architecture_presets", "ArrayWidth"),
        p.integer("architecture_presets", "IfmapSramSzkB"),
        p.integer("architecture_presets", "FilterSramSzkB"),
        p.integer("architecture_presets", "OfmapSramSzkB"),
        user ? p.integer("architecture_presets", "Bandwidth") : Double.POSITIVE_INFINITY,
        Dataflow.valueOf(p.oneOf("architecture_presets", "Dataflow", "OS", "WS", "IS")),
        !user);
  }

  /** The array, with words of one byte. CALC means no memory limits; USER means the bandwidth, without latency. */
  public SystolicArray array(EnergyTable energy) {
    Memory limited =
        new Memory(
            bandwidth,
            0,
            1,
            1024L * ifmapKilobytes,
            1024L * filterKilobytes,
            1024L * ofmapKilobytes,
            Double.POSITIVE_INFINITY,
            Compression.NONE,
            Compression.NONE,
            Compression.NONE,
            Double.POSITIVE_INFINITY);
    return new SystolicArray(dataflow, rows, columns, false, new Platform(8, 1, limited, energy));
  }

  /** Reads lines of a text file, refusing what is no UTF-8. */
  static final class Lines {
    private Lines() {}

    static List<String> read(Path file) throws IOException {
      try {
        return Files.readAllLines(file, StandardCharsets.UTF_8);
      } catch (java.nio.charset.CharacterCodingException e) {
        throw FormatException.atLine(file.toString(), 1, "not a text file in UTF-8");
      }
    }
  }

  /** Sections of key: value or key = value lines; keys are case-insensitive, # and ; start comments. */
  private static final class Parser {
    private record Entry(String value, int line) {}

    private final String file;
    private final int end;
    private final Map<String, Entry> entries = new HashMap<>();

    Parser(String file, List<String> lines) throws FormatException {
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
        String key = key(section, parts[0].strip());
        if (entries.put(key, new Entry(parts[1].strip(), i + 1)) != null) {
          throw FormatException.atLine(file, i + 1, parts[0].strip() + " is set twice");
        }
      }
    }

    private static String key(String section, String name) {
      return (section + "/" + name).toLowerCase(Locale.ROOT);
    }

    private Entry entry(String section, String name) throws FormatException {
      Entry entry = entries.get(key(section, name));
      if (entry == null || entry.value().isEmpty()) {
        throw FormatException.atLine(
            file, entry == null ? end : entry.line(), "[" + section + "] needs " + name);
      }
      return entry;
    }

    String text(String section, String name) throws FormatException {
      return entry(section, name).value();
    }

    int integer(String section, String name) throws FormatException {
      Entry entry = entry(section, name);
      try {
        int value = Integer.parseInt(entry.value());
        if (value > 0) {
          return value;
        }
      } catch (NumberFormatException e) {
        // Reported below, like a number out of range.
      }
      throw FormatException.atLine(
          file, entry.line(), name + " must be a positive integer, not '" + entry.value() + "'");
    }

    String oneOf(String section, String name, String... allowed) throws FormatException {
      Entry entry = entry(section, name);
      String value = entry.value().toUpperCase(Locale.ROOT);
      if (!List.of(allowed).contains(value)) {
        throw FormatException.atLine(
            file,
            entry.line(),
            name + " must be " + String.join(" or ", allowed) + ", not '" + entry.value() + "'");
      }
      return value;
    }
  }
}
