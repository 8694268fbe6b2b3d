package tacet.autograd;

import java.util.function.Supplier;
import tacet.tensor.Engine;
import tacet.tensor.Shape;
import tacet.tensor.Tensor;
import tacet.tensor.TensorSource;
import tacet.tensor.Workers;
import tacet.tensor.kernel.CompactMatrix;
import tacet.tensor.kernel.Kernels;
import tacet.tensor.kernel.PackedMatrix;
import tacet.tensor.kernel.RightSide;
import tacet.tensor.kernel.ScalarKernels;
import tacet.tensor.kernel.StreamedPacking;
import tacet.tensor.kernel.WideMatrix;

/**
 * A weight of a model: a tensor, whether it is trained, its gradient, and packed copies for matrix
 * products, made when first needed and again after each change.
 *
 * <p>A weight may stay in its file, see {@link #stored}: products then use packed copies made
 * straight from there and lookups read single rows, so that no weight is in memory twice. A frozen
 * weight of a linear layer may be kept in fewer bits, see {@link #compact(CompactMatrix)}.
 *
 * <p>Frozen parameters are safe to use from any number of threads. A trainable one belongs to one
 * training loop; {@link #changed()} must follow every write to its value.
 */
public final class Parameter {
  private final Numbers numbers; // null if compact
  private final CompactMatrix compact; // or null
  private final Shape shape;
  private final boolean trainable;
  private final Packs packs;
  private Tensor gradient;
  private boolean hasGradient;

  private Parameter(Numbers numbers, boolean trainable, Packs packs) {
    this.numbers = numbers;
    this.compact = null;
    this.shape = numbers.source.shape();
    this.trainable = trainable;
    this.packs = packs;
  }

  private Parameter(CompactMatrix compact) {
    this.numbers = null;
    this.compact = compact;
    this.shape = Shape.of(compact.n(), compact.k());
    this.trainable = false;
    this.packs = null;
  }

  private Parameter(Shape shape, boolean trainable) {
    this.numbers = null;
    this.compact = null;
    this.shape = shape;
    this.trainable = trainable;
    this.packs = null;
  }

  /**
   * A parameter of which only the shape is known: it can be counted, but not computed with. Takes no
   * memory, so that models of any size can be laid out.
   */
  public static Parameter hollow(Shape shape) {
    return new Parameter(shape, false);
  }

  /** Whether only the shape is known. */
  public boolean isHollow() {
    return numbers == null && compact == null;
  }

  /** A frozen weight [n, k] of a linear layer, in fewer bits than floats. */
  public static Parameter compact(CompactMatrix weight) {
    return new Parameter(weight);
  }

  /** A parameter that is not trained. */
  public static Parameter frozen(Tensor value) {
    return of(value, false);
  }

  /** A parameter that is trained. */
  public static Parameter trainable(Tensor value) {
    return of(value, true);
  }

  /**
   * A parameter that is not trained and whose numbers stay where they are, in a file for example,
   * until {@link #value()} is asked for.
   */
  public static Parameter stored(TensorSource source) {
    return of(source, false);
  }

  private static Parameter of(TensorSource source, boolean trainable) {
    Numbers numbers = new Numbers(source);
    return new Parameter(numbers, trainable, new Packs(numbers));
  }

  /**
   * The same weight, trained or not; value and packed copies are shared.
   *
   * @throws IllegalStateException if a compact weight is to be trained
   */
  public Parameter withTrainable(boolean train) {
    if (train && compact != null) {
      throw new IllegalStateException(
          "a weight kept as "
              + compact.format()
              + " cannot be trained; train an adapter beside it, or Parameter.trainable(value())");
    }
    if (train == trainable) {
      return this;
    }
    return isHollow() ? new Parameter(shape, train) : new Parameter(numbers, train, packs);
  }

  /**
   * The numbers; call {@link #changed()} after writing to them. What stays in a file is read by the
   * first call and then kept. A compact weight is expanded into a new tensor by each call: for saving
   * and merging, not for computing.
   */
  public Tensor value() {
    requireValues();
    return compact == null ? numbers.tensor() : new Tensor(shape, compact.expand());
  }

  /**
   * The numbers where they are, in a file or in memory, to be read piece by piece. A compact weight is
   * expanded into a new tensor by each call.
   */
  public TensorSource source() {
    requireValues();
    return compact == null ? numbers.current() : value();
  }

  private void requireValues() {
    if (isHollow()) {
      throw new IllegalStateException("a parameter " + shape + " has a shape and no values");
    }
  }

  /** Shape of the value. */
  public Shape shape() {
    return shape;
  }

  /** The weight in fewer bits, or null if it is kept as floats. */
  public CompactMatrix compact() {
    return compact;
  }

  /** The width of a weight as a matrix: the dimensions past the first count as one. */
  static int columns(Shape shape) {
    int n = 1;
    for (int i = 1; i < shape.rank(); i++) {
      n *= shape.dim(i);
    }
    return n;
  }

  /** Whether gradients are computed for it. */
  public boolean trainable() {
    return trainable;
  }

  /** The gradient accumulated since {@link #clearGradient()}, or null. */
  public Tensor gradient() {
    return hasGradient ? gradient : null;
  }

  /** Forgets the gradient; its memory is kept for the next one. */
  public void clearGradient() {
    hasGradient = false;
  }

  /** Says that the value was written to: packed copies are filled anew when next needed. */
  public void changed() {
    packs().clear();
  }

  private Packs packs() {
    if (packs == null && compact == null) {
      throw new IllegalStateException("a parameter " + shape + " has a shape and no values");
    }
    if (packs == null) {
      throw new IllegalStateException(
          "a weight kept as "
              + compact.format()
              + " has no packed copies and cannot be written to");
    }
    return packs;
  }

  /** For a weight [n, k]: its transpose as the right side of a product, B[k, n] (y = x Wᵀ). */
  public RightSide transposed() {
    return packs().transposed;
  }

  /** For a weight [k, n]: itself as the right side of a product, B[k, n] (dX = dY W). */
  public RightSide plain() {
    return packs().plain;
  }

  /** For a weight [k, n]: itself, for the product that sums by lanes. */
  public PackedMatrix byLanes() {
    return packs().lanes.get();
  }

  /** The same, packed over all threads of an engine. */
  public PackedMatrix byLanes(Engine engine) {
    return packs().lanes.get(engine);
  }

  /** For a weight [n, k]: its transpose B[k, n], for the product that sums by lanes. */
  public PackedMatrix transposedByLanes() {
    return packs().transposedLanes.get();
  }

  /** The same, packed over all threads of an engine. */
  public PackedMatrix transposedByLanes(Engine engine) {
    return packs().transposedLanes.get(engine);
  }

  /** Where a gradient is written: the gradient itself if there is none yet, else null. */
  Tensor freshGradient() {
    if (hasGradient) {
      return null;
    }
    if (gradient == null) {
      gradient = Tensor.zeros(shape);
    }
    hasGradient = true;
    return gradient;
  }

  /** Where the numbers are: where they came from, and a tensor once somebody has asked for it. */
  private static final class Numbers {
    final TensorSource source;
    private volatile Tensor tensor;

    Numbers(TensorSource source) {
      this.source = source;
      this.tensor = source instanceof Tensor t ? t : null;
    }

    /** The tensor if there is one, for it may have been written to; else the source. */
    TensorSource current() {
      Tensor t = tensor;
      return t == null ? source : t;
    }

    /** The values in one array: those of the tensor, or read for this once. */
    float[] array() {
      Tensor t = tensor;
      return t == null ? source.toArray() : t.data();
    }

    Tensor tensor() {
      Tensor t = tensor;
      return t == null ? read() : t;
    }

    private synchronized Tensor read() {
      if (tensor == null) {
        tensor = new Tensor(source.shape(), source.toArray());
      }
      return tensor;
    }
  }

  /** The layouts of a weight [rows, columns] and of its transpose, made when first asked for. */
  private static final class Packs {
    final Side plain;
    final Side transposed;
    final Layout<PackedMatrix> lanes;
    final Layout<PackedMatrix> transposedLanes;

    Packs(Numbers w) {
      Shape shape = w.source.shape();
      int rows = shape.rank() == 0 ? 1 : shape.dim(0);
      int columns = columns(shape);
      plain =
          new Side(
              rows,
              columns,
              new Layout<>(
                  () -> PackedMatrix.empty(rows, columns),
                  (to, workers, kernels) -> StreamedPacking.pack(workers, w.current(), to)),
              new Layout<>(
                  () -> WideMatrix.empty(rows, columns),
                  (to, workers, kernels) -> StreamedPacking.lay(workers, w.current(), to)));
      transposed =
          new Side(
              columns,
              rows,
              new Layout<>(
                  () -> PackedMatrix.empty(columns, rows),
                  (to, workers, kernels) ->
                      StreamedPacking.packTransposed(workers, kernels, w.current(), to)),
              new Layout<>(
                  () -> WideMatrix.empty(columns, rows),
                  (to, workers, kernels) ->
                      StreamedPacking.layTransposed(workers, kernels, w.current(), to)));
      lanes =
          new Layout<>(
              () -> PackedMatrix.empty(rows, columns),
              (to, workers, kernels) -> to.packByLanes(workers, w.array()));
      transposedLanes =
          new Layout<>(
              () -> PackedMatrix.empty(columns, rows),
              (to, workers, kernels) -> to.packTransposedByLanes(workers, kernels, w.array()));
    }

    void clear() {
      plain.clear();
      transposed.clear();
      lanes.clear();
      transposedLanes.clear();
    }
  }

  private record Side(int k, int n, Layout<PackedMatrix> dense, Layout<WideMatrix> sparse)
      implements RightSide {
    @Override
    public PackedMatrix packed() {
      return dense.get();
    }

    @Override
    public PackedMatrix packed(Engine engine) {
      return dense.get(engine);
    }

    @Override
    public WideMatrix wide() {
      return sparse.get();
    }

    @Override
    public WideMatrix wide(Engine engine) {
      return sparse.get(engine);
    }

    void clear() {
      dense.clear();
      sparse.clear();
    }
  }

  /** One layout: its memory is kept when the weight changes, and filled again when asked for. */
  private static final class Layout<V> {
    private final Supplier<V> empty;
    private final Filling<V> filling;
    private V memory;
    private volatile V filled; // the memory while what it holds is the weight, else null

    Layout(Supplier<V> empty, Filling<V> filling) {
      this.empty = empty;
      this.filling = filling;
    }

    V get() {
      V v = filled;
      return v == null
          ? fill(new Workers(1), new ScalarKernels())
          : v; // one part: starts no thread
    }

    V get(Engine engine) {
      V v = filled;
      return v == null ? fill(engine.workers(), engine.kernels()) : v;
    }

    private synchronized V fill(Workers workers, Kernels kernels) {
      if (filled == null) {
        boolean first = memory == null;
        if (first) {
          memory = empty.get();
        }
        // Once is not worth the time that vector code takes until it is compiled.
        filling.fill(memory, workers, first ? new ScalarKernels() : kernels);
        filled = memory;
      }
      return filled;
    }

    synchronized void clear() {
      filled = null;
    }
  }

  private interface Filling<V> {
    void fill(V to, Workers workers, Kernels kernels);
  }
}
