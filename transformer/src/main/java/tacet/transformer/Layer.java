package tacet.transformer;

import tacet.autograd.Pass;
import tacet.autograd.Var;

/** A part with one input and one output: what surgery may replace by another layer. */
public interface Layer extends Part {
  /** The output for an input [.., in]. */
  Var forward(Pass pass, Var x);

  @Override
  Layer rebuild(Surgery s);
}
