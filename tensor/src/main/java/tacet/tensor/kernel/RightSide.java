package tacet.tensor.kernel;

/** A matrix B[k,n] in the layouts that products ask for; each is made when first asked for. */
public interface RightSide {
  /** Rows of B. */
  int k();

  /** Columns of B. */
  int n();

  /** B for the dense product. */
  PackedMatrix packed();

  /** B for the product that skips rows. */
  WideMatrix wide();

  /** A row-major k × n matrix; it must not change afterwards. Thread-safe. */
  static RightSide of(float[] b, int k, int n) {
    return new RightSide() {
      private PackedMatrix packed;
      private WideMatrix wide;

      @Override
      public int k() {
        return k;
      }

      @Override
      public int n() {
        return n;
      }

      @Override
      public synchronized PackedMatrix packed() {
        if (packed == null) {
          packed = PackedMatrix.of(b, k, n);
        }
        return packed;
      }

      @Override
      public synchronized WideMatrix wide() {
        if (wide == null) {
          wide = WideMatrix.of(b, k, n);
        }
        return wide;
      }
    };
  }
}
