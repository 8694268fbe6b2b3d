package tacet.transformer.text;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import tacet.transformer.checkpoint.FormatException;
import tacet.transformer.checkpoint.Json;

/**
 * SentencePiece's unigram model: of all ways to cut a word into pieces, the one with the largest
 * sum of scores, found by Viterbi's algorithm from left to right.
 */
final class Unigram implements Model {
  /** What a character that no piece covers costs below the worst piece. */
  private static final double UNKNOWN_PENALTY = 10;

  private final Vocabulary vocabulary;
  private final double[] scores;
  private final Trie trie;
  private final int unknown;
  private final double unknownScore;
  private final int[] byteIds; // tokens <0x00>…<0xFF>, -1 where missing; null without fallback

  private Unigram(List<String> pieces, double[] scores, int unknown, boolean byteFallback) {
    this.vocabulary = Vocabulary.of(pieces);
    this.scores = scores;
    this.unknown = unknown;
    trie = new Trie(pieces.size());
    double min = Double.POSITIVE_INFINITY;
    for (int i = 0; i < scores.length; i++) {
      if (!pieces.get(i).isEmpty()) {
        trie.put(pieces.get(i), i);
      }
      min = Math.min(min, scores[i]);
    }
    unknownScore = min - UNKNOWN_PENALTY;
    byteIds = byteFallback ? Bpe.byteIds(vocabulary) : null;
  }

  /** From the {@code model} object of a tokenizer.json. */
  static Unigram of(Json model) throws FormatException {
    List<Json> vocab = model.get("vocab").elements();
    List<String> pieces = new ArrayList<>(vocab.size());
    double[] scores = new double[vocab.size()];
    for (int i = 0; i < scores.length; i++) {
      List<Json> entry = vocab.get(i).elements();
      if (entry.size() != 2) {
        throw vocab.get(i).error("expected [piece, score]");
      }
      pieces.add(entry.get(0).asString());
      scores[i] = entry.get(1).asDouble();
      if (!(Math.abs(scores[i]) < 1e30)) {
        throw vocab.get(i).error("score " + scores[i] + " is out of range");
      }
    }
    int unknown = model.get("unk_id").asInt();
    if (unknown < 0 || unknown >= scores.length) {
      throw model.error("unk_id " + unknown + " is not in the vocabulary");
    }
    return new Unigram(pieces, scores, unknown, model.booleanOr("byte_fallback", false));
  }

  @Override
  public void tokenize(Text word, TokenList out) {
    int n = word.length();
    double[] best = new double[n + 1]; // score of the best cut of the first i units
    int[] from = new int[n + 1]; // where its last piece begins
    int[] ids = new int[n + 1]; // which piece that is
    Arrays.fill(from, -1);
    for (int i = 0; i < n; ) {
      int one = i + Character.charCount(word.codePoint(word.from + i));
      boolean covered = false;
      int node = Trie.ROOT;
      for (int j = i; j < n; j++) {
        node = trie.step(node, word.chars[word.from + j]);
        if (node == Trie.NONE) {
          break;
        }
        int id = trie.value(node);
        if (id != Trie.NONE) {
          reach(j + 1, i, id, best[i] + scores[id], best, from, ids);
          covered |= j + 1 == one;
        }
      }
      if (!covered) {
        reach(one, i, unknown, best[i] + unknownScore, best, from, ids);
      }
      i = one;
    }
    emit(word, from, ids, out);
  }

  private static void reach(
      int end, int start, int id, double score, double[] best, int[] from, int[] ids) {
    if (from[end] < 0 || score > best[end]) {
      best[end] = score;
      from[end] = start;
      ids[end] = id;
    }
  }

  /** Walks the best cut backwards, turns the links round and writes it, adjacent unknowns as one. */
  private void emit(Text word, int[] from, int[] ids, TokenList out) {
    int n = word.length();
    int[] ends = new int[n + 1]; // where the piece that begins here ends
    for (int end = n; end > 0; end = from[end]) {
      ends[from[end]] = end;
    }
    for (int i = 0; i < n; ) {
      int end = ends[i];
      int id = ids[end];
      while (id == unknown && end < n && ids[ends[end]] == unknown) {
        end = ends[end];
      }
      if (id != unknown
          || byteIds == null
          || vocabulary.token(unknown).contentEquals(word.slice(word.from + i, word.from + end))
          || !addBytes(word, i, end, out)) {
        out.add(id, word, word.from + i, word.from + end);
      }
      i = end;
    }
  }

  private boolean addBytes(Text word, int i, int end, TokenList out) {
    String s = new String(word.chars, word.from + i, end - i);
    byte[] bytes = s.getBytes(StandardCharsets.UTF_8);
    for (byte b : bytes) {
      if (byteIds[b & 0xFF] < 0) {
        return false;
      }
    }
    for (byte b : bytes) {
      out.add(byteIds[b & 0xFF], word, word.from + i, word.from + end);
    }
    return true;
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
