package tacet.tensor;

/**
 * A reproducible source of random numbers, keyed by (seed, purpose, step): the same key gives the
 * same numbers on every machine, and streams with different keys are independent, so that adding a
 * consumer of randomness never shifts another one's numbers.
 *
 * <pre>{@code
 * RandomStream shuffle = RandomStream.of(seed, "shuffle", epoch);
 * int[] order = shuffle.permutation(n);
 * }</pre>
 *
 * <p>The generator is SplitMix64 (Steele, Lea and Flood, OOPSLA 2014). Not thread-safe.
 */
public final class RandomStream {
  private static final long GOLDEN = 0x9E3779B97F4A7C15L;

  private long state;

  private RandomStream(long state) {
    this.state = state;
  }

  /** The stream of a key. */
  public static RandomStream of(long seed, String purpose, long step) {
    return new RandomStream(key(seed, purpose, step));
  }

  /**
   * The 64-bit key behind {@link #of}: what counter-based consumers (dropout) hash with their
   * element index.
   */
  public static long key(long seed, String purpose, long step) {
    long h = mix(seed + GOLDEN);
    for (int i = 0; i < purpose.length(); i++) {
      h = mix(h ^ purpose.charAt(i));
    }
    return mix(h + step * GOLDEN);
  }

  private static long mix(long z) {
    z = (z ^ z >>> 30) * 0xBF58476D1CE4E5B9L;
    z = (z ^ z >>> 27) * 0x94D049BB133111EBL;
    return z ^ z >>> 31;
  }

  /** 64 random bits. */
  public long nextLong() {
    state += GOLDEN;
    return mix(state);
  }

  /** Uniform in [0, 1), a multiple of 2^-53. */
  public double nextDouble() {
    return (nextLong() >>> 11) * 0x1p-53;
  }

  /** Uniform in [0, bound), without bias. */
  public int nextInt(int bound) {
    if (bound <= 0) {
      throw new IllegalArgumentException("bound must be positive, got " + bound);
    }
    while (true) {
      long bits = nextLong() >>> 33;
      long value = bits % bound;
      if (bits - value + (bound - 1) < 1L << 31) {
        return (int) value;
      }
    }
  }

  /** Standard normal (Box and Muller 1958, one of the pair), the same bits everywhere. */
  public double nextGaussian() {
    double u = 1 - nextDouble();
    double v = nextDouble();
    return StrictMath.sqrt(-2 * StrictMath.log(u)) * StrictMath.cos(2 * Math.PI * v);
  }

  /** A uniformly random order of 0 to n - 1 (Fisher and Yates). */
  public int[] permutation(int n) {
    int[] p = new int[n];
    for (int i = 0; i < n; i++) {
      int j = nextInt(i + 1);
      p[i] = p[j];
      p[j] = i;
    }
    return p;
  }

  /** A tensor of normal values with the given standard deviation and mean 0. */
  public Tensor normal(Shape shape, double std) {
    Tensor t = Tensor.zeros(shape);
    for (int i = 0; i < t.size(); i++) {
      t.data()[i] = (float) (std * nextGaussian());
    }
    return t;
  }

  /** A tensor of uniform values in [-bound, bound]; rounding to float makes the upper end possible. */
  public Tensor uniform(Shape shape, double bound) {
    Tensor t = Tensor.zeros(shape);
    for (int i = 0; i < t.size(); i++) {
      t.data()[i] = (float) (bound * (2 * nextDouble() - 1));
    }
    return t;
  }
}
