package tacet.transformer;

import tacet.autograd.Pass;
import tacet.autograd.Var;

/**
 * Keys and values that an attention layer sees before those of its own sequence, the same for every
 * example. Models have none; surgery may put some there. They count as positions: the first token
 * of the sequence is at position {@link #length()}.
 *
 * <p>Letters: M vectors of memory.
 */
public interface Memory extends Part {
  /**
   * The memory of a model as it was trained: none.
   *
   * @param heads H of the attention layer
   * @param width D of its keys and values
   */
  static Memory none(int heads, int width) {
    return new None(heads, width);
  }

  /** H of the attention layer. */
  int heads();

  /** D of its keys and values. */
  int width();

  /** M. */
  int length();

  /** The keys of the memory before those of the sequence: [B, S, D] → [B, M + S, D]. */
  Var keys(Pass pass, Var keys);

  /** The values of the memory before those of the sequence: [B, S, D] → [B, M + S, D]. */
  Var values(Pass pass, Var values);

  /**
   * What is added to the scores of all keys: nothing to those of the memory.
   *
   * @param keyBias [B, S], or null where there is no padding; not modified
   * @param batch B
   * @return [B, M + S], or null
   */
  default float[] keyBias(float[] keyBias, int batch) {
    if (keyBias == null || length() == 0) {
      return keyBias;
    }
    int s = keyBias.length / batch;
    int all = s + length();
    float[] bias = new float[batch * all];
    for (int b = 0; b < batch; b++) {
      System.arraycopy(keyBias, b * s, bias, b * all + length(), s);
    }
    return bias;
  }

  @Override
  Memory rebuild(Surgery s);

  /** No memory; see {@link #none}. */
  record None(int heads, int width) implements Memory {
    @Override
    public int length() {
      return 0;
    }

    @Override
    public Var keys(Pass pass, Var keys) {
      return keys;
    }

    @Override
    public Var values(Pass pass, Var values) {
      return values;
    }

    @Override
    public None rebuild(Surgery s) {
      return this;
    }
  }
}
