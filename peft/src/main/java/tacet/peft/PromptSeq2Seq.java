package tacet.peft;

import tacet.autograd.Pass;
import tacet.tensor.Engine;
import tacet.transformer.Batch;
import tacet.transformer.Continuation;
import tacet.transformer.GenerativeModel;
import tacet.transformer.Seq2SeqModel;
import tacet.transformer.Surgery;
import tacet.transformer.TextModel;

/**
 * The same as {@link PromptModel} for an encoder-decoder: the encoder reads the prompt.
 *
 * @param base with a {@link PromptTable} in it
 * @param tokens P
 */
record PromptSeq2Seq(Seq2SeqModel base, int tokens) implements Seq2SeqModel, GenerativeModel {
  @Override
  public TextModel.Output forward(Pass pass, Batch source, Batch target) {
    return base.forward(pass, seen(source), target);
  }

  @Override
  public Batch target(int size, int length, int[] labels) {
    return base.target(size, length, labels);
  }

  @Override
  public Batch seen(Batch source) {
    return source.behind(tokens);
  }

  @Override
  public Continuation begin(Engine engine, Batch prompts) {
    return generator().begin(engine, seen(prompts));
  }

  @Override
  public int longest() {
    return generator().longest();
  }

  private GenerativeModel generator() {
    if (base instanceof GenerativeModel g) {
      return g;
    }
    throw new IllegalStateException("the model under the prompt does not generate");
  }

  @Override
  public PromptSeq2Seq rebuild(Surgery s) {
    return new PromptSeq2Seq(s.through(base), tokens);
  }
}
