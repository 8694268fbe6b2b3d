package tacet.tensor.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.function.DoubleUnaryOperator;
import org.junit.jupiter.api.Test;

/** Accuracy against double functions, and both twins against each other bit for bit. */
class ElementwiseTest {
  private static final Kernels BEST = Kernels.best();
  private static final Kernels SCALAR = new ScalarKernels();

  private interface Map {
    void apply(Kernels k, float[] x, int n, float[] y);
  }

  /** Largest absolute and largest ulp error over x; both twins must agree. */
  private static double[] errors(Map f, DoubleUnaryOperator exact, float[] x) {
    float[] y = new float[x.length];
    float[] z = new float[x.length];
    f.apply(BEST, x, x.length, y);
    f.apply(SCALAR, x, x.length, z);
    assertThat(y).isEqualTo(z);
    double abs = 0;
    double ulp = 0;
    for (int i = 0; i < x.length; i++) {
      double e = exact.applyAsDouble(x[i]);
      abs = Math.max(abs, Math.abs(y[i] - e));
      if (Math.abs(e) > 1e-30) {
        ulp = Math.max(ulp, Math.abs(y[i] - e) / Math.ulp((float) e));
      }
    }
    return new double[] {abs, ulp};
  }

  @Test
  void expIsWithinTwoUlp() {
    Map exp = (k, x, n, y) -> k.exp(x, 0, n, y, 0);
    assertThat(errors(exp, Math::exp, Samples.dense(-87, 88, 200_001))[1]).isLessThan(2);
    float[] extreme = {-87.34f, -200, Float.NEGATIVE_INFINITY, -Float.MAX_VALUE, 0};
    float[] y = new float[5];
    exp.apply(BEST, extreme, 5, y);
    assertThat(y).containsExactly(0, 0, 0, 0, 1);
  }

  @Test
  void tanhIsWithinThreeUlp() {
    Map tanh = (k, x, n, y) -> k.tanh(x, 0, n, y, 0);
    assertThat(errors(tanh, Math::tanh, Samples.dense(-12, 12, 200_001))[1]).isLessThan(3);
  }

  @Test
  void erfIsWithin3em7() {
    Map erf = (k, x, n, y) -> k.erf(x, 0, n, y, 0);
    assertThat(errors(erf, ElementwiseTest::erf, Samples.dense(-6, 6, 100_001))[0])
        .isLessThan(3e-7);
  }

  @Test
  void geluIsWithin5em7AndItsDerivativeToo() {
    Map gelu = (k, x, n, y) -> k.gelu(x, 0, n, y, 0);
    DoubleUnaryOperator exact = x -> x / 2 * (1 + erf(x / Math.sqrt(2)));
    assertThat(errors(gelu, exact, Samples.dense(-9, 9, 100_001))[0]).isLessThan(5e-7);
    float[] ones = Samples.dense(1, 1, 100_001);
    Map derivative = (k, x, n, y) -> k.geluBackward(ones, 0, x, 0, n, y, 0);
    DoubleUnaryOperator slope =
        x -> 0.5 * (1 + erf(x / Math.sqrt(2))) + x * Math.exp(-x * x / 2) / Math.sqrt(2 * Math.PI);
    assertThat(errors(derivative, slope, Samples.dense(-9, 9, 100_001))[0]).isLessThan(5e-7);
  }

  /**
   * The paper's density counts exact zeros of GELU, which exist only because 1 + erf(x/√2) rounds to
   * 0 in float. The correctly rounded erf becomes −1 between x = −5.5413 and −5.5426 (erfc = 2^-25).
   */
  @Test
  void geluSaturatesWhereFloatErfDoes() {
    float[] x = Samples.dense(-5.60, -5.48, 24_001);
    float[] y = new float[x.length];
    int active = BEST.gelu(x, 0, x.length, y, 0);
    double firstNonZero = Double.NaN;
    int nonZero = 0;
    for (int i = 0; i < x.length; i++) {
      if (y[i] != 0) {
        nonZero++;
        firstNonZero = Double.isNaN(firstNonZero) ? x[i] : firstNonZero;
      } else {
        assertThat(x[i]).as("exact zero").isLessThan(-5.541f);
      }
    }
    assertThat(nonZero).isEqualTo(active);
    assertThat(firstNonZero).isBetween(-5.5435, -5.5410);
  }

  @Test
  void geluTanhIsWithin5em7AndItsDerivativeToo() {
    Map gelu = (k, x, n, y) -> k.geluTanh(x, 0, n, y, 0);
    double c = Math.sqrt(2 / Math.PI);
    DoubleUnaryOperator exact = x -> x / 2 * (1 + Math.tanh(c * (x + 0.044715 * x * x * x)));
    assertThat(errors(gelu, exact, Samples.dense(-9, 9, 100_001))[0]).isLessThan(5e-7);
    float[] ones = Samples.dense(1, 1, 100_001);
    Map derivative = (k, x, n, y) -> k.geluTanhBackward(ones, 0, x, 0, n, y, 0);
    DoubleUnaryOperator slope =
        x -> {
          double t = Math.tanh(c * (x + 0.044715 * x * x * x));
          return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * c * (1 + 3 * 0.044715 * x * x);
        };
    assertThat(errors(derivative, slope, Samples.dense(-9, 9, 100_001))[0]).isLessThan(5e-7);
  }

  /** {@code gelu_new} of transformers 5 on PyTorch 2.13 is 0 up to −5.157835, not from −5.157834. */
  @Test
  void geluTanhSaturatesWhereFloatTanhDoes() {
    float[] x = Samples.dense(-5.2, -5.1, 20_001);
    float[] y = new float[x.length];
    int active = BEST.geluTanh(x, 0, x.length, y, 0);
    int nonZero = 0;
    for (int i = 0; i < x.length; i++) {
      nonZero += y[i] != 0 ? 1 : 0;
      if (Math.abs(x[i] + 5.157834f) > 2e-5) {
        assertThat(y[i] == 0).as("zero at " + x[i]).isEqualTo(x[i] < -5.157834f);
      }
    }
    assertThat(nonZero).isEqualTo(active);
  }

  @Test
  void siluIsWithinFourUlp() {
    Map silu = (k, x, n, y) -> k.silu(x, 0, n, y, 0);
    DoubleUnaryOperator exact = x -> x / (1 + Math.exp(-x));
    assertThat(errors(silu, exact, Samples.dense(-60, 60, 200_001))[1]).isLessThan(4);
    float[] ones = Samples.dense(1, 1, 100_001);
    Map derivative = (k, x, n, y) -> k.siluBackward(ones, 0, x, 0, n, y, 0);
    DoubleUnaryOperator slope =
        x -> {
          double s = 1 / (1 + Math.exp(-x));
          return s + x * s * (1 - s);
        };
    assertThat(errors(derivative, slope, Samples.dense(-30, 30, 100_001))[0]).isLessThan(5e-7);
    float[] y = new float[3];
    assertThat(BEST.silu(new float[] {-100, 0, 1}, 0, 3, y, 0)).isEqualTo(1);
  }

  /** Whole vectors, tails and offsets of every activation, twin against twin. */
  @Test
  void activationsOfAwkwardSizes() {
    for (int n : Samples.SIZES) {
      float[] x = Samples.uniform(n, n + 2, 7);
      float[] dY = Samples.uniform(n + 1, n + 3, 1);
      float[][] y = new float[2][n + 1];
      float[][] z = new float[2][n + 1];
      float[][] s = new float[2][n + 1];
      float[][] dX = new float[2][3 * n + 1];
      int[][] active = new int[2][];
      for (int k = 0; k < 2; k++) {
        Kernels kernels = k == 0 ? BEST : SCALAR;
        active[k] =
            new int[] {
              kernels.gelu(x, 2, n, y[k], 1),
              kernels.geluTanh(x, 2, n, z[k], 1),
              kernels.silu(x, 2, n, s[k], 1)
            };
        kernels.geluBackward(dY, 3, x, 2, n, dX[k], 1);
        kernels.geluTanhBackward(dY, 3, x, 2, n, dX[k], n + 1);
        kernels.siluBackward(dY, 3, x, 2, n, dX[k], 2 * n + 1);
      }
      assertThat(active[0]).isEqualTo(active[1]);
      assertThat(y[0]).isEqualTo(y[1]);
      assertThat(z[0]).isEqualTo(z[1]);
      assertThat(s[0]).isEqualTo(s[1]);
      assertThat(dX[0]).isEqualTo(dX[1]);
    }
  }

  @Test
  void reluCountsAndMasks() {
    for (int n : Samples.SIZES) {
      float[] x = Samples.uniform(n, n, 1);
      x[n / 2] = -0f;
      float[] y = new float[n];
      float[] z = new float[n];
      assertThat(BEST.relu(x, 0, n, y, 0)).isEqualTo(SCALAR.relu(x, 0, n, z, 0));
      assertThat(y).isEqualTo(z);
      float[] dY = Samples.uniform(n + 1, n, 1);
      float[] a = new float[n];
      float[] b = new float[n];
      BEST.reluBackward(dY, 0, y, 0, n, a, 0);
      SCALAR.reluBackward(dY, 0, y, 0, n, b, 0);
      assertThat(a).isEqualTo(b);
      for (int i = 0; i < n; i++) {
        assertThat(y[i]).isEqualTo(Math.max(x[i], 0f));
        assertThat(a[i]).isEqualTo(x[i] > 0 ? dY[i] : 0f);
      }
    }
  }

  @Test
  void countsMagnitudes() {
    for (int n : Samples.SIZES) {
      float[] x = Samples.sparse(n, n, 0.4);
      for (float threshold : new float[] {0, 1e-3f, 0.5f}) {
        int expected = 0;
        for (float v : x) {
          expected += Math.abs(v) > threshold ? 1 : 0;
        }
        assertThat(BEST.countAbove(x, 0, n, threshold)).isEqualTo(expected);
        assertThat(SCALAR.countAbove(x, 0, n, threshold)).isEqualTo(expected);
      }
    }
  }

  @Test
  void surrogatesAndTheirDerivatives() {
    float[] x = Samples.dense(-2, 2, 4001);
    for (Surrogate s : Surrogate.values()) {
      for (float p : s == Surrogate.L0 ? new float[] {1e-7f, 0.05f} : new float[] {1, 20}) {
        DoubleUnaryOperator f =
            switch (s) {
              case L0 -> v -> v * v / (v * v + p);
              case TANH -> v -> Math.tanh(p * Math.abs(v));
              case SIGMOID -> v -> 2 / (1 + Math.exp(-p * Math.abs(v))) - 1;
              case L1 -> Math::abs;
            };
        double sum = 0;
        for (float v : x) {
          sum += f.applyAsDouble(v);
        }
        float got = BEST.densityRow(s, p, x, 0, x.length);
        assertThat(got).isEqualTo(SCALAR.densityRow(s, p, x, 0, x.length));
        assertThat((double) got).as(s + " " + p).isCloseTo(sum, within(1e-5 * sum));
        float[] d = new float[x.length];
        float[] e = new float[x.length];
        BEST.densityBackward(s, p, 3f, x, 0, x.length, d, 0);
        SCALAR.densityBackward(s, p, 3f, x, 0, x.length, e, 0);
        assertThat(d).isEqualTo(e);
        for (int i = 0; i < x.length; i++) {
          if (x[i] == 0) {
            assertThat(d[i]).isZero();
            continue;
          }
          double h = 1e-6 * Math.max(Math.abs(x[i]), 1e-3);
          double slope = (f.applyAsDouble(x[i] + h) - f.applyAsDouble(x[i] - h)) / (2 * h);
          assertThat((double) d[i])
              .as(s + " " + p + " at " + x[i])
              .isCloseTo(3 * slope, within(1e-4 + 2e-4 * Math.abs(3 * slope)));
        }
      }
    }
  }

  @Test
  void dropoutIsAKeyedCoin() {
    int n = 100_003;
    float[] x = Samples.dense(1, 2, n);
    float[] y = new float[n];
    float[] z = new float[n];
    int threshold = (int) (0.1 * (1 << 24));
    BEST.dropout(x, 0, n, 0x123456789abcdefL, 0, threshold, 1 / 0.9f, y, 0);
    SCALAR.dropout(x, 0, n, 0x123456789abcdefL, 0, threshold, 1 / 0.9f, z, 0);
    assertThat(y).isEqualTo(z);
    int dropped = 0;
    int pairs = 0;
    for (int i = 0; i < n; i++) {
      dropped += y[i] == 0 ? 1 : 0;
      pairs += i > 0 && y[i] == 0 && y[i - 1] == 0 ? 1 : 0;
      assertThat(y[i] == 0 || y[i] == x[i] * (1 / 0.9f)).isTrue();
    }
    assertThat(dropped / (double) n).isBetween(0.097, 0.103);
    assertThat(pairs / (double) n).isBetween(0.0085, 0.0115); // neighbours are independent
    // The same element drops wherever the loop begins, and another key drops others.
    float[] part = new float[n];
    BEST.dropout(x, 777, n - 777, 0x123456789abcdefL, 777, threshold, 1 / 0.9f, part, 777);
    for (int i = 777; i < n; i++) {
      assertThat(part[i]).isEqualTo(y[i]);
    }
    BEST.dropout(x, 0, n, 0x123456789abcdeeL, 0, threshold, 1 / 0.9f, z, 0);
    int both = 0;
    for (int i = 0; i < n; i++) {
      both += y[i] == 0 && z[i] == 0 ? 1 : 0;
    }
    assertThat(both / (double) n).isBetween(0.0085, 0.0115);
  }

  /** erf in double: its series near 0, a continued fraction for erfc beyond 3. */
  static double erf(double x) {
    double a = Math.abs(x);
    double r;
    if (a < 3) {
      double term = a;
      r = a;
      for (int k = 1; k < 200; k++) {
        term *= -a * a / k;
        r += term / (2 * k + 1);
      }
      r *= 2 / Math.sqrt(Math.PI);
    } else {
      double f = 0;
      for (int k = 80; k >= 1; k--) {
        f = k / 2.0 / (a + f);
      }
      r = 1 - Math.exp(-a * a) / Math.sqrt(Math.PI) / (a + f);
    }
    return x < 0 ? -r : r;
  }
}
