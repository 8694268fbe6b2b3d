package tacet.tensor.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.BitSet;
import org.junit.jupiter.api.Test;
import tacet.tensor.Engine;
import tacet.tensor.RandomStream;
import tacet.tensor.Workers;
import tacet.tensor.Workspace;

class AlivePanelsTest {
  @Test
  void computedColumnsHaveTheBitsOfTheFullProductAndTheOthersAreZero() {
    int[] rows = {1, 3, 17, 100, 200, 300};
    int[] columns = {1, 31, 32, 33, 127, 300, 1000};
    RandomStream pick = RandomStream.of(3, "alive", 0);
    for (int round = 0; round < 40; round++) {
      int t = rows[pick.nextInt(rows.length)];
      int n = columns[pick.nextInt(columns.length)];
      int k = 1 + pick.nextInt(130);
      BitSet alive = new BitSet();
      double share = new double[] {0, 0.01, 0.05, 1}[round % 4];
      for (int j = 0; j < n; j++) {
        alive.set(j, pick.nextDouble() < share);
      }
      AlivePanels panels = AlivePanels.of(alive, n);
      float[] x = Samples.uniform(round, t * k, 1);
      PackedMatrix b = PackedMatrix.of(Samples.uniform(round + 100, k * n, 1), k, n);
      float[] bias = round % 3 == 0 ? null : Samples.uniform(round + 200, n, 1);
      for (Kernels kernels : new Kernels[] {Kernels.best(), new ScalarKernels()}) {
        for (int threads = 1; threads <= 3; threads += 2) {
          String what = "round " + round + ", " + t + "x" + k + "x" + n + ", " + threads;
          try (Engine e = new Engine(kernels, new Workers(threads), new Workspace(true))) {
            float[] full = new float[t * n];
            MatMul.dense(e, x, t, b, bias, full);
            float[] some = new float[t * n + 1];
            java.util.Arrays.fill(some, Float.NaN);
            panels.product(e, x, t, b, bias, some);
            for (int i = 0; i < t * n; i++) {
              int j = i % n;
              boolean computed = alive.get(j / 32 * 32, j / 32 * 32 + 32).cardinality() > 0;
              assertThat(panels.computes(j)).isEqualTo(computed);
              if (some[i] != (computed ? full[i] : 0f)) {
                assertThat(some[i]).as(what + ", " + i).isEqualTo(computed ? full[i] : 0f);
              }
            }
            assertThat(some[t * n]).as("past the end").isNaN();
          }
        }
      }
    }
  }

  @Test
  void knowsWhichColumnsSpeakAnywhere() {
    float[] h = new float[3 * 100];
    h[40] = 1;
    h[100 + 99] = -2;
    try (Engine e = Engine.ofThreads(1)) {
      SparseRows places = SparseRows.of(e, h, 3, 100, 2);
      AlivePanels panels = AlivePanels.of(places);
      assertThat(panels.share()).isEqualTo(0.5);
      assertThat(panels.computes(0)).isFalse();
      assertThat(panels.computes(32)).isTrue();
      assertThat(panels.computes(95)).isFalse();
      assertThat(panels.computes(96)).isTrue();
      PackedMatrix narrow = PackedMatrix.of(new float[99], 1, 99);
      assertThatThrownBy(() -> panels.product(e, h, 3, narrow, null, h))
          .hasMessageContaining("100 columns");
    }
    try (Engine e = Engine.ofThreads(2)) { // no rows
      AlivePanels all = AlivePanels.of(BitSet.valueOf(new long[] {1}), 40);
      all.product(e, new float[0], 0, PackedMatrix.of(new float[40], 1, 40), null, new float[0]);
    }
    BitSet far = new BitSet();
    far.set(32);
    assertThatThrownBy(() -> AlivePanels.of(far, 32)).hasMessageContaining("column 32");
  }
}
