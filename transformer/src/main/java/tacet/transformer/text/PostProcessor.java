package tacet.transformer.text;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import tacet.transformer.checkpoint.FormatException;
import tacet.transformer.checkpoint.Json;

/**
 * Puts texts and special tokens together: the {@code post_processor} of a tokenizer.json. Every
 * kind comes down to a template for one text, a template for two, and whether the offsets of
 * byte-level tokens lose the spaces at their ends.
 */
final class PostProcessor {
  /** Special tokens, or (where {@code special} is null) all tokens of a text. */
  private record Part(int sequence, int[] special, int typeId) {}

  /** What tokens look like. */
  interface Surface {
    /** The token at an index of a list. */
    String of(TokenList tokens, int index);
  }

  private static final List<Part> PLAIN_SINGLE = List.of(new Part(0, null, 0));
  private static final List<Part> PLAIN_PAIR = List.of(new Part(0, null, 0), new Part(1, null, 1));

  private final List<Part> single;
  private final List<Part> pair;
  private final List<Boolean> trims; // one element per trimming; its value: add_prefix_space

  private PostProcessor(List<Part> single, List<Part> pair, List<Boolean> trims) {
    this.single = single;
    this.pair = pair;
    this.trims = trims;
  }

  /** From the {@code post_processor} of a tokenizer.json, which may be null. */
  static PostProcessor of(Json json) throws FormatException {
    if (json.isNull()) {
      return new PostProcessor(PLAIN_SINGLE, PLAIN_PAIR, List.of());
    }
    String type = json.get("type").asString();
    return switch (type) {
      case "BertProcessing" -> {
        int[] sep = named(json.get("sep"));
        int[] cls = named(json.get("cls"));
        List<Part> single = List.of(special(cls, 0), text(0, 0), special(sep, 0));
        List<Part> pair =
            List.of(special(cls, 0), text(0, 0), special(sep, 0), text(1, 1), special(sep, 1));
        yield new PostProcessor(single, pair, List.of());
      }
      case "RobertaProcessing" -> {
        int[] sep = named(json.get("sep"));
        int[] cls = named(json.get("cls"));
        List<Part> single = List.of(special(cls, 0), text(0, 0), special(sep, 0));
        List<Part> pair =
            List.of(
                special(cls, 0),
                text(0, 0),
                special(sep, 0),
                special(sep, 0),
                text(1, 0),
                special(sep, 0));
        yield new PostProcessor(single, pair, trims(json));
      }
      case "ByteLevel" -> new PostProcessor(PLAIN_SINGLE, PLAIN_PAIR, trims(json));
      case "TemplateProcessing" -> template(json);
      case "Sequence" -> sequence(json.get("processors"));
      default -> throw json.error("unknown post-processor \"" + type + "\"");
    };
  }

  private static PostProcessor sequence(Json processors) throws FormatException {
    PostProcessor result = new PostProcessor(PLAIN_SINGLE, PLAIN_PAIR, List.of());
    for (Json element : processors.elements()) {
      PostProcessor next = of(element);
      if (result.single != PLAIN_SINGLE && next.single != PLAIN_SINGLE) {
        throw element.error("a second post-processor that adds special tokens");
      }
      List<Boolean> trims = new ArrayList<>(result.trims);
      trims.addAll(next.trims);
      PostProcessor layout = next.single == PLAIN_SINGLE ? result : next;
      result = new PostProcessor(layout.single, layout.pair, List.copyOf(trims));
    }
    return result;
  }

  private static Part special(int[] ids, int typeId) {
    return new Part(Encoding.SPECIAL, ids, typeId);
  }

  private static Part text(int sequence, int typeId) {
    return new Part(sequence, null, typeId);
  }

  /** The id of {@code ["[SEP]", 102]}. */
  private static int[] named(Json json) throws FormatException {
    List<Json> pair = json.elements();
    if (pair.size() != 2) {
      throw json.error("expected [token, id]");
    }
    pair.get(0).asString();
    return new int[] {id(pair.get(1))};
  }

  private static int id(Json json) throws FormatException {
    int id = json.asInt();
    if (id < 0 || id > Vocabulary.MAX_ID) {
      throw json.error("token id " + id + " is not within 0.." + Vocabulary.MAX_ID);
    }
    return id;
  }

  private static List<Boolean> trims(Json json) throws FormatException {
    boolean addPrefixSpace = json.booleanOr("add_prefix_space", true);
    return json.booleanOr("trim_offsets", true) ? List.of(addPrefixSpace) : List.of();
  }

  // ---------------------------------------------------------------- templates

  private static PostProcessor template(Json json) throws FormatException {
    Map<String, int[]> specials = new HashMap<>();
    for (Map.Entry<String, Json> e : json.get("special_tokens").members().entrySet()) {
      List<Json> list = e.getValue().get("ids").elements();
      int[] ids = new int[list.size()];
      for (int i = 0; i < ids.length; i++) {
        ids[i] = id(list.get(i));
      }
      specials.put(e.getKey(), ids);
    }
    List<Part> single = parts(json.get("single"), specials, false);
    List<Part> pair = parts(json.get("pair"), specials, true);
    return new PostProcessor(single, pair, List.of());
  }

  private static List<Part> parts(Json list, Map<String, int[]> specials, boolean pair)
      throws FormatException {
    List<Part> parts = new ArrayList<>();
    int[] seen = new int[2];
    for (Json element : list.elements()) {
      boolean isText = element.has("Sequence");
      Json body = element.get(isText ? "Sequence" : "SpecialToken");
      String id = body.get("id").asString();
      int typeId = body.get("type_id").asInt();
      if (typeId < 0) {
        throw body.error("type_id is negative");
      }
      if (!isText) {
        if (!specials.containsKey(id)) {
          throw body.error("\"" + id + "\" is not in special_tokens");
        }
        parts.add(special(specials.get(id), typeId));
      } else if (id.equals("A") || id.equals("B") && pair) {
        parts.add(text(id.equals("A") ? 0 : 1, typeId));
        seen[id.equals("A") ? 0 : 1]++;
      } else {
        throw body.error("unknown sequence \"" + id + "\"");
      }
    }
    if (seen[0] != 1 || pair && seen[1] != 1) {
      throw list.error("a template holds every sequence once");
    }
    return List.copyOf(parts);
  }

  // ---------------------------------------------------------------- use

  /** Number of special tokens added to one text or to two. */
  int added(boolean isPair) {
    int n = 0;
    for (Part part : isPair ? pair : single) {
      n += part.special == null ? 0 : part.special.length;
    }
    return n;
  }

  /**
   * The finished encoding.
   *
   * @param first tokens of the text; offsets may be modified
   * @param second tokens of the pair, or null; offsets may be modified
   * @param surface what a token of a list looks like, white space included
   */
  Encoding process(TokenList first, TokenList second, boolean addSpecialTokens, Surface surface) {
    for (boolean addPrefixSpace : trims) {
      trim(first, addPrefixSpace, surface);
      if (second != null) {
        trim(second, addPrefixSpace, surface);
      }
    }
    List<Part> parts = second == null ? single : pair;
    int length = first.size + (second == null ? 0 : second.size);
    length += addSpecialTokens ? added(second != null) : 0;
    int[] ids = new int[length];
    int[] typeIds = new int[length];
    int[] starts = new int[length];
    int[] ends = new int[length];
    int[] sequences = new int[length];
    int at = 0;
    for (Part part : parts) {
      int n = 0;
      if (part.special == null) {
        TokenList tokens = part.sequence == 0 ? first : second;
        n = tokens.size;
        System.arraycopy(tokens.ids, 0, ids, at, n);
        System.arraycopy(tokens.starts, 0, starts, at, n);
        System.arraycopy(tokens.ends, 0, ends, at, n);
      } else if (addSpecialTokens) {
        n = part.special.length;
        System.arraycopy(part.special, 0, ids, at, n);
      }
      Arrays.fill(typeIds, at, at + n, part.typeId);
      Arrays.fill(sequences, at, at + n, part.sequence);
      at += n;
    }
    return new Encoding(ids, typeIds, starts, ends, sequences);
  }

  /** Takes the spaces at the ends of byte-level tokens out of their ranges. */
  private static void trim(TokenList tokens, boolean addPrefixSpace, Surface surface) {
    for (int i = 0; i < tokens.size; i++) {
      String token = surface.of(tokens, i);
      int leading = 0;
      while (leading < token.length() && isSpace(token.charAt(leading))) {
        leading++;
      }
      int trailing = 0;
      while (trailing < token.length() && isSpace(token.charAt(token.length() - 1 - trailing))) {
        trailing++;
      }
      if (leading > 0) {
        // A single space at the start of the text is the one that add_prefix_space put there.
        boolean own = addPrefixSpace && leading == 1 && (i == 0 || tokens.starts[i] == 0);
        leading = own ? 0 : leading;
        tokens.starts[i] = Math.min(tokens.starts[i] + leading, tokens.ends[i]);
      }
      if (trailing > 0 && tokens.ends[i] >= trailing) {
        tokens.ends[i] = Math.max(tokens.ends[i] - trailing, tokens.starts[i]);
      }
    }
  }

  private static boolean isSpace(char c) {
    return c == 'Ġ' || Chars.isWhitespace(c); // the first is byte 0x20
  }
}
