package tacet.transformer;

import tacet.autograd.Pass;
import tacet.autograd.Var;

/**
 * Shows what a layer gives to the pass's observer, under the layer's path. Put around layers by
 * surgery; the model does not know.
 *
 * @param path where the layer sits
 * @param inner the layer
 */
public record Tap(String path, Layer inner) implements Layer {
  /** The model with a tap on every MLP activation. */
  public static <P extends Part> P onActivations(P model) {
    return Surgery.replace(
        model, (path, part) -> part instanceof Activation a ? new Tap(path, a) : part);
  }

  @Override
  public Var forward(Pass pass, Var x) {
    Var y = inner.forward(pass, x);
    pass.observe(path, y);
    return y;
  }

  @Override
  public Tap rebuild(Surgery s) {
    return new Tap(path, s.through(inner));
  }
}
