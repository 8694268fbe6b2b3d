package tacet.hardware.arch;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import tacet.hardware.BitMatrix;
import tacet.hardware.arch.Compression.Size;

class CompressionTest {

  /** Sizes are those of a stream that decodes to what was encoded. */
  @Test
  void sizesAreThoseOfDecodableStreams() {
    for (long seed = 0; seed < 300; seed++) {
      SplittableRandom random = new SplittableRandom(seed);
      int rows = random.nextInt(1, 6);
      int columns = random.nextInt(1, 130);
      int bits = new int[] {8, 16}[random.nextInt(2)];
      int[][] values = new int[rows][columns];
      BitMatrix mask = new BitMatrix(rows, columns);
      double density = random.nextDouble() * random.nextDouble();
      for (int r = 0; r < rows; r++) {
        for (int c = 0; c < columns; c++) {
          if (random.nextDouble() < density) {
            values[r][c] = random.nextInt(1, 1 << bits);
            mask.set(r, c, true);
          }
        }
      }
      for (Compression format : Compression.values()) {
        String what = "seed " + seed + ", " + format;
        Codec codec = new Codec(format, bits);
        codec.encode(values);
        Size size = format.size(mask, bits);
        assertThat(codec.length()).as(what).isEqualTo(size.bits());
        assertThat(codec.decode(rows, columns)).as(what).isEqualTo(values);
      }
    }
  }

  @Test
  void knownSizes() {
    BitMatrix mask = new BitMatrix(1, 64);
    mask.set(0, 0, true);
    mask.set(0, 33, true);
    assertThat(Compression.NONE.size(mask, 8)).isEqualTo(new Size(512, 0));
    assertThat(Compression.BITMAP.size(mask, 8)).isEqualTo(new Size(16, 64));
    // Four bricks of 5 bits, two offsets of 4.
    assertThat(Compression.OFFSETS.size(mask, 8)).isEqualTo(new Size(16, 28));
    // 32 zeros before the second value: two explicit zeros; a row count of 0..64 takes 7 bits.
    assertThat(Compression.RUN_LENGTH.size(mask, 8)).isEqualTo(new Size(32, 4 * 4 + 7));
    // Two pointers of ceil(log2(3)) and two column indices of 6 bits.
    assertThat(Compression.CSR.size(mask, 8)).isEqualTo(new Size(16, 2 * 2 + 2 * 6));
  }

  /** The cheapest format changes with density: index lists when nearly empty, bit maps, then nothing. */
  @Test
  void formatsCrossOver() {
    assertThat(cheapest(.005)).isEqualTo(Compression.CSR);
    assertThat(cheapest(.5)).isEqualTo(Compression.BITMAP);
    assertThat(cheapest(.98)).isEqualTo(Compression.NONE);
  }

  private static Compression cheapest(double density) {
    Operand operand = Operand.of(BitMatrix.random(64, 1536, density, new SplittableRandom(1)));
    Block all = new Block(0, 64, 0, 1536);
    Compression best = Compression.NONE;
    for (Compression f : Compression.values()) {
      long bits = f.size(operand, all, 8).bits();
      best = bits < best.size(operand, all, 8).bits() ? f : best;
      // A density alone predicts the size.
      long predicted = f.size(Operand.ofDensity(operand.density()), all, 8).bits();
      assertThat(predicted)
          .as(f + " at " + density)
          .isBetween((long) (.98 * bits), (long) (1.02 * bits));
    }
    return best;
  }
}
