package tacet.transformer.text;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import tacet.transformer.checkpoint.FormatException;

/**
 * Reads the fields of one protobuf message, in order: {@code while (r.next()) switch (r.field())}.
 * Fields that are not asked for are skipped.
 */
final class ProtobufReader {
  private static final int VARINT = 0;
  private static final int FIXED64 = 1;
  private static final int BYTES = 2;
  private static final int FIXED32 = 5;

  private final byte[] data;
  private final int end;
  private final String file;
  private int at;
  private int field;
  private int wireType;
  private long number; // of a varint or a fixed field
  private int from; // of a bytes field
  private int to;

  ProtobufReader(byte[] data, String file) {
    this(data, 0, data.length, file);
  }

  private ProtobufReader(byte[] data, int from, int to, String file) {
    this.data = data;
    this.at = from;
    this.end = to;
    this.file = file;
  }

  /** Reads the next field; false at the end of the message. */
  boolean next() throws FormatException {
    if (at == end) {
      return false;
    }
    long key = varint();
    field = (int) (key >>> 3);
    wireType = (int) key & 7;
    if (field <= 0 || key >>> 32 != 0) {
      throw error("field number " + (key >>> 3));
    }
    switch (wireType) {
      case VARINT -> number = varint();
      case FIXED64 -> number = fixed(8);
      case FIXED32 -> number = fixed(4);
      case BYTES -> {
        long length = varint();
        if (length < 0 || length > end - at) {
          throw error("a field of " + length + " bytes where " + (end - at) + " are left");
        }
        from = at;
        to = at + (int) length;
        at = to;
      }
      default -> throw error("wire type " + wireType);
    }
    return true;
  }

  /** Number of the field that was read. */
  int field() {
    return field;
  }

  /** The value of an integer, enumeration or boolean. */
  long varintValue() throws FormatException {
    expect(VARINT);
    return number;
  }

  /** The value of a float. */
  float floatValue() throws FormatException {
    expect(FIXED32);
    return Float.intBitsToFloat((int) number);
  }

  /** The contents of a bytes field. */
  byte[] bytesValue() throws FormatException {
    expect(BYTES);
    return Arrays.copyOfRange(data, from, to);
  }

  /** The text of a string. */
  String stringValue() throws FormatException {
    expect(BYTES);
    return new String(data, from, to - from, StandardCharsets.UTF_8);
  }

  /** A message inside this one. */
  ProtobufReader message() throws FormatException {
    expect(BYTES);
    return new ProtobufReader(data, from, to, file);
  }

  private void expect(int type) throws FormatException {
    if (wireType != type) {
      throw error("field " + field + " has wire type " + wireType + ", not " + type);
    }
  }

  private long varint() throws FormatException {
    long value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (at == end) {
        throw error("the message ends within a number");
      }
      byte b = data[at++];
      value |= (long) (b & 0x7F) << shift;
      if (b >= 0) {
        return value;
      }
    }
    throw error("a number of more than 64 bits");
  }

  private long fixed(int bytes) throws FormatException {
    if (end - at < bytes) {
      throw error("the message ends within a number");
    }
    long value = 0;
    for (int i = 0; i < bytes; i++) {
      value |= (data[at++] & 0xFFL) << 8 * i;
    }
    return value;
  }

  private FormatException error(String problem) {
    return new FormatException(file, "not a protobuf message at byte " + at + ": " + problem);
  }
}
