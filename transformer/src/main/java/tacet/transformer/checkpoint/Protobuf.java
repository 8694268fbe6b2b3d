package tacet.transformer.checkpoint;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * A cursor over one protocol buffer message (protobuf.dev/programming-guides/encoding): enough to
 * walk a message whose field numbers are known.
 *
 * <pre>{@code
 * while (in.next()) {
 *   switch (in.field()) {
 *     case 7 -> graph(in.message());
 *     default -> in.skip();
 *   }
 * }
 * }</pre>
 */
final class Protobuf {
  private static final int VARINT = 0;
  private static final int FIXED64 = 1;
  private static final int BYTES = 2;
  private static final int FIXED32 = 5;

  private final byte[] bytes;
  private final int end;
  private final String file;
  private int at;
  private int field;
  private int wireType;

  /** A cursor at the start of a message that fills {@code bytes}; not modified. */
  Protobuf(byte[] bytes, String file) {
    this(bytes, 0, bytes.length, file);
  }

  private Protobuf(byte[] bytes, int at, int end, String file) {
    this.bytes = bytes;
    this.at = at;
    this.end = end;
    this.file = file;
  }

  FormatException error(String problem) {
    return new FormatException(file, problem);
  }

  /** Moves to the next field; false at the end. Its value must then be read or skipped. */
  boolean next() throws FormatException {
    if (at == end) {
      return false;
    }
    long tag = rawVarint();
    field = (int) (tag >>> 3);
    wireType = (int) (tag & 7);
    if (field == 0 || tag >>> 3 > 0x1fffffff) {
      throw error("not a protocol buffer: bad field number at byte " + at);
    }
    return true;
  }

  /** Number of the current field. */
  int field() {
    return field;
  }

  /** Whether the current field is length-delimited, which is how repeated numbers are packed. */
  boolean isPacked() {
    return wireType == BYTES;
  }

  /** The integer of the current field. */
  long varint() throws FormatException {
    require(VARINT);
    return rawVarint();
  }

  /** The embedded message of the current field. */
  Protobuf message() throws FormatException {
    int length = length();
    at += length;
    return new Protobuf(bytes, at - length, at, file);
  }

  /** The text of the current field. */
  String string() throws FormatException {
    int length = length();
    at += length;
    return Utf8.decode(Arrays.copyOfRange(bytes, at - length, at), file);
  }

  /** The bytes of the current field, shared. */
  MemorySegment segment() throws FormatException {
    int length = length();
    at += length;
    return MemorySegment.ofArray(bytes).asSlice(at - length, length);
  }

  /** The integers of the current field, which must be packed. */
  long[] packedVarints() throws FormatException {
    Protobuf in = message();
    long[] all = new long[in.end - in.at]; // each takes a byte at least
    int n = 0;
    while (in.at < in.end) {
      all[n++] = in.rawVarint();
    }
    return Arrays.copyOf(all, n);
  }

  /** Passes over the value of the current field. */
  void skip() throws FormatException {
    switch (wireType) {
      case VARINT -> rawVarint();
      case BYTES -> {
        int length = length(); // moves at
        at += length;
      }
      case FIXED32 -> advance(4);
      case FIXED64 -> advance(8);
      default -> throw error("not a protocol buffer: wire type " + wireType + " at byte " + at);
    }
  }

  private void advance(int n) throws FormatException {
    if (n > end - at) {
      throw error("truncated: a field at byte " + at + " runs past the end of its message");
    }
    at += n;
  }

  private int length() throws FormatException {
    require(BYTES);
    long length = rawVarint();
    if (length < 0 || length > end - at) {
      throw error("truncated: a field at byte " + at + " claims " + length + " bytes");
    }
    return (int) length;
  }

  private void require(int expected) throws FormatException {
    if (wireType != expected) {
      throw error(
          "field "
              + field
              + " before byte "
              + at
              + " has wire type "
              + wireType
              + ", not "
              + expected);
    }
  }

  private long rawVarint() throws FormatException {
    long v = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (at == end) {
        throw error("truncated: the data ends within a number at byte " + at);
      }
      byte b = bytes[at++];
      v |= (b & 0x7fL) << shift;
      if (b >= 0) {
        return v;
      }
    }
    throw error("not a protocol buffer: a number of more than 64 bits at byte " + at);
  }
}
