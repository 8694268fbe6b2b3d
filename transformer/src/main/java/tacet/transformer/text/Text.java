package tacet.transformer.text;

import java.util.Arrays;

/**
 * A piece of text on its way to the model, which remembers where each of its characters came from.
 *
 * <p>Normalizers and pre-tokenizers replace, insert and remove characters; every UTF-16 unit keeps
 * the range of the text that the caller gave it stands for. A piece is a window {@code [from, to)}
 * over arrays that several pieces share and nobody modifies. Indices are those of the arrays, so
 * that loops need no shift; only the {@link CharSequence} methods (for regular expressions) count
 * from the start of the window.
 */
final class Text implements CharSequence {
  final char[] chars;
  final int from;
  final int to;

  // Where a unit came from; null while the text is still the caller's own.
  private final int[] starts;
  private final int[] ends;

  private Text(char[] chars, int[] starts, int[] ends, int from, int to) {
    this.chars = chars;
    this.starts = starts;
    this.ends = ends;
    this.from = from;
    this.to = to;
  }

  /** The caller's text: every unit stands for itself. */
  static Text of(String text) {
    char[] chars = text.toCharArray();
    return new Text(chars, null, null, 0, chars.length);
  }

  /** The window {@code [from, to)} of the same arrays. */
  Text slice(int from, int to) {
    return from == this.from && to == this.to ? this : new Text(chars, starts, ends, from, to);
  }

  /** Where the unit at an index begins in the caller's text. */
  int start(int index) {
    return starts == null ? index : starts[index];
  }

  /** Where the unit at an index ends in the caller's text. */
  int end(int index) {
    return ends == null ? index + 1 : ends[index];
  }

  /** The code point at an index; a lone surrogate counts as one. */
  int codePoint(int index) {
    return Character.codePointAt(chars, index, to);
  }

  /** The code point that ends before an index. */
  int codePointBefore(int index) {
    return Character.codePointBefore(chars, index, from);
  }

  @Override
  public int length() {
    return to - from;
  }

  @Override
  public char charAt(int i) {
    return chars[from + i];
  }

  @Override
  public CharSequence subSequence(int start, int end) {
    return slice(from + start, from + end);
  }

  @Override
  public String toString() {
    return new String(chars, from, to - from);
  }

  /** Collects the text that replaces another one. */
  static final class Builder {
    private final Text source;
    private char[] chars;
    private int[] starts;
    private int[] ends;
    private int size;

    Builder(Text source) {
      this.source = source;
      int capacity = source.length() + 16;
      chars = new char[capacity];
      starts = new int[capacity];
      ends = new int[capacity];
    }

    /** Number of units so far. */
    int size() {
      return size;
    }

    /**
     * Appends a code point that stands for the same range as the source's code point at {@code
     * index}; an index before the source's window means an empty range at its start.
     */
    void add(int codePoint, int index) {
      if (index < source.from) {
        int at = source.length() == 0 ? 0 : source.start(source.from);
        append(codePoint, at, at);
      } else {
        int last = index + Character.charCount(source.codePoint(index)) - 1;
        append(codePoint, source.start(index), source.end(last));
      }
    }

    /** Appends a string, each character standing for the source's code point at {@code index}. */
    void add(String s, int index) {
      for (int i = 0; i < s.length(); i += Character.charCount(s.codePointAt(i))) {
        add(s.codePointAt(i), index);
      }
    }

    /** Appends a range of the source unchanged. */
    void copy(int from, int to) {
      for (int i = from; i < to; i++) {
        // Not by code point: a window may cut a pair, and lone surrogates are kept as they are.
        unit(source.chars[i], source.start(i), source.end(i));
      }
    }

    private void append(int codePoint, int start, int end) {
      if (Character.isBmpCodePoint(codePoint)) {
        unit((char) codePoint, start, end);
      } else {
        unit(Character.highSurrogate(codePoint), start, end);
        unit(Character.lowSurrogate(codePoint), start, end);
      }
    }

    private void unit(char c, int start, int end) {
      if (size == chars.length) {
        int capacity = size + (size >> 1);
        chars = Arrays.copyOf(chars, capacity);
        starts = Arrays.copyOf(starts, capacity);
        ends = Arrays.copyOf(ends, capacity);
      }
      chars[size] = c;
      starts[size] = start;
      ends[size++] = end;
    }

    /** The finished text; the builder must not be used after this. */
    Text build() {
      return new Text(chars, starts, ends, 0, size);
    }
  }
}
