package tacet.peft;

import tacet.autograd.Parameter;
import tacet.autograd.Pass;
import tacet.autograd.TokenOps;
import tacet.autograd.Var;
import tacet.tensor.Shape;
import tacet.transformer.Lookup;
import tacet.transformer.Surgery;

/**
 * Word embeddings with a prompt: the first P tokens of every example get the prompt's vectors,
 * whatever their ids are.
 *
 * @param base the words
 * @param prompt [P, D], or [2 P, D] where peft has vectors for the decoder too, which it never reads
 * @param tokens P
 */
record PromptTable(Lookup base, Parameter prompt, int tokens) implements Lookup {
  @Override
  public Var forward(Pass pass, int[] ids, Shape shape) {
    int p = tokens;
    int b = shape.dim(0);
    int s = shape.dim(1) - p; // tokens with ids
    int[] words = new int[b * s];
    for (int i = 0; i < b; i++) {
      System.arraycopy(ids, i * (s + p) + p, words, i * s, s);
    }
    return TokenOps.prepend(pass, prompt, p, 0, base.forward(pass, words, Shape.of(b, s)));
  }

  @Override
  public Lookup words() {
    return base;
  }

  @Override
  public Parameter weight() {
    return base.weight();
  }

  @Override
  public PromptTable rebuild(Surgery s) {
    return new PromptTable(s.through(base), s.parameter(VirtualTokensFile.NAME, prompt), tokens);
  }
}
