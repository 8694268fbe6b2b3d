package tacet.tensor.kernel;

import java.util.Arrays;
import java.util.concurrent.atomic.AtomicInteger;
import tacet.tensor.Engine;
import tacet.tensor.Workspace;

/**
 * A matrix of which only the non-zeros are kept, row by row: what a sparse activation is to the
 * products that skip its zeros. Its arrays come from the engine's workspace; {@link #release} gives
 * them back.
 *
 * <p>The columns are cut into blocks of {@value Kernels#BLOCK}, and the table says where each block of each
 * row begins, so that a product can take all rows through the part of B that fits a cache.
 */
public final class SparseRows {
  /** Columns of a block. */
  public static final int BLOCK = Kernels.BLOCK;

  private static final int CHUNK = 16; // rows that are compressed at a time

  private final int rows;
  private final int columns;
  private final int entries;
  private final int[] start; // [rows, blocks + 1]
  private final int[] index; // column of each entry, ascending in a row
  private final float[] value;
  private final int[] sharedWith; // start of the matrix that owns the pattern, or null

  private SparseRows(
      int rows,
      int columns,
      int entries,
      int[] start,
      int[] index,
      float[] value,
      int[] sharedWith) {
    this.rows = rows;
    this.columns = columns;
    this.entries = entries;
    this.start = start;
    this.index = index;
    this.value = value;
    this.sharedWith = sharedWith;
  }

  /**
   * Compresses a matrix over all threads.
   *
   * @param x row-major rows × columns
   * @param active how many values are not zero, or an upper bound of it; negative if not known
   */
  public static SparseRows of(Engine engine, float[] x, int rows, int columns, long active) {
    Kernels kernels = engine.kernels();
    Workspace workspace = engine.workspace();
    int bound = Math.toIntExact(active >= 0 ? active : count(x, rows * columns));
    int blocks = blocks(columns);
    int[] start = workspace.takeInts(rows * (blocks + 1));
    int[] index = workspace.takeInts(bound + Kernels.LANES);
    float[] value = workspace.take(bound + Kernels.LANES);
    int threads = engine.workers().size();
    if (threads == 1 || rows <= CHUNK) { // at once where it stays
      int entries = compress(kernels, x, 0, rows, columns, start, index, value, 0);
      return new SparseRows(rows, columns, entries, start, index, value, null);
    }
    int room = CHUNK * columns + Kernels.LANES;
    int[][] indices = new int[threads][];
    float[][] values = new float[threads][];
    for (int i = 0; i < threads; i++) {
      indices[i] = workspace.takeInts(room);
      values[i] = workspace.take(room);
    }
    AtomicInteger next = new AtomicInteger();
    engine
        .workers()
        .forEach(
            rows,
            CHUNK,
            (part, from, to) -> {
              int n =
                  compress(kernels, x, from, to, columns, start, indices[part], values[part], 0);
              int at = next.getAndAdd(n); // where a chunk lies does not matter
              System.arraycopy(indices[part], 0, index, at, n);
              System.arraycopy(values[part], 0, value, at, n);
              for (int i = from * (blocks + 1); i < to * (blocks + 1); i++) {
                start[i] += at;
              }
            });
    for (int i = 0; i < threads; i++) {
      workspace.give(indices[i]);
      workspace.give(values[i]);
    }
    return new SparseRows(rows, columns, next.get(), start, index, value, null);
  }

  /** How many values are not zero; one that is not a number is not. */
  private static long count(float[] x, int size) {
    int n = 0;
    for (int i = 0; i < size; i++) {
      n += x[i] != 0 ? 1 : 0;
    }
    return n;
  }

  private static int compress(
      Kernels kernels,
      float[] x,
      int from,
      int to,
      int columns,
      int[] start,
      int[] index,
      float[] value,
      int at) {
    int s = from * (blocks(columns) + 1);
    for (int i = from; i < to; i++) {
      at = kernels.compress(x, i * columns, columns, index, value, at, start, s);
      s += blocks(columns) + 1;
    }
    return at;
  }

  static int blocks(int columns) {
    return (columns + BLOCK - 1) / BLOCK;
  }

  /** The same places with other values, all undefined at first. */
  public SparseRows sibling(Workspace workspace) {
    float[] values = workspace.take(value.length);
    return new SparseRows(rows, columns, entries, start, index, values, start);
  }

  /**
   * The transposed matrix: for each column the rows that are not zero in it, ascending. Each thread
   * has some whole blocks of rows: it counts their entries in each column, and when all have, and it is
   * known where each thread's share of each column begins, it writes them there.
   *
   * @return a matrix with arrays of its own
   */
  public SparseRows transposed(Engine engine) {
    Workspace workspace = engine.workspace();
    int blocks = blocks(rows); // of the result
    int step = blocks + 1;
    int parts = Math.clamp(engine.workers().size(), 1, Math.max(1, blocks));
    int[] cursors = workspace.takeInts(parts * columns);
    int[] newStart = workspace.takeInts(columns * step);
    int[] newIndex = workspace.takeInts(entries + Kernels.LANES);
    float[] newValue = workspace.take(entries + Kernels.LANES);
    engine
        .workers()
        .forEach(
            parts,
            1,
            (thread, from, to) -> {
              for (int part = from; part < to; part++) {
                count(part, parts, cursors);
              }
            });
    int at = 0;
    for (int f = 0; f < columns; f++) {
      for (int c = f; c < parts * columns; c += columns) {
        int n = cursors[c];
        cursors[c] = at;
        at += n;
      }
      newStart[f * step + blocks] = at;
    }
    engine
        .workers()
        .forEach(
            parts,
            1,
            (thread, from, to) -> {
              for (int part = from; part < to; part++) {
                scatter(part, parts, cursors, newStart, newIndex, newValue);
              }
            });
    workspace.give(cursors);
    return new SparseRows(columns, rows, entries, newStart, newIndex, newValue, null);
  }

  /** How many entries a part's rows have in each column. */
  private void count(int part, int parts, int[] cursors) {
    int blocks = blocks(rows);
    int cursor = part * columns;
    Arrays.fill(cursors, cursor, cursor + columns, 0);
    int end = Math.min(rows, (part + 1) * blocks / parts * BLOCK);
    for (int i = part * blocks / parts * BLOCK; i < end; i++) {
      int last = end(i);
      for (int p = first(i); p < last; p++) {
        cursors[cursor + index[p]]++;
      }
    }
  }

  private void scatter(
      int part, int parts, int[] cursors, int[] newStart, int[] newIndex, float[] newValue) {
    int blocks = blocks(rows);
    int cursor = part * columns;
    for (int b = part * blocks / parts; b < (part + 1) * blocks / parts; b++) {
      for (int f = 0; f < columns; f++) {
        newStart[f * (blocks + 1) + b] = cursors[cursor + f];
      }
      int end = Math.min(rows, (b + 1) * BLOCK);
      for (int i = b * BLOCK; i < end; i++) {
        int last = end(i);
        for (int p = first(i); p < last; p++) {
          int q = cursors[cursor + index[p]]++;
          newIndex[q] = i;
          newValue[q] = value[p];
        }
      }
    }
  }

  /** Writes all values, zeros included, into a row-major matrix. */
  public void expand(Engine engine, float[] x) {
    int step = blocks(columns) + 1;
    engine
        .workers()
        .forEach(
            rows,
            CHUNK,
            (part, from, to) -> {
              Arrays.fill(x, from * columns, to * columns, 0f);
              for (int i = from; i < to; i++) {
                for (int p = start[i * step]; p < start[i * step + step - 1]; p++) {
                  x[i * columns + index[p]] = value[p];
                }
              }
            });
  }

  /** Reads the values at the places of this matrix from a row-major one. */
  public void gather(Engine engine, float[] x) {
    int step = blocks(columns) + 1;
    engine
        .workers()
        .forEach(
            rows,
            CHUNK,
            (part, from, to) -> {
              for (int i = from; i < to; i++) {
                for (int p = start[i * step]; p < start[i * step + step - 1]; p++) {
                  value[p] = x[i * columns + index[p]];
                }
              }
            });
  }

  /** Whether both have their values at the same places, by construction. */
  public boolean samePlaces(SparseRows other) {
    return start == other.start;
  }

  /** Gives the arrays back; a sibling gives only its values. */
  public void release(Workspace workspace) {
    workspace.give(value);
    if (sharedWith == null) {
      workspace.give(start);
      workspace.give(index);
    }
  }

  /** Rows of the matrix. */
  public int rows() {
    return rows;
  }

  /** Columns of the matrix. */
  public int columns() {
    return columns;
  }

  /** Number of entries. */
  public int entries() {
    return entries;
  }

  /** First entry of row i. */
  public int first(int i) {
    return start[i * (blocks(columns) + 1)];
  }

  /** One past the last entry of row i. */
  public int end(int i) {
    return start[(i + 1) * (blocks(columns) + 1) - 1];
  }

  /** Where the blocks of each row begin: [rows, blocks + 1]. */
  int[] start() {
    return start;
  }

  /** Columns of the entries. */
  public int[] index() {
    return index;
  }

  /** Values of the entries; may be written. */
  public float[] value() {
    return value;
  }
}
