package tacet.hardware.arch;

import java.util.Arrays;
import tacet.hardware.arch.LayerResult.SramWords;
import tacet.hardware.arch.SystolicArray.Dataflow;

/** A layer on a {@link SystolicArray}; a step is a fold. Folds along rows come first, so that K ascends. */
final class SystolicEngine implements Engine {
  private final SystolicArray array;
  private final Workload layer;
  private final Dataflow dataflow;
  private final int spatialRows;
  private final int spatialColumns;
  private final int stream;
  private final int rowFolds;
  private final int columnFolds;

  SystolicEngine(SystolicArray array, Workload layer) {
    this.array = array;
    this.layer = layer;
    this.dataflow = array.dataflow();
    int m = layer.tokens();
    int n = layer.outputs();
    int k = layer.inputs();
    spatialRows = dataflow == Dataflow.OS ? m : k;
    spatialColumns = dataflow == Dataflow.IS ? m : n;
    stream = dataflow == Dataflow.OS ? k : dataflow == Dataflow.WS ? m : n;
    rowFolds = (int) Compression.ceil(spatialRows, array.rows());
    columnFolds = (int) Compression.ceil(spatialColumns, array.columns());
  }

  int stream() {
    return stream;
  }

  int usedRows(int step) {
    return Math.min(array.rows(), spatialRows - firstRow(step));
  }

  int usedColumns(int step) {
    return Math.min(array.columns(), spatialColumns - firstColumn(step));
  }

  private int firstRow(int step) {
    return step % rowFolds * array.rows();
  }

  private int firstColumn(int step) {
    return step / rowFolds * array.columns();
  }

  /** Cycles before the first operand enters: stationary operands are loaded row by row. */
  private int loadCycles() {
    return dataflow == Dataflow.OS ? 0 : array.rows();
  }

  long foldCycles() {
    return (long) loadCycles() + stream + array.rows() + array.columns() - 2;
  }

  @Override
  public Zeros zeros() {
    return array.gated() ? Zeros.GATED : Zeros.COMPUTED;
  }

  @Override
  public int units() {
    return array.rows() * array.columns();
  }

  @Override
  public long peakMacs() {
    return units();
  }

  @Override
  public int steps() {
    return Math.multiplyExact(rowFolds, columnFolds);
  }

  @Override
  public Block activations(int step) {
    int row = firstRow(step);
    int rowEnd = row + usedRows(step);
    int column = firstColumn(step);
    return switch (dataflow) {
      case OS -> new Block(row, rowEnd, 0, layer.inputs());
      case WS -> new Block(0, layer.tokens(), row, rowEnd);
      case IS -> new Block(column, column + usedColumns(step), row, rowEnd);
    };
  }

  @Override
  public Block weights(int step) {
    int row = firstRow(step);
    int rowEnd = row + usedRows(step);
    int column = firstColumn(step);
    return switch (dataflow) {
      case OS -> new Block(column, column + usedColumns(step), 0, layer.inputs());
      case WS -> new Block(column, column + usedColumns(step), row, rowEnd);
      case IS -> new Block(0, layer.outputs(), row, rowEnd);
    };
  }

  @Override
  public Block results(int step) {
    int column = firstColumn(step);
    int columnEnd = column + usedColumns(step);
    if (dataflow == Dataflow.OS) {
      int row = firstRow(step);
      return new Block(row, row + usedRows(step), column, columnEnd);
    }
    if (step % rowFolds < rowFolds - 1) {
      return null;
    }
    return dataflow == Dataflow.WS
        ? new Block(0, layer.tokens(), column, columnEnd)
        : new Block(column, columnEnd, 0, layer.outputs());
  }

  @Override
  public SramWords sramWords(int step) {
    long r = usedRows(step);
    long c = usedColumns(step);
    return switch (dataflow) {
      case OS -> new SramWords(r * stream, c * stream, r * c);
      case WS -> new SramWords(r * stream, r * c, c * stream);
      case IS -> new SramWords(r * c, r * stream, c * stream);
    };
  }

  @Override
  public int pipeline() {
    return 0;
  }

  @Override
  public Tally cost(int step) {
    Tally tally = new Tally();
    tally.cycles = foldCycles();
    long r = usedRows(step);
    long c = usedColumns(step);
    tally.busy = r * c * stream;
    // Element (i, j) starts i + j cycles after the first: the sum over a r x c rectangle.
    long fill = r * c * loadCycles() + c * (r * (r - 1) / 2) + r * (c * (c - 1) / 2);
    tally.stall(Stall.FILL, fill);
    tally.stall(Stall.DRAIN, r * c * tally.cycles - tally.busy - fill);
    tally.stall(Stall.UNMAPPED, (units() - r * c) * tally.cycles);
    return tally;
  }

  @Override
  public double expectedCycles() {
    return (double) steps() * foldCycles();
  }

  @Override
  public double expectedBusy() {
    return layer.macs();
  }

  @Override
  public Stall imbalance() {
    return Stall.FILL;
  }

  @Override
  public Machine machine(int step, Products products) {
    return new Fold(step, products);
  }

  /**
   * Registers that shift once per cycle: {@code across[i][j]} is the stream index that reaches element (i, j) from the
   * left. In OS the other operand comes from above with the same index; in WS and IS it already sits there.
   */
  private final class Fold implements Machine {
    private final int step;
    private final Products products;
    private final int[][] across = new int[array.rows()][array.columns()];
    private final boolean[][] started = new boolean[array.rows()][array.columns()];
    private int loading = loadCycles();
    private int time;

    Fold(int step, Products products) {
      this.step = step;
      this.products = products;
      for (int[] row : across) {
        Arrays.fill(row, -1);
      }
    }

    @Override
    public boolean done() {
      return across[array.rows() - 1][array.columns() - 1] == stream - 1;
    }

    @Override
    public void tick(Tally tally) {
      if (loading > 0) {
        loading--;
      } else {
        shift();
      }
      for (int i = 0; i < array.rows(); i++) {
        for (int j = 0; j < array.columns(); j++) {
          element(i, j, tally);
        }
      }
    }

    private void shift() {
      for (int i = 0; i < array.rows(); i++) {
        System.arraycopy(across[i], 0, across[i], 1, array.columns() - 1);
        int index = time - i;
        across[i][0] = index >= 0 && index < stream ? index : -1;
      }
      time++;
    }

    private void element(int i, int j, Tally tally) {
      if (i >= usedRows(step) || j >= usedColumns(step)) {
        tally.stall(Stall.UNMAPPED, 1);
      } else if (across[i][j] < 0) {
        tally.stall(started[i][j] ? Stall.DRAIN : Stall.FILL, 1);
      } else {
        started[i][j] = true;
        tally.busy++;
        multiply(firstRow(step) + i, firstColumn(step) + j, across[i][j], tally);
      }
    }

    private void multiply(int row, int column, int index, Tally tally) {
      int token = dataflow == Dataflow.OS ? row : dataflow == Dataflow.WS ? index : column;
      int output = dataflow == Dataflow.IS ? index : column;
      int input = dataflow == Dataflow.OS ? index : row;
      boolean zero = !layer.activations().get(token, input) || !layer.weights().get(output, input);
      if (array.gated() && zero) {
        tally.gated++;
      } else {
        tally.issued++;
        products.add(0, token, output, input);
      }
    }
  }
}
