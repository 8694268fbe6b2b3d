package tacet.autograd;

/** Splits elementwise loops, and loops over rows or columns, over the threads of a pass. */
final class Rows {
  private static final int CHUNK = 8192; // elements; a multiple of every vector length

  /** A loop body over a range of elements. */
  @FunctionalInterface
  interface Range {
    /** Handles {@code n} elements from {@code from}. */
    void run(int from, int n);
  }

  private Rows() {}

  /** Runs over {@code size} elements in chunks. */
  static void forEach(Pass pass, int size, Range body) {
    pass.engine().workers().forEach(size, CHUNK, (part, from, to) -> body.run(from, to - from));
  }

  /** Runs over rows of {@code width} elements; the body gets row numbers. */
  static void forEachRow(Pass pass, int rows, int width, Range body) {
    int grain = Math.max(1, CHUNK / Math.max(1, width));
    pass.engine().workers().forEach(rows, grain, (part, from, to) -> body.run(from, to - from));
  }

  /** Splits columns over the threads, in multiples of a cache line. */
  static void forEachColumn(Pass pass, int n, Range body) {
    int threads = pass.engine().workers().size();
    int grain = Math.max(64, (n / threads + 15) / 16 * 16);
    pass.engine().workers().forEach(n, grain, (part, from, to) -> body.run(from, to - from));
  }
}
