package tacet.tensor.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import java.lang.management.ManagementFactory;
import org.junit.jupiter.api.Test;
import tacet.tensor.WeightFormat;

/**
 * Compiled kernels keep their vectors in registers. Where the compiler fails to see which vectors a
 * kernel has, it makes an object of each, and the kernel is up to eight times slower: this happened to
 * tiles that were compiled after one kernel had used narrower vectors than the others.
 */
class BoxingTest {
  private static final int K = 512;
  private static final int N = 128;
  private static final int CALLS = 200;
  private static final long ENOUGH = 10_000_000_000L; // nanoseconds for the compiler
  private static final long FEW_BYTES = 16 * CALLS; // a vector of 512 bits takes 80 bytes

  private final Kernels kernels = Kernels.best();
  private final float[] a = Samples.uniform(1, 128 * K, 1);
  private final float[] b = Samples.uniform(2, K * N, 1);
  private final float[] c = new float[128 * N];
  private final float[] turned = new float[128 * K];

  @Test
  void kernelsThatAreMetLateMakeNoObjects() {
    assumeThat(kernels.name()).startsWith("vector");
    float[] panels = PackedMatrix.of(b, K, N).panels();
    String label = " in " + kernels.name();
    // Whole tiles and squares first, then what is left over at the end of other sizes.
    for (int m : new int[] {126, 16, 17, 4, 2, 1, 3, 5, 8, 33, 127}) {
      assertThat(bytes(() -> transpose(m))).as("transpose " + m + label).isLessThan(FEW_BYTES);
      assertThat(bytes(() -> product(m, N, panels))).as("rows " + m + label).isLessThan(FEW_BYTES);
      assertThat(bytes(() -> product(m, N - 5, panels)))
          .as("rows " + m + ", ragged" + label)
          .isLessThan(FEW_BYTES);
    }
  }

  @Test
  void twoPanelsOfALargeMatrixMakeNoObjects() {
    assumeThat(kernels.name()).startsWith("vector");
    int n = 1024; // K x n floats are too many to be near
    float[] large = PackedMatrix.of(Samples.uniform(4, K * n, 1), K, n).panels();
    float[] y = new float[8 * n];
    int count = PackedMatrix.panels(n);
    assertThat(
            bytes(
                () ->
                    kernels.product(
                        8, n, K, a, 0, K, large, PackedMatrix.START, 0, count, y, 0, n, y, 0, n)))
        .as(kernels.name())
        .isLessThan(FEW_BYTES);
  }

  @Test
  void rowsTimesCompactWeightsMakeNoObjects() {
    assumeThat(kernels.name()).isIn("vector256", "vector512"); // NF4 is a scalar loop in others
    float[] y = new float[N];
    for (WeightFormat format :
        new WeightFormat[] {WeightFormat.BF16, WeightFormat.F16, WeightFormat.NF4}) {
      CompactMatrix w = CompactMatrix.of(format, b, N, K);
      for (int panels : new int[] {1, 2, 3, 4}) {
        assertThat(bytes(() -> w.row(kernels, 0, panels, a, 0, y, 0, y, 0)))
            .as(format + ", " + panels + " panels in " + kernels.name())
            .isLessThan(FEW_BYTES);
      }
      int[] index = {0, 1, 2, 7, 8, 100, K - 1};
      assertThat(bytes(() -> w.sparseRow(kernels, 0, 4, 0, 7, index, a, y, 0, y, 0)))
          .as(format + ", some entries in " + kernels.name())
          .isLessThan(FEW_BYTES);
    }
  }

  @Test
  void zerosAreLeftOutWithoutObjects() {
    assumeThat(kernels.name()).startsWith("vector");
    int[] index = new int[K + Kernels.LANES];
    float[] value = new float[K + Kernels.LANES];
    int[] start = new int[K / Kernels.BLOCK + 1];
    for (double density : new double[] {0.04, 0.35, 1}) {
      float[] x = Samples.sparse(3, K, density);
      assertThat(bytes(() -> kernels.compress(x, 0, K, index, value, 0, start, 0)))
          .as("density " + density + " in " + kernels.name())
          .isLessThan(FEW_BYTES);
    }
  }

  private void transpose(int m) {
    kernels.transpose(a, 0, K, m, K, turned, 0, m);
  }

  private void product(int m, int n, float[] panels) {
    int count = PackedMatrix.panels(n);
    kernels.product(m, n, K, a, 0, K, panels, PackedMatrix.START, 0, count, c, 0, n, c, 0, n);
  }

  /** Allocated by some calls on this thread, when the compiler is done or has had time enough. */
  private static long bytes(Runnable kernel) {
    com.sun.management.ThreadMXBean threads =
        (com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean();
    long start = System.nanoTime();
    long bytes;
    do {
      long before = threads.getCurrentThreadAllocatedBytes();
      for (int i = 0; i < CALLS; i++) {
        kernel.run();
      }
      bytes = threads.getCurrentThreadAllocatedBytes() - before;
    } while (bytes >= FEW_BYTES && System.nanoTime() - start < ENOUGH);
    return bytes;
  }
}
