package tacet.transformer.checkpoint;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A JSON value (RFC 8259), read strictly: duplicate keys, trailing text, lone control characters
 * and nesting deeper than 200 are errors that name the file and the place.
 *
 * <p>A value is one of {@code Map<String, Json>} (in file order), {@code List<Json>}, {@code
 * String}, {@code Number} ({@code Long} where the text is an integer that fits, else {@code
 * Double}), {@code Boolean} or null, and remembers its path for error messages:
 *
 * <pre>{@code
 * Json config = Json.read(dir.resolve("config.json"));
 * int width = config.get("hidden_size").asInt();      // FormatException names file and key
 * double eps = config.doubleOr("layer_norm_eps", 1e-12);
 * }</pre>
 */
public final class Json {
  private static final long MAX_FILE_BYTES = 512L << 20;

  private final Object value;
  private final Place place;

  private Json(Object value, Place place) {
    this.value = value;
    this.place = place;
  }

  // ---------------------------------------------------------------- reading

  /**
   * Reads a UTF-8 file.
   *
   * @throws FormatException if it is not JSON, not UTF-8 or larger than 512 MiB
   * @throws IOException if it cannot be read
   */
  public static Json read(Path file) throws IOException {
    long size = Files.size(file);
    if (!Files.isRegularFile(file)) {
      throw new FormatException(file.toString(), "not a regular file");
    }
    if (size > MAX_FILE_BYTES) {
      throw new FormatException(
          file.toString(), size + " bytes are too many for JSON; the limit is " + MAX_FILE_BYTES);
    }
    return parse(Files.readAllBytes(file), file.toString());
  }

  /** Parses UTF-8 bytes; {@code name} stands for them in error messages. */
  public static Json parse(byte[] utf8, String name) throws FormatException {
    return parse(Utf8.decode(utf8, name), name);
  }

  /** Parses text; {@code name} stands for it in error messages. */
  public static Json parse(String text, String name) throws FormatException {
    JsonScanner in = new JsonScanner(text, name);
    Json j = value(in, new Place(null, name), 0);
    in.end();
    return j;
  }

  /** Wraps Java values (maps, lists, strings, numbers, booleans, null, {@code Json}) for writing. */
  public static Json of(Object value) {
    return new Json(unwrap(value), new Place(null, "(new)"));
  }

  private static Object unwrap(Object v) {
    if (v instanceof Json j) {
      return j.value;
    }
    if (v instanceof Map<?, ?> m) {
      Map<String, Json> out = new LinkedHashMap<>();
      m.forEach((k, x) -> out.put((String) k, of(x)));
      return Collections.unmodifiableMap(out);
    }
    if (v instanceof Iterable<?> it) {
      List<Json> out = new ArrayList<>();
      it.forEach(x -> out.add(of(x)));
      return Collections.unmodifiableList(out);
    }
    if (v instanceof float[] a) {
      List<Json> out = new ArrayList<>();
      for (float x : a) {
        out.add(of(x));
      }
      return Collections.unmodifiableList(out);
    }
    if (v instanceof double[] a) {
      List<Json> out = new ArrayList<>();
      for (double x : a) {
        out.add(of(x));
      }
      return Collections.unmodifiableList(out);
    }
    if (v instanceof int[] a) {
      List<Json> out = new ArrayList<>();
      for (int x : a) {
        out.add(of(x));
      }
      return Collections.unmodifiableList(out);
    }
    if (v instanceof Float f) {
      return Double.valueOf(f.toString()); // the shortest decimal of the float, not its expansion
    }
    if (v instanceof Integer || v instanceof Short || v instanceof Byte) {
      return ((Number) v).longValue();
    }
    if (v == null
        || v instanceof String
        || v instanceof Long
        || v instanceof Double
        || v instanceof Boolean) {
      return v;
    }
    throw new IllegalArgumentException("no JSON form for " + v.getClass().getName());
  }

  // ---------------------------------------------------------------- access

  /** The error of a value that does not fit, naming file and path. */
  public FormatException error(String problem) {
    return new FormatException(place.file(), place.path() + ": " + problem);
  }

  /** Whether this is the literal {@code null}. */
  public boolean isNull() {
    return value == null;
  }

  /** Whether this is an object. */
  public boolean isObject() {
    return value instanceof Map;
  }

  /** Whether this is an array. */
  public boolean isArray() {
    return value instanceof List;
  }

  /** Whether this is a string. */
  public boolean isString() {
    return value instanceof String;
  }

  /** Whether this is a number. */
  public boolean isNumber() {
    return value instanceof Number;
  }

  /** Whether this is a boolean. */
  public boolean isBoolean() {
    return value instanceof Boolean;
  }

  /** Members of an object in file order. */
  @SuppressWarnings("unchecked")
  public Map<String, Json> members() throws FormatException {
    if (value instanceof Map) {
      return (Map<String, Json>) value;
    }
    throw error("expected an object, found " + kind());
  }

  /** Elements of an array. */
  @SuppressWarnings("unchecked")
  public List<Json> elements() throws FormatException {
    if (value instanceof List) {
      return (List<Json>) value;
    }
    throw error("expected an array, found " + kind());
  }

  /** Whether an object has a member that is not null. */
  public boolean has(String key) throws FormatException {
    Json j = members().get(key);
    return j != null && !j.isNull();
  }

  /** A member that must be there (its value may be null). */
  public Json get(String key) throws FormatException {
    Json j = members().get(key);
    if (j == null) {
      throw error("key \"" + key + "\" is missing");
    }
    return j;
  }

  /** The text of a string. */
  public String asString() throws FormatException {
    if (value instanceof String s) {
      return s;
    }
    throw error("expected a string, found " + kind());
  }

  /** An integer that fits an int. */
  public int asInt() throws FormatException {
    long l = asLong();
    if (l != (int) l) {
      throw error("integer " + l + " is too large");
    }
    return (int) l;
  }

  /** An integer; 2.0 counts as one. */
  public long asLong() throws FormatException {
    if (value instanceof Long l) {
      return l;
    }
    if (value instanceof Double d && d == Math.rint(d) && Math.abs(d) < 1e18) {
      return d.longValue();
    }
    throw error("expected an integer, found " + kind());
  }

  /** A number. */
  public double asDouble() throws FormatException {
    if (value instanceof Number n) {
      return n.doubleValue();
    }
    throw error("expected a number, found " + kind());
  }

  /** A boolean. */
  public boolean asBoolean() throws FormatException {
    if (value instanceof Boolean b) {
      return b;
    }
    throw error("expected true or false, found " + kind());
  }

  /** An integer member, or {@code other} where it is missing or null. */
  public int intOr(String key, int other) throws FormatException {
    return has(key) ? get(key).asInt() : other;
  }

  /** A number member, or {@code other} where it is missing or null. */
  public double doubleOr(String key, double other) throws FormatException {
    return has(key) ? get(key).asDouble() : other;
  }

  /** A string member, or {@code other} where it is missing or null. */
  public String stringOr(String key, String other) throws FormatException {
    return has(key) ? get(key).asString() : other;
  }

  /** A boolean member, or {@code other} where it is missing or null. */
  public boolean booleanOr(String key, boolean other) throws FormatException {
    return has(key) ? get(key).asBoolean() : other;
  }

  private String kind() {
    if (value == null) {
      return "null";
    }
    if (value instanceof Map) {
      return "an object";
    }
    if (value instanceof List) {
      return "an array";
    }
    return value instanceof String ? "a string" : value.toString();
  }

  // ---------------------------------------------------------------- writing

  /** Compact text, keys in order. */
  @Override
  public String toString() {
    StringBuilder sb = new StringBuilder();
    write(sb, -1, 0);
    return sb.toString();
  }

  /** Text indented by two spaces, with a final newline. */
  public String pretty() {
    StringBuilder sb = new StringBuilder();
    write(sb, 2, 0);
    return sb.append('\n').toString();
  }

  private void write(StringBuilder sb, int indent, int depth) {
    if (value instanceof Map<?, ?> m) {
      String sep = "{";
      for (Map.Entry<?, ?> e : m.entrySet()) {
        sb.append(sep);
        sep = ",";
        newline(sb, indent, depth + 1);
        quote(sb, (String) e.getKey());
        sb.append(indent < 0 ? ":" : ": ");
        ((Json) e.getValue()).write(sb, indent, depth + 1);
      }
      if (m.isEmpty()) {
        sb.append('{');
      } else {
        newline(sb, indent, depth);
      }
      sb.append('}');
    } else if (value instanceof List<?> l) {
      sb.append('[');
      boolean flat = l.stream().noneMatch(x -> ((Json) x).isObject() || ((Json) x).isArray());
      String sep = "";
      for (Object x : l) {
        sb.append(sep);
        sep = flat && indent >= 0 ? ", " : ",";
        if (!flat) {
          newline(sb, indent, depth + 1);
        }
        ((Json) x).write(sb, indent, depth + 1);
      }
      if (!flat && !l.isEmpty()) {
        newline(sb, indent, depth);
      }
      sb.append(']');
    } else if (value instanceof String s) {
      quote(sb, s);
    } else if (value instanceof Double d && (d.isNaN() || d.isInfinite())) {
      sb.append("null"); // JSON has no word for it
    } else {
      sb.append(value);
    }
  }

  private static void newline(StringBuilder sb, int indent, int depth) {
    if (indent >= 0) {
      sb.append('\n').repeat(' ', indent * depth);
    }
  }

  /** Appends a string with its quotes and escapes. */
  static void quote(StringBuilder sb, String s) {
    sb.append('"');
    for (int i = 0; i < s.length(); i++) {
      char c = s.charAt(i);
      switch (c) {
        case '"' -> sb.append("\\\"");
        case '\\' -> sb.append("\\\\");
        case '\n' -> sb.append("\\n");
        case '\r' -> sb.append("\\r");
        case '\t' -> sb.append("\\t");
        default -> {
          if (c < 0x20 || Character.isSurrogate(c) && !paired(s, i)) {
            sb.append("\\u").append(HexFormat.of().toHexDigits(c));
          } else {
            sb.append(c);
          }
        }
      }
    }
    sb.append('"');
  }

  private static boolean paired(String s, int i) {
    char c = s.charAt(i);
    return Character.isHighSurrogate(c)
        ? i + 1 < s.length() && Character.isLowSurrogate(s.charAt(i + 1))
        : i > 0 && Character.isHighSurrogate(s.charAt(i - 1));
  }

  // ---------------------------------------------------------------- parsing

  private static Json value(JsonScanner in, Place place, int depth) throws FormatException {
    in.checkDepth(depth);
    Object v =
        switch (in.next()) {
          case '{' -> object(in, place, depth);
          case '[' -> array(in, place, depth);
          case '"' -> in.string();
          case 't' -> word(in, "true", Boolean.TRUE);
          case 'f' -> word(in, "false", Boolean.FALSE);
          case 'n' -> word(in, "null", null);
          case -1 -> throw in.error("the text ends where a value is expected");
          default -> number(in.number());
        };
    return new Json(v, place);
  }

  private static Object word(JsonScanner in, String word, Object meaning) throws FormatException {
    in.word(word);
    return meaning;
  }

  private static Map<String, Json> object(JsonScanner in, Place place, int depth)
      throws FormatException {
    Map<String, Json> members = new LinkedHashMap<>();
    in.expect('{');
    for (boolean more = !in.take('}'); more; more = in.another('}')) {
      String key = in.key();
      if (members.put(key, value(in, new Place(place, key), depth + 1)) != null) {
        throw in.error("duplicate key \"" + key + "\"");
      }
    }
    return Collections.unmodifiableMap(members);
  }

  private static List<Json> array(JsonScanner in, Place place, int depth) throws FormatException {
    List<Json> elements = new ArrayList<>();
    in.expect('[');
    for (boolean more = !in.take(']'); more; more = in.another(']')) {
      elements.add(value(in, new Place(place, elements.size()), depth + 1));
    }
    return Collections.unmodifiableList(elements);
  }

  private static Number number(String text) {
    boolean integer = text.length() <= 20 && text.chars().noneMatch(c -> ".eE".indexOf(c) >= 0);
    if (integer) {
      try {
        return Long.valueOf(text);
      } catch (NumberFormatException e) {
        return Double.valueOf(text); // more than 63 bits
      }
    }
    return Double.valueOf(text);
  }

  /**
   * Where a value stands, kept as a chain because the text of it is needed only for an error.
   *
   * @param parent the place of the object or array around it; null for the outermost value
   * @param key member name or array index; the file's name for the outermost value
   */
  private record Place(Place parent, Object key) {
    String file() {
      Place p = this;
      while (p.parent != null) {
        p = p.parent;
      }
      return p.key.toString();
    }

    /** For example {@code $.vocab[3]}. */
    String path() {
      StringBuilder sb = new StringBuilder();
      for (Place p = this; p.parent != null; p = p.parent) {
        sb.insert(0, p.key instanceof Integer ? "[" + p.key + "]" : "." + p.key);
      }
      return sb.insert(0, '$').toString();
    }
  }
}
