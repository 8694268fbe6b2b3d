package tacet.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.HashSet;
import java.util.Set;
import org.junit.jupiter.api.Test;

class TensorTest {
  @Test
  void shapes() {
    Shape s = Shape.of(2, 3, 4);
    assertThat(s.size()).isEqualTo(24);
    assertThat(s.rows()).isEqualTo(6);
    assertThat(s.last()).isEqualTo(4);
    assertThat(s.dim(-1)).isEqualTo(4);
    assertThat(s.withLast(5)).isEqualTo(Shape.of(2, 3, 5)).hasToString("[2, 3, 5]");
    assertThat(Shape.of().size()).isEqualTo(1);
    assertThatThrownBy(() -> Shape.of(1 << 20, 1 << 20)).hasMessageContaining("elements");
    assertThatThrownBy(() -> Shape.of(-1)).hasMessageContaining("negative");
  }

  @Test
  void tensorsShareTheirArray() {
    Tensor t = Tensor.of(Shape.of(2, 2), 1, 2, 3, 4);
    t.reshape(Shape.of(4)).data()[0] = 9;
    assertThat(t.data()[0]).isEqualTo(9);
    Tensor c = t.copy();
    c.data()[0] = 0;
    assertThat(t.data()[0]).isEqualTo(9);
    assertThatThrownBy(() -> t.reshape(Shape.of(3))).hasMessageContaining("[2, 2]");
    assertThatThrownBy(() -> Tensor.of(Shape.of(2), 1)).hasMessageContaining("needs 2");
    assertThat(new Tensor(Shape.of(1), new float[7]).toArray()).hasSize(1);
    assertThat(Tensor.scalar(3).item()).isEqualTo(3);
    assertThatThrownBy(t::item).isInstanceOf(IllegalStateException.class);
  }

  @Test
  void streamsAreKeyed() {
    long a = RandomStream.of(1, "init", 0).nextLong();
    assertThat(RandomStream.of(1, "init", 0).nextLong()).isEqualTo(a);
    Set<Long> keys = new HashSet<>();
    for (long seed = 0; seed < 10; seed++) {
      for (String purpose : new String[] {"a", "b", "ab", "ba"}) {
        for (long step = 0; step < 10; step++) {
          keys.add(RandomStream.key(seed, purpose, step));
        }
      }
    }
    assertThat(keys).hasSize(400);
  }

  @Test
  void streamsHaveTheMomentsTheyShould() {
    RandomStream r = RandomStream.of(5, "moments", 0);
    double sum = 0;
    double squares = 0;
    int n = 200_000;
    for (int i = 0; i < n; i++) {
      double g = r.nextGaussian();
      sum += g;
      squares += g * g;
    }
    assertThat(sum / n).isBetween(-0.01, 0.01);
    assertThat(squares / n).isBetween(0.98, 1.02);
    int[] counts = new int[3];
    for (int i = 0; i < 30_000; i++) {
      counts[r.nextInt(3)]++;
    }
    for (int c : counts) {
      assertThat(c).isBetween(9_700, 10_300);
    }
    int[] p = r.permutation(50);
    assertThat(p).doesNotHaveDuplicates().contains(0, 49);
    assertThatThrownBy(() -> r.nextInt(0)).isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void workspaceRecycles() {
    Workspace w = new Workspace();
    float[] a = w.take(1000);
    assertThat(a.length).isBetween(1000, 1125);
    w.give(a);
    assertThat(w.take(1000)).isSameAs(a);
    long bytes = w.allocatedBytes();
    int[] i = w.takeInts(10);
    w.give(i);
    assertThat(w.takeInts(12)).isSameAs(i);
    assertThat(w.allocatedBytes()).isEqualTo(bytes + 4L * i.length);
    for (int n = 1; n < 100_000; n += 37) {
      assertThat(Workspace.roundUp(n)).isBetween(n, Math.max(64, n + n / 8 + 1));
    }
    assertThat(new Workspace(true).take(3)[2]).isNaN();
  }
}
