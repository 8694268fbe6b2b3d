package tacet.transformer.text;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import tacet.transformer.checkpoint.FormatException;
import tacet.transformer.checkpoint.Json;

/** Tokens and their ids, both ways. */
final class Vocabulary {
  /** Ids above this are taken for damage: the largest published vocabularies have 1/8 of it. */
  static final int MAX_ID = (1 << 22) - 1;

  private final Map<String, Integer> ids;
  private final List<String> tokens;

  private Vocabulary(Map<String, Integer> ids, List<String> tokens) {
    this.ids = Collections.unmodifiableMap(ids);
    this.tokens = Collections.unmodifiableList(tokens);
  }

  /**
   * From an object {@code {"token": id}}.
   *
   * @throws FormatException if an id is negative, absurdly large or given twice
   */
  static Vocabulary of(Json object) throws FormatException {
    Map<String, Integer> ids = new HashMap<>(2 * object.members().size());
    List<String> tokens = new ArrayList<>(object.members().size());
    for (Map.Entry<String, Json> e : object.members().entrySet()) {
      int id = e.getValue().asInt();
      if (id < 0 || id > MAX_ID) {
        throw e.getValue().error("token id " + id + " is not within 0.." + MAX_ID);
      }
      while (tokens.size() <= id) {
        tokens.add(null);
      }
      if (tokens.set(id, e.getKey()) != null) {
        throw e.getValue().error("token id " + id + " is given twice");
      }
      ids.put(e.getKey(), id);
    }
    return new Vocabulary(ids, tokens);
  }

  /** From tokens in the order of their ids; of equal tokens the last one is found by its text. */
  static Vocabulary of(List<String> tokens) {
    Map<String, Integer> ids = new HashMap<>(2 * tokens.size());
    for (int i = 0; i < tokens.size(); i++) {
      ids.put(tokens.get(i), i);
    }
    return new Vocabulary(ids, new ArrayList<>(tokens));
  }

  /** The id of a token, or null. */
  Integer id(String token) {
    return ids.get(token);
  }

  /** The token of an id, or null. */
  String token(int id) {
    return id >= 0 && id < tokens.size() ? tokens.get(id) : null;
  }

  /** One more than the largest id. */
  int size() {
    return tokens.size();
  }

  /** All tokens with their ids. */
  Map<String, Integer> ids() {
    return ids;
  }
}
