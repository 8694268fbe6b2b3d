package tacet.autograd;

import tacet.tensor.Tensor;
import tacet.tensor.kernel.PackedMatrix;

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
    return new Parameter(value, false, new Packs());
  }

  /** A parameter that is trained. */
  public static Parameter trainable(Tensor value) {
    return new Parameter(value, true, new Packs());
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

  /** Says that the value was written to: packed copies are made anew when next needed. */
  public void changed() {
    packs.clear();
  }

  /** For a weight [n, k]: its transpose as the right side of a product, B[k, n] (y = x Wᵀ). */
  public PackedMatrix packedTransposed() {
    return packs.transposed(value);
  }

  /** For a weight [k, n]: itself as the right side of a product, B[k, n] (dX = dY W). */
  public PackedMatrix packed() {
    return packs.plain(value);
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

  private static final class Packs {
    private volatile PackedMatrix transposed;
    private volatile PackedMatrix plain;

    PackedMatrix transposed(Tensor w) {
      PackedMatrix p = transposed;
      if (p == null) {
        synchronized (this) {
          p = transposed;
          if (p == null) {
            int n = w.shape().dim(0); // of more than two dimensions, the others count as one
            p = PackedMatrix.ofTransposed(w.data(), w.size() / n, n);
            transposed = p;
          }
        }
      }
      return p;
    }

    PackedMatrix plain(Tensor w) {
      PackedMatrix p = plain;
      if (p == null) {
        synchronized (this) {
          p = plain;
          if (p == null) {
            int k = w.shape().dim(0);
            p = PackedMatrix.of(w.data(), k, w.size() / k);
            plain = p;
          }
        }
      }
      return p;
    }

    synchronized void clear() {
      transposed = null;
      plain = null;
    }
  }
}
