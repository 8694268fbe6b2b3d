package tacet.transformer.text;

import java.text.Normalizer.Form;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntPredicate;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import tacet.transformer.checkpoint.FormatException;
import tacet.transformer.checkpoint.Json;

/** The kinds of {@link Normalizer}. */
final class Normalizers {
  private Normalizers() {}

  /** From the {@code normalizer} of a tokenizer.json, which may be null. */
  static Normalizer of(Json json) throws FormatException {
    if (json.isNull()) {
      return text -> text;
    }
    String type = json.get("type").asString();
    return switch (type) {
      case "BertNormalizer" -> bert(json);
      case "NFC" -> new UnicodeForm(Form.NFC);
      case "NFD" -> new UnicodeForm(Form.NFD);
      case "NFKC" -> new UnicodeForm(Form.NFKC);
      case "NFKD" -> new UnicodeForm(Form.NFKD);
      case "Lowercase" -> Normalizers::lowercase;
      case "StripAccents" -> text -> remove(text, Chars::isMark);
      case "Strip" ->
          strip(json.booleanOr("strip_left", true), json.booleanOr("strip_right", true));
      case "Replace" -> replace(Patterns.of(json.get("pattern")), json.get("content").asString());
      case "Prepend" -> prepend(json.get("prepend").asString());
      case "Precompiled" -> Charsmap.of(json.get("precompiled_charsmap"));
      case "Sequence" -> sequence(json.get("normalizers").elements());
      default -> throw json.error("unknown normalizer \"" + type + "\"");
    };
  }

  private static Normalizer sequence(List<Json> elements) throws FormatException {
    List<Normalizer> steps = new ArrayList<>();
    for (Json element : elements) {
      steps.add(of(element));
    }
    return chain(List.copyOf(steps));
  }

  private static Normalizer chain(List<Normalizer> steps) {
    return text -> {
      Text t = text;
      for (Normalizer step : steps) {
        t = step.normalize(t);
      }
      return t;
    };
  }

  // ---------------------------------------------------------------- BERT

  private static Normalizer bert(Json json) throws FormatException {
    List<Normalizer> steps = new ArrayList<>();
    boolean lowercase = json.booleanOr("lowercase", true);
    if (json.booleanOr("clean_text", true)) {
      steps.add(Normalizers::clean);
    }
    if (json.booleanOr("handle_chinese_chars", true)) {
      steps.add(Normalizers::spaceIdeographs);
    }
    if (json.booleanOr("strip_accents", lowercase)) {
      steps.add(new UnicodeForm(Form.NFD));
      steps.add(text -> remove(text, c -> Character.getType(c) == Character.NON_SPACING_MARK));
    }
    if (lowercase) {
      steps.add(Normalizers::lowercase);
    }
    return chain(List.copyOf(steps));
  }

  /** Removes control characters, U+0000 and U+FFFD; makes every white space a space. */
  private static Text clean(Text text) {
    Text.Builder out = new Text.Builder(text);
    for (int i = text.from; i < text.to; ) {
      int c = text.codePoint(i);
      if (c == '\t' || c == '\n' || c == '\r') {
        out.add(' ', i);
      } else if (c != 0xFFFD && !Chars.isOther(c)) {
        out.add(Chars.isWhitespace(c) ? ' ' : c, i);
      }
      i += Character.charCount(c);
    }
    return out.build();
  }

  private static Text spaceIdeographs(Text text) {
    if (!contains(text, Chars::isBertIdeograph)) {
      return text;
    }
    Text.Builder out = new Text.Builder(text);
    for (int i = text.from; i < text.to; ) {
      int c = text.codePoint(i);
      if (Chars.isBertIdeograph(c)) {
        out.add(' ', i);
        out.add(c, i);
        out.add(' ', i);
      } else {
        out.add(c, i);
      }
      i += Character.charCount(c);
    }
    return out.build();
  }

  // ---------------------------------------------------------------- single steps

  /**
   * Every code point by itself, as the reference does: a final sigma stays σ, and the only one
   * that becomes two characters is U+0130 (İ).
   */
  static Text lowercase(Text text) {
    if (!contains(text, c -> Character.toLowerCase(c) != c)) {
      return text;
    }
    Text.Builder out = new Text.Builder(text);
    for (int i = text.from; i < text.to; ) {
      int c = text.codePoint(i);
      out.add(Character.toLowerCase(c), i);
      if (c == 0x130) {
        out.add(0x307, i);
      }
      i += Character.charCount(c);
    }
    return out.build();
  }

  private static Text remove(Text text, IntPredicate unwanted) {
    if (!contains(text, unwanted)) {
      return text;
    }
    Text.Builder out = new Text.Builder(text);
    for (int i = text.from; i < text.to; ) {
      int c = text.codePoint(i);
      if (!unwanted.test(c)) {
        out.add(c, i);
      }
      i += Character.charCount(c);
    }
    return out.build();
  }

  private static Normalizer strip(boolean left, boolean right) {
    return text -> {
      int from = text.from;
      int to = text.to;
      while (left && from < to && Chars.isWhitespace(text.chars[from])) {
        from++;
      }
      while (right && from < to && Chars.isWhitespace(text.chars[to - 1])) {
        to--;
      }
      return text.slice(from, to);
    };
  }

  /** What replaces a match stands for the match's last character. */
  private static Normalizer replace(Pattern pattern, String content) {
    return text -> {
      Matcher matcher = pattern.matcher(text);
      if (!matcher.find()) {
        return text;
      }
      Text.Builder out = new Text.Builder(text);
      int at = text.from;
      do {
        int from = text.from + matcher.start();
        int to = text.from + matcher.end();
        out.copy(at, from);
        int last = to > text.from ? to - Character.charCount(text.codePointBefore(to)) : to - 1;
        out.add(content, last);
        at = to;
      } while (matcher.find());
      out.copy(at, text.to);
      return out.build();
    };
  }

  private static Normalizer prepend(String prefix) {
    return text -> prepend(text, prefix);
  }

  /** Puts a string before a text that is not empty; it stands for the first character. */
  static Text prepend(Text text, String prefix) {
    if (text.isEmpty()) {
      return text;
    }
    Text.Builder out = new Text.Builder(text);
    out.add(prefix, text.from);
    out.copy(text.from, text.to);
    return out.build();
  }

  private static boolean contains(Text text, IntPredicate wanted) {
    for (int i = text.from; i < text.to; ) {
      int c = text.codePoint(i);
      if (wanted.test(c)) {
        return true;
      }
      i += Character.charCount(c);
    }
    return false;
  }
}
