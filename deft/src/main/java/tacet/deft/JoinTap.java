package tacet.deft;

import tacet.autograd.Pass;
import tacet.autograd.Var;
import tacet.transformer.Join;
import tacet.transformer.Layer;
import tacet.transformer.Surgery;

/**
 * Shows what comes together where a branch meets the stream to the pass's observer: the branch first,
 * then the stream, under the same name.
 *
 * @param name under which both are shown
 * @param inner the join
 */
record JoinTap(String name, Join inner) implements Join {
  @Override
  public Branch branch() {
    return inner.branch();
  }

  @Override
  public int width() {
    return inner.width();
  }

  @Override
  public Var forward(Pass pass, Var branch, Var stream, Layer norm) {
    pass.observe(name, branch);
    pass.observe(name, stream);
    return inner.forward(pass, branch, stream, norm);
  }

  @Override
  public JoinTap rebuild(Surgery s) {
    return new JoinTap(name, s.through(inner));
  }
}
