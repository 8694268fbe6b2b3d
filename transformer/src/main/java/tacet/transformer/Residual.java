package tacet.transformer;

import tacet.autograd.Ops;
import tacet.autograd.Pass;
import tacet.autograd.Var;

/**
 * The plain sum of branch and stream (He et al. 2016), with the norm of post-norm blocks.
 *
 * @param branch which branch comes back here
 * @param width D
 */
public record Residual(Branch branch, int width) implements Join {
  @Override
  public Var forward(Pass pass, Var y, Var stream, Layer norm) {
    return norm == null ? Ops.add(pass, y, stream) : norm.ofSum(pass, y, stream);
  }

  @Override
  public Residual rebuild(Surgery s) {
    return this;
  }
}
