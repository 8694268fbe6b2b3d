package tacet.benchmarks;

/**
 * A library beside which Tacet is timed. Each method gives an operation whose inputs are already
 * where the library wants them, or null where the library has no such operation.
 *
 * <p>Native libraries live in {@code src/peers}, which the Maven profile {@code peers} adds.
 */
public interface Peer {
  /** One computation, ready to be run again and again. */
  interface Operation extends Runnable, AutoCloseable {
    /** What the last run computed. */
    float[] result();

    /** Frees native memory. */
    @Override
    default void close() {}
  }

  /**
   * The operands of a product, row-major.
   *
   * @param m rows of A and C
   * @param n columns of B and C
   * @param k columns of A, rows of B
   * @param a A
   * @param b B
   */
  record Product(int m, int n, int k, float[] a, float[] b) {}

  /** The library's name, for tables and options. */
  String name();

  /** The library's version. */
  String version();

  /** How many threads it may use, for the whole process. */
  void threads(int n);

  /** C = A · B. */
  default Operation product(Product p) {
    return null;
  }

  /** C = A · B where B was packed before, by the library's own means. */
  default Operation packedProduct(Product p) {
    return null;
  }

  /** C = A · B where the zeros of A were left out before, by the library's own format. */
  default Operation sparseProduct(Product p) {
    return null;
  }

  /** GELU with erf. */
  default Operation gelu(float[] x) {
    return null;
  }

  /** Softmax over rows of n values. */
  default Operation softmax(float[] x, int n) {
    return null;
  }

  /** LayerNorm over rows of n values with gamma 1 and beta 0. */
  default Operation layerNorm(float[] x, int n, float eps) {
    return null;
  }
}
