package tacet.transformer;

import java.util.List;
import tacet.autograd.Pass;
import tacet.autograd.Var;

/** A model from token batches to numbers. */
public interface TextModel extends Part {
  /**
   * What a model gives.
   *
   * @param logits [B, C] of a classifier; null for an encoder without a head
   * @param hidden the embedding output and the output of each layer, [B, S, D] each, as Hugging
   *     Face's {@code output_hidden_states}
   */
  record Output(Var logits, List<Var> hidden) {}

  /** Runs the model. */
  Output forward(Pass pass, Batch batch);

  /** The tokens that the blocks see: more than the batch's in a model that puts its own first. */
  default Batch seen(Batch batch) {
    return batch;
  }

  @Override
  TextModel rebuild(Surgery s);
}
