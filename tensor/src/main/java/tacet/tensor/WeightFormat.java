package tacet.tensor;

/** How the numbers of a frozen weight are kept in memory. Arithmetic is in float32 always. */
public enum WeightFormat {
  /** IEEE 754 binary32: 4 bytes. */
  F32,
  /** The upper half of a binary32: 2 bytes, relative error up to 2^-9. */
  BF16,
  /** IEEE 754 binary16: 2 bytes, relative error up to 2^-12 from 6.1e-5 to 65504. */
  F16,
  /** Four bits and a share of a scale, 0.56 bytes: see {@link Nf4}. */
  NF4,
  /** The same with scales of one byte, 0.52 bytes: "double quantisation", {@link Nf4.Nested}. */
  NF4_NESTED
}
