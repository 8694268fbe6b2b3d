package tacet.transformer.text;

import java.util.ArrayList;
import java.util.List;

/** GPT-2's pre-tokenizer: cuts text into words, each with the space before it, and writes bytes. */
final class ByteLevel implements PreTokenizer {
  private final boolean addPrefixSpace;
  private final boolean cutWords;

  /**
   * A pre-tokenizer.
   *
   * @param addPrefixSpace puts a space before every text that does not begin with one
   * @param cutWords false where another pre-tokenizer has cut the text
   */
  ByteLevel(boolean addPrefixSpace, boolean cutWords) {
    this.addPrefixSpace = addPrefixSpace;
    this.cutWords = cutWords;
  }

  @Override
  public void split(Text text, List<Text> out) {
    Text t = text;
    if (addPrefixSpace && !t.isEmpty() && t.chars[t.from] != ' ') {
      t = Normalizers.prepend(t, " ");
    }
    // The bytes of all words lie in one array; remember where the words end.
    Text.Builder bytes = new Text.Builder(t);
    List<Integer> ends = new ArrayList<>();
    for (int i = t.from; i < t.to; ) {
      int end = cutWords ? wordEnd(t, i) : t.to;
      while (i < end) {
        int c = t.codePoint(i);
        ByteChars.add(c, i, bytes);
        i += Character.charCount(c);
      }
      ends.add(bytes.size());
    }
    Text all = bytes.build();
    int from = 0;
    for (int to : ends) {
      out.add(all.slice(from, to));
      from = to;
    }
  }

  /**
   * Where the word at {@code from} ends, by GPT-2's expression <code>
   * 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+</code>.
   */
  static int wordEnd(Text text, int from) {
    char first = text.chars[from];
    if (first == '\'') {
      int contraction = contraction(text, from + 1);
      if (contraction > 0) {
        return from + 1 + contraction;
      }
    }
    int start = first == ' ' && from + 1 < text.to ? from + 1 : from;
    int kind = kind(text.codePoint(start));
    if (kind != SPACE) {
      return runEnd(text, start, kind);
    }
    // White space: all but the last one, which belongs to the next word, unless it is the only one.
    int end = runEnd(text, from, SPACE);
    return end == text.to || end == from + 1 ? end : end - 1;
  }

  private static int contraction(Text text, int at) {
    if (at >= text.to) {
      return 0;
    }
    char c = text.chars[at];
    if (c == 's' || c == 't' || c == 'm' || c == 'd') {
      return 1;
    }
    char d = at + 1 < text.to ? text.chars[at + 1] : 0;
    return (c == 'r' || c == 'v') && d == 'e' || c == 'l' && d == 'l' ? 2 : 0;
  }

  private static final int SPACE = 0;
  private static final int LETTER = 1;
  private static final int NUMBER = 2;
  private static final int OTHER = 3;

  private static int kind(int c) {
    if (c < 0x80) {
      int lower = c | 0x20;
      return lower >= 'a' && lower <= 'z'
          ? LETTER
          : c >= '0' && c <= '9' ? NUMBER : Chars.isWhitespace(c) ? SPACE : OTHER;
    }
    return Character.isLetter(c)
        ? LETTER
        : Chars.isNumber(c) ? NUMBER : Chars.isWhitespace(c) ? SPACE : OTHER;
  }

  private static int runEnd(Text text, int from, int kind) {
    int i = from;
    while (i < text.to) {
      int c = text.codePoint(i);
      if (kind(c) != kind) {
        break;
      }
      i += Character.charCount(c);
    }
    return i;
  }
}
