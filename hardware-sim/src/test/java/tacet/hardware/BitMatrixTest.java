package tacet.hardware;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class BitMatrixTest {

  @Test
  void countsAgreeWithSingleBits() {
    for (int columns : new int[] {1, 16, 63, 64, 65, 128, 200}) {
      SplittableRandom random = new SplittableRandom(columns);
      BitMatrix m = BitMatrix.random(5, columns, .4, random);
      long all = 0;
      int[] byColumn = new int[columns];
      for (int r = 0; r < 5; r++) {
        int from = random.nextInt(columns);
        int to = from + random.nextInt(columns - from + 1);
        int inRange = 0;
        int last = -1;
        for (int c = 0; c < columns; c++) {
          if (m.get(r, c)) {
            all++;
            byColumn[c]++;
            inRange += c >= from && c < to ? 1 : 0;
            assertThat(m.next(r, last + 1)).as("columns " + columns).isEqualTo(c);
            last = c;
          }
        }
        assertThat(m.next(r, last + 1)).isEqualTo(-1);
        assertThat(m.count(r, from, to)).as("columns " + columns).isEqualTo(inRange);
        assertThat(m.count(r, 0, columns)).isEqualTo(m.count(r));
      }
      assertThat(m.count()).isEqualTo(all);
      assertThat(m.columnCounts()).isEqualTo(byColumn);
      assertThat(BitMatrix.ones(5, columns).count()).isEqualTo(5L * columns);
      assertThat(m.slice(1, 4).count()).isEqualTo(all - m.count(0) - m.count(4));
    }
  }

  @Test
  void packsAndCompares() {
    BitMatrix m = BitMatrix.of(new float[] {1, 0, -0f, -.5f, 2, .1f}, 2, 3, .1f);
    assertThat(m.get(0, 0)).isTrue();
    assertThat(m.get(0, 2)).isFalse();
    assertThat(m.count()).isEqualTo(3);
    BitMatrix same = new BitMatrix(2, 3);
    same.set(0, 0, true);
    same.set(1, 0, true);
    same.set(1, 1, true);
    assertThat(same).isEqualTo(m).hasSameHashCodeAs(m);
    same.set(1, 1, false);
    assertThat(same).isNotEqualTo(m);
    assertThatThrownBy(() -> m.get(2, 0)).isInstanceOf(IndexOutOfBoundsException.class);
    assertThatThrownBy(() -> BitMatrix.of(new float[5], 2, 3, 0)).hasMessageContaining("5 values");
    assertThatThrownBy(() -> new BitMatrix(1 << 30, 1 << 20)).hasMessageContaining("too large");
  }
}
