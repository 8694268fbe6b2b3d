package tacet.transformer.checkpoint;

/**
 * Reads JSON text (RFC 8259) piece by piece, strictly, without building anything: {@link Json} makes
 * its tree with it, and the header of a safetensors file is read with it directly, so that a header
 * of 100 MB costs no more than the tensors it describes.
 *
 * <p>Objects and arrays are walked by the pattern
 *
 * <pre>{@code
 * in.expect('{');
 * for (boolean more = !in.take('}'); more; more = in.another('}')) {
 *   String key = in.key();
 *   ...                      // reads exactly one value
 * }
 * }</pre>
 */
final class JsonScanner {
  private static final int MAX_DEPTH = 200;

  private final String text;
  private final String file;
  private int at;

  /** A scanner at the start of {@code text}; {@code file} stands for it in error messages. */
  JsonScanner(String text, String file) {
    this.text = text;
    this.file = file;
  }

  /** The error of text that is not JSON, naming file, line and column. */
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

  /** The next character after white space, or -1 at the end; it is not consumed. */
  int next() {
    while (at < text.length() && " \t\r\n".indexOf(text.charAt(at)) >= 0) {
      at++;
    }
    return peek();
  }

  /** Consumes the next character after white space if it is {@code c}. */
  boolean take(char c) {
    if (next() != c) {
      return false;
    }
    at++;
    return true;
  }

  /** Consumes {@code c}, which must come next. */
  void expect(char c) throws FormatException {
    if (!take(c)) {
      throw error(at < text.length() ? "expected '" + c + "'" : "the text ends before '" + c + "'");
    }
  }

  /** After a value: true (and the comma is consumed) if another follows, false at the bracket. */
  boolean another(char close) throws FormatException {
    if (take(close)) {
      return false;
    }
    expect(',');
    return true;
  }

  /** The key of a member, with its colon. */
  String key() throws FormatException {
    if (next() != '"') {
      throw error("expected a quoted key");
    }
    String key = string();
    expect(':');
    return key;
  }

  /** Checks that nothing but white space follows. */
  void end() throws FormatException {
    if (next() >= 0) {
      throw error("unexpected text after the value");
    }
  }

  /** Checks that a value at this depth may be read; the depth is what bounds the recursion. */
  void checkDepth(int depth) throws FormatException {
    if (depth > MAX_DEPTH) {
      throw error("nested deeper than " + MAX_DEPTH);
    }
  }

  /** Consumes one value of any kind. */
  void skip(int depth) throws FormatException {
    checkDepth(depth);
    switch (next()) {
      case '{' -> {
        expect('{');
        for (boolean more = !take('}'); more; more = another('}')) {
          key();
          skip(depth + 1);
        }
      }
      case '[' -> {
        expect('[');
        for (boolean more = !take(']'); more; more = another(']')) {
          skip(depth + 1);
        }
      }
      case '"' -> string();
      case 't' -> word("true");
      case 'f' -> word("false");
      case 'n' -> word("null");
      default -> number();
    }
  }

  /** Consumes one of the words true, false and null. */
  void word(String word) throws FormatException {
    if (!text.startsWith(word, at)) {
      throw error("unknown word");
    }
    at += word.length();
  }

  /** The text of a string, which must come next. */
  String string() throws FormatException {
    expect('"');
    int start = at;
    while (at < text.length() && text.charAt(at) >= 0x20 && "\"\\".indexOf(text.charAt(at)) < 0) {
      at++;
    }
    if (peek() == '"') { // no escapes: the common case
      return text.substring(start, at++);
    }
    StringBuilder sb = new StringBuilder(text.substring(start, at));
    while (true) {
      int c = peek();
      if (c < 0x20) {
        throw error(c < 0 ? "unterminated string" : "control character in a string");
      }
      at++;
      if (c == '"') {
        return sb.toString();
      }
      sb.append(c == '\\' ? escaped() : (char) c);
    }
  }

  private char escaped() throws FormatException {
    int e = peek();
    at++;
    return switch (e) {
      case '"', '\\', '/' -> (char) e;
      case 'b' -> '\b';
      case 'f' -> '\f';
      case 'n' -> '\n';
      case 'r' -> '\r';
      case 't' -> '\t';
      case 'u' -> hex4();
      default -> throw error("unknown escape");
    };
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

  /** The text of a number, which must come next: by RFC 8259, so no leading 0 or +, no NaN. */
  String number() throws FormatException {
    next();
    int start = at;
    if (peek() == '-') {
      at++;
    }
    int first = at;
    digits();
    if (at - first > 1 && text.charAt(first) == '0') {
      throw error("a number must not begin with 0");
    }
    if (peek() == '.') {
      at++;
      digits();
    }
    if (peek() == 'e' || peek() == 'E') {
      at++;
      if (peek() == '+' || peek() == '-') {
        at++;
      }
      digits();
    }
    return text.substring(start, at);
  }

  private void digits() throws FormatException {
    int start = at;
    while (peek() >= '0' && peek() <= '9') {
      at++;
    }
    if (at == start) {
      throw error(at < text.length() ? "unexpected character" : "the text ends too early");
    }
  }

  private int peek() {
    return at < text.length() ? text.charAt(at) : -1;
  }
}
