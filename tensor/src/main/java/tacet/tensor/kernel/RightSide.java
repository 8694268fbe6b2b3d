package tacet.tensor.kernel;

import tacet.tensor.Engine;

/** A matrix B[k,n] in the layouts that products ask for; each is made when first asked for. */
public interface RightSide {
  /** Rows of B. */
  int k();

  /** Columns of B. */
  int n();

  /** B for the dense product. */
  PackedMatrix packed();

  /** The same, laid out over all threads of an engine. */
  PackedMatrix packed(Engine engine);

  /** B for the product that skips rows. */
  WideMatrix wide();

  /** The same, laid out over all threads of an engine. */
  WideMatrix wide(Engine engine);

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
      public synchronized PackedMatrix packed(Engine engine) {
        if (packed == null) {
          packed = PackedMatrix.empty(k, n);
          packed.pack(engine.workers(), b);
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

      @Override
      public synchronized WideMatrix wide(Engine engine) {
        if (wide == null) {
          wide = WideMatrix.empty(k, n);
          wide.lay(engine.workers(), b);
        }
        return wide;
      }
    };
  }
}
