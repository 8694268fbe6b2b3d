package tacet.transformer.text;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Base64;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import tacet.transformer.checkpoint.FormatException;
import tacet.transformer.checkpoint.Json;

/**
 * SentencePiece's precompiled character map: a double-array trie over UTF-8 (darts-clone) from
 * strings to their replacements, which lie one after the other in a pool, each ended by a NUL byte.
 *
 * <p>Layout: length of the trie in bytes (u32), the trie's units (u32 each, little endian), the
 * pool. A unit holds a label (the byte that leads to it), the distance to its children, and
 * whether one of them is a leaf, whose value is a place in the pool.
 */
final class Charsmap implements Normalizer {
  private static final Pattern GRAPHEME = Pattern.compile("\\X");

  /** Clusters of at least so many UTF-8 bytes are never looked up as a whole. */
  private static final int LONG_CLUSTER = 6;

  private final int[] units;
  private final byte[] pool;
  private final boolean[] plain = new boolean[0x80]; // ASCII that no rule begins with

  private Charsmap(int[] units, byte[] pool) {
    this.units = units;
    this.pool = pool;
    for (int c = 0; c < plain.length; c++) {
      plain[c] = find(new byte[] {(byte) c}) < 0;
    }
  }

  /** From a {@code precompiled_charsmap}: base64 of the bytes. */
  static Charsmap of(Json base64) throws FormatException {
    byte[] bytes;
    try {
      bytes = Base64.getDecoder().decode(base64.asString());
    } catch (IllegalArgumentException e) {
      throw base64.error("not base64: " + e.getMessage());
    }
    ByteBuffer buffer = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    if (bytes.length < 4) {
      throw base64.error("a character map has at least 4 bytes");
    }
    int trieBytes = buffer.getInt();
    if (trieBytes < 4 || trieBytes % 4 != 0 || trieBytes > buffer.remaining()) {
      throw base64.error(
          "the character map's trie has " + trieBytes + " bytes, the map " + bytes.length);
    }
    int[] units = new int[trieBytes / 4];
    buffer.asIntBuffer().get(units);
    return new Charsmap(units, Arrays.copyOfRange(bytes, 4 + trieBytes, bytes.length));
  }

  /** The replacement of the shortest rule that a string begins with, or null. */
  private String replacement(byte[] utf8) {
    int start = find(utf8);
    if (start < 0 || start > pool.length) {
      return null;
    }
    int end = start;
    while (end < pool.length && pool[end] != 0) {
      end++;
    }
    return new String(pool, start, end - start, StandardCharsets.UTF_8);
  }

  private int find(byte[] utf8) {
    int at = offset(units[0]);
    for (byte b : utf8) {
      int c = b & 0xFF;
      at ^= c;
      if (c == 0 || at < 0 || at >= units.length || (units[at] & 0x800000FF) != c) {
        return -1;
      }
      boolean hasLeaf = (units[at] >>> 8 & 1) == 1;
      at ^= offset(units[at]);
      if (at < 0 || at >= units.length) {
        return -1;
      }
      if (hasLeaf) {
        return units[at] & 0x7FFFFFFF;
      }
    }
    return -1;
  }

  private static int offset(int unit) {
    return unit >>> 10 << ((unit & 0x200) >>> 6);
  }

  @Override
  public Text normalize(Text text) {
    Text.Builder out = new Text.Builder(text);
    Matcher grapheme = GRAPHEME.matcher(text);
    for (int i = text.from; i < text.to; ) {
      char c = text.chars[i];
      char next = i + 1 < text.to ? text.chars[i + 1] : 'a';
      if (c < 0x80 && plain[c] && next < 0x80 && c != '\r') {
        out.copy(i, i + 1); // ASCII combines with nothing
        i++;
        continue;
      }
      grapheme.region(i - text.from, text.length());
      int end = grapheme.lookingAt() ? text.from + grapheme.end() : i + 1;
      cluster(text.slice(i, end), out);
      i = end;
    }
    return out.build();
  }

  /** Replaces a cluster as a whole where a rule has it, else each of its code points. */
  private void cluster(Text cluster, Text.Builder out) {
    byte[] utf8 = cluster.toString().getBytes(StandardCharsets.UTF_8);
    String whole = utf8.length < LONG_CLUSTER ? replacement(utf8) : null;
    if (whole != null) {
      replace(cluster, whole, out);
      return;
    }
    for (int i = cluster.from; i < cluster.to; ) {
      int c = cluster.codePoint(i);
      int end = i + Character.charCount(c);
      String s = replacement(Character.toString(c).getBytes(StandardCharsets.UTF_8));
      if (s == null) {
        out.copy(i, end);
      } else {
        replace(cluster.slice(i, end), s, out);
      }
      i = end;
    }
  }

  /** Replaces code points one by one; those too many stand for the last one. */
  private static void replace(Text old, String replacement, Text.Builder out) {
    int at = old.from;
    for (int i = 0; i < replacement.length(); ) {
      int c = replacement.codePointAt(i);
      out.add(c, at);
      i += Character.charCount(c);
      int next = at + Character.charCount(old.codePoint(at));
      at = next < old.to ? next : at;
    }
  }
}
