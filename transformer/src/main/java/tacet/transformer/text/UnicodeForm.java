package tacet.transformer.text;

import java.text.Normalizer.Form;
import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.Map;

/**
 * NFC, NFD, NFKC and NFKD with ranges.
 *
 * <p>{@link java.text.Normalizer} gives the characters but not where they came from. The text is
 * cut where no character can combine with the one before; only chunks that change are looked at: each
 * result character consists of characters of the decomposed chunk, and those belong to the chunk's
 * characters one after the other.
 */
final class UnicodeForm implements Normalizer {
  /** Text is checked in blocks of about this size. */
  private static final int BLOCK = 256;

  /**
   * Marks beyond this many on one character are not reordered with those before: sorting them takes
   * quadratic time, and no language has a tenth of it.
   */
  private static final int MAX_CHUNK = 1024;

  private final Form form;
  private final boolean composing;
  private final boolean compatible;

  UnicodeForm(Form form) {
    this.form = form;
    this.composing = form == Form.NFC || form == Form.NFKC;
    this.compatible = form == Form.NFKC || form == Form.NFKD;
  }

  @Override
  public Text normalize(Text text) {
    if (isAscii(text)) {
      return text;
    }
    Text.Builder out = new Text.Builder(text);
    boolean changed = false;
    for (int at = text.from; at < text.to; ) {
      int end = chunkEnd(text, at);
      while (end < text.to && end - at < BLOCK) {
        end = chunkEnd(text, end);
      }
      if (java.text.Normalizer.isNormalized(text.slice(at, end), form)) {
        out.copy(at, end);
        at = end;
      }
      while (at < end) {
        int next = Math.min(end, chunkEnd(text, at));
        changed |= chunk(text.slice(at, next), out);
        at = next;
      }
    }
    return changed ? out.build() : text;
  }

  /** The end of a character with all that may combine with it. */
  private int chunkEnd(Text text, int from) {
    int end = from + Character.charCount(text.codePoint(from));
    while (end < text.to && end - from < MAX_CHUNK && continues(text.codePoint(end))) {
      end += Character.charCount(text.codePoint(end));
    }
    return end;
  }

  private static boolean isAscii(Text text) {
    for (int i = text.from; i < text.to; i++) {
      if (text.chars[i] >= 0x80) {
        return false;
      }
    }
    return true;
  }

  /** Whether a character may combine with the one before it (some that do not are included). */
  private boolean continues(int c) {
    if (c < 0x300) {
      return false;
    }
    return Chars.isMark(c)
        || c >= 0x1160 && c <= 0x11FF // Hangul vowels and finals
        || c >= 0xD7B0 && c <= 0xD7FF
        || compatible
            && (c >= 0x3131 && c <= 0x318E // compatibility Hangul becomes the above
                || c >= 0xFF9E && c <= 0xFFDC); // so do half-width Hangul and voicing marks
  }

  /** Appends a chunk; returns whether it changed. */
  private boolean chunk(Text chunk, Text.Builder out) {
    String result = java.text.Normalizer.normalize(chunk, form);
    if (result.contentEquals(chunk)) {
      out.copy(chunk.from, chunk.to);
      return false;
    }
    // Where each decomposed character begins: 1 for those that one character has beyond its first.
    Map<Integer, ArrayDeque<Integer>> extras = new HashMap<>();
    Form decomposed = compatible ? Form.NFKD : Form.NFD;
    for (int i = chunk.from; i < chunk.to; i += Character.charCount(chunk.codePoint(i))) {
      int extra = 0;
      for (int c : codePoints(Character.toString(chunk.codePoint(i)), decomposed)) {
        extras.computeIfAbsent(c, k -> new ArrayDeque<>()).add(extra);
        extra = 1;
      }
    }
    int next = chunk.from; // the first character of the chunk that is not used yet
    int last = chunk.from - 1;
    for (int i = 0; i < result.length(); i += Character.charCount(result.codePointAt(i))) {
      int c = result.codePointAt(i);
      int[] parts = composing ? codePoints(Character.toString(c), Form.NFD) : new int[] {c};
      int used = 1; // characters of the chunk that end in this one
      for (int part : parts) {
        ArrayDeque<Integer> queue = extras.get(part);
        used -= queue == null || queue.isEmpty() ? 0 : queue.poll();
      }
      used += parts.length - 1;
      out.add(c, used > 0 && next < chunk.to ? next : last);
      for (; used > 0 && next < chunk.to; used--) {
        last = next;
        next += Character.charCount(chunk.codePoint(next));
      }
    }
    return true;
  }

  private static int[] codePoints(String s, Form form) {
    return java.text.Normalizer.normalize(s, form).codePoints().toArray();
  }
}
