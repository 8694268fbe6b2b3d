package tacet.transformer;

import tacet.autograd.Pass;
import tacet.autograd.Var;

/** A part with one input and one output: what surgery may replace by another layer. */
public interface Layer extends Part {
  /** The output for an input [.., in]. */
  Var forward(Pass pass, Var x);

  /**
   * The output for a gate to be multiplied with: it may hold 0 in the place of any element where a
   * ReLU gate is silent, if that is cheaper; see {@link tacet.autograd.GatedOps#linearWhere}. A layer
   * that knows no better computes all.
   *
   * @param gate the gate's activation, [.., out]
   */
  default Var forwardWhere(Pass pass, Var x, Var gate) {
    return forward(pass, x);
  }

  @Override
  Layer rebuild(Surgery s);
}
