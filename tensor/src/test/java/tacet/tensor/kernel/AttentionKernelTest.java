package tacet.tensor.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import tacet.tensor.Engine;
import tacet.tensor.Shape;
import tacet.tensor.Tensor;
import tacet.tensor.Workers;
import tacet.tensor.Workspace;

/** Attention and its gradient against double, twin against twin, and over caches. */
class AttentionKernelTest {
  private static final long KEY = 0x1234_5678_9abcL;

  /** Inputs of one case, and what every kind of engine must make of them. */
  private record Case(
      AttentionKernel a, float[] q, float[] k, float[] v, float[] dOut, double[] keep) {
    static Case of(
        int b, int sq, int sk, int h, int w, boolean causal, boolean bias, int threshold) {
      float[] keyBias = null;
      float[] position = null;
      if (bias) {
        keyBias = new float[b * sk];
        for (int i = 0; i < b && sk > 1; i++) { // padded at the start: causal rows that see nothing
          keyBias[i * sk + (causal ? 0 : sk - 1)] = -Float.MAX_VALUE;
        }
        position = Samples.uniform(5, h * sq * sk, 1);
      }
      AttentionKernel a =
          new AttentionKernel(
              b, sq, sk, h, w, 0.7f, keyBias, causal, position, KEY, threshold, 4 / 3f);
      double[] keep = new double[b * h * sq * sk];
      for (int i = 0; i < keep.length; i++) {
        boolean kept = ScalarMath.hash24(i, (int) KEY, (int) (KEY >>> 32)) >= threshold;
        keep[i] = threshold == 0 ? 1 : kept ? 4 / 3.0 : 0;
      }
      return new Case(
          a,
          Samples.uniform(1, b * sq * h * w, 1),
          Samples.uniform(2, b * sk * h * w, 1),
          Samples.uniform(3, b * sk * h * w, 1),
          Samples.uniform(4, b * sq * h * w, 1),
          keep);
    }

    /** Out, dQ, dK, dV, dPositionBias. */
    float[][] run(Engine e) {
      float[][] r = {
        new float[q.length],
        new float[q.length],
        new float[k.length],
        new float[v.length],
        new float[a.heads() * a.queries() * a.keys()]
      };
      float[] statistics = new float[2 * a.batch() * a.heads() * a.queries()];
      a.forward(e, q, k, v, statistics, r[0]);
      float[] inference = new float[q.length];
      a.forward(e, q, k, v, null, inference);
      assertThat(inference).isEqualTo(r[0]);
      a.backward(e, dOut, q, k, v, r[0], statistics, r[1], r[2], r[3], r[4]);
      float[] dK = new float[k.length];
      a.backward(e, dOut, q, k, v, r[0], statistics, null, dK, null, null);
      assertThat(dK).isEqualTo(r[2]);
      return r;
    }

    /** The same five in double, by the textbook. */
    double[][] oracle() {
      int sq = a.queries();
      int sk = a.keys();
      int w = a.headWidth();
      int d = a.heads() * w;
      double[][] r = {
        new double[q.length],
        new double[q.length],
        new double[k.length],
        new double[v.length],
        new double[a.heads() * sq * sk]
      };
      for (int row = 0; row < a.batch() * a.heads() * sq; row++) {
        int i = row % sq;
        int h = row / sq % a.heads();
        int b = row / sq / a.heads();
        int qo = (b * sq + i) * d + h * w;
        int ko = b * sk * d + h * w;
        int seen = a.causal() ? i + 1 + sk - sq : sk;
        double[] p = new double[seen];
        double max = Double.NEGATIVE_INFINITY;
        for (int j = 0; j < seen; j++) {
          double dot = 0;
          for (int c = 0; c < w; c++) {
            dot += (double) q[qo + c] * k[ko + j * d + c];
          }
          p[j] = dot * a.scale();
          // Added to float's most negative number, in float, nothing else is left of the score.
          if (a.keyBias() != null) {
            p[j] =
                a.keyBias()[b * sk + j] != 0
                    ? a.keyBias()[b * sk + j]
                    : p[j] + a.positionBias()[(h * sq + i) * sk + j];
          }
          max = Math.max(max, p[j]);
        }
        double sum = 0;
        for (int j = 0; j < seen; j++) {
          p[j] = Math.exp(p[j] - max);
          sum += p[j];
        }
        double[] dP = new double[seen];
        double dot = 0;
        for (int j = 0; j < seen; j++) {
          p[j] /= sum;
          double mask = keep[row * sk + j];
          for (int c = 0; c < w; c++) {
            r[0][qo + c] += p[j] * mask * v[ko + j * d + c];
            r[3][ko + j * d + c] += p[j] * mask * dOut[qo + c];
            dP[j] += mask * v[ko + j * d + c] * dOut[qo + c];
          }
          dot += dP[j] * p[j];
        }
        for (int j = 0; j < seen; j++) {
          double dS = p[j] * (dP[j] - dot);
          r[4][(h * sq + i) * sk + j] += dS;
          for (int c = 0; c < w; c++) {
            r[1][qo + c] += dS * a.scale() * k[ko + j * d + c];
            r[2][ko + j * d + c] += dS * a.scale() * q[qo + c];
          }
        }
      }
      return r;
    }
  }

  private static List<Case> cases() {
    List<Case> cases = new ArrayList<>();
    int[][] shapes = { // B, Sq, Sk, H, W
      {1, 1, 1, 1, 1},
      {2, 5, 5, 3, 4},
      {1, 33, 33, 2, 32},
      {2, 17, 17, 1, 40},
      {1, 3, 127, 2, 8},
      {3, 31, 64, 2, 16},
      {1, 127, 127, 3, 64},
      {1, 7, 1000, 1, 33}
    };
    for (int[] s : shapes) {
      for (int options = 0; options < 8; options++) {
        cases.add(
            Case.of(
                s[0],
                s[1],
                s[2],
                s[3],
                s[4],
                (options & 1) != 0,
                (options & 2) != 0,
                (options & 4) != 0 ? 1 << 22 : 0));
      }
    }
    cases.add(Case.of(1, 40, 9, 2, 8, false, true, 0)); // more queries than keys
    return cases;
  }

  @Test
  void forwardAndGradientAgreeWithDoubleAndBetweenTwinsAndThreads() {
    for (Case c : cases()) {
      float[][] first = null;
      for (int threads = 1; threads <= 2; threads++) {
        for (Kernels kernels : new Kernels[] {Kernels.best(), new ScalarKernels()}) {
          try (Engine e = new Engine(kernels, new Workers(threads), new Workspace(true))) {
            float[][] r = c.run(e);
            first = first == null ? r : first;
            assertThat(r).as("%s", c.a).isDeepEqualTo(first);
          }
        }
      }
      double[][] expected = c.oracle();
      for (int i = 0; i < expected.length; i++) {
        for (int j = 0; j < expected[i].length; j++) {
          assertThat((double) first[i][j])
              .as("%s, output %d", c.a, i)
              .isCloseTo(expected[i][j], within(2e-5));
        }
      }
    }
  }

  @Test
  void cacheGivesTheBitsOfTheWhole() {
    int b = 2;
    int h = 3;
    for (int w : new int[] {8, 32, 64, 40}) {
      int d = h * w;
      int s = 71;
      float[] q = Samples.uniform(1, b * s * d, 1);
      float[] k = Samples.uniform(2, b * s * d, 1);
      float[] v = Samples.uniform(3, b * s * d, 1);
      float[] keyBias = new float[b * s];
      keyBias[s] = -Float.MAX_VALUE; // the second example is padded at the start
      AttentionKernel whole = kernel(b, s, s, h, w, keyBias);
      for (Kernels kernels : new Kernels[] {Kernels.best(), new ScalarKernels()}) {
        try (Engine e = new Engine(kernels, new Workers(2), new Workspace(true))) {
          float[] expected = new float[b * s * d];
          whole.forward(e, q, k, v, null, expected);
          KeyValueCache cache = new KeyValueCache(b, h, w, 5);
          int at = 0;
          for (int n : new int[] {30, 1, 1, 1, 31, 1, 6}) {
            cache.append(e, slice(k, b, s, d, at, n), slice(v, b, s, d, at, n));
            at += n;
            assertThat(cache.length()).isEqualTo(at);
            float[] bias = slice(keyBias, b, s, 1, 0, at).data();
            float[] out = new float[b * n * d];
            kernel(b, n, at, h, w, bias)
                .forward(e, slice(q, b, s, d, at - n, n).data(), cache, out);
            assertThat(out).isEqualTo(slice(expected, b, s, d, at - n, n).data());
          }
          // Beams: three survivors of two; then each goes on by itself.
          int[] order = {1, 1, 0};
          cache.reorder(order);
          assertThat(cache.batch()).isEqualTo(3);
          Tensor more = new Tensor(Shape.of(3, 1, d), Samples.uniform(9, 3 * d, 1));
          cache.append(e, more, more);
          float[] keys = new float[3 * (s + 1) * d];
          float[] values = new float[3 * (s + 1) * d];
          for (int i = 0; i < 3; i++) {
            System.arraycopy(k, order[i] * s * d, keys, i * (s + 1) * d, s * d);
            System.arraycopy(v, order[i] * s * d, values, i * (s + 1) * d, s * d);
            System.arraycopy(more.data(), i * d, keys, (i * (s + 1) + s) * d, d);
            System.arraycopy(more.data(), i * d, values, (i * (s + 1) + s) * d, d);
          }
          AttentionKernel one = kernel(3, 1, s + 1, h, w, null);
          float[] out = new float[3 * d];
          float[] again = new float[3 * d];
          one.forward(e, more.data(), keys, values, null, out);
          one.forward(e, more.data(), cache, again);
          assertThat(again).isEqualTo(out);
        }
      }
    }
  }

  private static AttentionKernel kernel(int b, int sq, int sk, int h, int w, float[] keyBias) {
    return new AttentionKernel(b, sq, sk, h, w, 0.3f, keyBias, true, null, 0, 0, 1);
  }

  /** The tokens {@code from} to {@code from + n} of [B, S, D]. */
  private static Tensor slice(float[] x, int b, int s, int d, int from, int n) {
    float[] y = new float[b * n * d];
    for (int i = 0; i < b; i++) {
      System.arraycopy(x, (i * s + from) * d, y, i * n * d, n * d);
    }
    return new Tensor(Shape.of(b, n, d), y);
  }

  @Test
  void appendingNothingChangesNothing() {
    try (Engine e = Engine.ofThreads(2)) {
      KeyValueCache cache = new KeyValueCache(2, 2, 4, 0);
      cache.append(e, Tensor.zeros(2, 0, 8), Tensor.zeros(2, 0, 8));
      assertThat(cache.length()).isZero();
      cache.append(e, Tensor.zeros(2, 3, 8), Tensor.zeros(2, 3, 8));
      cache.append(e, Tensor.zeros(2, 0, 8), Tensor.zeros(2, 0, 8));
      assertThat(cache.length()).isEqualTo(3);
    }
  }

  @Test
  void cacheRefusesWhatDoesNotFit() {
    KeyValueCache cache = new KeyValueCache(2, 3, 4, 0);
    Tensor k = Tensor.zeros(2, 1, 12);
    org.assertj.core.api.Assertions.assertThatThrownBy(
            () -> cache.append(null, k, Tensor.zeros(2, 2, 12)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("[2, 2, 12]");
    org.assertj.core.api.Assertions.assertThatThrownBy(() -> cache.reorder(new int[] {0, 2}))
        .isInstanceOf(IndexOutOfBoundsException.class)
        .hasMessageContaining("example 2");
    assertThat(cache.length()).isZero();
    assertThat(cache.batch()).isEqualTo(2);
  }
}
