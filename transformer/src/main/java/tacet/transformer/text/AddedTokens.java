package tacet.transformer.text;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import tacet.transformer.checkpoint.FormatException;
import tacet.transformer.checkpoint.Json;

/**
 * Tokens that are found in the text before the model sees it: the {@code added_tokens} of a
 * tokenizer.json. Those that are not {@code normalized} are looked for in the raw text, the others
 * in the normalized one. Leftmost-longest.
 */
final class AddedTokens {
  /** What to do with one part of a text: a token, or text that is still to be tokenized. */
  interface Visitor {
    /** An added token that covers a piece. */
    void token(int id, Text piece);

    /** Text between added tokens, not empty. */
    void text(Text piece);
  }

  private record Token(
      int id, String content, boolean singleWord, boolean strip, boolean stripRight) {}

  private final List<Token> tokens = new ArrayList<>();
  private final Map<String, Integer> ids = new HashMap<>();
  private final Map<Integer, String> contents = new HashMap<>();
  private final Set<Integer> special = new HashSet<>();
  private final Trie raw;
  private final Trie normalized;
  private boolean anyRaw;
  private boolean anyNormalized;
  private int maxId = -1;

  /**
   * Reads the list.
   *
   * @param list the {@code added_tokens} array, or null
   * @param model a token that the model knows too has the model's id
   * @param normalizer applied to tokens that are looked for in normalized text
   */
  AddedTokens(Json list, Vocabulary model, Normalizer normalizer) throws FormatException {
    List<Json> elements = list == null || list.isNull() ? List.of() : list.elements();
    raw = new Trie(elements.size());
    normalized = new Trie(elements.size());
    for (Json element : elements) {
      add(element, model, normalizer);
    }
  }

  private void add(Json json, Vocabulary model, Normalizer normalizer) throws FormatException {
    String content = json.get("content").asString();
    Integer known = model.id(content);
    int id = known != null ? known : json.get("id").asInt();
    if (id < 0 || id > Vocabulary.MAX_ID) {
      throw json.error("token id " + id + " is not within 0.." + Vocabulary.MAX_ID);
    }
    if (content.isEmpty() || ids.containsKey(content)) {
      return; // the reference ignores those as well
    }
    String other = contents.containsKey(id) ? contents.get(id) : model.token(id);
    if (other != null && !other.equals(content)) {
      throw json.error("\"" + content + "\" has the id " + id + " of \"" + other + "\"");
    }
    boolean isSpecial = json.booleanOr("special", false);
    Token token =
        new Token(
            id,
            content,
            json.booleanOr("single_word", false),
            json.booleanOr("lstrip", false),
            json.booleanOr("rstrip", false));
    ids.put(content, id);
    maxId = Math.max(maxId, id);
    if (isSpecial) {
      special.add(id);
    }
    contents.put(id, content);
    if (json.booleanOr("normalized", !isSpecial)) {
      String key = normalizer.normalize(Text.of(content)).toString();
      if (!key.isEmpty()) {
        normalized.put(key, tokens.size());
        contents.put(id, key); // decoding gives what was looked for
        anyNormalized = true;
      }
    } else {
      raw.put(content, tokens.size());
      anyRaw = true;
    }
    tokens.add(token);
  }

  /** The id of an added token, or null. */
  Integer id(String content) {
    return ids.get(content);
  }

  /** The added token with an id, or null. */
  String content(int id) {
    return contents.get(id);
  }

  /** Whether decoding may leave this token out. */
  boolean isSpecial(int id) {
    return special.contains(id);
  }

  /** The largest id, or -1. */
  int maxId() {
    return maxId;
  }

  /** Visits the parts of raw text, in order. */
  void splitRaw(Text text, Visitor visitor) {
    split(text, anyRaw ? raw : null, visitor);
  }

  /** Visits the parts of normalized text, in order. */
  void splitNormalized(Text text, Visitor visitor) {
    split(text, anyNormalized ? normalized : null, visitor);
  }

  private void split(Text text, Trie trie, Visitor visitor) {
    int pending = text.from; // start of the text not visited yet
    for (int i = text.from; trie != null && i < text.to; ) {
      int end = -1;
      int found = -1;
      int node = Trie.ROOT;
      for (int j = i; j < text.to; j++) {
        node = trie.step(node, text.chars[j]);
        if (node == Trie.NONE) {
          break;
        }
        if (trie.value(node) != Trie.NONE) {
          found = trie.value(node);
          end = j + 1;
        }
      }
      if (found < 0) {
        i++;
        continue;
      }
      Token token = tokens.get(found);
      if (!token.singleWord || isAlone(text, i, end)) {
        int from = i;
        int to = end;
        while (token.strip && from > pending && Chars.isWhitespace(text.chars[from - 1])) {
          from--;
        }
        while (token.stripRight && to < text.to && Chars.isWhitespace(text.chars[to])) {
          to++;
        }
        if (from > pending) {
          visitor.text(text.slice(pending, from));
        }
        visitor.token(token.id, text.slice(from, to));
        pending = to;
        end = to;
      }
      i = end;
    }
    if (text.to > pending) {
      visitor.text(text.slice(pending, text.to));
    }
  }

  private static boolean isAlone(Text text, int from, int to) {
    return (from == text.from || !Chars.isWord(text.codePointBefore(from)))
        && (to == text.to || !Chars.isWord(text.codePoint(to)));
  }
}
