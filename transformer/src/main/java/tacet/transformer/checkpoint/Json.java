package tacet.transformer.checkpoint;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
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
  private static final int MAX_DEPTH = 200;

  private final Object value;
  private final String file;
  private final String path;

  private Json(Object value, String file, String path) {
    this.value = value;
    this.file = file;
    this.path = path;
  }

  // ---------------------------------------------------------------- reading

  /**
   * Reads a UTF-8 file.
   *
   * @throws FormatException if it is not JSON or not UTF-8
   * @throws IOException if it cannot be read
   */
  public static Json read(Path file) throws IOException {
    return parse(Files.readAllBytes(file), file.toString());
  }

  /** Parses UTF-8 bytes; {@code name} stands for them in error messages. */
  public static Json parse(byte[] utf8, String name) throws FormatException {
    try {
      String text =
          StandardCharsets.UTF_8
              .newDecoder()
              .onMalformedInput(CodingErrorAction.REPORT)
              .onUnmappableCharacter(CodingErrorAction.REPORT)
              .decode(ByteBuffer.wrap(utf8))
              .toString();
      return parse(text, name);
    } catch (CharacterCodingException e) {
      throw new FormatException(name, "not valid UTF-8", e);
    }
  }

  /** Parses text; {@code name} stands for it in error messages. */
  public static Json parse(String text, String name) throws FormatException {
    Parser p = new Parser(text, name);
    p.space();
    Json j = p.value("$", 0);
    p.space();
    if (p.at < text.length()) {
      throw p.error("unexpected text after the value");
    }
    return j;
  }

  /** Wraps Java values (maps, lists, strings, numbers, booleans, null, {@code Json}) for writing. */
  public static Json of(Object value) {
    return new Json(unwrap(value), "(new)", "$");
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
    return new FormatException(file, path + ": " + problem);
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

  private static void quote(StringBuilder sb, String s) {
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
            sb.append(String.format("\\u%04x", (int) c));
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

  // ---------------------------------------------------------------- parser

  private static final class Parser {
    private final String text;
    private final String file;
    private int at;

    Parser(String text, String file) {
      this.text = text;
      this.file = file;
    }

    FormatException error(String problem) {
      int line = 1;
      int column = 1;
      for (int i = 0; i < Math.min(at, text.length()); i++) {
        column = text.charAt(i) == '\n' ? 1 : column + 1;
        line += text.charAt(i) == '\n' ? 1 : 0;
      }
      return new FormatException(
          file, "not valid JSON at line " + line + ", column " + column + ": " + problem);
    }

    void space() {
      while (at < text.length() && " \t\r\n".indexOf(text.charAt(at)) >= 0) {
        at++;
      }
    }

    Json value(String path, int depth) throws FormatException {
      if (depth > MAX_DEPTH) {
        throw error("nested deeper than " + MAX_DEPTH);
      }
      if (at >= text.length()) {
        throw error("the text ends where a value is expected");
      }
      char c = text.charAt(at);
      Object v =
          switch (c) {
            case '{' -> object(path, depth);
            case '[' -> array(path, depth);
            case '"' -> string();
            case 't' -> word("true", Boolean.TRUE);
            case 'f' -> word("false", Boolean.FALSE);
            case 'n' -> word("null", null);
            default -> number();
          };
      return new Json(v, file, path);
    }

    private Object word(String w, Object v) throws FormatException {
      if (!text.startsWith(w, at)) {
        throw error("unknown word");
      }
      at += w.length();
      return v;
    }

    private Map<String, Json> object(String path, int depth) throws FormatException {
      Map<String, Json> m = new LinkedHashMap<>();
      at++;
      space();
      if (peek() == '}') {
        at++;
        return Collections.unmodifiableMap(m);
      }
      while (true) {
        if (peek() != '"') {
          throw error("expected a quoted key");
        }
        String key = string();
        space();
        expect(':');
        space();
        if (m.put(key, value(path + "." + key, depth + 1)) != null) {
          throw error("duplicate key \"" + key + "\"");
        }
        space();
        if (peek() == '}') {
          at++;
          return Collections.unmodifiableMap(m);
        }
        expect(',');
        space();
      }
    }

    private List<Json> array(String path, int depth) throws FormatException {
      List<Json> l = new ArrayList<>();
      at++;
      space();
      if (peek() == ']') {
        at++;
        return Collections.unmodifiableList(l);
      }
      while (true) {
        l.add(value(path + "[" + l.size() + "]", depth + 1));
        space();
        if (peek() == ']') {
          at++;
          return Collections.unmodifiableList(l);
        }
        expect(',');
        space();
      }
    }

    private int peek() {
      return at < text.length() ? text.charAt(at) : -1;
    }

    private void expect(char c) throws FormatException {
      if (peek() != c) {
        throw error("expected '" + c + "'");
      }
      at++;
    }

    private String string() throws FormatException {
      int start = ++at;
      while (at < text.length() && text.charAt(at) >= 0x20 && "\"\\".indexOf(text.charAt(at)) < 0) {
        at++;
      }
      if (peek() == '"') { // no escapes: the common case
        return text.substring(start, at++);
      }
      StringBuilder sb = new StringBuilder(text.substring(start, at));
      while (true) {
        int c = peek();
        at++;
        if (c == '"') {
          return sb.toString();
        }
        if (c < 0x20) {
          at--;
          throw error(c < 0 ? "unterminated string" : "control character in a string");
        }
        if (c != '\\') {
          sb.append((char) c);
          continue;
        }
        int e = peek();
        at++;
        switch (e) {
          case '"', '\\', '/' -> sb.append((char) e);
          case 'b' -> sb.append('\b');
          case 'f' -> sb.append('\f');
          case 'n' -> sb.append('\n');
          case 'r' -> sb.append('\r');
          case 't' -> sb.append('\t');
          case 'u' -> sb.append(hex4());
          default -> throw error("unknown escape");
        }
      }
    }

    private char hex4() throws FormatException {
      int v = 0;
      for (int i = 0; i < 4; i++) {
        int d = peek() < 0 || peek() > 'f' ? -1 : Character.digit(peek(), 16);
        if (d < 0) {
          throw error("expected four hexadecimal digits");
        }
        v = v << 4 | d;
        at++;
      }
      return (char) v;
    }

    private Number number() throws FormatException {
      int start = at;
      if (peek() == '-') {
        at++;
      }
      int first = at;
      digits();
      if (at - first > 1 && text.charAt(first) == '0') {
        throw error("a number must not begin with 0");
      }
      boolean integer = true;
      if (peek() == '.') {
        integer = false;
        at++;
        digits();
      }
      if (peek() == 'e' || peek() == 'E') {
        integer = false;
        at++;
        if (peek() == '+' || peek() == '-') {
          at++;
        }
        digits();
      }
      String s = text.substring(start, at);
      if (integer && s.length() < 20) {
        try {
          return Long.valueOf(s);
        } catch (NumberFormatException e) {
          return Double.valueOf(s); // more than 63 bits
        }
      }
      return Double.valueOf(s);
    }

    private void digits() throws FormatException {
      int start = at;
      while (peek() >= '0' && peek() <= '9') {
        at++;
      }
      if (at == start) {
        throw error("unexpected character");
      }
    }
  }
}
