package tacet.tensor.kernel;

import java.util.Arrays;
import tacet.tensor.Engine;
import tacet.tensor.Workspace;

/**
 * Multi-head scaled dot-product attention (Vaswani et al. 2017): for every example and head, P =
 * softmax(scale · Q Kᵀ + keyBias + positionBias), O = dropout(P) · V; and its gradient.
 *
 * <p>Letters: Q queries and K keys per example (self-attention: both S), W the width of a head, D =
 * H · W. No Q × K matrix is ever whole: a tile of a few query rows goes from scores to output while
 * it is in the first-level cache (after Dao et al. 2022, FlashAttention, but with whole rows, so that
 * a row needs no second look), and the gradient computes the scores again from two numbers kept
 * per row, the greatest score and 1/Σ exp. P itself is never divided by its sum: the output row is.
 *
 * <p>Every value is the same whatever the tile, the number of threads, or the place where the keys
 * lie (packed in the call, or a {@link KeyValueCache}); a key that is not seen adds exactly nothing.
 *
 * @param batch B, examples
 * @param queries queries per example
 * @param keys keys and values per example
 * @param heads H
 * @param headWidth W
 * @param scale factor of the scores, usually 1/√W
 * @param keyBias [B, keys], added to the scores of a key: 0, or very negative (but finite) where it
 *     is padding; or null. A row whose keys are all padding sees them all alike
 * @param causal whether query i sees only the keys j ≤ i + keys − queries
 * @param positionBias [H, queries, keys], added to the scores; or null
 * @param dropoutKey random key of the dropout on P, whose elements are numbered as [B, H, queries,
 *     keys]
 * @param dropoutThreshold of 2^24; 0 for none
 * @param dropoutScale 1 / (1 − p)
 */
public record AttentionKernel(
    int batch,
    int queries,
    int keys,
    int heads,
    int headWidth,
    float scale,
    float[] keyBias,
    boolean causal,
    float[] positionBias,
    long dropoutKey,
    int dropoutThreshold,
    float dropoutScale) {
  private static final int TILE = 6144; // scores in a tile, at most: 24 KiB
  private static final int ROWS = 60; // query rows in a tile, at most; a multiple of six

  /** One past the last key that query {@code i} sees. */
  int seen(int i) {
    return causal ? i + 1 + keys - queries : keys;
  }

  /** Query rows in a tile. The gradient's sums over queries go tile by tile, so it is fixed. */
  private int tileRows() {
    return Math.min(Math.clamp(queries, 1, ROWS), Math.max(6, TILE / stride() / 6 * 6));
  }

  /** Floats from one row of scores to the next. */
  private int stride() {
    return PackedMatrix.panels(keys) * Kernels.PANEL;
  }

  /** Where the rows of example and head {@code u} begin in [B, length, D]. */
  private int corner(int u, int length) {
    return (u / heads * length * heads + u % heads) * headWidth;
  }

  // ------------------------------------------------------------------ forward

  /**
   * O = attention(Q, K, V).
   *
   * @param q [B, queries, D]
   * @param k [B, keys, D]
   * @param v [B, keys, D]
   * @param statistics [B, H, queries, 2], written for the gradient; or null
   * @param out [B, queries, D]; modified
   */
  public void forward(
      Engine engine, float[] q, float[] k, float[] v, float[] statistics, float[] out) {
    int pairs = batch * heads;
    int kSize = PackedMatrix.size(headWidth, keys);
    int vSize = PackedMatrix.size(keys, headWidth);
    int rows = tileRows();
    int tiles = (queries + rows - 1) / rows;
    int threads = engine.workers().size();
    Kernels kernels = engine.kernels();
    if (tiles == 1 || pairs >= 4 * threads) { // each head's K and V are packed by who uses them
      int tile = tileSize();
      float[][] scratch = scratch(engine, tile + kSize + vSize);
      engine
          .workers()
          .forEach(
              pairs,
              1,
              (part, from, to) -> {
                float[] tmp = scratch[part];
                for (int u = from; u < to; u++) {
                  pack(kernels, k, v, u, tmp, tile, tmp, tile + kSize);
                  for (int i = 0; i < queries; i += rows) {
                    int end = Math.min(queries, i + rows);
                    int vo = tile + kSize;
                    tile(kernels, u, i, end, q, tmp, tile, tmp, vo, keys, tmp, statistics, out);
                  }
                }
              });
      release(engine, scratch);
      return;
    }
    float[] packed = engine.workspace().take(Math.multiplyExact(pairs, kSize + vSize));
    engine
        .workers()
        .forEach(
            pairs,
            1,
            (part, from, to) -> {
              for (int u = from; u < to; u++) {
                int at = u * (kSize + vSize);
                pack(kernels, k, v, u, packed, at, packed, at + kSize);
              }
            });
    float[][] scratch = scratch(engine, tileSize());
    engine
        .workers()
        .forEach(
            pairs * tiles,
            1,
            (part, from, to) -> {
              for (int t = from; t < to; t++) {
                int u = t / tiles;
                int i = t % tiles * rows;
                int end = Math.min(queries, i + rows);
                int at = u * (kSize + vSize);
                float[] tmp = scratch[part];
                tile(
                    kernels,
                    u,
                    i,
                    end,
                    q,
                    packed,
                    at,
                    packed,
                    at + kSize,
                    keys,
                    tmp,
                    statistics,
                    out);
              }
            });
    release(engine, scratch);
    engine.workspace().give(packed);
  }

  /**
   * O = attention(Q, K, V) where K and V lie in a cache, which must hold {@link #batch} examples of
   * {@link #keys} keys.
   *
   * @param q [B, queries, D]
   * @param out [B, queries, D]; modified
   */
  public void forward(Engine engine, float[] q, KeyValueCache cache, float[] out) {
    Kernels kernels = engine.kernels();
    int rows = tileRows();
    int tiles = (queries + rows - 1) / rows;
    float[][] scratch = scratch(engine, tileSize());
    engine
        .workers()
        .forEach(
            batch * heads * tiles,
            1,
            (part, from, to) -> {
              for (int t = from; t < to; t++) {
                int u = t / tiles;
                int i = t % tiles * rows;
                tile(
                    kernels,
                    u,
                    i,
                    Math.min(queries, i + rows),
                    q,
                    cache.keyPanels(u),
                    0,
                    cache.valuePanels(u),
                    0,
                    cache.capacity(),
                    scratch[part],
                    null,
                    out);
              }
            });
    release(engine, scratch);
  }

  private void pack(
      Kernels kernels, float[] k, float[] v, int u, float[] kp, int ko, float[] vp, int vo) {
    int o = corner(u, keys);
    int d = heads * headWidth;
    PackedMatrix.packTransposed(
        kernels, k, o, d, headWidth, keys, kp, ko, 0, PackedMatrix.panels(keys));
    PackedMatrix.pack(v, o, d, keys, headWidth, vp, vo, 0, PackedMatrix.panels(headWidth));
  }

  /** Scratch of {@link #tile}: zeros | statistics | scores. */
  private int tileSize() {
    return zeros() + 2 * tileRows() + tileRows() * stride();
  }

  private int zeros() {
    return Math.max(stride(), PackedMatrix.panels(headWidth) * Kernels.PANEL);
  }

  /**
   * The queries {@code i} to {@code end} of example and head {@code u}.
   *
   * @param kp Kᵀ packed, from ko
   * @param vp V packed, from vo, with room for {@code room} keys in each panel
   */
  private void tile(
      Kernels kernels,
      int u,
      int i,
      int end,
      float[] q,
      float[] kp,
      int ko,
      float[] vp,
      int vo,
      int room,
      float[] tmp,
      float[] statistics,
      float[] out) {
    int d = heads * headWidth;
    int rows = end - i;
    int n = seen(end - 1);
    int at = corner(u, queries) + i * d;
    int scores = zeros() + 2 * tileRows();
    scores(kernels, rows, n, q, at, kp, ko, tmp, scores);
    float[] kept = statistics == null ? tmp : statistics;
    int so = statistics == null ? zeros() : 2 * (u * queries + i);
    kernels.softmaxRows(this, u, i, rows, n, tmp, scores, stride(), kept, so);
    if (dropoutThreshold > 0) {
      for (int r = 0; r < rows; r++) {
        dropRow(kernels, (u * queries + i + r) * keys, n, tmp, scores + r * stride());
      }
    }
    multiply(kernels, rows, n, tmp, scores, vp, vo, room, tmp, out, at);
    kernels.scaleRows(rows, headWidth, kept, so + 1, 2, out, at, d);
  }

  private void dropRow(Kernels kernels, int first, int n, float[] p, int po) {
    kernels.dropout(p, po, n, dropoutKey, first, dropoutThreshold, dropoutScale, p, po);
  }

  /** to[rows, n] = x · yᵀ for one head, yᵀ packed; zeros at the start of tmp. */
  private void scores(
      Kernels kernels,
      int rows,
      int n,
      float[] x,
      int xo,
      float[] yp,
      int yo,
      float[] tmp,
      int to) {
    int panels = PackedMatrix.panels(n);
    kernels.product(
        rows,
        panels * Kernels.PANEL,
        headWidth,
        x,
        xo,
        heads * headWidth,
        yp,
        yo,
        0,
        panels,
        zeroed(tmp),
        0,
        0,
        tmp,
        to,
        stride());
  }

  private float[] zeroed(float[] tmp) {
    Arrays.fill(tmp, 0, zeros(), 0f);
    return tmp;
  }

  /** One head of out[rows] = p[rows, n] · y, y packed with room for {@code room} rows. */
  private void multiply(
      Kernels kernels,
      int rows,
      int n,
      float[] p,
      int po,
      float[] yp,
      int yo,
      int room,
      float[] tmp,
      float[] out,
      int oo) {
    for (int c = 0; c < headWidth; c += Kernels.PANEL) {
      kernels.product(
          rows,
          Math.min(Kernels.PANEL, headWidth - c),
          n,
          p,
          po,
          stride(),
          yp,
          yo + c * room,
          0,
          1,
          zeroed(tmp),
          0,
          0,
          out,
          oo + c,
          heads * headWidth);
    }
  }

  // ------------------------------------------------------------------ gradient

  /**
   * Gradients of {@link #forward}. With S the biased scores and dP = dropout(dO · Vᵀ): dS = P ∘ (dP −
   * rowsum(dO ∘ O)); dQ = scale · dS K, dK = scale · dSᵀ Q, dV = dropout(P)ᵀ dO, dPositionBias = Σ_b
   * dS. The sums over queries go by ascending tiles and queries, the sum over examples by ascending
   * examples.
   *
   * @param dOut [B, queries, D]
   * @param out as written by forward, like statistics
   * @param dQ [B, queries, D]; overwritten; or null when not needed (likewise dK, dV [B, keys, D])
   * @param dPositionBias [H, queries, keys]; overwritten; or null
   */
  public void backward(
      Engine engine,
      float[] dOut,
      float[] q,
      float[] k,
      float[] v,
      float[] out,
      float[] statistics,
      float[] dQ,
      float[] dK,
      float[] dV,
      float[] dPositionBias) {
    Kernels kernels = engine.kernels();
    float[][] scratch = scratch(engine, Layout.of(this).size);
    if (dPositionBias == null) {
      engine
          .workers()
          .forEach(
              batch * heads,
              1,
              (part, from, to) -> {
                for (int u = from; u < to; u++) {
                  pairBackward(
                      kernels, u, dOut, q, k, v, out, statistics, scratch[part], dQ, dK, dV, null);
                }
              });
    } else { // a head's examples one after the other: they add to the same bias
      engine
          .workers()
          .forEach(
              heads,
              1,
              (part, from, to) -> {
                for (int h = from; h < to; h++) {
                  int size = queries * keys;
                  Arrays.fill(dPositionBias, h * size, (h + 1) * size, 0f);
                  for (int b = 0; b < batch; b++) {
                    pairBackward(
                        kernels,
                        b * heads + h,
                        dOut,
                        q,
                        k,
                        v,
                        out,
                        statistics,
                        scratch[part],
                        dQ,
                        dK,
                        dV,
                        dPositionBias);
                  }
                }
              });
    }
    release(engine, scratch);
  }

  /** Where things lie in the scratch of the gradient; zeros come first. */
  private record Layout(int dots, int p, int ds, int kt, int vt, int k, int tile, int size) {
    static Layout of(AttentionKernel a) {
      int rows = a.tileRows();
      int square = rows * a.stride();
      int p = a.zeros() + rows + Kernels.LANES; // scores, P, dropout(P); before it the dots
      int kt = p + 2 * square; // Kᵀ packed; before it dP, then dS
      int vt = kt + PackedMatrix.size(a.headWidth, a.keys); // Vᵀ packed
      int k = vt + PackedMatrix.size(a.headWidth, a.keys); // K packed
      int tile = k + PackedMatrix.size(a.keys, a.headWidth); // rows of dO or Q packed
      int size = tile + PackedMatrix.size(rows, a.headWidth);
      return new Layout(a.zeros(), p, p + square, kt, vt, k, tile, size);
    }
  }

  private void pairBackward(
      Kernels kernels,
      int u,
      float[] dOut,
      float[] q,
      float[] k,
      float[] v,
      float[] out,
      float[] statistics,
      float[] tmp,
      float[] dQ,
      float[] dK,
      float[] dV,
      float[] dPositionBias) {
    Layout at = Layout.of(this);
    int d = heads * headWidth;
    int ld = stride();
    int step = tileRows();
    int ko = corner(u, keys);
    int panels = PackedMatrix.panels(keys);
    int widthPanels = PackedMatrix.panels(headWidth);
    PackedMatrix.packTransposed(kernels, k, ko, d, headWidth, keys, tmp, at.kt, 0, panels);
    PackedMatrix.packTransposed(kernels, v, ko, d, headWidth, keys, tmp, at.vt, 0, panels);
    if (dQ != null) {
      PackedMatrix.pack(k, ko, d, keys, headWidth, tmp, at.k, 0, widthPanels);
    }
    clearRows(dK, ko);
    clearRows(dV, ko);
    for (int i = 0; i < queries; i += step) {
      int rows = Math.min(step, queries - i);
      int n = seen(i + rows - 1);
      int qo = corner(u, queries) + i * d;
      scores(kernels, rows, n, q, qo, tmp, at.kt, tmp, at.p);
      kernels.softmaxAgainRows(
          this, u, i, rows, n, tmp, at.p, ld, statistics, 2 * (u * queries + i));
      scores(kernels, rows, n, dOut, qo, tmp, at.vt, tmp, at.ds); // dP
      kernels.dotRows(rows, headWidth, dOut, qo, d, out, qo, d, tmp, at.dots);
      kernels.softmaxBackwardRows(this, u, i, rows, n, tmp, at.dots, tmp, at.p, tmp, at.ds, ld);
      if (dV != null) { // += dropout(P)ᵀ · dO
        PackedMatrix.pack(dOut, qo, d, rows, headWidth, tmp, at.tile, 0, widthPanels);
        kernels.accumulateTransposed(n, headWidth, rows, tmp, at.p, ld, tmp, at.tile, dV, ko, d);
      }
      if (dPositionBias != null) { // += dS
        for (int r = 0; r < rows; r++) {
          int to = (u % heads * queries + i + r) * keys;
          kernels.addRow(tmp, at.ds + r * ld, n, dPositionBias, to);
        }
      }
      if (dQ != null) { // = scale · dS · K
        multiply(kernels, rows, n, tmp, at.ds, tmp, at.k, keys, tmp, dQ, qo);
        scaleRows(kernels, rows, tmp, at.dots, dQ, qo);
      }
      if (dK != null) { // += dSᵀ · Q
        PackedMatrix.pack(q, qo, d, rows, headWidth, tmp, at.tile, 0, widthPanels);
        kernels.accumulateTransposed(n, headWidth, rows, tmp, at.ds, ld, tmp, at.tile, dK, ko, d);
      }
    }
    if (dK != null) {
      scaleRows(kernels, keys, tmp, at.dots, dK, ko);
    }
  }

  private void clearRows(float[] x, int xo) {
    if (x != null) {
      for (int r = 0; r < keys; r++) {
        int o = xo + r * heads * headWidth;
        Arrays.fill(x, o, o + headWidth, 0f);
      }
    }
  }

  /** x *= scale for some rows of a head. */
  private void scaleRows(Kernels kernels, int rows, float[] tmp, int at, float[] x, int xo) {
    tmp[at] = scale;
    kernels.scaleRows(rows, headWidth, tmp, at, 0, x, xo, heads * headWidth);
  }

  // ------------------------------------------------------------------ scratch

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
