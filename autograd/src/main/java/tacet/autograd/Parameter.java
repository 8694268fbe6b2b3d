package tacet.autograd;

import java.util.function.UnaryOperator;
import tacet.tensor.Tensor;
import tacet.tensor.kernel.PackedMatrix;
import tacet.tensor.kernel.RightSide;
import tacet.tensor.kernel.WideMatrix;

/**
 * A weight of a model: a tensor, whether it is trained, its gradient, and packed copies for matrix
 * products, made when first needed and again after each change.
 *
 * <p>Frozen parameters are safe to use from any number of threads. A trainable one belongs to one
 * training loop; {@link #changed()} must follow every write to its value.
 */
public final class Parameter {
  private final Tensor value;
  private final boolean trainable;
  private final Packs packs;
  private Tensor gradient;
  private boolean hasGradient;

  private Parameter(Tensor value, boolean trainable, Packs packs) {
    this.value = value;
    this.trainable = trainable;
    this.packs = packs;
  }

  /** A parameter that is not trained. */
  public static Parameter frozen(Tensor value) {
    return new Parameter(value, false, new Packs(value));
  }

  /** A parameter that is trained. */
  public static Parameter trainable(Tensor value) {
    return new Parameter(value, true, new Packs(value));
  }

  /** The same weight, trained or not; value and packed copies are shared. */
  public Parameter withTrainable(boolean train) {
    return train == trainable ? this : new Parameter(value, train, packs);
  }

  /** The numbers; call {@link #changed()} after writing to them. */
  public Tensor value() {
    return value;
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

  /**
   * Says that the value was written to: packed copies are made anew when next needed, in the memory
   * of the old ones, so no product with them may be under way.
   */
  public void changed() {
    packs.clear();
  }

  /** For a weight [n, k]: its transpose as the right side of a product, B[k, n] (y = x Wᵀ). */
  public RightSide transposed() {
    return packs.transposed;
  }

  /** For a weight [k, n]: itself as the right side of a product, B[k, n] (dX = dY W). */
  public RightSide plain() {
    return packs.plain;
  }

  /** For a weight [k, n]: itself, for the product that sums by lanes. */
  public PackedMatrix byLanes() {
    return packs.lanes.get();
  }

  /** Where a gradient is written: the gradient itself if there is none yet, else null. */
  Tensor freshGradient() {
    if (hasGradient) {
      return null;
    }
    if (gradient == null) {
      gradient = Tensor.zeros(value.shape());
    }
    hasGradient = true;
    return gradient;
  }

  /** The layouts of a weight [rows, columns] and of its transpose, made when first asked for. */
  private static final class Packs {
    final Side plain;
    final Side transposed;
    final Lazy<PackedMatrix> lanes;

    Packs(Tensor w) {
      int rows = w.shape().rank() == 0 ? 1 : w.shape().rows();
      int columns = w.shape().rank() == 0 ? 1 : w.shape().last();
      plain =
          new Side(
              rows,
              columns,
              new Lazy<>(old -> PackedMatrix.of(w.data(), rows, columns, old)),
              new Lazy<>(old -> WideMatrix.of(w.data(), rows, columns, old)));
      transposed =
          new Side(
              columns,
              rows,
              new Lazy<>(old -> PackedMatrix.ofTransposed(w.data(), columns, rows, old)),
              new Lazy<>(old -> WideMatrix.ofTransposed(w.data(), columns, rows, old)));
      lanes = new Lazy<>(old -> PackedMatrix.byLanes(w.data(), rows, columns, old));
    }

    void clear() {
      plain.clear();
      transposed.clear();
      lanes.clear();
    }
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
    private final UnaryOperator<V> make; // from a stale copy, or null
    private volatile V value;
    private V stale; // its memory is for the next one

    Lazy(UnaryOperator<V> make) {
      this.make = make;
    }

    V get() {
      V v = value;
      if (v == null) {
        synchronized (this) {
          v = value;
          if (v == null) {
            v = make.apply(stale);
            stale = null;
            value = v;
          }
        }
      }
      return v;
    }

    synchronized void clear() {
      if (value != null) {
        stale = value;
        value = null;
      }
    }
  }
}
