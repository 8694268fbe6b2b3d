package tacet.autograd;

import java.util.function.Supplier;
import tacet.tensor.Shape;
import tacet.tensor.Tensor;
import tacet.tensor.kernel.CompactMatrix;
import tacet.tensor.kernel.PackedMatrix;
import tacet.tensor.kernel.RightSide;
import tacet.tensor.kernel.WideMatrix;

/**
 * A weight of a model: a tensor, whether it is trained, its gradient, and packed copies for matrix
 * products, made when first needed and again after each change.
 *
 * <p>A frozen weight of a linear layer may be kept in fewer bits, see {@link #compact(CompactMatrix)}.
 *
 * <p>Frozen parameters are safe to use from any number of threads. A trainable one belongs to one
 * training loop; {@link #changed()} must follow every write to its value.
 */
public final class Parameter {
  private final Tensor value; // null if compact
  private final CompactMatrix compact; // or null
  private final Shape shape;
  private final boolean trainable;
  private final Packs packs;
  private Tensor gradient;
  private boolean hasGradient;

  private Parameter(Tensor value, boolean trainable, Packs packs) {
    this.value = value;
    this.compact = null;
    this.shape = value.shape();
    this.trainable = trainable;
    this.packs = packs;
  }

  private Parameter(CompactMatrix compact) {
    this.value = null;
    this.compact = compact;
    this.shape = Shape.of(compact.n(), compact.k());
    this.trainable = false;
    this.packs = null;
  }

  /** A frozen weight [n, k] of a linear layer, in fewer bits than floats. */
  public static Parameter compact(CompactMatrix weight) {
    return new Parameter(weight);
  }

  /** A parameter that is not trained. */
  public static Parameter frozen(Tensor value) {
    return new Parameter(value, false, new Packs(value));
  }

  /** A parameter that is trained. */
  public static Parameter trainable(Tensor value) {
    return new Parameter(value, true, new Packs(value));
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
    return train == trainable ? this : new Parameter(value, train, packs);
  }

  /**
   * The numbers; call {@link #changed()} after writing to them. A compact weight is expanded into a
   * new tensor by each call: for saving and merging, not for computing.
   */
  public Tensor value() {
    return compact == null ? value : new Tensor(shape, compact.expand());
  }

  /** Shape of the value. */
  public Shape shape() {
    return shape;
  }

  /** The weight in fewer bits, or null if it is kept as floats. */
  public CompactMatrix compact() {
    return compact;
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

  /** Says that the value was written to: packed copies are made anew when next needed. */
  public void changed() {
    packs().clear();
  }

  private Packs packs() {
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

  /** For a weight [n, k]: its transpose, for the product that sums by lanes. */
  public PackedMatrix transposedByLanes() {
    return packs.transposedLanes.get();
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

  /** The layouts of a weight [rows, columns] and of its transpose, made when first asked for. */
  private static final class Packs {
    final Side plain;
    final Side transposed;
    final Lazy<PackedMatrix> lanes;
    final Lazy<PackedMatrix> transposedLanes;

    Packs(Tensor w) {
      int rows = w.shape().rank() == 0 ? 1 : w.shape().dim(0);
      int columns = w.size() / Math.max(1, rows); // dimensions past the second count as one
      plain =
          new Side(
              rows,
              columns,
              new Lazy<>(() -> PackedMatrix.of(w.data(), rows, columns)),
              new Lazy<>(() -> WideMatrix.of(w.data(), rows, columns)));
      transposed =
          new Side(
              columns,
              rows,
              new Lazy<>(() -> PackedMatrix.ofTransposed(w.data(), columns, rows)),
              new Lazy<>(() -> WideMatrix.ofTransposed(w.data(), columns, rows)));
      lanes = new Lazy<>(() -> PackedMatrix.byLanes(w.data(), rows, columns));
      transposedLanes =
          new Lazy<>(() -> PackedMatrix.byLanes(transpose(w.data(), rows, columns), columns, rows));
    }

    void clear() {
      plain.clear();
      transposed.clear();
      lanes.clear();
      transposedLanes.clear();
    }
  }

  private static float[] transpose(float[] w, int rows, int columns) {
    float[] turned = new float[w.length];
    for (int i = 0; i < rows; i++) {
      for (int j = 0; j < columns; j++) {
        turned[j * rows + i] = w[i * columns + j];
      }
    }
    return turned;
  }

  private record Side(int k, int n, Lazy<PackedMatrix> dense, Lazy<WideMatrix> sparse)
      implements RightSide {
    @Override
    public PackedMatrix packed() {
      return dense.get();
    }

    @Override
    public WideMatrix wide() {
      return sparse.get();
    }

    void clear() {
      dense.clear();
      sparse.clear();
    }
  }

  private static final class Lazy<V> {
    private final Supplier<V> make;
    private volatile V value;

    Lazy(Supplier<V> make) {
      this.make = make;
    }

    V get() {
      V v = value;
      if (v == null) {
        synchronized (this) {
          v = value;
          if (v == null) {
            v = make.get();
            value = v;
          }
        }
      }
      return v;
    }

    synchronized void clear() {
      value = null;
    }
  }
}
