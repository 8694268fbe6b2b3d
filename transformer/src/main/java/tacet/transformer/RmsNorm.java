package tacet.transformer;

import tacet.autograd.Ops;
import tacet.autograd.Parameter;
import tacet.autograd.Pass;
import tacet.autograd.Var;

/**
 * Normalisation by the root mean square over the last dimension, without mean and bias.
 *
 * @param weight [D]
 * @param eps added to the mean of the squares
 */
public record RmsNorm(Parameter weight, double eps) implements Layer {
  @Override
  public Var forward(Pass pass, Var x) {
    return Ops.rmsNorm(pass, x, weight, eps);
  }

  @Override
  public RmsNorm rebuild(Surgery s) {
    return new RmsNorm(s.parameter("weight", weight), eps);
  }
}
