package tacet.transformer.text;

import java.util.Map;
import tacet.transformer.checkpoint.FormatException;
import tacet.transformer.checkpoint.Json;

/**
 * BERT's model: the longest token that begins the word, then the longest continuation ("##…") of
 * what is left, and so on. A word that cannot be covered, or is too long, becomes one unknown
 * token.
 */
final class WordPiece implements Model {
  private final Vocabulary vocabulary;
  private final int unknown;
  private final int maxCodePoints;
  private final Trie trie;
  private final int continuation; // the trie's node after the continuation prefix

  private WordPiece(Vocabulary vocabulary, int unknown, String prefix, int maxCodePoints) {
    this.vocabulary = vocabulary;
    this.unknown = unknown;
    this.maxCodePoints = maxCodePoints;
    trie = new Trie(vocabulary.size());
    for (Map.Entry<String, Integer> e : vocabulary.ids().entrySet()) {
      trie.put(e.getKey(), e.getValue());
    }
    continuation = trie.find(prefix);
  }

  /** From the {@code model} object of a tokenizer.json. */
  static WordPiece of(Json model) throws FormatException {
    Vocabulary vocabulary = Vocabulary.of(model.get("vocab"));
    String unknown = model.stringOr("unk_token", "[UNK]");
    if (vocabulary.id(unknown) == null) {
      throw model.error("unk_token \"" + unknown + "\" is not in the vocabulary");
    }
    int max = model.intOr("max_input_chars_per_word", 100);
    if (max < 0) {
      throw model.error("max_input_chars_per_word is negative");
    }
    String prefix = model.stringOr("continuing_subword_prefix", "##");
    return new WordPiece(vocabulary, vocabulary.id(unknown), prefix, max);
  }

  @Override
  public void tokenize(Text word, TokenList out) {
    int before = out.size;
    int at = word.from;
    if (word.length() > maxCodePoints
        && Character.codePointCount(word.chars, at, word.length()) > maxCodePoints) {
      out.add(unknown, word, at, word.to);
      return;
    }
    while (at < word.to) {
      int node = at == word.from ? Trie.ROOT : continuation;
      int id = Trie.NONE;
      int end = at;
      for (int i = at; i < word.to && node != Trie.NONE; i++) {
        node = trie.step(node, word.chars[i]);
        if (node != Trie.NONE && trie.value(node) != Trie.NONE) {
          id = trie.value(node);
          end = i + 1;
        }
      }
      if (id == Trie.NONE) {
        out.size = before;
        out.add(unknown, word, word.from, word.to);
        return;
      }
      out.add(id, word, at, end);
      at = end;
    }
  }

  @Override
  public Vocabulary vocabulary() {
    return vocabulary;
  }

  @Override
  public int unknownId() {
    return unknown;
  }
}
