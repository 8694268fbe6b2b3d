package tacet.deft.report;

import java.math.BigDecimal;
import java.math.RoundingMode;

/** Text and numbers as XML wants them. */
final class Markup {
  private Markup() {}

  /** Text with markup characters escaped and characters that XML forbids replaced. */
  static String escape(String text) {
    StringBuilder out = new StringBuilder(text.length() + 16);
    text.codePoints()
        .forEach(
            c -> {
              switch (c) {
                case '&' -> out.append("&amp;");
                case '<' -> out.append("&lt;");
                case '>' -> out.append("&gt;");
                case '"' -> out.append("&quot;");
                case '\'' -> out.append("&#39;");
                default -> out.appendCodePoint(allowed(c) ? c : 0xFFFD);
              }
            });
    return out.toString();
  }

  /** The Char production of XML 1.0. */
  private static boolean allowed(int c) {
    return c == '\t'
        || c == '\n'
        || c == '\r'
        || c >= 0x20 && c <= 0xD7FF
        || c >= 0xE000 && c <= 0xFFFD
        || c >= 0x10000;
  }

  /** A number with so many decimals ("12.50"); a dash where there is none. */
  static String fixed(double value, int decimals) {
    if (!Double.isFinite(value)) {
      return "–";
    }
    String text = new BigDecimal(value).setScale(decimals, RoundingMode.HALF_UP).toPlainString();
    return text.replaceFirst("^-(?=[0.]*$)", "").replace('-', '−');
  }

  /** The same without zeros at the end ("12.5"). */
  static String trimmed(double value, int decimals) {
    String text = fixed(value, decimals);
    return text.indexOf('.') < 0 ? text : text.replaceFirst("\\.?0+$", "");
  }

  /** A coordinate: at most two decimals, ASCII. */
  static String coordinate(double value) {
    if (!Double.isFinite(value)) {
      throw new IllegalArgumentException("coordinate " + value);
    }
    return trimmed(value, 2).replace('−', '-');
  }
}
