package tacet.transformer.model;

/**
 * Which row of T5's table of relative positions a distance takes (Raffel et al. 2020, section 2.1;
 * {@code _relative_position_bucket} of Hugging Face's modeling_t5): near distances have a bucket each,
 * farther ones share buckets that grow with the logarithm of the distance, and all beyond the greatest
 * share the last.
 *
 * @param count rows of the table
 * @param greatest distance from which on all share a bucket
 * @param bidirectional whether keys after the query have buckets of their own, the second half; else
 *     they take the bucket of distance 0
 */
public record RelativeBuckets(int count, int greatest, boolean bidirectional) {
  /** First distances of the buckets 8 to 15 of 16, and 16 to 31 of 32, up to distance 128. */
  private static final int[] FROM_8 = {8, 12, 16, 23, 32, 46, 64, 91};

  private static final int[] FROM_16 = {
    16, 19, 21, 24, 27, 31, 35, 40, 46, 52, 59, 67, 77, 87, 99, 113
  };

  /** Checks that the formula has a meaning. */
  public RelativeBuckets {
    int oneSide = bidirectional ? count / 2 : count;
    if (oneSide < 2 || bidirectional && count % 2 != 0 || greatest <= oneSide / 2) {
      throw new IllegalArgumentException(
          count + " relative buckets up to distance " + greatest + " have no meaning");
    }
  }

  /** The bucket of a key at {@code relative} = position of the key − position of the query. */
  public int of(int relative) {
    int oneSide = bidirectional ? count / 2 : count;
    if (!bidirectional) {
      return distance(-Math.min(relative, 0), oneSide);
    }
    return (relative > 0 ? oneSide : 0) + distance(Math.abs(relative), oneSide);
  }

  /**
   * Powers of two lie exactly on boundaries, where one rounding error would tell; so the boundaries of
   * the usual tables are written down.
   */
  private int distance(int d, int oneSide) {
    int exact = oneSide / 2;
    if (d < exact) {
      return d;
    }
    int[] first = greatest != 128 ? null : oneSide == 16 ? FROM_8 : oneSide == 32 ? FROM_16 : null;
    if (first == null) {
      return formula(d, oneSide, greatest);
    }
    int i = first.length - 1;
    while (d < first[i]) {
      i--;
    }
    return exact + i;
  }

  /**
   * E + ⌊log(d / E) / log(greatest / E) · (n − E)⌋, at most n − 1, of n buckets of which E = ⌊n / 2⌋ hold
   * one distance each; in float, as PyTorch has it.
   */
  static int formula(int d, int n, int greatest) {
    int exact = n / 2;
    float share =
        (float) StrictMath.log((float) d / exact)
            / (float) StrictMath.log((double) greatest / exact);
    return Math.min(n - 1, exact + (int) (share * (n - exact)));
  }

  /**
   * The buckets of some queries and all keys.
   *
   * @param queries how many, the first at position {@code past}
   * @return [queries, keys]
   */
  int[] table(int past, int queries, int keys) {
    int[] buckets = new int[Math.multiplyExact(queries, keys)];
    for (int i = 0; i < queries; i++) {
      for (int j = 0; j < keys; j++) {
        buckets[i * keys + j] = of(j - i - past);
      }
    }
    return buckets;
  }
}
