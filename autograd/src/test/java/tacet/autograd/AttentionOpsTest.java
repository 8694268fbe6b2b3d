package tacet.autograd;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static tacet.autograd.Inputs.random;
import static tacet.autograd.Inputs.use;

import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import tacet.tensor.Engine;
import tacet.tensor.RandomStream;
import tacet.tensor.Shape;
import tacet.tensor.Tensor;
import tacet.tensor.Workers;
import tacet.tensor.Workspace;
import tacet.tensor.kernel.Kernels;
import tacet.tensor.kernel.KeyValueCache;

/** Attention's gradients, element by element, against the same thing in double. */
class AttentionOpsTest {
  private static final Engine ENGINE =
      new Engine(Kernels.best(), new Workers(2), new Workspace(true));

  @Test
  void gradientsOfAllInputs() {
    int b = 2;
    int h = 2;
    int w = 3;
    for (int options = 0; options < 8; options++) {
      int sq = (options & 4) == 0 ? 5 : 3;
      int sk = 5;
      boolean causal = (options & 1) != 0;
      float[] keyBias = (options & 2) == 0 ? null : new float[b * sk];
      if (keyBias != null) {
        keyBias[4] = -Float.MAX_VALUE; // the last key of the first example
        keyBias[6] = -0.5f;
      }
      Parameter q = random(1, b, sq, h * w);
      Parameter k = random(2, b, sk, h * w);
      Parameter v = random(3, b, sk, h * w);
      Parameter bias = random(4, h, sq, sk);
      float[] target = RandomStream.of(99, "target", 0).normal(Shape.of(b * sq * h * w), 1).data();
      GradCheck.of(
              ENGINE,
              pass -> {
                AttentionOps.Attention spec =
                    new AttentionOps.Attention(
                        h, 0.6f, keyBias, causal, use(pass, bias), 0.5); // no dropout in a check
                return Losses.meanSquaredError(
                    pass,
                    AttentionOps.attention(pass, use(pass, q), use(pass, k), use(pass, v), spec),
                    target);
              })
          .against(in -> oracle(in, b, sq, sk, h, w, causal, keyBias, target), q, k, v, bias);
    }
  }

  private static double oracle(
      List<double[]> in,
      int b,
      int sq,
      int sk,
      int h,
      int w,
      boolean causal,
      float[] keyBias,
      float[] target) {
    int d = h * w;
    double[] y = new double[b * sq * d];
    for (int row = 0; row < b * h * sq; row++) {
      int i = row % sq;
      int head = row / sq % h;
      int example = row / sq / h;
      int seen = causal ? i + 1 + sk - sq : sk;
      int qo = (example * sq + i) * d + head * w;
      int ko = example * sk * d + head * w;
      double[] p = new double[seen];
      double sum = 0;
      for (int j = 0; j < seen; j++) {
        double s = in.get(3)[(head * sq + i) * sk + j];
        s += keyBias == null ? 0 : keyBias[example * sk + j];
        for (int c = 0; c < w; c++) {
          s += 0.6f * in.get(0)[qo + c] * in.get(1)[ko + j * d + c];
        }
        p[j] = Math.exp(s);
        sum += p[j];
      }
      for (int j = 0; j < seen; j++) {
        for (int c = 0; c < w; c++) {
          y[qo + c] += p[j] / sum * in.get(2)[ko + j * d + c];
        }
      }
    }
    double loss = 0;
    for (int i = 0; i < y.length; i++) {
      loss += (y[i] - target[i]) * (y[i] - target[i]) / y.length;
    }
    return loss;
  }

  @Test
  void oneValueMayBeAllThreeInputs() {
    Parameter x = random(1, 1, 4, 6);
    float[] target = RandomStream.of(99, "target", 0).normal(Shape.of(24), 1).data();
    AttentionOps.Attention spec = new AttentionOps.Attention(2, 0.6f, null, true, null, 0);
    GradCheck.of(
            ENGINE,
            pass -> {
              Var u = use(pass, x);
              return Losses.meanSquaredError(
                  pass, AttentionOps.attention(pass, u, u, u, spec), target);
            })
        .against(
            in -> {
              double[] a = in.get(0);
              double[] zero = new double[2 * 4 * 4];
              return oracle(List.of(a, a, a, zero), 1, 4, 4, 2, 3, true, null, target);
            },
            x);
  }

  @Test
  void relativeBiasIsGatheredAndItsGradientSummed() {
    int queries = 3;
    int keys = 4;
    int heads = 2;
    int[] buckets = {0, 1, 1, 2, 3, 0, 1, 1, 3, 3, 0, 1};
    Parameter table = random(8, 5, heads); // the last bucket is not used
    int size = queries * keys;
    float[] target = RandomStream.of(99, "target", 0).normal(Shape.of(heads * size), 1).data();
    GradCheck.of(
            ENGINE,
            pass ->
                Losses.meanSquaredError(
                    pass, AttentionOps.relativeBias(pass, table, buckets, queries, keys), target))
        .against(
            in -> {
              double sum = 0;
              for (int i = 0; i < heads * size; i++) {
                double e = in.get(0)[buckets[i % size] * heads + i / size] - target[i];
                sum += e * e;
              }
              return sum / (heads * size);
            },
            table);
    try (Pass pass = Pass.inference(ENGINE)) {
      buckets[5] = 5;
      assertThatThrownBy(() -> AttentionOps.relativeBias(pass, table, buckets, queries, keys))
          .isInstanceOf(IndexOutOfBoundsException.class);
    }
  }

  @Test
  void frozenInputsTapeNothing() {
    try (Pass pass = Pass.training(ENGINE, 1, 1)) {
      Var x = pass.constant(random(1, 1, 4, 6).value());
      Var y =
          AttentionOps.attention(
              pass, x, x, x, new AttentionOps.Attention(2, 1, null, false, null, 0.1));
      assertThat(y.tracked()).isFalse();
      assertThat(pass.tapeLength()).isZero();
    }
  }

  @Test
  void aRowOfPaddingIsFinite() {
    float[] keyBias = new float[4];
    Arrays.fill(keyBias, 0, 3, -Float.MAX_VALUE);
    try (Pass pass = Pass.inference(ENGINE)) {
      Var x = pass.constant(random(1, 1, 4, 6).value());
      Var y =
          AttentionOps.attention(
              pass, x, x, x, new AttentionOps.Attention(2, 1, keyBias, true, null, 0));
      for (int i = 0; i < 18; i++) { // uniform over what causality leaves
        float mean = 0;
        for (int j = 0; j <= i / 6; j++) {
          mean += x.value().data()[j * 6 + i % 6] / (i / 6 + 1);
        }
        assertThat(y.value().data()[i]).isCloseTo(mean, org.assertj.core.data.Offset.offset(1e-6f));
      }
      for (int i = 18; i < 24; i++) { // sees itself only
        assertThat(y.value().data()[i])
            .isCloseTo(x.value().data()[i], org.assertj.core.data.Offset.offset(1e-6f));
      }
    }
  }

  @Test
  void cachedFormIsTheUncachedOne() {
    int s = 7;
    Tensor q = random(1, 2, s, 6).value();
    Tensor k = random(2, 2, s, 6).value();
    Tensor v = random(3, 2, s, 6).value();
    AttentionOps.Attention spec = new AttentionOps.Attention(2, 0.5f, null, true, null, 0.1);
    try (Pass pass = Pass.inference(ENGINE)) {
      KeyValueCache cache = new KeyValueCache(2, 2, 3, 4);
      cache.append(ENGINE, k, v);
      Var cached = AttentionOps.attention(pass, pass.constant(q), cache, spec);
      Var whole =
          AttentionOps.attention(pass, pass.constant(q), pass.constant(k), pass.constant(v), spec);
      int n = q.size();
      assertThat(Arrays.copyOf(cached.value().data(), n))
          .isEqualTo(Arrays.copyOf(whole.value().data(), n));
    }
  }

  @Test
  void shapesThatDoNotFitAreRefused() {
    try (Pass pass = Pass.gradient(ENGINE)) {
      Var x = pass.constant(Tensor.zeros(2, 3, 6));
      Var longer = pass.constant(Tensor.zeros(2, 4, 6));
      assertRefused(pass, x, x, longer, plain(2), "[2, 4, 6]");
      assertRefused(pass, pass.constant(Tensor.zeros(1, 3, 6)), x, x, plain(2), "[1, 3, 6]");
      assertRefused(pass, x, x, x, plain(4), "4 heads");
      assertRefused(
          pass,
          longer,
          x,
          x,
          new AttentionOps.Attention(2, 1, null, true, null, 0),
          "4 queries see 3 keys");
      assertRefused(
          pass,
          x,
          x,
          x,
          new AttentionOps.Attention(2, 1, new float[3], false, null, 0),
          "key bias of 3 values");
      Var bias = pass.constant(Tensor.zeros(2, 3, 4));
      assertRefused(
          pass, x, x, x, new AttentionOps.Attention(2, 1, null, false, bias, 0), "[2, 3, 4]");
      KeyValueCache cache = new KeyValueCache(2, 2, 3, 4);
      cache.append(ENGINE, x.value(), x.value());
      assertThatThrownBy(
              () ->
                  AttentionOps.attention(
                      pass, use(pass, Parameter.trainable(x.value())), cache, plain(2)))
          .isInstanceOf(IllegalStateException.class);
      assertThatThrownBy(() -> AttentionOps.attention(pass, x, cache, plain(3)))
          .hasMessageContaining("3 heads");
    }
  }

  private static AttentionOps.Attention plain(int heads) {
    return new AttentionOps.Attention(heads, 1, null, false, null, 0);
  }

  private static void assertRefused(
      Pass pass, Var q, Var k, Var v, AttentionOps.Attention spec, String message) {
    assertThatThrownBy(() -> AttentionOps.attention(pass, q, k, v, spec))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining(message);
  }
}
