package tacet.transformer;

import tacet.autograd.Parameter;
import tacet.autograd.Pass;
import tacet.autograd.Var;
import tacet.tensor.Shape;

/** A part that turns the ids of tokens into vectors. */
public interface Lookup extends Part {
  /** The vectors of the given ids: [B, S] → [B, S, D]. */
  Var forward(Pass pass, int[] ids, Shape shape);

  /** The table alone, without what surgery has put before the tokens: what a decoder reads by. */
  default Lookup words() {
    return this;
  }

  /** The table [V, D], which is the head of some language models too. */
  Parameter weight();

  @Override
  Lookup rebuild(Surgery s);
}
