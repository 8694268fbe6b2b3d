package tacet.transformer.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.MemorySegment;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class DTypeTest {

  /** Whatever 16 bits say comes back as the same 16 bits; only signalling NaNs may turn quiet. */
  @ParameterizedTest
  @EnumSource(names = {"F16", "BF16"})
  void everyHalfSurvivesTheRoundTrip(DType dtype) {
    byte[] all = new byte[1 << 17];
    DType.I16.encodeLongs(consecutive(-32768, 1 << 16), 0, 1 << 16, MemorySegment.ofArray(all));
    float[] values = new float[1 << 16];
    dtype.decode(MemorySegment.ofArray(all), values, 0, values.length);
    byte[] back = new byte[all.length];
    dtype.encode(values, 0, values.length, MemorySegment.ofArray(back));
    int nans = 0;
    for (int i = 0; i < values.length; i++) {
      if (Float.isNaN(values[i])) {
        nans++;
        float[] again = new float[1];
        dtype.decode(MemorySegment.ofArray(back).asSlice(2L * i, 2), again, 0, 1);
        assertThat(again[0]).isNaN();
      } else {
        assertThat(back[2 * i]).isEqualTo(all[2 * i]);
        assertThat(back[2 * i + 1]).isEqualTo(all[2 * i + 1]);
      }
    }
    assertThat(nans).isEqualTo(dtype == DType.F16 ? 2046 : 254);
  }

  /** Against the definition: the nearer neighbour, and of two equally near ones the even. */
  @Test
  void bfloat16RoundsToNearestEven() {
    SplittableRandom random = new SplittableRandom(5);
    for (int n = 0; n < 200_000; n++) {
      int bits = n < 1000 ? n * 0x8000 : random.nextInt();
      float x = Float.intBitsToFloat(bits);
      if (!Float.isFinite(x)) {
        continue;
      }
      int low = bits & 0xffff0000;
      int high = low + 0x10000; // away from zero; may be infinite
      double down = Math.abs((double) x - Float.intBitsToFloat(low));
      double up = Math.abs(extended(high) - x);
      boolean even = (low >>> 16 & 1) == 0;
      int expected = down < up || down == up && even ? low : high;
      assertThat(bf16(x)).as("bits %08x", bits).isEqualTo(expected);
    }
    assertThat(bf16(Float.MAX_VALUE)).isEqualTo(0x7f800000);
    assertThat(Float.intBitsToFloat(bf16(Float.intBitsToFloat(0x7f800001)))).isNaN();
    assertThat(Float.intBitsToFloat(bf16(Float.intBitsToFloat(0xffffffff)))).isNaN();
  }

  /** The value of float bits if the exponent had one more step, so that infinity has a distance. */
  private static double extended(int bits) {
    float f = Float.intBitsToFloat(bits);
    return Float.isInfinite(f) ? Math.copySign(0x1p128, f) : f;
  }

  private static int bf16(float x) {
    byte[] two = new byte[2];
    DType.BF16.encode(new float[] {x}, 0, 1, MemorySegment.ofArray(two));
    return (two[1] & 0xff) << 24 | (two[0] & 0xff) << 16;
  }

  @Test
  void unsigned64RoundsToNearest() {
    SplittableRandom random = new SplittableRandom(6);
    for (int n = 0; n < 10_000; n++) {
      long u = n < 64 ? -1L << n : random.nextLong() >>> random.nextInt(64);
      byte[] eight = new byte[8];
      DType.U64.encodeLongs(new long[] {u}, 0, 1, MemorySegment.ofArray(eight));
      float[] got = new float[1];
      DType.U64.decode(MemorySegment.ofArray(eight), got, 0, 1);
      BigInteger exact = new BigInteger(Long.toUnsignedString(u));
      assertThat(got[0]).as("%s", exact).isEqualTo(new BigDecimal(exact).floatValue());
    }
  }

  @ParameterizedTest
  @EnumSource(names = {"BOOL", "U8", "I8", "I16", "U16", "I32", "U32"})
  void integersKeepTheirBoundsAndRefuseWhatIsBeyond(DType dtype) {
    boolean signed = dtype.name().startsWith("I");
    long max = dtype == DType.BOOL ? 1 : (1L << (signed ? dtype.bits() - 1 : dtype.bits())) - 1;
    long min = signed ? -max - 1 : 0;
    long[] values = {min, 0, 1, max};
    MemorySegment stored = MemorySegment.ofArray(new byte[4 * dtype.bytes()]);
    dtype.encodeLongs(values, 0, 4, stored);
    long[] back = new long[4];
    dtype.decodeLongs(stored, back, 0, 4);
    assertThat(back).isEqualTo(values);
    float[] floats = new float[4];
    dtype.decode(stored, floats, 0, 4);
    assertThat(floats).containsExactly(min, 0, 1, max);
    for (long beyond : new long[] {min - 1, max + 1}) {
      assertThatThrownBy(() -> dtype.encodeLongs(new long[] {beyond}, 0, 1, stored))
          .hasMessage(beyond + " does not fit " + dtype);
    }
  }

  private static long[] consecutive(long from, int n) {
    long[] l = new long[n];
    for (int i = 0; i < n; i++) {
      l[i] = from + i;
    }
    return l;
  }
}
