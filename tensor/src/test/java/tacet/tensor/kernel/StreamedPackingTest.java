package tacet.tensor.kernel;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tacet.tensor.Shape;
import tacet.tensor.Tensor;
import tacet.tensor.TensorSource;
import tacet.tensor.Workers;

/** What is laid out piece by piece is what is laid out from an array, padding included. */
class StreamedPackingTest {
  /** A tensor that is not in memory, as far as anybody can tell. */
  private record Elsewhere(Tensor tensor) implements TensorSource {
    @Override
    public Shape shape() {
      return tensor.shape();
    }

    @Override
    public void read(int from, float[] to, int at, int n) {
      tensor.read(from, to, at, n);
    }
  }

  /** Memory that was used before. */
  private static float[] used(float[] memory) {
    Arrays.fill(memory, Float.NaN);
    return memory;
  }

  private static PackedMatrix packed(int k, int n) {
    return new PackedMatrix(k, n, used(PackedMatrix.empty(k, n).panels()));
  }

  private static WideMatrix wide(int k, int n) {
    return new WideMatrix(k, n, used(WideMatrix.empty(k, n).groups()));
  }

  /** From where the matrix begins. */
  private static float[] values(float[] memory) {
    return Arrays.copyOfRange(memory, PackedMatrix.START, memory.length);
  }

  @ParameterizedTest
  @CsvSource({"1, 1", "7, 3", "40, 33", "64, 160", "300, 129", "2, 70000", "513, 32"})
  void sameAsFromAnArray(int k, int n) {
    float[] b = Samples.uniform(7, k * n, 1);
    for (int threads : new int[] {1, 3}) {
      try (Workers workers = new Workers(threads)) {
        TensorSource source = new Elsewhere(new Tensor(Shape.of(k, n), b));
        PackedMatrix p = packed(k, n);
        StreamedPacking.pack(workers, source, p);
        assertThat(values(p.panels())).isEqualTo(values(PackedMatrix.of(b, k, n).panels()));
        WideMatrix w = wide(k, n);
        StreamedPacking.lay(workers, source, w);
        assertThat(values(w.groups())).isEqualTo(values(WideMatrix.of(b, k, n).groups()));

        TensorSource turned = new Elsewhere(new Tensor(Shape.of(n, k), b));
        p = packed(k, n);
        StreamedPacking.packTransposed(workers, Kernels.best(), turned, p);
        assertThat(values(p.panels()))
            .isEqualTo(values(PackedMatrix.ofTransposed(b, k, n).panels()));
        w = wide(k, n);
        StreamedPacking.layTransposed(workers, Kernels.best(), turned, w);
        assertThat(values(w.groups())).isEqualTo(values(WideMatrix.ofTransposed(b, k, n).groups()));
      }
    }
  }
}
