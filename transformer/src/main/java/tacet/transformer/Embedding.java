package tacet.transformer;

import tacet.autograd.Ops;
import tacet.autograd.Parameter;
import tacet.autograd.Pass;
import tacet.autograd.Var;
import tacet.tensor.Shape;

/**
 * A table of vectors.
 *
 * @param weight [V, D]
 */
public record Embedding(Parameter weight) implements Part {
  /** The rows of the given ids: [B, S] → [B, S, D]. */
  public Var forward(Pass pass, int[] ids, Shape shape) {
    return Ops.embedding(pass, weight, ids, shape);
  }

  @Override
  public Embedding rebuild(Surgery s) {
    return new Embedding(s.parameter("weight", weight));
  }
}
