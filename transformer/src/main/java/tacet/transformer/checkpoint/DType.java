package tacet.transformer.checkpoint;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * Element types of stored tensors, with the names and in the order of the safetensors format
 * (github.com/huggingface/safetensors, {@code Dtype}). The order matters: a writer puts later types
 * first, so that wide elements stay aligned.
 *
 * <p>Elements are little-endian. Those with a float32 meaning here are the floats of 16, 32 and 64
 * bits, the integers and {@code BOOL} (0 or 1); the rest can be listed and copied as bytes.
 */
public enum DType {
  /** One byte, 0 or 1. */
  BOOL(8),
  /** Microscaling float of 4 bits. */
  F4(4),
  /** Microscaling float of 6 bits. */
  F6_E2M3(6),
  /** Microscaling float of 6 bits. */
  F6_E3M2(6),
  /** Unsigned byte. */
  U8(8),
  /** Signed byte. */
  I8(8),
  /** Float of 8 bits, 5 of them exponent. */
  F8_E5M2(8),
  /** Float of 8 bits, 4 of them exponent, no infinity. */
  F8_E4M3(8),
  /** Power of two in 8 bits. */
  F8_E8M0(8),
  /** Float of 8 bits, 4 of them exponent, no negative zero. */
  F8_E4M3FNUZ(8),
  /** Float of 8 bits, 5 of them exponent, no negative zero. */
  F8_E5M2FNUZ(8),
  /** Signed 16-bit integer. */
  I16(16),
  /** Unsigned 16-bit integer. */
  U16(16),
  /** IEEE 754 binary16. */
  F16(16),
  /** The upper half of a float32. */
  BF16(16),
  /** Signed 32-bit integer. */
  I32(32),
  /** Unsigned 32-bit integer. */
  U32(32),
  /** IEEE 754 binary32. */
  F32(32),
  /** Complex number of two float32. */
  C64(64),
  /** IEEE 754 binary64. */
  F64(64),
  /** Signed 64-bit integer. */
  I64(64),
  /** Unsigned 64-bit integer. */
  U64(64);

  private static final ValueLayout.OfShort SHORT =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfInt INT =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfLong LONG =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfFloat FLOAT =
      ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfDouble DOUBLE =
      ValueLayout.JAVA_DOUBLE_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final int bits;

  DType(int bits) {
    this.bits = bits;
  }

  /** Bits of one element; not always whole bytes. */
  public int bits() {
    return bits;
  }

  /** Whether elements are integers (or booleans), which {@link #decodeLongs} understands. */
  public boolean isInteger() {
    return switch (this) {
      case BOOL, U8, I8, I16, U16, I32, U32, I64, U64 -> true;
      default -> false;
    };
  }

  /** Whether elements are floats that {@link #decode} and {@link #encode} understand. */
  public boolean isFloat() {
    return this == F16 || this == BF16 || this == F32 || this == F64;
  }

  /** Bytes of one element of a type of whole bytes. */
  int bytes() {
    return bits / 8;
  }

  /**
   * Converts stored elements to float32: F16, BF16 exactly, F64 and wide integers rounded to
   * nearest.
   *
   * @param from at least {@code n} stored elements; not modified
   * @param to receives them at {@code at}, {@code at + 1}, …
   * @param at first index written
   * @param n number of elements
   * @throws IllegalArgumentException for a type without a float32 meaning here
   */
  public void decode(MemorySegment from, float[] to, int at, int n) {
    switch (this) {
      case F32 -> MemorySegment.copy(from, FLOAT, 0, to, at, n);
      case F16 -> {
        for (int i = 0; i < n; i++) {
          to[at + i] = Float.float16ToFloat(from.get(SHORT, 2L * i));
        }
      }
      case BF16 -> {
        for (int i = 0; i < n; i++) {
          to[at + i] = Float.intBitsToFloat(from.get(SHORT, 2L * i) << 16);
        }
      }
      case F64 -> {
        for (int i = 0; i < n; i++) {
          to[at + i] = (float) from.get(DOUBLE, 8L * i);
        }
      }
      case U64 -> {
        for (int i = 0; i < n; i++) {
          to[at + i] = unsignedToFloat(from.get(LONG, 8L * i));
        }
      }
      default -> {
        for (int i = 0; i < n; i++) {
          to[at + i] = integer(from, i);
        }
      }
    }
  }

  /**
   * Reads stored integers; U64 keeps its bits, so values from 2^63 on come out negative.
   *
   * @throws IllegalArgumentException if this is not an integer type
   */
  public void decodeLongs(MemorySegment from, long[] to, int at, int n) {
    for (int i = 0; i < n; i++) {
      to[at + i] = integer(from, i);
    }
  }

  private long integer(MemorySegment from, long i) {
    return switch (this) {
      case BOOL -> from.get(ValueLayout.JAVA_BYTE, i) == 0 ? 0 : 1;
      case U8 -> from.get(ValueLayout.JAVA_BYTE, i) & 0xff;
      case I8 -> from.get(ValueLayout.JAVA_BYTE, i);
      case I16 -> from.get(SHORT, 2 * i);
      case U16 -> from.get(SHORT, 2 * i) & 0xffff;
      case I32 -> from.get(INT, 4 * i);
      case U32 -> from.get(INT, 4 * i) & 0xffffffffL;
      case I64, U64 -> from.get(LONG, 8 * i);
      default -> throw new IllegalArgumentException(this + " is not an integer type");
    };
  }

  /** Rounds to nearest: the halved value keeps its lowest bit, so that ties stay what they are. */
  private static float unsignedToFloat(long u) {
    return u >= 0 ? u : (float) (u >>> 1 | u & 1) * 2;
  }

  /**
   * Converts float32 to stored floats; BF16 and F16 round to nearest, ties to even.
   *
   * @param from values at {@code at}, {@code at + 1}, …; not modified
   * @param at first index read
   * @param n number of elements
   * @param to receives the elements from its start
   * @throws IllegalArgumentException if this is not F16, BF16, F32 or F64
   */
  public void encode(float[] from, int at, int n, MemorySegment to) {
    switch (this) {
      case F32 -> MemorySegment.copy(from, at, to, FLOAT, 0, n);
      case F16 -> {
        for (int i = 0; i < n; i++) {
          to.set(SHORT, 2L * i, Float.floatToFloat16(from[at + i]));
        }
      }
      case BF16 -> {
        for (int i = 0; i < n; i++) {
          to.set(SHORT, 2L * i, toBf16(from[at + i]));
        }
      }
      case F64 -> {
        for (int i = 0; i < n; i++) {
          to.set(DOUBLE, 8L * i, from[at + i]);
        }
      }
      default -> throw new IllegalArgumentException("float32 cannot be stored as " + this);
    }
  }

  /** Round to nearest even by adding just under half of the last kept bit; NaN stays NaN. */
  private static short toBf16(float x) {
    int bits = Float.floatToRawIntBits(x);
    if (Float.isNaN(x)) {
      return (short) (bits >>> 16 | 0x40); // quiet, so that cutting the payload cannot make it inf
    }
    return (short) (bits + 0x7fff + (bits >>> 16 & 1) >>> 16);
  }

  /**
   * Converts integers to stored integers.
   *
   * @throws IllegalArgumentException if this is not an integer type or a value does not fit it
   */
  public void encodeLongs(long[] from, int at, int n, MemorySegment to) {
    for (int i = 0; i < n; i++) {
      long v = from[at + i];
      checkFits(v);
      switch (bits) {
        case 8 -> to.set(ValueLayout.JAVA_BYTE, i, (byte) v);
        case 16 -> to.set(SHORT, 2L * i, (short) v);
        case 32 -> to.set(INT, 4L * i, (int) v);
        default -> to.set(LONG, 8L * i, v);
      }
    }
  }

  /** Refuses a value that this integer type cannot hold; U64 takes any long as its bits. */
  void checkFits(long v) {
    boolean fits =
        switch (this) {
          case BOOL -> v == 0 || v == 1;
          case U8 -> v == (v & 0xff);
          case I8 -> v == (byte) v;
          case I16 -> v == (short) v;
          case U16 -> v == (v & 0xffff);
          case I32 -> v == (int) v;
          case U32 -> v == (v & 0xffffffffL);
          case I64, U64 -> true;
          default -> throw new IllegalArgumentException(this + " is not an integer type");
        };
    if (!fits) {
      throw new IllegalArgumentException(v + " does not fit " + this);
    }
  }
}
