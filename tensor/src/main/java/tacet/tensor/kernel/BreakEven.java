package tacet.tensor.kernel;

import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import tacet.tensor.Engine;

/**
 * Up to which share of non-zeros a product that skips zeros is faster than the one that does not, by
 * the number of rows and the size of B[k,n]; measured, for one kind of kernels and one number of
 * threads. Which product runs changes no bit of any result, so a table that does not fit the machine
 * costs time only.
 *
 * <p>As text, a table is
 *
 * <pre>
 * tacet break-even 1
 * kernels vector512
 * threads 2
 * product 1 0.21 0.30 0.33 0.31 0.28
 * …
 * </pre>
 *
 * with four lines {@code product} and four lines {@code sampled}, each with the smallest number of rows
 * that it holds for and one share per column: B narrow (n &lt; 64), else up to 256 KiB, 1 MiB,
 * 8 MiB, and larger. Lines that are empty or begin with {@code #} are skipped.
 */
public final class BreakEven {
  /** The smallest number of rows that each row of the table holds for. */
  static final int[] ROWS = {1, 2, 16, 64};

  /** Bytes of the largest B that each column of the table holds for; the first one is for narrow B. */
  static final long[] BYTES = {0, 256 << 10, 1 << 20, 8 << 20, Long.MAX_VALUE};

  private static final int NARROW = 64; // columns of B below which compressing X weighs most
  private static final String HEAD = "tacet break-even 1";
  private static final String[] NAMES = {"product", "sampled"};

  private final String kernels;
  private final int threads;
  private final double[][][] tables; // of NAMES, [rows, bytes]

  BreakEven(String kernels, int threads, double[][] product, double[][] sampled) {
    this.kernels = kernels;
    this.threads = threads;
    this.tables = new double[][][] {product, sampled};
  }

  /**
   * The table that an engine has until it is given another: what {@link #measure} found on a Zen
   * 4 server, on the safe side.
   */
  public static BreakEven builtIn(String kernels, int threads) {
    return BuiltInBreakEven.of(kernels, threads);
  }

  /** A table with one share for everything: to compare, or to test the products that skip. */
  public static BreakEven constant(double share) {
    double[][] table = new double[ROWS.length][BYTES.length];
    for (double[] row : table) {
      Arrays.fill(row, share);
    }
    return new BreakEven("any", 1, table, table);
  }

  /**
   * Measures a table on this machine, with the engine's kernels and threads, in 10 to 20 seconds (a
   * minute without vectors). Nothing else should run meanwhile. Uses about 150 MiB of heap.
   */
  public static BreakEven measure(Engine engine) {
    return measure(engine, 9);
  }

  /**
   * The same with less or more care.
   *
   * @param rounds timings of each product at each point, of which the median counts
   */
  public static BreakEven measure(Engine engine, int rounds) {
    if (rounds < 1) {
      throw new IllegalArgumentException("rounds must be at least 1, got " + rounds);
    }
    return new BreakEvenMeasurement(engine, rounds, BreakEvenMeasurement.SHAPES).table();
  }

  /** The share for t rows times B[k,n]: {@link SparseMatMul#product} against {@link MatMul#dense}. */
  public double density(int t, int k, int n) {
    return tables[0][row(t)][column(k, n)];
  }

  /**
   * The share of places for A[t,n] · B[k,n]ᵀ: {@link SparseMatMul#sampled} against {@link
   * MatMul#denseByLanes}.
   */
  public double sampledDensity(int t, int k, int n) {
    return tables[1][row(t)][column(k, n)];
  }

  static int row(int t) {
    int r = ROWS.length - 1;
    while (r > 0 && t < ROWS[r]) {
      r--;
    }
    return r;
  }

  static int column(int k, int n) {
    long bytes = 4L * k * n;
    if (n < NARROW) {
      return 0;
    }
    int c = 1;
    while (bytes > BYTES[c]) {
      c++;
    }
    return c;
  }

  /** Name of the kernels it was measured with. */
  public String kernels() {
    return kernels;
  }

  /** Number of threads it was measured with. */
  public int threads() {
    return threads;
  }

  /** Whether it was measured with the kernels and the number of threads of an engine. */
  public boolean fits(Engine engine) {
    return kernels.equals(engine.kernels().name()) && threads == engine.workers().size();
  }

  /** The shares of {@link #density}, [rows, size of B]. */
  public List<List<Double>> product() {
    return list(tables[0]);
  }

  /** The shares of {@link #sampledDensity}, [rows, size of B]. */
  public List<List<Double>> sampled() {
    return list(tables[1]);
  }

  private static List<List<Double>> list(double[][] table) {
    return Arrays.stream(table).map(row -> Arrays.stream(row).boxed().toList()).toList();
  }

  /** The table as text, for {@link #parse}. */
  public String text() {
    StringBuilder s = new StringBuilder(HEAD).append('\n');
    s.append("kernels ").append(kernels).append('\n');
    s.append("threads ").append(threads).append('\n');
    s.append("# rows from, then shares for B narrow, to 256 KiB, 1 MiB, 8 MiB, larger\n");
    for (int i = 0; i < NAMES.length; i++) {
      for (int r = 0; r < ROWS.length; r++) {
        s.append(NAMES[i]).append(' ').append(ROWS[r]);
        for (double share : tables[i][r]) {
          s.append(String.format(Locale.ROOT, " %.3f", share));
        }
        s.append('\n');
      }
    }
    return s.toString();
  }

  /**
   * Reads a table.
   *
   * @param source where the text is from, for messages
   * @throws IllegalArgumentException naming the source and the line, if the text is not a table
   */
  public static BreakEven parse(String text, String source) {
    Lines lines = new Lines(text, source);
    String head = String.join(" ", lines.next());
    if (!head.equals(HEAD)) {
      throw lines.error("expected '" + HEAD + "', found '" + head + "'");
    }
    String kernels = lines.next("kernels", 2)[1];
    String count = lines.next("threads", 2)[1];
    if (!count.matches("[1-9][0-9]{0,5}")) {
      throw lines.error("expected a number of threads, found '" + count + "'");
    }
    double[][][] tables = new double[NAMES.length][ROWS.length][BYTES.length];
    for (int i = 0; i < NAMES.length; i++) {
      for (int r = 0; r < ROWS.length; r++) {
        String[] words = lines.next(NAMES[i], 2 + BYTES.length);
        if (!words[1].equals(Integer.toString(ROWS[r]))) {
          throw lines.error("expected the line for " + ROWS[r] + " rows, found " + words[1]);
        }
        for (int c = 0; c < BYTES.length; c++) {
          tables[i][r][c] = share(lines, words[2 + c]);
        }
      }
    }
    lines.end();
    return new BreakEven(kernels, Integer.parseInt(count), tables[0], tables[1]);
  }

  private static double share(Lines lines, String word) {
    double share = word.matches("[01](\\.[0-9]{1,9})?") ? Double.parseDouble(word) : -1;
    if (share < 0 || share > 1) {
      throw lines.error("expected a share from 0 to 1, found '" + word + "'");
    }
    return share;
  }

  @Override
  public boolean equals(Object o) {
    return o instanceof BreakEven b
        && kernels.equals(b.kernels)
        && threads == b.threads
        && Arrays.deepEquals(tables, b.tables);
  }

  @Override
  public int hashCode() {
    return Arrays.deepHashCode(tables);
  }

  @Override
  public String toString() {
    return text();
  }

  /** The lines of a text that say something, as words, with their numbers for messages. */
  private static final class Lines {
    private final String[] lines;
    private final String source;
    private int at; // lines read so far

    Lines(String text, String source) {
      lines = text.split("\\R", -1);
      this.source = source;
    }

    private boolean more() {
      while (at < lines.length && (lines[at].isBlank() || lines[at].startsWith("#"))) {
        at++;
      }
      return at < lines.length;
    }

    String[] next() {
      if (!more()) {
        throw error("the file ends too early");
      }
      return lines[at++].strip().split("\\s+");
    }

    String[] next(String key, int count) {
      String[] words = next();
      if (!words[0].equals(key) || words.length != count) {
        throw error("expected '" + key + "' and " + (count - 1) + " more words");
      }
      return words;
    }

    void end() {
      if (more()) {
        at++;
        throw error("nothing may follow the table");
      }
    }

    IllegalArgumentException error(String what) {
      return new IllegalArgumentException(
          source + ", line " + at + ": " + what + "; measure again with 'tacet calibrate'");
    }
  }
}
