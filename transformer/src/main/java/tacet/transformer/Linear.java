package tacet.transformer;

import tacet.autograd.Ops;
import tacet.autograd.Parameter;
import tacet.autograd.Pass;
import tacet.autograd.Var;

/**
 * y = x Wᵀ + b.
 *
 * @param weight [out, in]
 * @param bias [out], or null
 */
public record Linear(Parameter weight, Parameter bias) implements Layer {
  @Override
  public Var forward(Pass pass, Var x) {
    return Ops.linear(pass, x, weight, bias);
  }

  /** Width of the input. */
  public int in() {
    return weight.shape().dim(1);
  }

  /** Width of the output. */
  public int out() {
    return weight.shape().dim(0);
  }

  @Override
  public Linear rebuild(Surgery s) {
    return new Linear(s.parameter("weight", weight), s.parameter("bias", bias));
  }
}
