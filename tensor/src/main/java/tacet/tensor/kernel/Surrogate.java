package tacet.tensor.kernel;

/**
 * A smooth stand-in for "is not zero", applied to activations by the density loss (DEFT, arXiv
 * 2402.01911, section 3 and appendix A.2.1). Each has one parameter: ε for {@link #L0}, β for
 * {@link #TANH} and {@link #SIGMOID}, none for {@link #L1}.
 */
public enum Surrogate {
  /** x² / (x² + ε), eq. 5; derivative 2εx / (x² + ε)². */
  L0,
  /** tanh(β|x|), eq. 4; derivative β (1 − tanh²(βx)) sign(x). */
  TANH,
  /** 2σ(β|x|) − 1 = tanh(β|x| / 2); derivative β/2 (1 − tanh²(βx/2)) sign(x). */
  SIGMOID,
  /** |x|; derivative sign(x). */
  L1
}
