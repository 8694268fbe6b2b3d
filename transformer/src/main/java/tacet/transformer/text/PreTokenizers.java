package tacet.transformer.text;

import java.util.ArrayList;
import java.util.List;
import java.util.function.IntPredicate;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import tacet.transformer.checkpoint.FormatException;
import tacet.transformer.checkpoint.Json;

/** The kinds of {@link PreTokenizer}. */
final class PreTokenizers {
  private PreTokenizers() {}

  /** What becomes of the characters that a text is split at. */
  enum Delimiter {
    REMOVED,
    ISOLATED,
    CONTIGUOUS,
    MERGED_WITH_PREVIOUS,
    MERGED_WITH_NEXT
  }

  /** From the {@code pre_tokenizer} of a tokenizer.json, which may be null. */
  static PreTokenizer of(Json json) throws FormatException {
    if (json.isNull()) {
      return (text, out) -> out.add(text);
    }
    String type = json.get("type").asString();
    return switch (type) {
      case "BertPreTokenizer" ->
          sequence(
              List.of(
                  at(Chars::isWhitespace, Delimiter.REMOVED),
                  at(Chars::isBertPunctuation, Delimiter.ISOLATED)));
      case "Whitespace" -> PreTokenizers::words;
      case "WhitespaceSplit" -> at(Chars::isWhitespace, Delimiter.REMOVED);
      case "Punctuation" ->
          at(Chars::isBertPunctuation, delimiter(json, json.stringOr("behavior", "Isolated")));
      case "Digits" ->
          at(
              Chars::isNumber,
              json.booleanOr("individual_digits", false)
                  ? Delimiter.ISOLATED
                  : Delimiter.CONTIGUOUS);
      case "Split" ->
          split(
              Patterns.of(json.get("pattern")),
              delimiter(json, json.get("behavior").asString()),
              json.booleanOr("invert", false));
      case "ByteLevel" ->
          new ByteLevel(
              json.booleanOr("add_prefix_space", true), json.booleanOr("use_regex", true));
      case "Metaspace" -> Metaspace.of(json);
      case "Sequence" -> {
        List<PreTokenizer> steps = new ArrayList<>();
        for (Json element : json.get("pretokenizers").elements()) {
          steps.add(of(element));
        }
        yield sequence(List.copyOf(steps));
      }
      default -> throw json.error("unknown pre-tokenizer \"" + type + "\"");
    };
  }

  private static PreTokenizer sequence(List<PreTokenizer> steps) {
    return (text, out) -> {
      List<Text> pieces = List.of(text);
      for (PreTokenizer step : steps) {
        List<Text> next = new ArrayList<>();
        for (Text piece : pieces) {
          if (!piece.isEmpty()) {
            step.split(piece, next);
          }
        }
        pieces = next;
      }
      out.addAll(pieces);
    };
  }

  private static Delimiter delimiter(Json json, String behavior) throws FormatException {
    return switch (behavior) {
      case "Removed" -> Delimiter.REMOVED;
      case "Isolated" -> Delimiter.ISOLATED;
      case "Contiguous" -> Delimiter.CONTIGUOUS;
      case "MergedWithPrevious" -> Delimiter.MERGED_WITH_PREVIOUS;
      case "MergedWithNext" -> Delimiter.MERGED_WITH_NEXT;
      default -> throw json.error("unknown behavior \"" + behavior + "\"");
    };
  }

  // ---------------------------------------------------------------- by expression

  private static PreTokenizer split(Pattern pattern, Delimiter behavior, boolean invert) {
    return (text, out) -> {
      Cutter cutter = new Cutter(text, behavior, out);
      Matcher matcher = pattern.matcher(text);
      int last = text.from;
      while (matcher.find()) {
        part(cutter, last, text.from + matcher.start(), invert);
        last = text.from + matcher.end();
        part(cutter, text.from + matcher.start(), last, !invert);
      }
      part(cutter, last, text.to, invert);
      cutter.finish();
    };
  }

  private static void part(Cutter cutter, int from, int to, boolean isDelimiter) {
    if (to > from) {
      if (isDelimiter) {
        cutter.delimiter(to);
      } else {
        cutter.word(to);
      }
    }
  }

  // ---------------------------------------------------------------- by character

  /** Runs of word characters and runs of what is neither word nor white space. */
  private static void words(Text text, List<Text> out) {
    int from = text.from; // start of the run
    int kind = 0; // 0 white space, 1 word, 2 other
    for (int i = text.from; i < text.to; ) {
      int c = text.codePoint(i);
      int next = Chars.isWhitespace(c) ? 0 : Chars.isWord(c) ? 1 : 2;
      if (next != kind) {
        if (kind != 0) {
          out.add(text.slice(from, i));
        }
        from = i;
        kind = next;
      }
      i += Character.charCount(c);
    }
    if (kind != 0) {
      out.add(text.slice(from, text.to));
    }
  }

  /** Splits at every code point of a class. */
  private static PreTokenizer at(IntPredicate delimiter, Delimiter behavior) {
    return (text, out) -> {
      Cutter cutter = new Cutter(text, behavior, out);
      int last = text.from;
      for (int i = text.from; i < text.to; ) {
        int c = text.codePoint(i);
        int end = i + Character.charCount(c);
        if (delimiter.test(c)) {
          part(cutter, last, i, false);
          cutter.delimiter(end);
          last = end;
        }
        i = end;
      }
      part(cutter, last, text.to, false);
      cutter.finish();
    };
  }
}
