package tacet.autograd;

import java.util.Objects;
import tacet.tensor.Shape;
import tacet.tensor.Tensor;
import tacet.tensor.kernel.AttentionKernel;
import tacet.tensor.kernel.KeyValueCache;

/** Attention: the operator over {@link AttentionKernel}, which holds the formulas of its gradient. */
public final class AttentionOps {
  private AttentionOps() {}

  /**
   * What attention does with its queries, keys and values.
   *
   * @param heads H; the width of q, k and v is a multiple of it
   * @param scale factor of the scores, usually 1/√(D/H); 1 in T5
   * @param keyBias [B, Sk], added to the scores of a key: 0, or very negative and finite ({@code
   *     -Float.MAX_VALUE}) where it is padding; or null. It is read again by the gradient
   * @param causal whether query i sees only the keys j ≤ i + Sk − Sq
   * @param positionBias [H, Sq, Sk], added to the scores; a gradient flows through it; or null
   * @param dropout probability of dropping an attention probability, in training
   */
  public record Attention(
      int heads, float scale, float[] keyBias, boolean causal, Var positionBias, double dropout) {}

  /**
   * Multi-head attention, per head softmax(scale · Q Kᵀ + keyBias + positionBias) V, with dropout on
   * the probabilities.
   *
   * <p>A query whose keys are all padding sees them all alike, as in Hugging Face's models; its
   * result is finite and means nothing.
   *
   * @param q [B, Sq, D]
   * @param k [B, Sk, D]
   * @param v [B, Sk, D]
   * @return [B, Sq, D]
   * @throws IllegalArgumentException if the shapes do not fit
   */
  public static Var attention(Pass pass, Var q, Var k, Var v, Attention spec) {
    Shape s = k.shape();
    if (s.rank() != 3 || !s.equals(v.shape())) {
      throw new IllegalArgumentException(
          "attention: keys " + s + " and values " + v.shape() + " are not both [B, S, D]");
    }
    AttentionKernel kernel = kernel(pass, q, s.dim(0), s.dim(1), s.dim(2), spec);
    Var bias = spec.positionBias;
    boolean keep = q.tracked() || k.tracked() || v.tracked() || (bias != null && bias.tracked());
    float[] qd = q.value().data();
    float[] kd = k.value().data();
    float[] vd = v.value().data();
    Tensor y = pass.take(q.shape());
    if (!keep) {
      kernel.forward(pass.engine(), qd, kd, vd, null, y.data());
      return pass.record(y).done();
    }
    float[] statistics =
        pass.take(Shape.of(kernel.batch(), spec.heads, kernel.queries(), 2)).data();
    kernel.forward(pass.engine(), qd, kd, vd, statistics, y.data());
    return pass.record(y)
        .from(
            new Var[] {q, k, v, bias},
            (dY, d) ->
                kernel.backward(
                    pass.engine(),
                    dY.data(),
                    qd,
                    kd,
                    vd,
                    y.data(),
                    statistics,
                    data(d[0]),
                    data(d[1]),
                    data(d[2]),
                    data(d[3])))
        .done();
  }

  /**
   * The same over the keys and values of a cache, for inference: the new tokens' keys and values are
   * appended to it before. Bit for bit what the uncached form gives.
   *
   * @param q [B, Sq, D]
   * @return [B, Sq, D]
   * @throws IllegalArgumentException if the shapes do not fit
   * @throws IllegalStateException if a gradient would have to flow: a cache has none
   */
  public static Var attention(Pass pass, Var q, KeyValueCache cache, Attention spec) {
    if (pass.taping()
        && (q.tracked() || spec.positionBias != null && spec.positionBias.tracked())) {
      throw new IllegalStateException("attention: no gradient flows through a key-value cache");
    }
    if (spec.heads != cache.heads()) {
      throw new IllegalArgumentException(
          "attention: " + spec.heads + " heads, but the cache has " + cache.heads());
    }
    AttentionKernel kernel =
        kernel(pass, q, cache.batch(), cache.length(), cache.heads() * cache.headWidth(), spec);
    Tensor y = pass.take(q.shape());
    kernel.forward(pass.engine(), q.value().data(), cache, y.data());
    return pass.record(y).done();
  }

  /**
   * The bias of relative positions (Raffel et al. 2020, T5): bias[h, i, j] = table[buckets[i, j], h];
   * dTable[b, h] = Σ dBias[h, i, j] over the places of bucket b, in the order of places.
   *
   * @param table [number of buckets, H]
   * @param buckets [Sq, Sk], row of the table for each query and key
   * @return [H, Sq, Sk]
   * @throws IndexOutOfBoundsException if there is no such bucket
   */
  public static Var relativeBias(Pass pass, Parameter table, int[] buckets, int queries, int keys) {
    int heads = table.shape().last();
    int size = queries * keys;
    if (buckets.length != size) {
      throw new IllegalArgumentException(
          "relative bias: " + buckets.length + " buckets for [" + queries + ", " + keys + "]");
    }
    for (int b : buckets) {
      Objects.checkIndex(b, table.shape().dim(0));
    }
    Tensor bias = pass.take(Shape.of(heads, queries, keys));
    float[] rows = table.value().data();
    for (int h = 0; h < heads; h++) {
      for (int i = 0; i < size; i++) {
        bias.data()[h * size + i] = rows[buckets[i] * heads + h];
      }
    }
    return pass.record(bias)
        .from(
            table,
            (dBias, dTable) -> {
              double[] sums = new double[dTable.size()]; // of very many terms
              for (int h = 0; h < heads; h++) {
                for (int i = 0; i < size; i++) {
                  sums[buckets[i] * heads + h] += dBias.data()[h * size + i];
                }
              }
              for (int i = 0; i < sums.length; i++) {
                dTable.data()[i] = (float) sums[i];
              }
            })
        .done();
  }

  private static AttentionKernel kernel(
      Pass pass, Var q, int batch, int keys, int d, Attention spec) {
    Shape s = q.shape();
    if (s.rank() != 3 || s.dim(0) != batch || s.dim(2) != d) {
      throw new IllegalArgumentException(
          "attention: queries "
              + s
              + " do not fit keys and values ["
              + batch
              + ", "
              + keys
              + ", "
              + d
              + "]");
    }
    if (spec.heads < 1 || d % spec.heads != 0) {
      throw new IllegalArgumentException(
          "attention: width " + d + " is not a multiple of " + spec.heads + " heads");
    }
    int queries = s.dim(1);
    if (keys < 1 || spec.causal && queries > keys) {
      throw new IllegalArgumentException(
          "attention: " + queries + " queries see " + keys + " keys: some would see none");
    }
    if (spec.keyBias != null && spec.keyBias.length != batch * keys) {
      throw new IllegalArgumentException(
          "attention: key bias of "
              + spec.keyBias.length
              + " values, expected ["
              + batch
              + ", "
              + keys
              + "]");
    }
    float[] position = null;
    if (spec.positionBias != null) {
      Shape expected = Shape.of(spec.heads, queries, keys);
      if (!spec.positionBias.shape().equals(expected)) {
        throw new IllegalArgumentException(
            "attention: position bias " + spec.positionBias.shape() + ", expected " + expected);
      }
      position = spec.positionBias.value().data();
    }
    int threshold = Ops.threshold(spec.dropout);
    boolean drop = pass.training() && spec.dropout > 0;
    return new AttentionKernel(
        batch,
        queries,
        keys,
        spec.heads,
        d / spec.heads,
        spec.scale,
        spec.keyBias,
        spec.causal,
        position,
        drop ? pass.nextRandomKey() : 0,
        drop ? threshold : 0,
        drop ? (float) (1 / (1 - spec.dropout)) : 1);
  }

  private static float[] data(Tensor t) {
    return t == null ? null : t.data();
  }
}
