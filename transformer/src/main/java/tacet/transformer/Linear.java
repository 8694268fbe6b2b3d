package tacet.transformer;

import tacet.autograd.GatedOps;
import tacet.autograd.LinearOps;
import tacet.autograd.Nonlinearity;
import tacet.autograd.Parameter;
import tacet.autograd.Pass;
import tacet.autograd.Var;
import tacet.tensor.Tensor;

/**
 * y = x Wᵀ + b.
 *
 * @param weight [out, in]
 * @param bias [out], or null
 */
public record Linear(Parameter weight, Parameter bias) implements Projection {
  @Override
  public Var forward(Pass pass, Var x) {
    return LinearOps.linear(pass, x, weight, bias);
  }

  @Override
  public Var forward(Pass pass, Var x, Nonlinearity f) {
    return LinearOps.linear(pass, x, weight, bias, f);
  }

  @Override
  public Var forwardWhere(Pass pass, Var x, Var gate) {
    return bias == null && weight.compact() == null
        ? GatedOps.linearWhere(pass, x, weight, gate)
        : forward(pass, x);
  }

  @Override
  public int in() {
    return weight.shape().dim(1);
  }

  @Override
  public int out() {
    return weight.shape().dim(0);
  }

  @Override
  public Linear plus(Tensor delta) {
    Tensor w = new Tensor(weight.shape(), weight.source().toArray());
    for (int i = 0; i < w.size(); i++) {
      w.data()[i] += delta.data()[i];
    }
    return new Linear(Parameter.frozen(w), bias);
  }

  @Override
  public Linear rebuild(Surgery s) {
    return new Linear(s.parameter("weight", weight), s.parameter("bias", bias));
  }
}
