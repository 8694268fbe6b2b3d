package tacet.transformer;

import tacet.autograd.LinearOps;
import tacet.autograd.Nonlinearity;
import tacet.autograd.Parameter;
import tacet.autograd.Pass;
import tacet.autograd.Var;
import tacet.tensor.Tensor;

/**
 * y = x W + b: a linear layer whose weight lies the other way round, as OpenAI's GPT-2 has it. The
 * name is Hugging Face's.
 *
 * @param weight [in, out]
 * @param bias [out], or null
 */
public record Conv1D(Parameter weight, Parameter bias) implements Projection {
  @Override
  public Var forward(Pass pass, Var x) {
    return LinearOps.product(pass, x, weight, bias);
  }

  @Override
  public Var forward(Pass pass, Var x, Nonlinearity f) {
    return LinearOps.product(pass, x, weight, bias, f);
  }

  @Override
  public int in() {
    return weight.shape().dim(0);
  }

  @Override
  public int out() {
    return weight.shape().dim(1);
  }

  @Override
  public Conv1D plus(Tensor delta) {
    Tensor w = new Tensor(weight.shape(), weight.source().toArray());
    int in = in();
    int out = out();
    for (int i = 0; i < in; i++) {
      for (int o = 0; o < out; o++) {
        w.data()[i * out + o] += delta.data()[o * in + i];
      }
    }
    return new Conv1D(Parameter.frozen(w), bias);
  }

  @Override
  public Conv1D rebuild(Surgery s) {
    return new Conv1D(s.parameter("weight", weight), s.parameter("bias", bias));
  }
}
