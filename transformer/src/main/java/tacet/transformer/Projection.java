package tacet.transformer;

import tacet.autograd.Nonlinearity;
import tacet.autograd.Pass;
import tacet.autograd.Var;
import tacet.tensor.Tensor;

/** A layer that multiplies by a matrix, whichever way its weight lies: what adapters go into. */
public interface Projection extends Layer {
  /** Width of the input. */
  int in();

  /** Width of the output. */
  int out();

  /** f(this layer's output). */
  Var forward(Pass pass, Var x, Nonlinearity f);

  /**
   * The layer with something added to its matrix; the new weight is frozen, the bias shared.
   *
   * @param delta [out, in]; not modified
   */
  Projection plus(Tensor delta);

  @Override
  Projection rebuild(Surgery s);
}
