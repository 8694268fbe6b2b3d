package tacet.transformer;

import tacet.autograd.Ops;
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

  /**
   * This layer after another, f(first(x)); for a layer that can do its work on a part of the other's
   * result while the rest is being made.
   */
  default Var after(Pass pass, Layer first, Var x) {
    return forward(pass, first.forward(pass, x));
  }

  /** This layer of a sum, f(x + y); for a layer that can add while it does its work. */
  default Var ofSum(Pass pass, Var x, Var y) {
    return forward(pass, Ops.add(pass, x, y));
  }

  @Override
  Layer rebuild(Surgery s);
}
