package tacet.transformer;

import java.util.Arrays;
import tacet.tensor.Shape;

/**
 * Token sequences of one length, padded at the end or at the beginning.
 *
 * @param size B, examples
 * @param length S, tokens per example
 * @param ids [B, S], row-major
 * @param typeIds [B, S], segment of each token
 * @param mask [B, S], 1 for a token, 0 for padding
 * @param vectors how many tokens at the beginning of each example are vectors that the model has
 *     itself, without an id (theirs is 0); usually none
 */
public record Batch(int size, int length, int[] ids, int[] typeIds, int[] mask, int vectors) {
  /** A batch whose tokens all have ids. */
  public Batch(int size, int length, int[] ids, int[] typeIds, int[] mask) {
    this(size, length, ids, typeIds, mask, 0);
  }

  /** Checks that the arrays fit. */
  public Batch {
    int n = Math.multiplyExact(size, length);
    if (ids.length != n || typeIds.length != n || mask.length != n) {
      throw new IllegalArgumentException(
          "a batch of "
              + size
              + " x "
              + length
              + " tokens needs "
              + n
              + " ids, types and mask"
              + " values, got "
              + ids.length
              + ", "
              + typeIds.length
              + ", "
              + mask.length);
    }
  }

  /** A batch of tokens that have no ids, such as the patches of images; nothing is padding. */
  public static Batch unpadded(int size, int length) {
    int[] mask = new int[Math.multiplyExact(size, length)];
    Arrays.fill(mask, 1);
    return new Batch(size, length, new int[mask.length], new int[mask.length], mask);
  }

  /**
   * The batch with vectors of the model's own before the tokens of each example: never padding, in
   * segment 0.
   *
   * @param n how many
   */
  public Batch behind(int n) {
    int all = length + n;
    int[][] from = {ids, typeIds, mask};
    int[][] to = new int[3][size * all];
    Arrays.fill(to[2], 1);
    for (int i = 0; i < 3; i++) {
      for (int b = 0; b < size; b++) {
        System.arraycopy(from[i], b * length, to[i], b * all + n, length);
      }
    }
    return new Batch(size, all, to[0], to[1], to[2], vectors + n);
  }

  /** [B, S]. */
  public Shape shape() {
    return Shape.of(size, length);
  }

  /**
   * What attention adds to the scores of each key: 0 for a token, the most negative float for
   * padding, so that its probability is exactly 0; null when there is no padding.
   */
  public float[] keyBias() {
    float[] bias = null;
    for (int i = 0; i < mask.length; i++) {
      if (mask[i] == 0) {
        bias = bias == null ? new float[mask.length] : bias;
        bias[i] = -Float.MAX_VALUE;
      }
    }
    return bias;
  }

  /**
   * The last token of each example: the rightmost one that is neither masked nor the padding token;
   * the first where there is none. Where some tokens are vectors it is the last place of all
   * examples, padding or not: Hugging Face's models, which see vectors then and no ids, take that.
   *
   * @param padId the padding token; a negative number for none
   */
  public int[] lastTokens(int padId) {
    int[] last = new int[size];
    if (vectors > 0) {
      Arrays.fill(last, length - 1);
      return last;
    }
    for (int i = 0; i < ids.length; i++) {
      if (mask[i] != 0 && ids[i] != padId) {
        last[i / length] = i % length;
      }
    }
    return last;
  }

  /** Number of tokens that are not padding, per example. */
  public int[] lengths() {
    int[] n = new int[size];
    for (int i = 0; i < mask.length; i++) {
      n[i / length] += mask[i];
    }
    return n;
  }
}
