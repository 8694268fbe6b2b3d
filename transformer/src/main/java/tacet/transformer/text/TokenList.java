package tacet.transformer.text;

import java.util.Arrays;

/** The tokens of one text, in order: ids and the ranges of the caller's text they stand for. */
final class TokenList {
  int[] ids = new int[32];
  int[] starts = new int[32];
  int[] ends = new int[32];
  int size;
  private final String text;

  /** No tokens yet of a text. */
  TokenList(String text) {
    this.text = text;
  }

  /** Appends a token; offsets are UTF-16 indices of the caller's text. */
  void add(int id, int start, int end) {
    if (size == ids.length) {
      ids = Arrays.copyOf(ids, 2 * size);
      starts = Arrays.copyOf(starts, 2 * size);
      ends = Arrays.copyOf(ends, 2 * size);
    }
    ids[size] = id;
    starts[size] = start;
    ends[size++] = end;
  }

  /** Appends a token that covers the units {@code [from, to)} of a text. */
  void add(int id, Text text, int from, int to) {
    add(id, text.start(from), text.end(to - 1));
  }

  /** What the token at an index covers. */
  String covered(int index) {
    return text.substring(starts[index], ends[index]);
  }

  /** A copy of the tokens {@code [from, to)}. */
  TokenList slice(int from, int to) {
    TokenList out = new TokenList(text);
    out.ids = Arrays.copyOfRange(ids, from, to);
    out.starts = Arrays.copyOfRange(starts, from, to);
    out.ends = Arrays.copyOfRange(ends, from, to);
    out.size = to - from;
    return out;
  }
}
