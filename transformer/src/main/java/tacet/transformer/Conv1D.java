package tacet.transformer;

import tacet.autograd.Ops;
import tacet.autograd.Parameter;
import tacet.autograd.Pass;
import tacet.autograd.Var;

/**
 * y = x W + b: a linear layer whose weight lies the other way round, as OpenAI's GPT-2 has it. The
 * name is Hugging Face's.
 *
 * @param weight [in, out]
 * @param bias [out], or null
 */
public record Conv1D(Parameter weight, Parameter bias) implements Layer {
  @Override
  public Var forward(Pass pass, Var x) {
    return Ops.product(pass, x, weight, bias);
  }

  /** Width of the input. */
  public int in() {
    return weight.value().shape().dim(0);
  }

  /** Width of the output. */
  public int out() {
    return weight.value().shape().dim(1);
  }

  @Override
  public Conv1D rebuild(Surgery s) {
    return new Conv1D(s.parameter("weight", weight), s.parameter("bias", bias));
  }
}
