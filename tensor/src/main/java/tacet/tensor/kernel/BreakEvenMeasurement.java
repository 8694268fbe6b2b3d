package tacet.tensor.kernel;

import java.util.Arrays;
import tacet.tensor.Engine;
import tacet.tensor.RandomStream;
import tacet.tensor.Shape;

/**
 * Finds the entries of a {@link BreakEven}: for each, the density at which the product that skips zeros
 * costs as much as the other, compressing included, times {@link #MARGIN}.
 *
 * <p>Both run in turns, so that what else the machine does meets both; the median counts. B is either
 * near from the last use or far from it (copies take turns); the entry is the smaller share of the two,
 * and of the shapes that stand for it. Densities go upwards, because speed does not fall evenly with
 * them.
 */
final class BreakEvenMeasurement {
  /** The k and n that stand for each column of the table. */
  static final int[][][] SHAPES = {
    {{1536, 32}}, {{128, 128}, {256, 256}}, {{512, 512}}, {{1536, 384}, {2048, 768}}, {{4096, 1024}}
  };

  private static final int[][] ROWS = {{1}, {4, 8}, {16}, {64}}; // that stand for each row
  private static final double[] DENSITIES = {
    0.03, 0.06, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6
  };
  private static final double MARGIN = 0.9;
  private static final int FAR_ROWS = 16; // up to so many rows B may well come from memory
  private static final long FAR = 24 << 20; // bytes of copies of B in each layout
  private static final long SAMPLE = 60_000; // nanoseconds that a timing takes at least
  private static final long WARM = 300_000_000; // nanoseconds until the compiler is done

  private final Engine engine;
  private final int rounds;
  private final int[][][] shapes;

  BreakEvenMeasurement(Engine engine, int rounds, int[][][] shapes) {
    this.engine = engine;
    this.rounds = rounds;
    this.shapes = shapes;
  }

  BreakEven table() {
    double[][][] tables = new double[2][BreakEven.ROWS.length][shapes.length];
    for (int i = 0; i < 2; i++) {
      boolean sampled = i == 1;
      for (int c = 0; c < shapes.length; c++) {
        for (double[] row : tables[i]) {
          row[c] = DENSITIES[DENSITIES.length - 1];
        }
        for (int[] shape : shapes[c]) {
          Sides b = new Sides(shape[0], shape[1], sampled);
          warm(b);
          lower(tables[i], c, b);
        }
        for (double[] row : tables[i]) {
          row[c] = Math.floor(row[c] * MARGIN * 1000) / 1000; // as the text keeps it
        }
      }
    }
    return new BreakEven(engine.kernels().name(), engine.workers().size(), tables[0], tables[1]);
  }

  /** Lowers the entries of one column to where one B breaks even. */
  private void lower(double[][] table, int c, Sides b) {
    for (int r = 0; r < ROWS.length; r++) {
      for (int t : ROWS[r]) {
        table[r][c] = Math.min(table[r][c], crossing(b, t, 1, table[r][c]));
        if (t <= FAR_ROWS) {
          table[r][c] = Math.min(table[r][c], crossing(b, t, b.copies(), table[r][c]));
        }
      }
    }
  }

  /** The density up to which skipping is faster; searched up to {@code most}. */
  private double crossing(Sides b, int t, int copies, double most) {
    double last = 0;
    double lastSpeed = 0;
    for (double density : DENSITIES) {
      double speed = speed(b, t, copies, density);
      if (speed < 1) { // it may have been something else
        double[] again = {speed, speed(b, t, copies, density), speed(b, t, copies, density)};
        Arrays.sort(again);
        speed = again[1];
      }
      if (speed < 1) {
        return last == 0
            ? 0
            : Math.min(most, last + (density - last) * (lastSpeed - 1) / (lastSpeed - speed));
      }
      if (density >= most) {
        return most;
      }
      last = density;
      lastSpeed = speed;
    }
    return most;
  }

  /** Time of the product in full over the time of the one that skips. */
  private double speed(Sides b, int t, int copies, double density) {
    Case c = new Case(b, t, copies, density);
    long once = Math.max(1, Math.max(time(c::full, 1), time(c::skipping, 1)));
    int calls = Math.clamp(SAMPLE / once, 1, 200);
    long[] full = new long[rounds];
    long[] skipping = new long[rounds];
    for (int i = 0; i < rounds; i++) {
      full[i] = time(c::full, calls);
      skipping[i] = time(c::skipping, calls);
    }
    Arrays.sort(full);
    Arrays.sort(skipping);
    return full[rounds / 2] / (double) Math.max(1, skipping[rounds / 2]);
  }

  private static long time(Runnable job, int calls) {
    long start = System.nanoTime();
    for (int i = 0; i < calls; i++) {
      job.run();
    }
    return System.nanoTime() - start;
  }

  private void warm(Sides b) {
    long start = System.nanoTime();
    do {
      for (int[] rows : ROWS) {
        for (int t : rows) {
          Case c = new Case(b, t, 1, 0.2);
          for (int i = 0; i < Math.min(100, 64 / t * rounds); i++) {
            c.full();
            c.skipping();
          }
        }
      }
    } while (rounds > 1 && System.nanoTime() - start < WARM);
  }

  /** B in both layouts, and as many copies as make it far. */
  private static final class Sides {
    final int k;
    final int n;
    final boolean sampled;
    final float[] values;
    private PackedMatrix[] packed = new PackedMatrix[0];
    private WideMatrix[] wide = new WideMatrix[0];

    Sides(int k, int n, boolean sampled) {
      this.k = k;
      this.n = n;
      this.sampled = sampled;
      values = RandomStream.of(1, "break-even", 0).uniform(Shape.of(k * n), 1).data();
    }

    int copies() {
      return Math.clamp(FAR / (4L * k * n), 2, 256);
    }

    void make(int copies) {
      if (wide.length >= copies) {
        return;
      }
      packed = new PackedMatrix[copies];
      wide = new WideMatrix[copies];
      for (int i = 0; i < copies; i++) {
        wide[i] = WideMatrix.of(values, k, n);
        packed[i] =
            sampled
                ? PackedMatrix.ofTransposedByLanes(values, n, k)
                : PackedMatrix.of(values, k, n);
      }
    }
  }

  /** One point: t rows, of which a share of the values is not zero. */
  private final class Case {
    private final Sides b;
    private final int t;
    private final int copies;
    private final float[] h; // t × k with zeros
    private final float[] a; // t × n, of a sampled product
    private final float[] y;
    private final long active;
    private int next;

    Case(Sides b, int t, int copies, double density) {
      b.make(copies);
      this.b = b;
      this.t = t;
      this.copies = copies;
      RandomStream random = RandomStream.of(2, "break-even", t);
      h = random.uniform(Shape.of(t * b.k), 1).data();
      long left = 0;
      for (int i = 0; i < h.length; i++) {
        if (random.nextDouble() >= density) {
          h[i] = 0;
        } else if (h[i] != 0) {
          left++;
        }
      }
      active = left;
      a = b.sampled ? random.uniform(Shape.of(t * b.n), 1).data() : null;
      y = new float[t * (b.sampled ? b.k : b.n)];
    }

    void full() {
      PackedMatrix p = b.packed[next++ % copies];
      if (b.sampled) {
        MatMul.denseByLanes(engine, a, t, p, y);
      } else {
        MatMul.dense(engine, h, t, p, null, y);
      }
    }

    void skipping() {
      WideMatrix w = b.wide[next++ % copies];
      SparseRows rows = SparseRows.of(engine, h, t, b.k, active);
      if (b.sampled) {
        SparseMatMul.sampled(engine, a, w, rows);
        rows.expand(engine, y);
      } else {
        SparseMatMul.product(engine, rows, w, null, y);
      }
      rows.release(engine.workspace());
    }
  }
}
