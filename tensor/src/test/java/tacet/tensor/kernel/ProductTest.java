package tacet.tensor.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import org.junit.jupiter.api.Test;
import tacet.tensor.Engine;
import tacet.tensor.RandomStream;
import tacet.tensor.Workers;
import tacet.tensor.Workspace;

/** Every product against sums in double, and against its scalar twin bit for bit. */
class ProductTest {
  private static final int[] ROWS = {1, 2, 3, 5, 6, 7, 12, 17, 31, 127, 300};
  private static final int[] COLUMNS = {1, 3, 16, 17, 31, 32, 33, 63, 96, 127, 129, 1000};
  private static final int[] DEPTHS = {1, 3, 17, 32, 127, 1000, 1025, 2049};

  private static Engine engine(Kernels kernels, int threads) {
    return new Engine(kernels, new Workers(threads), new Workspace(true));
  }

  private static double[] oracle(float[] x, float[] b, float[] bias, int t, int k, int n) {
    double[] y = new double[t * n];
    for (int i = 0; i < t; i++) {
      for (int j = 0; j < n; j++) {
        double s = bias == null ? 0 : bias[j];
        for (int r = 0; r < k; r++) {
          s += (double) x[i * k + r] * b[r * n + j];
        }
        y[i * n + j] = s;
      }
    }
    return y;
  }

  @Test
  void denseAndSparseEqualTheOracleAndEachOther() {
    RandomStream pick = RandomStream.of(7, "shapes", 0);
    int checked = 0;
    for (int round = 0; round < 60; round++) {
      int t = ROWS[pick.nextInt(ROWS.length)];
      int n = COLUMNS[pick.nextInt(COLUMNS.length)];
      int k = DEPTHS[pick.nextInt(DEPTHS.length)];
      if ((long) t * n * k > 20_000_000L) {
        continue;
      }
      String what = "round " + round + ": " + t + "x" + k + " · " + k + "x" + n;
      float[] x = Samples.sparse(round, t * k, round % 3 == 0 ? 1 : 0.2);
      float[] b = Samples.uniform(round + 1000, k * n, 1);
      float[] bias = round % 2 == 0 ? Samples.uniform(round + 2000, n, 1) : null;
      double[] expected = oracle(x, b, bias, t, k, n);
      float[] bt = transposed(b, k, n);
      PackedMatrix packed = PackedMatrix.of(b, k, n);
      WideMatrix wide = WideMatrix.of(b, k, n);
      float[] first = null;
      for (int threads = 1; threads <= 3; threads += 2) {
        try (Engine best = engine(Kernels.best(), threads);
            Engine scalar = engine(new ScalarKernels(), threads)) {
          for (Engine e : new Engine[] {best, scalar}) {
            float[] dense = new float[t * n];
            MatMul.dense(e, x, t, packed, bias, dense);
            float[] sparse = new float[t * n];
            SparseRows rows = SparseRows.of(e, x, t, k, -1);
            SparseMatMul.product(e, rows, wide, bias, sparse);
            rows.release(e.workspace());
            assertThat(sparse).as(what).isEqualTo(dense);
            float[] once = new float[t * n];
            MatMul.denseUnpacked(e, x, t, k, b, n, bias, once);
            assertThat(once).as(what + ", unpacked").isEqualTo(dense);
            MatMul.denseUnpackedTransposed(e, x, t, k, bt, n, bias, once);
            assertThat(once).as(what + ", unpacked and transposed").isEqualTo(dense);
            if (first == null) {
              first = dense;
              for (int i = 0; i < dense.length; i++) {
                assertThat((double) dense[i]).as(what).isCloseTo(expected[i], within(1e-5 * k));
              }
            }
            assertThat(dense).as(what + ", " + threads + " threads").isEqualTo(first);
            checked++;
          }
        }
      }
    }
    assertThat(checked).isGreaterThan(150);
  }

  /** However rows and panels are cut: each element is finished once, when it is there. */
  @Test
  void everyPartIsFinishedOnce() {
    int k = 7;
    for (int n : new int[] {1, 31, 200, 321}) {
      float[] b = Samples.uniform(n, k * n, 1);
      for (int t : new int[] {0, 1, 17, 127, 385, 767, 768, 1000, 1152, 1535, 1536, 1601}) {
        float[] x = Samples.sparse(t, t * k, 0.3);
        float[] expected = new float[t * n];
        try (Engine scalar = engine(new ScalarKernels(), 1)) {
          MatMul.dense(scalar, x, t, PackedMatrix.of(b, k, n), null, expected);
        }
        for (int i = 0; i < expected.length; i++) {
          expected[i] = 2 * expected[i] + 1;
        }
        for (int threads = 1; threads <= 4; threads++) {
          try (Engine e = engine(Kernels.best(), threads)) {
            String what = t + " rows, " + n + " columns, " + threads + " threads";
            float[] y = new float[t * n];
            MatMul.Finish finish =
                (row, rows, column, columns) -> {
                  for (int i = row; i < row + rows; i++) {
                    for (int j = column; j < column + columns; j++) {
                      y[i * n + j] = 2 * y[i * n + j] + 1;
                    }
                  }
                };
            MatMul.dense(e, x, t, PackedMatrix.of(b, k, n), null, y, finish);
            assertThat(y).as(what).isEqualTo(expected);
            SparseRows rows = SparseRows.of(e, x, t, k, -1);
            SparseMatMul.product(e, rows, WideMatrix.of(b, k, n), null, y, finish);
            rows.release(e.workspace());
            assertThat(y).as(what + ", sparse").isEqualTo(expected);
          }
        }
      }
    }
  }

  @Test
  void productsWithLargeMatricesHaveTheBitsOfTheScalarTwin() {
    int k = Kernels.DEPTH + 77; // two blocks
    int n = 9 * Kernels.PANEL + 5; // more than a mebibyte, panels without a partner, a ragged one
    PackedMatrix b = PackedMatrix.of(Samples.uniform(1, k * n, 1), k, n);
    float[] bias = Samples.uniform(2, n, 1);
    for (int t : new int[] {1, 2, 3, 4, 5, 6, 7, 8, 17, 31, 127, 200}) {
      float[] x = Samples.uniform(t, t * k, 1);
      float[] expected = new float[t * n];
      try (Engine scalar = engine(new ScalarKernels(), 1)) {
        MatMul.dense(scalar, x, t, b, bias, expected);
      }
      for (int threads = 1; threads <= 3; threads += 2) {
        try (Engine best = engine(Kernels.best(), threads)) {
          float[] y = new float[t * n];
          MatMul.dense(best, x, t, b, bias, y);
          assertThat(y).as(t + " rows, " + threads + " threads").isEqualTo(expected);
        }
      }
    }
  }

  @Test
  void accumulatesOntoWhatIsThere() {
    int t = 13;
    int k = 40;
    int n = 70;
    float[] x = Samples.uniform(1, t * k, 1);
    PackedMatrix b = PackedMatrix.of(Samples.uniform(2, k * n, 1), k, n);
    try (Engine e = engine(Kernels.best(), 2)) {
      float[] y = new float[t * n];
      MatMul.dense(e, x, t, b, null, y);
      float[] twice = y.clone();
      MatMul.accumulate(e, x, t, b, twice);
      for (int i = 0; i < y.length; i++) {
        assertThat(twice[i]).isCloseTo(2 * y[i], within(1e-4f));
      }
    }
  }

  private static float[] transposed(float[] b, int k, int n) {
    float[] bt = new float[n * k];
    for (int r = 0; r < k; r++) {
      for (int j = 0; j < n; j++) {
        bt[j * k + r] = b[r * n + j];
      }
    }
    return bt;
  }

  @Test
  void layoutsAreTheSameInEveryWayTheyAreMade() {
    for (int k : new int[] {1, 15, 16, 19, 70, 300}) {
      for (int n : new int[] {1, 31, 32, 33, 100, 128, 300}) {
        String what = k + "x" + n;
        float[] b = Samples.uniform(n, k * n, 1);
        float[] bt = transposed(b, k, n);
        float[] packed = new float[PackedMatrix.START + PackedMatrix.size(k, n)];
        float[] lanes = packed.clone();
        float[] wide = new float[WideMatrix.size(k, n)];
        for (int r = 0; r < k; r++) {
          int place = Kernels.laneStart(r % 16, k) + r / 16;
          for (int j = 0; j < n; j++) {
            int panel = PackedMatrix.START + j / 32 * k * 32 + j % 32;
            packed[panel + r * 32] = b[r * n + j];
            lanes[panel + place * 32] = b[r * n + j];
            int g = j / WideMatrix.GROUP;
            wide[WideMatrix.start(g, k) + r * WideMatrix.stride(g, n) + j % WideMatrix.GROUP] =
                b[r * n + j];
          }
        }
        assertThat(PackedMatrix.of(b, k, n).panels()).as(what).isEqualTo(packed);
        assertThat(PackedMatrix.ofTransposed(bt, k, n).panels()).as(what).isEqualTo(packed);
        assertThat(PackedMatrix.byLanes(b, k, n).panels()).as(what).isEqualTo(lanes);
        assertThat(WideMatrix.of(b, k, n).groups()).as(what).isEqualTo(wide);
        assertThat(WideMatrix.ofTransposed(bt, k, n).groups()).as(what).isEqualTo(wide);
        for (Kernels kernels : new Kernels[] {Kernels.best(), new ScalarKernels()}) {
          try (Workers workers = new Workers(2)) {
            PackedMatrix p = PackedMatrix.empty(k, n); // packed again and again, as a weight is
            float[] panels = p.panels();
            Arrays.fill(panels, PackedMatrix.START, panels.length, Float.NaN);
            p.pack(workers, b);
            assertThat(panels).as(what).isEqualTo(packed);
            Arrays.fill(panels, PackedMatrix.START, panels.length, Float.NaN);
            p.packTransposed(workers, kernels, bt);
            assertThat(panels).as(what).isEqualTo(packed);
            Arrays.fill(panels, PackedMatrix.START, panels.length, Float.NaN);
            p.packByLanes(workers, b);
            assertThat(panels).as(what).isEqualTo(lanes);
            Arrays.fill(panels, PackedMatrix.START, panels.length, Float.NaN);
            p.packTransposedByLanes(workers, kernels, bt);
            assertThat(panels).as(what).isEqualTo(lanes);
            WideMatrix w = WideMatrix.empty(k, n);
            float[] groups = w.groups();
            Arrays.fill(groups, PackedMatrix.START, groups.length, Float.NaN);
            w.lay(workers, b);
            assertThat(groups).as(what).isEqualTo(wide);
            Arrays.fill(groups, PackedMatrix.START, groups.length, Float.NaN);
            w.layTransposed(workers, kernels, bt);
            assertThat(groups).as(what).isEqualTo(wide);
          }
        }
      }
    }
  }

  @Test
  void transposesBlocksWithoutTouchingTheRest() {
    for (int rows : new int[] {1, 7, 8, 16, 17, 33, 127}) {
      for (int columns : new int[] {1, 7, 16, 31, 64, 65, 130}) {
        for (int ldx : new int[] {columns + 3, columns + 400}) { // either side the longer one
          int ldy = rows + 100;
          float[] x = Samples.uniform(rows, 5 + rows * ldx, 1);
          float[] expected = new float[2 + columns * ldy];
          for (int i = 0; i < rows; i++) {
            for (int j = 0; j < columns; j++) {
              expected[2 + j * ldy + i] = x[5 + i * ldx + j];
            }
          }
          for (Kernels kernels : new Kernels[] {Kernels.best(), new ScalarKernels()}) {
            float[] y = new float[expected.length];
            kernels.transpose(x, 5, ldx, rows, columns, y, 2, ldy);
            assertThat(y).as(rows + "x" + columns).isEqualTo(expected);
          }
        }
      }
    }
  }

  @Test
  void transposedProductIsTheGradientOfAWeight() {
    for (int[] shape : new int[][] {{5, 3, 4}, {40, 8, 100}, {33, 100, 8}, {70, 65, 40}}) {
      int t = shape[0];
      int m = shape[1];
      int n = shape[2];
      float[] a = Samples.uniform(3, t * m, 1);
      float[] b = Samples.uniform(4, t * n, 1);
      float[] at = new float[m * t];
      new ScalarKernels().transpose(a, 0, m, t, m, at, 0, t);
      double[] expected = oracle(at, b, null, m, t, n);
      float[] first = null;
      for (Kernels kernels : new Kernels[] {Kernels.best(), new ScalarKernels()}) {
        for (int threads = 1; threads <= 2; threads++) {
          try (Engine e = engine(kernels, threads)) {
            float[] c = new float[m * n];
            MatMul.transposedProduct(e, a, t, m, b, n, c);
            for (int i = 0; i < c.length; i++) {
              assertThat((double) c[i])
                  .as(Arrays.toString(shape))
                  .isCloseTo(expected[i], within(1e-5 * t));
            }
            first = first == null ? c : first;
            assertThat(c).as(Arrays.toString(shape)).isEqualTo(first);
          }
        }
      }
    }
  }

  @Test
  void choosesTheSparsePathByDensityWithoutChangingABit() {
    int t = 64;
    int k = 200;
    int n = 96;
    RightSide b = RightSide.of(Samples.uniform(5, k * n, 1), k, n);
    try (Engine e = engine(Kernels.best(), 2)) {
      for (double density : new double[] {0, 0.01, 0.3, 0.4, 1}) {
        float[] x = Samples.sparse(6, t * k, density);
        long active = 0;
        for (float v : x) {
          active += v != 0 ? 1 : 0;
        }
        float[] dense = new float[t * n];
        float[] chosen = new float[t * n];
        MatMul.dense(e, x, t, b.packed(), null, dense);
        MatMul.product(e, x, t, active, b, null, chosen);
        assertThat(chosen).isEqualTo(dense);
        for (double share : new double[] {0, 0.15, 1}) { // whatever the table
          Engine with = e.withBreakEven(BreakEven.constant(share));
          assertThat(MatMul.skips(with, t, active, b)).isEqualTo(active <= share * t * k);
          Arrays.fill(chosen, Float.NaN);
          MatMul.product(with, x, t, active, b, null, chosen);
          assertThat(chosen).isEqualTo(dense);
        }
      }
    }
  }

  @Test
  void compressKeepsNonZerosInOrder() {
    for (int n : Samples.SIZES) {
      for (double density : new double[] {0, 0.1, 0.35, 0.6, 1}) {
        float[] x = Samples.sparse(n, n, density);
        if (n > 3) {
          x[2] = Float.NaN;
          x[3] = -0f;
        }
        int count = 0;
        for (float v : x) {
          count += v != 0 ? 1 : 0;
        }
        int[] index = new int[3 + count + 16]; // no more than the method wants
        float[] value = new float[3 + count + 16];
        int[] start = new int[12];
        int end = Kernels.best().compress(x, 0, n, index, value, 3, start, 1);
        assertThat(end).isEqualTo(3 + count);
        int[] index2 = new int[n + 20];
        float[] value2 = new float[n + 20];
        int[] start2 = new int[12];
        assertThat(new ScalarKernels().compress(x, 0, n, index2, value2, 3, start2, 1))
            .isEqualTo(end);
        assertThat(start).isEqualTo(start2);
        assertThat(start[1 + (n + 127) / 128]).isEqualTo(end);
        assertThat(Arrays.copyOfRange(index, 3, 3 + count))
            .isEqualTo(Arrays.copyOfRange(index2, 3, 3 + count));
        assertThat(Arrays.copyOfRange(value, 3, 3 + count))
            .isEqualTo(Arrays.copyOfRange(value2, 3, 3 + count));
      }
    }
  }

  @Test
  void sampledProductsEqualTheDenseOnesByLanes() {
    RandomStream pick = RandomStream.of(11, "shapes", 0);
    for (int round = 0; round < 40; round++) {
      int t = ROWS[pick.nextInt(ROWS.length)];
      int n = COLUMNS[pick.nextInt(COLUMNS.length)];
      int k = COLUMNS[pick.nextInt(COLUMNS.length)];
      String what = "round " + round + ": " + t + "x" + n + " · (" + k + "x" + n + ")ᵀ";
      float[] a = Samples.uniform(round, t * n, 1);
      float[] b = Samples.uniform(round + 1000, k * n, 1);
      float[] bt = new float[n * k];
      new ScalarKernels().transpose(b, 0, n, k, n, bt, 0, k);
      double[] expected = oracle(a, bt, null, t, n, k);
      float[] places = Samples.sparse(round + 2000, t * k, 0.2);
      float[] first = null;
      for (Kernels kernels : new Kernels[] {Kernels.best(), new ScalarKernels()}) {
        for (int threads = 1; threads <= 2; threads++) {
          try (Engine e = engine(kernels, threads)) {
            float[] all = new float[t * k];
            MatMul.denseByLanes(e, a, t, PackedMatrix.byLanes(bt, n, k), all);
            SparseRows rows = SparseRows.of(e, places, t, k, -1);
            SparseMatMul.sampled(e, a, WideMatrix.of(b, k, n), rows);
            float[] some = new float[t * k];
            rows.expand(e, some);
            rows.release(e.workspace());
            for (int i = 0; i < all.length; i++) {
              assertThat((double) all[i]).as(what).isCloseTo(expected[i], within(1e-5 * n));
              if (places[i] != 0) {
                assertThat(some[i]).as(what).isEqualTo(all[i]);
              } else {
                assertThat(some[i]).as(what).isEqualTo(0f);
              }
            }
            first = first == null ? all : first;
            assertThat(all).as(what).isEqualTo(first);
          }
        }
      }
    }
  }

  @Test
  void gradientsOfWeightsSkipSilentNeuronsWithoutChangingABit() {
    RandomStream pick = RandomStream.of(12, "shapes", 0);
    for (int round = 0; round < 40; round++) {
      int t = ROWS[pick.nextInt(ROWS.length)];
      int m = COLUMNS[pick.nextInt(COLUMNS.length)];
      int n = COLUMNS[pick.nextInt(COLUMNS.length)];
      String what = "round " + round + ": (" + t + "x" + m + ")ᵀ · " + t + "x" + n;
      float[] a = Samples.sparse(round, t * m, 0.1);
      float[] b = Samples.uniform(round + 1000, t * n, 1);
      for (Kernels kernels : new Kernels[] {Kernels.best(), new ScalarKernels()}) {
        try (Engine e = engine(kernels, 1 + round % 2)) {
          float[] dense = new float[m * n];
          MatMul.transposedProduct(e, a, t, m, b, n, dense);
          SparseRows rows = SparseRows.of(e, a, t, m, -1);
          SparseRows turned = rows.transposed(e);
          float[] back = new float[m * t];
          turned.expand(e, back);
          float[] sparse = new float[m * n];
          SparseMatMul.gradient(e, turned, b, n, sparse);
          assertThat(sparse).as(what).isEqualTo(dense);
          for (int i = 0; i < t; i++) {
            for (int j = 0; j < m; j++) {
              assertThat(back[j * t + i]).isEqualTo(a[i * m + j]);
            }
          }
          SparseRows other = rows.sibling(e.workspace());
          other.gather(e, a);
          float[] again = new float[t * m];
          other.expand(e, again);
          assertThat(again).isEqualTo(a);
          float[] sums = new float[m];
          SparseMatMul.columnSums(other, sums);
          float[] plain = new float[m];
          for (int i = 0; i < t; i++) {
            e.kernels().addRow(a, i * m, m, plain, 0);
          }
          assertThat(sums).isEqualTo(plain);
        }
      }
    }
  }

  /** Rows, columns and terms of which there are none; a sum of no terms is its start value. */
  @Test
  void emptyProducts() {
    int[][] shapes = {{0, 5, 7}, {3, 0, 7}, {3, 5, 0}, {0, 0, 0}, {70, 0, 300}};
    for (int threads : new int[] {1, 3}) {
      try (Engine e = new Engine(Kernels.best(), new Workers(threads), new Workspace(true))) {
        for (int[] s : shapes) {
          int t = s[0];
          int k = s[1];
          int n = s[2];
          float[] x = Samples.uniform(1, t * k, 1);
          float[] b = Samples.uniform(2, k * n, 1);
          float[] bias = Samples.uniform(3, n, 1);
          for (float[] init : new float[][] {bias, null}) {
            float[][] y = new float[5][t * n];
            for (float[] one : y) {
              Arrays.fill(one, Float.NaN);
            }
            MatMul.dense(e, x, t, PackedMatrix.of(b, k, n), init, y[0]);
            SparseRows rows = SparseRows.of(e, x, t, k, -1);
            SparseMatMul.product(e, rows, WideMatrix.of(b, k, n), init, y[1]);
            MatMul.denseUnpacked(e, x, t, k, b, n, init, y[2]);
            MatMul.denseUnpackedTransposed(e, x, t, k, b, n, init, y[3]);
            MatMul.product(e, x, t, 0, RightSide.of(b, k, n), init, y[4]);
            for (int i = 0; i < t * n && k == 0; i++) {
              for (float[] one : y) {
                assertThat(one[i]).isEqualTo(init == null ? 0f : bias[i % n]);
              }
            }
            float[] c = new float[k * n];
            SparseRows columns = rows.transposed(e);
            SparseMatMul.gradient(e, columns, y[0], n, c);
            MatMul.transposedProduct(e, x, t, k, y[0], n, c);
            columns.release(e.workspace());
            rows.release(e.workspace());
          }
        }
        float[] c = {Float.NaN, Float.NaN}; // the gradient of a weight [1, 2] by no tokens
        SparseRows none = SparseRows.of(e, new float[0], 0, 1, 0);
        SparseMatMul.gradient(e, none.transposed(e), new float[0], 2, c);
        assertThat(c).containsOnly(0f);
      }
    }
  }

  /** What is not a number is not zero: a product with it gives the same, not a broken matrix. */
  @Test
  void valuesThatAreNotNumbersAreKept() {
    for (int threads : new int[] {1, 3}) {
      try (Engine e = new Engine(Kernels.best(), new Workers(threads), new Workspace())) {
        float[] x = new float[200 * 100];
        Arrays.fill(x, 100, x.length, Float.NaN);
        SparseRows rows = SparseRows.of(e, x, 200, 100, -1);
        assertThat(rows.entries()).isEqualTo(199 * 100);
        float[] y = new float[200 * 3];
        SparseMatMul.product(e, rows, WideMatrix.of(Samples.uniform(1, 300, 1), 100, 3), null, y);
        assertThat(y[2]).isZero();
        assertThat(y[3]).isNaN();
      }
    }
  }
}
