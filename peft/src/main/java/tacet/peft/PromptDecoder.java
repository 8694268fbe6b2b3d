package tacet.peft;

import tacet.autograd.Pass;
import tacet.tensor.Engine;
import tacet.transformer.Batch;
import tacet.transformer.CausalModel;
import tacet.transformer.Continuation;
import tacet.transformer.Surgery;

/**
 * The same as {@link PromptModel} for a decoder, which goes on from texts behind the prompt. Padding
 * stands between the two.
 *
 * @param base with a {@link PromptTable} in it
 * @param tokens P
 */
record PromptDecoder(CausalModel base, int tokens) implements CausalModel {
  @Override
  public Output forward(Pass pass, Batch batch) {
    return base.forward(pass, seen(batch));
  }

  @Override
  public Batch seen(Batch batch) {
    return batch.behind(tokens);
  }

  @Override
  public Continuation begin(Engine engine, Batch prompts) {
    return base.begin(engine, seen(prompts));
  }

  @Override
  public int longest() {
    return Math.max(0, base.longest() - tokens);
  }

  @Override
  public PromptDecoder rebuild(Surgery s) {
    return new PromptDecoder(s.through(base), tokens);
  }
}
