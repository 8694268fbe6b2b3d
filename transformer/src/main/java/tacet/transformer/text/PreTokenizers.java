package tacet.transformer.text;

import java.util.ArrayList;
import java.util.List;
import java.util.function.IntPredicate;
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
      case "WhitespaceSplit" -> at(Chars::isWhitespace, Delimiter.REMOVED);
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

  // ---------------------------------------------------------------- by character

  /** Splits at every code point of a class. */
  private static PreTokenizer at(IntPredicate delimiter, Delimiter behavior) {
    return (text, out) -> {
      Cutter cutter = new Cutter(text, behavior, out);
      for (int i = text.from; i < text.to; ) {
        int c = text.codePoint(i);
        int end = i + Character.charCount(c);
        if (delimiter.test(c)) {
          cutter.delimiter(i, end);
        }
        i = end;
      }
      cutter.finish();
    };
  }
}
