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
  /** The model with one tap on every MLP activation, whether it had taps before or not. */
  public static <P extends Part> P onActivations(P model) {
    return Surgery.replace(
        model,
        (path, part) -> {
          if (part instanceof Activation a) {
            return new Tap(path, a);
          }
          return part instanceof Tap old && old.inner instanceof Tap fresh ? fresh : part;
        });
  }

  @Override
  public Var forward(Pass pass, Var x) {
    return shown(pass, inner.forward(pass, x));
  }

  @Override
  public Var after(Pass pass, Layer first, Var x) {
    return shown(pass, inner.after(pass, first, x));
  }

  private Var shown(Pass pass, Var y) {
    pass.observe(path, y);
    return y;
  }

  @Override
  public Tap rebuild(Surgery s) {
    return new Tap(path, s.through(inner));
  }
}
