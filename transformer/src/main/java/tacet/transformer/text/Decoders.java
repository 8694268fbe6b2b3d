package tacet.transformer.text;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
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
      case "ByteLevel" -> Decoders::byteLevel;
      case "Metaspace" -> {
        Metaspace metaspace = Metaspace.of(json);
        yield metaspace::decode;
      }
      case "Replace" -> {
        Pattern pattern = Patterns.of(json.get("pattern"));
        String content = Matcher.quoteReplacement(json.get("content").asString());
        yield tokens -> tokens.stream().map(t -> pattern.matcher(t).replaceAll(content)).toList();
      }
      case "Strip" ->
          strip(json.get("content").asString(), json.intOr("start", 0), json.intOr("stop", 0));
      case "ByteFallback" -> Decoders::byteFallback;
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

  /** The bytes of all tokens as UTF-8; a token that is no bytes stands for itself. */
  private static List<String> byteLevel(List<String> tokens) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    for (String token : tokens) {
      byte[] decoded = new byte[token.length()];
      for (int i = 0; i < token.length(); i++) {
        int b = ByteChars.toByte(token.charAt(i));
        if (b < 0) {
          decoded = token.getBytes(StandardCharsets.UTF_8);
          break;
        }
        decoded[i] = (byte) b;
      }
      bytes.writeBytes(decoded);
    }
    return List.of(bytes.toString(StandardCharsets.UTF_8));
  }

  /** Removes up to {@code start} characters at the beginning and {@code stop} at the end. */
  private static Decoder strip(String content, int start, int stop) {
    return tokens -> {
      List<String> out = new ArrayList<>(tokens.size());
      for (String token : tokens) {
        String s = token;
        for (int i = 0; i < start && !content.isEmpty() && s.startsWith(content); i++) {
          s = s.substring(content.length());
        }
        for (int i = 0; i < stop && !content.isEmpty() && s.endsWith(content); i++) {
          s = s.substring(0, s.length() - content.length());
        }
        out.add(s);
      }
      return out;
    };
  }

  /** Runs of tokens like {@code <0xE2>} become text; bytes that are not UTF-8 one U+FFFD each. */
  private static List<String> byteFallback(List<String> tokens) {
    List<String> out = new ArrayList<>(tokens.size());
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    for (String token : tokens) {
      int b = byteOf(token);
      if (b >= 0) {
        bytes.write(b);
      } else {
        flush(bytes, out);
        out.add(token);
      }
    }
    flush(bytes, out);
    return out;
  }

  private static int byteOf(String token) {
    if (token.length() != 6 || !token.startsWith("<0x") || token.charAt(5) != '>') {
      return -1;
    }
    int high = Character.digit(token.charAt(3), 16);
    int low = Character.digit(token.charAt(4), 16);
    return high < 0 || low < 0 ? -1 : 16 * high + low;
  }

  private static void flush(ByteArrayOutputStream bytes, List<String> out) {
    if (bytes.size() == 0) {
      return;
    }
    try {
      ByteBuffer buffer = ByteBuffer.wrap(bytes.toByteArray());
      out.add(StandardCharsets.UTF_8.newDecoder().decode(buffer).toString());
    } catch (CharacterCodingException e) {
      out.add("\uFFFD".repeat(bytes.size()));
    }
    bytes.reset();
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
