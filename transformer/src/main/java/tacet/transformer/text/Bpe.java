package tacet.transformer.text;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import tacet.transformer.checkpoint.FormatException;
import tacet.transformer.checkpoint.Json;

/**
 * Byte-pair encoding: a word begins as single characters, and the two neighbours whose merge comes
 * first in the list are joined, the leftmost of equals first, until no merge is left.
 */
final class Bpe implements Model {
  private final Vocabulary vocabulary;
  private final LongIntMap ranks; // (left id << 32 | right id) -> place in the list
  private final int[] merged; // place in the list -> id of the joined token
  private final int unknown;
  private final boolean fuseUnknown;
  private final boolean ignoreMerges;
  private final String prefix; // of every symbol but the first
  private final String suffix; // of the last symbol
  private final LongIntMap symbols; // code point -> id, where there is no prefix and no suffix
  private final int[] byteIds; // tokens <0x00>…<0xFF>, -1 where missing; null without fallback

  private Bpe(Json model, Vocabulary vocabulary) throws FormatException {
    this.vocabulary = vocabulary;
    prefix = model.stringOr("continuing_subword_prefix", "");
    suffix = model.stringOr("end_of_word_suffix", "");
    fuseUnknown = model.booleanOr("fuse_unk", false);
    ignoreMerges = model.booleanOr("ignore_merges", false);
    if (model.doubleOr("dropout", 0) != 0) {
      throw model.error("dropout is random: remove it from the file");
    }
    String unk = model.stringOr("unk_token", null);
    if (unk != null && vocabulary.id(unk) == null) {
      throw model.error("unk_token \"" + unk + "\" is not in the vocabulary");
    }
    unknown = unk == null ? -1 : vocabulary.id(unk);
    byteIds = model.booleanOr("byte_fallback", false) ? byteIds(vocabulary) : null;
    symbols = new LongIntMap(512);
    vocabulary
        .ids()
        .forEach(
            (token, id) -> {
              if (!token.isEmpty() && token.length() == token.offsetByCodePoints(0, 1)) {
                symbols.put(token.codePointAt(0), id);
              }
            });
    List<Json> merges = model.get("merges").elements();
    ranks = new LongIntMap(merges.size());
    merged = new int[merges.size()];
    for (int rank = 0; rank < merged.length; rank++) {
      merge(merges.get(rank), rank);
    }
  }

  /** From the {@code model} object of a tokenizer.json. */
  static Bpe of(Json model) throws FormatException {
    return new Bpe(model, Vocabulary.of(model.get("vocab")));
  }

  /** The ids of the tokens &lt;0x00&gt; to &lt;0xFF&gt;, -1 for those that are missing. */
  static int[] byteIds(Vocabulary vocabulary) {
    int[] ids = new int[256];
    for (int b = 0; b < 256; b++) {
      Integer id = vocabulary.id(String.format("<0x%02X>", b));
      ids[b] = id == null ? -1 : id;
    }
    return ids;
  }

  private void merge(Json json, int rank) throws FormatException {
    String left;
    String right;
    if (json.isArray()) {
      if (json.elements().size() != 2) {
        throw json.error("expected [left, right]");
      }
      left = json.elements().get(0).asString();
      right = json.elements().get(1).asString();
    } else {
      String both = json.asString();
      int space = both.indexOf(' ');
      if (space < 0 || both.indexOf(' ', space + 1) >= 0) {
        throw json.error("expected \"left right\"");
      }
      left = both.substring(0, space);
      right = both.substring(space + 1);
    }
    int a = known(left, json);
    int b = known(right, json);
    String joined = left + right.substring(Math.min(prefix.length(), right.length()));
    merged[rank] = known(joined, json);
    ranks.put((long) a << 32 | b, rank);
  }

  private int known(String token, Json json) throws FormatException {
    Integer id = vocabulary.id(token);
    if (id == null) {
      throw json.error("\"" + token + "\" is not in the vocabulary");
    }
    return id;
  }

  @Override
  public void tokenize(Text word, TokenList out) {
    if (ignoreMerges) {
      Integer whole = vocabulary.id(word.toString());
      if (whole != null) {
        out.add(whole, word, word.from, word.to);
        return;
      }
    }
    Symbols s = new Symbols(word.length());
    split(word, s);
    if (s.size > 1) {
      merge(s);
    }
    for (int i = s.size == 0 ? -1 : 0; i >= 0; i = s.next[i]) {
      out.add(s.ids[i], word, s.from[i], s.to[i]);
    }
  }

  /** The symbols of a word as a doubly linked list. */
  private static final class Symbols {
    int[] ids;
    int[] from;
    int[] to;
    int[] next;
    int[] previous;
    int size;

    Symbols(int capacity) {
      ids = new int[capacity];
      from = new int[capacity];
      to = new int[capacity];
    }

    void add(int id, int start, int end) {
      if (size == ids.length) {
        int capacity = 2 * size + 4; // byte fallback makes several of one character
        ids = Arrays.copyOf(ids, capacity);
        from = Arrays.copyOf(from, capacity);
        to = Arrays.copyOf(to, capacity);
      }
      ids[size] = id;
      from[size] = start;
      to[size++] = end;
    }

    void link() {
      next = new int[size];
      previous = new int[size];
      for (int i = 0; i < size; i++) {
        next[i] = i + 1 < size ? i + 1 : -1;
        previous[i] = i - 1;
      }
    }
  }

  private void split(Text word, Symbols s) {
    boolean afterUnknown = false;
    for (int i = word.from; i < word.to; ) {
      int c = word.codePoint(i);
      int end = i + Character.charCount(c);
      int id = symbol(c, i == word.from, end == word.to);
      if (id >= 0) {
        s.add(id, i, end);
        afterUnknown = false;
      } else if (byteIds == null || !addBytes(c, i, end, s)) {
        if (unknown >= 0 && fuseUnknown && afterUnknown) {
          s.to[s.size - 1] = end;
        } else if (unknown >= 0) {
          s.add(unknown, i, end);
          afterUnknown = true;
        }
      } else {
        afterUnknown = false;
      }
      i = end;
    }
    s.link();
  }

  private int symbol(int codePoint, boolean first, boolean last) {
    if (prefix.isEmpty() && suffix.isEmpty()) {
      return symbols.get(codePoint);
    }
    String s = Character.toString(codePoint);
    Integer id = vocabulary.id((first ? "" : prefix) + s + (last ? suffix : ""));
    return id == null ? -1 : id;
  }

  private boolean addBytes(int codePoint, int from, int to, Symbols s) {
    byte[] bytes = Character.toString(codePoint).getBytes(StandardCharsets.UTF_8);
    for (byte b : bytes) {
      if (byteIds[b & 0xFF] < 0) {
        return false;
      }
    }
    for (byte b : bytes) {
      s.add(byteIds[b & 0xFF], from, to);
    }
    return true;
  }

  /** Joins neighbours until no merge is left; a heap of (rank, position) finds the next one. */
  private void merge(Symbols s) {
    Heap heap = new Heap(s.size);
    for (int i = 0; i + 1 < s.size; i++) {
      offer(s, i, heap);
    }
    while (heap.size > 0) {
      long top = heap.poll();
      int rank = (int) (top >>> 32);
      int left = (int) top;
      int right = s.next[left];
      if (s.ids[left] < 0 || right < 0 || rank(s, left) != rank) {
        continue; // one of the two was joined with another in the meantime
      }
      s.ids[left] = merged[rank];
      s.to[left] = s.to[right];
      s.ids[right] = -1;
      s.next[left] = s.next[right];
      if (s.next[left] >= 0) {
        s.previous[s.next[left]] = left;
        offer(s, left, heap);
      }
      if (s.previous[left] >= 0) {
        offer(s, s.previous[left], heap);
      }
    }
  }

  private int rank(Symbols s, int left) {
    return ranks.get((long) s.ids[left] << 32 | s.ids[s.next[left]]);
  }

  private void offer(Symbols s, int left, Heap heap) {
    int rank = rank(s, left);
    if (rank >= 0) {
      heap.add((long) rank << 32 | left);
    }
  }

  /** A binary heap of longs, smallest first. */
  private static final class Heap {
    private long[] items;
    int size;

    Heap(int capacity) {
      items = new long[capacity];
    }

    void add(long item) {
      if (size == items.length) {
        items = Arrays.copyOf(items, 2 * size);
      }
      int i = size++;
      while (i > 0 && items[(i - 1) / 2] > item) {
        items[i] = items[(i - 1) / 2];
        i = (i - 1) / 2;
      }
      items[i] = item;
    }

    long poll() {
      long top = items[0];
      long last = items[--size];
      int i = 0;
      while (2 * i + 1 < size) {
        int child = 2 * i + 1;
        if (child + 1 < size && items[child + 1] < items[child]) {
          child++;
        }
        if (items[child] >= last) {
          break;
        }
        items[i] = items[child];
        i = child;
      }
      items[i] = last;
      return top;
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
