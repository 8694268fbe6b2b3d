package tacet.transformer;

import tacet.autograd.Pass;
import tacet.autograd.Var;

/**
 * Sequences that a model is writing, a row each: their keys and values are remembered, so that each
 * step computes the new tokens only. Used by one thread.
 */
public interface Continuation {
  /** R, how many sequences there are. */
  int rows();

  /**
   * What a prompt's sequence begins with: the prompt of a decoder, the start token of a model that has
   * an encoder. All but the last token has been read; the last is what the first step is given.
   *
   * @param prompt number of the prompt, whatever {@link #select} did
   */
  int[] beginning(int prompt);

  /**
   * Reads one token more of every sequence.
   *
   * @param pass for inference
   * @param tokens R tokens
   * @return scores of the next tokens, [R, 1, V]
   */
  Var step(Pass pass, int[] tokens);

  /** Makes row i a copy of what row {@code rows[i]} was; there may be fewer or more rows then. */
  void select(int[] rows);
}
