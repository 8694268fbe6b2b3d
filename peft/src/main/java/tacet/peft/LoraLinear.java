package tacet.peft;

import tacet.autograd.LinearOps;
import tacet.autograd.Ops;
import tacet.autograd.Parameter;
import tacet.autograd.Pass;
import tacet.autograd.Var;
import tacet.tensor.Tensor;
import tacet.transformer.Layer;
import tacet.transformer.Projection;
import tacet.transformer.Surgery;

/**
 * A linear layer with a low-rank update (Hu et al., ICLR 2022, eq. 3): y = W x + b + scaling · B (A
 * dropout(x)).
 *
 * @param base the layer that stays as it is
 * @param a A [r, in]
 * @param b B [out, r]
 * @param scaling α/r, or α/√r (rank-stabilised)
 * @param dropout on the input of A, in training
 */
public record LoraLinear(Projection base, Parameter a, Parameter b, float scaling, double dropout)
    implements Layer {
  @Override
  public Var forward(Pass pass, Var x) {
    return plusLowRank(pass, x, base.forward(pass, x));
  }

  @Override
  public Var forwardWhere(Pass pass, Var x, Var gate) {
    return plusLowRank(pass, x, base.forwardWhere(pass, x, gate));
  }

  /** y + scaling · B (A dropout(x)), y [.., out]. */
  private Var plusLowRank(Pass pass, Var x, Var y) {
    Var z = LinearOps.linear(pass, Ops.dropout(pass, x, dropout), a, null); // (.., r)
    return LinearOps.addScaledLinear(pass, y, z, b, scaling);
  }

  /** One layer that computes the same at inference: W + scaling · B A. */
  public Projection merged() {
    int out = base.out();
    int in = base.in();
    int r = a.value().shape().dim(0);
    Tensor delta = Tensor.zeros(out, in);
    for (int o = 0; o < out; o++) {
      for (int k = 0; k < r; k++) {
        float s = scaling * b.value().data()[o * r + k];
        for (int i = 0; i < in; i++) {
          delta.data()[o * in + i] += s * a.value().data()[k * in + i];
        }
      }
    }
    return base.plus(delta);
  }

  @Override
  public LoraLinear rebuild(Surgery s) {
    return new LoraLinear(
        s.through(base),
        s.parameter("lora_A.weight", a),
        s.parameter("lora_B.weight", b),
        scaling,
        dropout);
  }
}
