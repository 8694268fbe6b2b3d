package tacet.transformer;

import tacet.autograd.Ops;
import tacet.autograd.Parameter;
import tacet.autograd.Pass;
import tacet.autograd.Var;

/**
 * Layer normalisation over the last dimension.
 *
 * @param weight γ [D]
 * @param bias β [D]
 * @param eps added to the variance
 */
public record LayerNorm(Parameter weight, Parameter bias, double eps) implements Layer {
  @Override
  public Var forward(Pass pass, Var x) {
    return Ops.layerNorm(pass, x, weight, bias, eps);
  }

  @Override
  public Var ofSum(Pass pass, Var x, Var y) {
    return Ops.layerNormOfSum(pass, x, y, weight, bias, eps);
  }

  @Override
  public LayerNorm rebuild(Surgery s) {
    return new LayerNorm(s.parameter("weight", weight), s.parameter("bias", bias), eps);
  }
}
