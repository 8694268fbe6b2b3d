package tacet.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.HexFormat;
import org.junit.jupiter.api.Test;

/** The quantiser against bitsandbytes' rules and a vector computed with them. */
class Nf4Test {
  @Test
  void goldenVector() {
    float[] x = new float[64];
    for (int i = 0; i < 64; i++) {
      x[i] = (float) Math.sin(i);
    }
    Nf4 q = Nf4.quantize(x, 64);
    assertThat(Float.floatToRawIntBits(q.scales().get(0))).isEqualTo(0x3f7fff5c);
    assertThat(HexFormat.of().formatHex(q.codes()))
        .isEqualTo("7ef9104efc202cfe4019fe7106efa103dfd301bfe5017ef9104efc202cfd4019");
    float[] y = q.expand();
    double worst = 0;
    double square = 0;
    for (int i = 0; i < 64; i++) {
      worst = Math.max(worst, Math.abs(y[i] - x[i]));
      square += Math.pow((double) y[i] - x[i], 2) / 64;
    }
    assertThat(worst).isCloseTo(0.150034, within(1e-6));
    assertThat(square).isCloseTo(0.00294934, within(1e-8));
  }

  @Test
  void everyLevelIsItsOwnNearestAndHighHalvesComeFirst() {
    float[] x = new float[16];
    for (int c = 0; c < 16; c++) {
      x[c] = 3 * Nf4.level(c);
    }
    Nf4 q = Nf4.quantize(x, 16);
    assertThat(HexFormat.of().formatHex(q.codes())).isEqualTo("0123456789abcdef");
    assertThat(q.expand()).isEqualTo(x);
  }

  @Test
  void zerosOddLengthsAndShortBlocks() {
    float[] x = new float[131];
    x[130] = -2;
    Nf4 q = Nf4.quantize(x, 131);
    assertThat(q.codes()).hasSize(66);
    assertThat(q.scales().expand()).containsExactly(0, 0, 2);
    assertThat(q.codes()[65]).isEqualTo((byte) Nf4.ZERO); // code 0, then the padding
    assertThat(q.expand()).isEqualTo(x);
    assertThatThrownBy(() -> Nf4.quantize(new float[] {1, Float.NaN}, 2))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("value 1");
    assertThatThrownBy(() -> new Nf4(new byte[3], new Nf4.Plain(new float[1]), 7))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("4 bytes");
  }

  /** A few of the 256 values as bitsandbytes lists them. */
  @Test
  void dynamicMap() {
    float[] map = Nf4.dynamicMapValues();
    assertThat(map).hasSize(256).isSorted().contains(0f, 1f);
    assertThat((double) map[0]).isCloseTo(-0.992968738, within(1e-7));
    assertThat(map[127]).isZero();
    assertThat((double) map[128]).isCloseTo(5.5e-7, within(1e-12));
    assertThat((double) map[129]).isCloseTo(3.25e-6, within(1e-11));
    assertThat((double) map[130]).isCloseTo(7.75e-6, within(1e-11));
    assertThat(map[255]).isEqualTo(1);
  }

  @Test
  void scalesOfScales() {
    float[] x = RandomStream.of(5, "nf4", 0).normal(Shape.of(64 * 700), 0.02).data();
    Nf4 q = Nf4.quantize(x, x.length);
    Nf4 twice = q.nested();
    Nf4.Nested s = (Nf4.Nested) twice.scales();
    assertThat(s.absmax()).hasSize(3);
    float[] once = q.scales().expand();
    float[] back = s.expand();
    for (int i = 0; i < back.length; i++) { // steps of the map are at most 0.0142 of absmax apart
      assertThat(Math.abs(back[i] - once[i]))
          .as("scale %d", i)
          .isLessThan(0.0072f * s.absmax()[i / 256] + 1e-7f);
    }
    assertThat(twice.codes()).isSameAs(q.codes());
    assertThat(twice.nested()).isSameAs(twice);
    for (int i = 0; i < x.length; i += 997) {
      assertThat(twice.expand()[i]).isEqualTo(Nf4.level(q.code(i)) * back[i / 64]);
    }
  }

  /** All 256 values, by a checksum of what PyTorch makes (see nf4_map.py). */
  @Test
  void dynamicMapHasTheBitsOfPyTorchs() {
    int sum = 1;
    for (float v : Nf4.dynamicMapValues()) {
      sum = 31 * sum + Float.floatToRawIntBits(v);
    }
    assertThat(sum).isEqualTo(-1933620627);
  }
}
