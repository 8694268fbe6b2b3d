package tacet.transformer;

import tacet.autograd.Pass;

/**
 * A model that reads one sequence of tokens, the source, and writes another, the target.
 *
 * <pre>{@code
 * Batch target = model.target(batch.size(), labels.length / batch.size(), labels);
 * Var logits = model.forward(pass, source, target).logits();
 * Var loss = Losses.crossEntropy(pass, logits, labels);   // labels of -100 do not count
 * }</pre>
 */
public interface Seq2SeqModel extends Part {
  /**
   * Runs encoder and decoder.
   *
   * @param source what is read, [B, S]
   * @param target what the decoder has written before each token, [B, St]: {@link #target}. Every
   *     token sees all before it; the mask only says which count in averages
   * @return logits [B, St, V] of the target's tokens, and the encoder's hidden states
   */
  TextModel.Output forward(Pass pass, Batch source, Batch target);

  /**
   * What the decoder sees when it is to write these labels: the start token, then the labels but the
   * last, with padding in the place of labels that are ignored (-100). Its mask is 1 where the label
   * counts.
   *
   * @param size B
   * @param length St
   * @param labels [B, St]
   */
  Batch target(int size, int length, int[] labels);

  /** The source's tokens that the encoder sees: more than those in a model that puts its own first. */
  default Batch seen(Batch source) {
    return source;
  }

  @Override
  Seq2SeqModel rebuild(Surgery s);
}
