package tacet.tensor.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;
import tacet.tensor.Engine;
import tacet.tensor.Nf4;
import tacet.tensor.RandomStream;
import tacet.tensor.WeightFormat;
import tacet.tensor.Workers;
import tacet.tensor.Workspace;

/** Products with compact weights have the bits of the float products with the same values. */
class CompactTest {
  private static final WeightFormat[] FORMATS = {
    WeightFormat.BF16, WeightFormat.F16, WeightFormat.NF4, WeightFormat.NF4_NESTED
  };
  private static final int[] ROWS = {1, 2, 3, 8, 17, 127};
  private static final int[] OUTPUTS = {1, 3, 31, 32, 33, 64, 127, 160, 300};
  private static final int[] INPUTS = {1, 3, 17, 24, 32, 33, 64, 96, 127, 128, 1000, 1088};

  private static Engine engine(Kernels kernels, int threads) {
    return new Engine(kernels, new Workers(threads), new Workspace(true));
  }

  @Test
  void expandsWhatTheFormatHolds() {
    for (int n : new int[] {1, 31, 33, 100}) {
      for (int k : new int[] {1, 7, 24, 64, 130, 192}) {
        float[] w = Samples.uniform(n + k, n * k, 2);
        w[0] = 1e-6f; // a subnormal of F16
        float[] bf16 = CompactMatrix.of(WeightFormat.BF16, w, n, k).expand();
        float[] f16 = CompactMatrix.of(WeightFormat.F16, w, n, k).expand();
        float[] nf4 = CompactMatrix.of(WeightFormat.NF4, w, n, k).expand();
        assertThat(nf4).isEqualTo(Nf4.quantize(w, n * k).expand());
        float[] nested = CompactMatrix.of(WeightFormat.NF4_NESTED, w, n, k).expand();
        assertThat(nested).isEqualTo(Nf4.quantize(w, n * k).nested().expand());
        for (int i = 0; i < w.length; i++) {
          assertThat(f16[i]).isEqualTo(Float.float16ToFloat(Float.floatToFloat16(w[i])));
          assertThat(Math.abs(bf16[i] - w[i])).isLessThanOrEqualTo(Math.abs(w[i]) / 256);
          assertThat(Float.floatToRawIntBits(bf16[i]) & 0xffff).isZero();
        }
      }
    }
  }

  @Test
  void everyProductEqualsTheFloatProduct() {
    RandomStream pick = RandomStream.of(11, "compact", 0);
    int checked = 0;
    for (int round = 0; round < 72; round++) {
      int t = ROWS[pick.nextInt(ROWS.length)];
      int n = OUTPUTS[pick.nextInt(OUTPUTS.length)];
      int k = INPUTS[pick.nextInt(INPUTS.length)];
      WeightFormat format = FORMATS[round % 4];
      String what = "round " + round + ": " + format + " " + t + "x" + k + " · " + k + "x" + n;
      CompactMatrix w = CompactMatrix.of(format, Samples.uniform(round, n * k, 0.1), n, k);
      float[] x = Samples.sparse(round + 1000, t * k, 0.2);
      float[] dY = Samples.sparse(round + 2000, t * n, 0.3);
      float[] bias = round % 2 == 0 ? Samples.uniform(round + 3000, n, 1) : null;
      float[] expanded = w.expand();
      for (Kernels kernels : new Kernels[] {Kernels.best(), new ScalarKernels()}) {
        for (int threads = 1; threads <= 3; threads += 2) {
          try (Engine e = engine(kernels, threads)) {
            check(e, what, t, n, k, w, x, dY, bias, expanded);
            checked++;
          }
        }
      }
    }
    assertThat(checked).isEqualTo(72 * 4);
  }

  private static void check(
      Engine e,
      String what,
      int t,
      int n,
      int k,
      CompactMatrix w,
      float[] x,
      float[] dY,
      float[] bias,
      float[] expanded) {
    float[] y = new float[t * n];
    MatMul.dense(e, x, t, PackedMatrix.ofTransposed(expanded, k, n), bias, y);
    float[] y1 = new float[t * n];
    CompactMatMul.product(e, x, t, w, bias, y1);
    assertThat(y1).as(what).isEqualTo(y);
    SparseRows rows = SparseRows.of(e, x, t, k, t * k);
    float[] y2 = new float[t * n];
    CompactMatMul.product(e, rows, w, bias, y2);
    assertThat(y2).as(what + ", sparse").isEqualTo(y);

    float[] dX = new float[t * k];
    MatMul.dense(e, dY, t, PackedMatrix.of(expanded, n, k), null, dX);
    float[] dX1 = new float[t * k];
    CompactMatMul.gradient(e, dY, t, w, dX1);
    assertThat(dX1).as(what + ", gradient").isEqualTo(dX);
    SparseRows silent = SparseRows.of(e, dY, t, n, t * n);
    float[] dX2 = new float[t * k];
    CompactMatMul.gradient(e, silent, w, dX2);
    assertThat(dX2).as(what + ", sparse gradient").isEqualTo(dX);

    MatMul.denseByLanes(e, dY, t, PackedMatrix.byLanes(expanded, n, k), dX);
    CompactMatMul.gradientByLanes(e, dY, t, w, dX1);
    assertThat(dX1).as(what + ", gradient by lanes").isEqualTo(dX);
    CompactMatMul.sampled(e, dY, w, rows);
    for (int i = 0; i < t; i++) {
      for (int p = rows.first(i); p < rows.end(i); p++) {
        assertThat(rows.value()[p]).as(what + ", sampled").isEqualTo(dX[i * k + rows.index()[p]]);
      }
    }
    rows.release(e.workspace());
    silent.release(e.workspace());
  }

  @Test
  void refusesWhatAFormatCannotHold() {
    float[] w = {1, 2, 3, 70_000};
    assertThatThrownBy(() -> CompactMatrix.of(WeightFormat.F16, w, 2, 2))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("row 1, column 1");
    assertThatThrownBy(() -> CompactMatrix.of(WeightFormat.F32, w, 2, 2))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> Nf4Matrix.of(Nf4.quantize(w, 4), 3, 2))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("3 × 2");
  }

  @Test
  void takesTheBytesItSays() {
    float[] w = Samples.uniform(1, 64 * 128, 1);
    assertThat(CompactMatrix.of(WeightFormat.BF16, w, 64, 128).bytes()).isEqualTo(2 * 64 * 128);
    assertThat(CompactMatrix.of(WeightFormat.NF4, w, 64, 128).bytes())
        .isEqualTo(64 * 128 / 2 + 4 * 64 * 128 / 64);
    assertThat(CompactMatrix.of(WeightFormat.NF4_NESTED, w, 64, 128).bytes())
        .isEqualTo(64 * 128 / 2 + 64 * 128 / 64 + 4);
  }
}
