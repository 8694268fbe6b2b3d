package tacet.transformer.text;

import java.util.ArrayList;
import java.util.List;
import tacet.transformer.checkpoint.FormatException;
import tacet.transformer.checkpoint.Json;

/** The kinds of {@link Decoder}. */
final class Decoders {
  private Decoders() {}

  /** From the {@code decoder} of a tokenizer.json; null joins the tokens with spaces. */
  static Decoder of(Json json) throws FormatException {
    if (json.isNull()) {
      return tokens -> List.of(String.join(" ", tokens));
    }
    String type = json.get("type").asString();
    return switch (type) {
      case "WordPiece" -> wordPiece(json.stringOr("prefix", "##"), json.booleanOr("cleanup", true));
      case "Fuse" -> tokens -> List.of(String.join("", tokens));
      case "Sequence" -> {
        List<Decoder> steps = new ArrayList<>();
        for (Json element : json.get("decoders").elements()) {
          steps.add(of(element));
        }
        yield sequence(List.copyOf(steps));
      }
      default -> throw json.error("unknown decoder \"" + type + "\"");
    };
  }

  private static Decoder sequence(List<Decoder> steps) {
    return tokens -> {
      List<String> pieces = tokens;
      for (Decoder step : steps) {
        pieces = step.decode(pieces);
      }
      return pieces;
    };
  }

  private static Decoder wordPiece(String prefix, boolean cleanup) {
    return tokens -> {
      List<String> out = new ArrayList<>(tokens.size());
      for (String token : tokens) {
        String piece = token;
        if (!out.isEmpty()) {
          piece = token.startsWith(prefix) ? token.substring(prefix.length()) : " " + token;
        }
        out.add(cleanup ? cleanUp(piece) : piece);
      }
      return out;
    };
  }

  /** Puts punctuation and English contractions back where they belong. */
  private static String cleanUp(String s) {
    if (s.indexOf(' ') < 0) {
      return s;
    }
    return s.replace(" .", ".")
        .replace(" ?", "?")
        .replace(" !", "!")
        .replace(" ,", ",")
        .replace(" ' ", "'")
        .replace(" n't", "n't")
        .replace(" 'm", "'m")
        .replace(" do not", " don't")
        .replace(" 's", "'s")
        .replace(" 've", "'ve")
        .replace(" 're", "'re");
  }
}
