package tacet.peft;

import tacet.autograd.Pass;
import tacet.transformer.Batch;
import tacet.transformer.Surgery;
import tacet.transformer.TextModel;

/**
 * A model whose word embeddings have a prompt: makes room for it in every batch.
 *
 * @param base with a {@link PromptTable} in it
 * @param tokens P
 */
record PromptModel(TextModel base, int tokens) implements TextModel {
  @Override
  public Output forward(Pass pass, Batch batch) {
    return base.forward(pass, seen(batch));
  }

  @Override
  public Batch seen(Batch batch) {
    return batch.behind(tokens);
  }

  @Override
  public PromptModel rebuild(Surgery s) {
    return new PromptModel(s.through(base), tokens);
  }
}
