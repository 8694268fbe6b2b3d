package tacet.tensor.kernel;

import java.util.Arrays;
import tacet.tensor.Engine;
import tacet.tensor.Shape;
import tacet.tensor.Tensor;

/**
 * Keys and values of the tokens so far, for decoding: each example and head keeps them in the form
 * that the products of attention read, so that a new token is written once and nothing is packed
 * again. Used by one thread.
 *
 * <pre>{@code
 * KeyValueCache cache = new KeyValueCache(batch, heads, headWidth, 64);
 * cache.append(engine, k, v);          // [B, prompt, D], then [B, 1, D] a step
 * attention.forward(engine, q, cache, out);
 * }</pre>
 *
 * <p>Layout per example and head: Kᵀ in panels [capacity/32][W][32], V in panels
 * [⌈W/32⌉][capacity][32], W the width of a head; what lies beyond the length is finite and not read
 * into any result.
 */
public final class KeyValueCache {
  private static final int PANEL = Kernels.PANEL;

  private final int heads;
  private final int headWidth;
  private int batch;
  private int capacity; // tokens, a multiple of 32
  private int length;
  private float[][] keys; // [B · H], the panels of each
  private float[][] values;

  /**
   * An empty cache.
   *
   * @param batch B, examples
   * @param heads H
   * @param headWidth W
   * @param capacity tokens to make room for at first; it grows as needed
   */
  public KeyValueCache(int batch, int heads, int headWidth, int capacity) {
    if (batch < 1 || heads < 1 || headWidth < 1 || capacity < 0) {
      throw new IllegalArgumentException(
          "key-value cache: batch "
              + batch
              + ", heads "
              + heads
              + ", head width "
              + headWidth
              + " must be positive, capacity "
              + capacity
              + " not negative");
    }
    this.batch = batch;
    this.heads = heads;
    this.headWidth = headWidth;
    this.capacity = roundUp(Math.max(1, capacity));
    keys = new float[batch * heads][keySize(this.capacity)];
    values = new float[batch * heads][valueSize(this.capacity)];
  }

  private static int roundUp(int tokens) {
    return Math.multiplyExact((tokens + PANEL - 1) / PANEL, PANEL);
  }

  private int keySize(int capacity) {
    return Math.multiplyExact(capacity, headWidth);
  }

  private int valueSize(int capacity) {
    return Math.multiplyExact(capacity, roundUp(headWidth));
  }

  /** B, examples. */
  public int batch() {
    return batch;
  }

  /** H. */
  public int heads() {
    return heads;
  }

  /** W, the width of a head. */
  public int headWidth() {
    return headWidth;
  }

  /** Tokens that every example holds. */
  public int length() {
    return length;
  }

  /** Tokens for which there is room. */
  int capacity() {
    return capacity;
  }

  float[] keyPanels(int pair) {
    return keys[pair];
  }

  float[] valuePanels(int pair) {
    return values[pair];
  }

  /**
   * Adds new tokens to every example.
   *
   * @param k [B, n, H · W]
   * @param v like k
   * @throws IllegalArgumentException if the shapes do not fit; nothing is changed then
   */
  public void append(Engine engine, Tensor k, Tensor v) {
    Shape s = k.shape();
    int d = heads * headWidth;
    if (s.rank() != 3 || s.dim(0) != batch || s.dim(2) != d || !s.equals(v.shape())) {
      throw new IllegalArgumentException(
          "key-value cache: keys "
              + s
              + " and values "
              + v.shape()
              + ", expected ["
              + batch
              + ", n, "
              + d
              + "] for both");
    }
    int n = s.dim(1);
    if (n == 0) {
      return;
    }
    if (length + n > capacity) {
      grow(Math.max(roundUp(length + n), roundUp(capacity + capacity / 2)));
    }
    engine
        .workers()
        .forEach(
            batch * heads,
            Math.max(1, 1024 / (n * headWidth)),
            (part, from, to) -> {
              for (int u = from; u < to; u++) {
                int o = (u / heads * n * heads + u % heads) * headWidth;
                for (int t = 0; t < n; t++) {
                  put(u, length + t, k.data(), v.data(), o + t * d);
                }
              }
            });
    length += n;
  }

  private void put(int pair, int token, float[] k, float[] v, int o) {
    float[] kp = keys[pair];
    int column = token / PANEL * headWidth * PANEL + token % PANEL;
    for (int c = 0; c < headWidth; c++) {
      kp[column + c * PANEL] = k[o + c];
    }
    float[] vp = values[pair];
    for (int c = 0; c < headWidth; c += PANEL) {
      int width = Math.min(PANEL, headWidth - c);
      System.arraycopy(v, o + c, vp, c * capacity + token * PANEL, width);
    }
  }

  private void grow(int room) {
    for (int u = 0; u < keys.length; u++) {
      keys[u] = Arrays.copyOf(keys[u], keySize(room));
      float[] wider = new float[valueSize(room)];
      for (int c = 0; c < headWidth; c += PANEL) {
        System.arraycopy(values[u], c * capacity, wider, c * room, length * PANEL);
      }
      values[u] = wider;
    }
    capacity = room;
  }

  /**
   * Makes example i a copy of what example {@code examples[i]} was: beams that survive. The batch may
   * grow or shrink. Examples that are named once are moved, not copied.
   *
   * @throws IndexOutOfBoundsException if there is no such example; nothing is changed then
   */
  public void reorder(int[] examples) {
    for (int e : examples) {
      if (e < 0 || e >= batch) {
        throw new IndexOutOfBoundsException(
            "key-value cache: example " + e + " of a batch of " + batch);
      }
    }
    boolean[] moved = new boolean[batch];
    float[][] newKeys = new float[examples.length * heads][];
    float[][] newValues = new float[examples.length * heads][];
    for (int i = 0; i < examples.length; i++) {
      int e = examples[i];
      for (int h = 0; h < heads; h++) {
        float[] k = keys[e * heads + h];
        float[] v = values[e * heads + h];
        newKeys[i * heads + h] = moved[e] ? k.clone() : k;
        newValues[i * heads + h] = moved[e] ? v.clone() : v;
      }
      moved[e] = true;
    }
    batch = examples.length;
    keys = newKeys;
    values = newValues;
  }
}
