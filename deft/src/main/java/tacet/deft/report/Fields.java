package tacet.deft.report;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tacet.transformer.checkpoint.AtomicFile;
import tacet.transformer.checkpoint.FormatException;
import tacet.transformer.checkpoint.Json;

/** What the records of this package share when they are read and written. */
final class Fields {
  private Fields() {}

  /** A number; null, as which a NaN was written, gives NaN back. */
  static double number(Json json) throws FormatException {
    return json.isNull() ? Double.NaN : json.asDouble();
  }

  static List<Double> list(Json json) throws FormatException {
    List<Double> list = new ArrayList<>();
    for (Json element : json.elements()) {
      list.add(number(element));
    }
    return list;
  }

  static Map<String, Double> numbers(Json json) throws FormatException {
    Map<String, Double> map = new LinkedHashMap<>();
    for (Map.Entry<String, Json> member : json.members().entrySet()) {
      map.put(member.getKey(), number(member.getValue()));
    }
    return map;
  }

  /** Writes UTF-8 text so that the file is either the old one or the whole new one. */
  static void write(Path file, String text) throws IOException {
    Path target = file.toAbsolutePath();
    Files.createDirectories(target.getParent());
    AtomicFile.write(target, text);
  }
}
