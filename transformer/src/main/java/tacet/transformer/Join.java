package tacet.transformer;

import tacet.autograd.Pass;
import tacet.autograd.Var;

/**
 * Where a branch of a block (attention, or the MLP) comes back to the stream that it left. Usually a
 * sum, {@link Residual}; surgery may put something else there, such as a weight on the branch.
 */
public interface Join extends Part {
  /** What branches off the stream. */
  enum Branch {
    /** Attention of a sequence to itself. */
    ATTENTION,
    /** Attention of a decoder to what the encoder read. */
    CROSS_ATTENTION,
    /** The MLP. */
    MLP
  }

  /** Which branch comes back here. */
  Branch branch();

  /** D, the width of the stream. */
  int width();

  /**
   * The stream after the branch: norm(branch + stream).
   *
   * @param branch what attention or the MLP gave, after its dropout, [B, S, D]
   * @param stream what went in, [B, S, D]
   * @param norm the norm that follows in post-norm blocks; null in pre-norm blocks
   */
  Var forward(Pass pass, Var branch, Var stream, Layer norm);

  @Override
  Join rebuild(Surgery s);
}
