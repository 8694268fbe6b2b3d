package tacet.hardware;

/**
 * How many elements a tensor has and how many of them are not zero, with the share that lies at padding positions.
 * Counts are doubles: exact integers up to 2<sup>53</sup>, and fractional where they come from densities.
 *
 * @param elements all elements
 * @param nonZero those with |x| above the threshold
 * @param padded elements that belong to padding tokens; in an attention matrix, to padded query rows or key columns
 * @param paddedNonZero the non-zeros among {@code padded}
 */
public record Count(double elements, double nonZero, double padded, double paddedNonZero) {

  /** An absent tensor, such as a missing bias. */
  public static final Count NONE = new Count(0, 0, 0, 0);

  /** @throws IllegalArgumentException if the four numbers contradict each other */
  public Count {
    // Written so that NaN fails: every comparison with NaN is false.
    if (!(padded >= 0
        && elements >= padded
        && paddedNonZero >= 0
        && padded >= paddedNonZero
        && nonZero >= paddedNonZero
        && elements - padded >= nonZero - paddedNonZero
        && elements < Double.POSITIVE_INFINITY)) {
      throw new IllegalArgumentException(
          "contradictory count: "
              + elements
              + " elements, "
              + nonZero
              + " not zero; of these at padding "
              + padded
              + ", "
              + paddedNonZero
              + " not zero");
    }
  }

  /** A tensor without zeros and without padding. */
  public static Count dense(double elements) {
    return new Count(elements, elements, 0, 0);
  }

  /** A tensor of which no element lies at a padding position. */
  public static Count of(double elements, double nonZero) {
    return new Count(elements, nonZero, 0, 0);
  }

  /**
   * Counts {@code values[offset .. offset + length)}; no padding.
   *
   * @param threshold an element is non-zero if |x| is strictly greater; NaN counts as zero, as in the original
   */
  public static Count of(float[] values, int offset, int length, float threshold) {
    return of(length, nonZero(values, offset, length, threshold));
  }

  /** Counts integer inputs (token ids, types): id 0 is a zero, as in the original. */
  public static Count of(int... ids) {
    int nonZero = 0;
    for (int id : ids) {
      nonZero += id != 0 ? 1 : 0;
    }
    return of(ids.length, nonZero);
  }

  /**
   * Counts activations of a padded batch, shape (sequences, tokens, width) row-major from {@code offset}.
   *
   * @param valid tokens of each sequence that are not padding; padding follows them
   * @param threshold an element is non-zero if |x| is strictly greater
   */
  public static Count ofBatch(
      float[] values, int offset, int tokens, int width, int[] valid, float threshold) {
    double nonZero = 0;
    double padded = 0;
    double paddedNonZero = 0;
    for (int s = 0; s < valid.length; s++) {
      int start = offset + s * tokens * width;
      int head = valid[s] * width;
      int tail = (tokens - valid[s]) * width;
      int inTail = nonZero(values, start + head, tail, threshold);
      nonZero += nonZero(values, start, head, threshold) + inTail;
      padded += tail;
      paddedNonZero += inTail;
    }
    return new Count((double) valid.length * tokens * width, nonZero, padded, paddedNonZero);
  }

  /** The same tensor, with the part of it that lies at padding positions. */
  public Count withPadding(double padded, double paddedNonZero) {
    return new Count(elements, nonZero, padded, paddedNonZero);
  }

  /** Both tensors together. */
  public Count plus(Count other) {
    return new Count(
        elements + other.elements,
        nonZero + other.nonZero,
        padded + other.padded,
        paddedNonZero + other.paddedNonZero);
  }

  /** What remains when padding positions are left out. */
  public Count unpadded() {
    return of(elements - padded, nonZero - paddedNonZero);
  }

  private static int nonZero(float[] values, int offset, int length, float threshold) {
    int nonZero = 0;
    for (int i = offset; i < offset + length; i++) {
      nonZero += Math.abs(values[i]) > threshold ? 1 : 0;
    }
    return nonZero;
  }
}
