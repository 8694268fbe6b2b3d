package tacet.transformer.text;

/**
 * GPT-2's printable alphabet for bytes: printable Latin-1 bytes stand for themselves, the others
 * for U+0100 and up, in order (space is Ġ).
 */
final class ByteChars {
  private static final int CHARS = 0x144; // 188 bytes stand for themselves, 68 for U+0100…U+0143
  private static final char[] OF_BYTE = new char[256];
  private static final short[] TO_BYTE = new short[CHARS];

  static {
    java.util.Arrays.fill(TO_BYTE, (short) -1);
    int next = 0x100;
    for (int b = 0; b < 256; b++) {
      boolean printable = b > 0x20 && b < 0x7F || b > 0xA0 && b != 0xAD;
      OF_BYTE[b] = (char) (printable ? b : next++);
      TO_BYTE[OF_BYTE[b]] = (short) b;
    }
  }

  private ByteChars() {}

  /** The character for a byte 0..255. */
  static char ofByte(int b) {
    return OF_BYTE[b];
  }

  /** The byte of a character, or -1 where it stands for none. */
  static int toByte(char c) {
    return c < CHARS ? TO_BYTE[c] : -1;
  }

  /** Appends the UTF-8 bytes of a code point; a lone surrogate becomes U+FFFD. */
  static void add(int codePoint, int index, Text.Builder out) {
    int c = codePoint >= 0xD800 && codePoint <= 0xDFFF ? 0xFFFD : codePoint;
    if (c < 0x80) {
      out.add(OF_BYTE[c], index);
    } else if (c < 0x800) {
      out.add(OF_BYTE[0xC0 | c >> 6], index);
      out.add(OF_BYTE[0x80 | c & 0x3F], index);
    } else if (c < 0x10000) {
      out.add(OF_BYTE[0xE0 | c >> 12], index);
      out.add(OF_BYTE[0x80 | c >> 6 & 0x3F], index);
      out.add(OF_BYTE[0x80 | c & 0x3F], index);
    } else {
      out.add(OF_BYTE[0xF0 | c >> 18], index);
      out.add(OF_BYTE[0x80 | c >> 12 & 0x3F], index);
      out.add(OF_BYTE[0x80 | c >> 6 & 0x3F], index);
      out.add(OF_BYTE[0x80 | c & 0x3F], index);
    }
  }
}
