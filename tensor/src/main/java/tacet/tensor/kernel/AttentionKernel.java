package tacet.tensor.kernel;

import tacet.tensor.Engine;
import tacet.tensor.Workspace;

/**
 * Multi-head scaled dot-product attention (Vaswani et al. 2017), one (example, head) pair at a time:
 * P = softmax(scale · Q Kᵀ + mask), O = dropout(P) · V; and its gradient.
 *
 * @param batch B, examples
 * @param length S, tokens per example (queries and keys)
 * @param heads H
 * @param headWidth D / H
 * @param scale factor of the scores, usually 1/√headWidth
 * @param keyBias [B, S], added to the scores of a key: 0, or very negative where it is padding; or
 *     null
 * @param dropoutKey random key of the dropout on P
 * @param dropoutThreshold of 2^24; 0 for none
 * @param dropoutScale 1 / (1 − p)
 */
public record AttentionKernel(
    int batch,
    int length,
    int heads,
    int headWidth,
    float scale,
    float[] keyBias,
    long dropoutKey,
    int dropoutThreshold,
    float dropoutScale) {

  /**
   * O = attention(Q, K, V).
   *
   * @param q [B, S, D]
   * @param k [B, S, D]
   * @param v [B, S, D]
   * @param probabilities [B, H, S, S] before dropout, written for the gradient; or null
   * @param out [B, S, D]; modified
   */
  public void forward(
      Engine engine, float[] q, float[] k, float[] v, float[] probabilities, float[] out) {
    int s = length;
    int d = heads * headWidth;
    int square = s * s;
    Kernels kernels = engine.kernels();
    // Scratch of a participant: S×S scores | packed Kᵀ | packed V.
    int kSize = PackedMatrix.size(headWidth, s);
    int vSize = PackedMatrix.size(s, headWidth);
    float[][] scratch = scratch(engine, square + kSize + vSize);
    float[] zeros = new float[Math.max(s, headWidth)];
    engine
        .workers()
        .forEach(
            batch * heads,
            1,
            (part, from, to) -> {
              float[] tmp = scratch[part];
              for (int u = from; u < to; u++) {
                int b = u / heads;
                int o = b * s * d + u % heads * headWidth; // this head's corner in [B, S, D]
                float[] p = probabilities == null ? tmp : probabilities;
                int po = probabilities == null ? 0 : u * square;
                scores(kernels, q, k, o, d, tmp, square, zeros, p, po);
                for (int i = 0; i < s; i++) {
                  kernels.softmaxRow(p, po + i * s, s, scale, keyBias, b * s);
                }
                if (dropoutThreshold > 0) { // the unmasked probabilities are kept
                  drop(kernels, p, po, u * square, tmp, 0);
                  p = tmp;
                  po = 0;
                }
                multiply(kernels, p, po, v, o, d, tmp, square + kSize, zeros, out, o);
              }
            });
    release(engine, scratch);
  }

  /**
   * Gradients of {@link #forward}.
   *
   * @param dOut [B, S, D]
   * @param probabilities as written by forward
   * @param dQ [B, S, D]; overwritten; or null when not needed (likewise dK, dV)
   */
  public void backward(
      Engine engine,
      float[] dOut,
      float[] q,
      float[] k,
      float[] v,
      float[] probabilities,
      float[] dQ,
      float[] dK,
      float[] dV) {
    int s = length;
    int d = heads * headWidth;
    int square = s * s;
    Kernels kernels = engine.kernels();
    // Scratch: dropped P or dS transposed | dP, later dS | packed right side.
    int packedSize = Math.max(PackedMatrix.size(headWidth, s), PackedMatrix.size(s, headWidth));
    float[][] scratch = scratch(engine, 3 * square + packedSize);
    float[] zeros = new float[Math.max(s, headWidth)];
    engine
        .workers()
        .forEach(
            batch * heads,
            1,
            (part, from, to) -> {
              float[] tmp = scratch[part];
              int ds = square;
              int transposed = 2 * square;
              int packed = 3 * square;
              for (int u = from; u < to; u++) {
                int o = u / heads * s * d + u % heads * headWidth;
                int po = u * square;
                if (dV != null) { // dV = dropout(P)ᵀ · dO
                  drop(kernels, probabilities, po, u * square, tmp, 0);
                  kernels.transpose(tmp, 0, s, s, s, tmp, transposed, s);
                  multiply(kernels, tmp, transposed, dOut, o, d, tmp, packed, zeros, dV, o);
                }
                if (dQ == null && dK == null) {
                  continue;
                }
                scores(kernels, dOut, v, o, d, tmp, packed, zeros, tmp, ds); // dO · Vᵀ
                drop(kernels, tmp, ds, u * square, tmp, ds);
                for (int i = 0; i < s; i++) {
                  kernels.softmaxBackwardRow(probabilities, po + i * s, s, scale, tmp, ds + i * s);
                }
                if (dQ != null) { // dQ = dS · K
                  multiply(kernels, tmp, ds, k, o, d, tmp, packed, zeros, dQ, o);
                }
                if (dK != null) { // dK = dSᵀ · Q
                  kernels.transpose(tmp, ds, s, s, s, tmp, transposed, s);
                  multiply(kernels, tmp, transposed, q, o, d, tmp, packed, zeros, dK, o);
                }
              }
            });
    release(engine, scratch);
  }

  /** to[S,S] = x · yᵀ for one head of x and y. */
  private void scores(
      Kernels kernels,
      float[] x,
      float[] y,
      int o,
      int d,
      float[] tmp,
      int packed,
      float[] zeros,
      float[] to,
      int too) {
    PackedMatrix.packTransposed(
        y, o, d, headWidth, length, tmp, packed, 0, PackedMatrix.panels(length));
    kernels.product(
        length,
        length,
        headWidth,
        x,
        o,
        d,
        tmp,
        packed,
        0,
        PackedMatrix.panels(length),
        zeros,
        0,
        0,
        to,
        too,
        length);
  }

  /** One head of out = p[S,S] · y. */
  private void multiply(
      Kernels kernels,
      float[] p,
      int po,
      float[] y,
      int o,
      int d,
      float[] tmp,
      int packed,
      float[] zeros,
      float[] out,
      int oo) {
    PackedMatrix.pack(y, o, d, length, headWidth, tmp, packed, 0, PackedMatrix.panels(headWidth));
    kernels.product(
        length,
        headWidth,
        length,
        p,
        po,
        length,
        tmp,
        packed,
        0,
        PackedMatrix.panels(headWidth),
        zeros,
        0,
        0,
        out,
        oo,
        d);
  }

  private void drop(Kernels kernels, float[] p, int po, int first, float[] to, int too) {
    int n = length * length;
    if (dropoutThreshold > 0) {
      kernels.dropout(p, po, n, dropoutKey, first, dropoutThreshold, dropoutScale, to, too);
    } else if (p != to || po != too) {
      System.arraycopy(p, po, to, too, n);
    }
  }

  private static float[][] scratch(Engine engine, int size) {
    Workspace workspace = engine.workspace();
    float[][] scratch = new float[engine.workers().size()][];
    for (int i = 0; i < scratch.length; i++) {
      scratch[i] = workspace.take(size);
    }
    return scratch;
  }

  private static void release(Engine engine, float[][] scratch) {
    for (float[] a : scratch) {
      engine.workspace().give(a);
    }
  }
}
