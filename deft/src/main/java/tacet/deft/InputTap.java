package tacet.deft;

import tacet.autograd.Pass;
import tacet.autograd.Var;
import tacet.transformer.Layer;
import tacet.transformer.Surgery;

/**
 * Shows what a layer is given to the pass's observer.
 *
 * @param name under which it is shown
 * @param inner the layer
 */
record InputTap(String name, Layer inner) implements Layer {
  @Override
  public Var forward(Pass pass, Var x) {
    pass.observe(name, x);
    return inner.forward(pass, x);
  }

  @Override
  public InputTap rebuild(Surgery s) {
    return new InputTap(name, s.through(inner));
  }
}
