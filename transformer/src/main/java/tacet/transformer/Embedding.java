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
 * @param padding a row that looking up gives no gradient, PyTorch's {@code padding_idx}: the vector
 *     of padding is never learnt; -1 for none
 */
public record Embedding(Parameter weight, int padding) implements Lookup {
  /** A table all of whose rows are learnt. */
  public Embedding(Parameter weight) {
    this(weight, -1);
  }

  @Override
  public Var forward(Pass pass, int[] ids, Shape shape) {
    return Ops.embedding(pass, weight, ids, shape, padding);
  }

  @Override
  public Embedding rebuild(Surgery s) {
    return new Embedding(s.parameter("weight", weight), padding);
  }
}
