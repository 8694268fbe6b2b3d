package tacet.transformer.model;

import java.util.Arrays;
import java.util.List;
import tacet.autograd.Pass;
import tacet.autograd.Var;
import tacet.tensor.Engine;
import tacet.tensor.Shape;
import tacet.tensor.kernel.KeyValueCache;
import tacet.transformer.Batch;
import tacet.transformer.Continuation;

/**
 * What GPT-2 and OPT go on from: padding is not seen, nor counted in positions (with one exception, see
 * the constructor).
 */
final class CausalContinuation implements Continuation {
  /** The blocks of a decoder and its head. */
  interface Network {
    /**
     * The last states of new tokens, [B, S, D].
     *
     * @param positions of the tokens, from 0
     * @param keyBias of all keys, or null
     * @param past of each block
     */
    Var states(
        Pass pass,
        int[] ids,
        Shape shape,
        int[] positions,
        float[] keyBias,
        List<KeyValueCache> past);

    /** Scores [.., V] of states [.., D]. */
    Var head(Pass pass, Var states);
  }

  private final Network network;
  private final List<KeyValueCache> past;
  private final Batch prompts;
  private final int memory; // M vectors before each prompt
  private int[] prompt; // of each row
  private int[] position; // of each row's next token
  private int written; // tokens of each row, prompt included, without the next

  /**
   * Reads all but the last token of some prompts.
   *
   * @param memory M, vectors that the blocks see before each prompt
   * @param byPlace whether padding counts in positions
   */
  CausalContinuation(
      Network network,
      List<KeyValueCache> past,
      int memory,
      boolean byPlace,
      Engine engine,
      Batch prompts) {
    this.network = network;
    this.past = past;
    this.memory = memory;
    this.prompts = prompts;
    int b = prompts.size();
    int s = prompts.length();
    prompt = new int[b];
    position = new int[b];
    int[] ids = new int[b * (s - 1)];
    int[] positions = new int[ids.length];
    for (int i = 0; i < b; i++) {
      if (prompts.mask()[(i + 1) * s - 1] == 0) {
        throw new IllegalArgumentException(
            "prompt " + i + " ends with padding; a decoder's prompts are padded at the beginning");
      }
      prompt[i] = i;
      position[i] = memory;
      for (int t = 0; t < s - 1; t++) {
        boolean token = prompts.mask()[i * s + t] != 0;
        ids[i * (s - 1) + t] = prompts.ids()[i * s + t];
        positions[i * (s - 1) + t] = token || byPlace ? position[i]++ : 0;
      }
    }
    written = s - 1;
    if (s > 1) {
      try (Pass pass = Pass.inference(engine)) {
        network.states(pass, ids, Shape.of(b, s - 1), positions, keyBias(), past);
      }
    }
  }

  /** Of the memory and all tokens written: [R, M + written]; null without padding. */
  private float[] keyBias() {
    int s = prompts.length();
    float[] bias = null;
    for (int r = 0; r < prompt.length; r++) {
      for (int t = 0; t < s; t++) {
        if (prompts.mask()[prompt[r] * s + t] == 0) {
          bias = bias == null ? new float[prompt.length * (memory + written)] : bias;
          bias[r * (memory + written) + memory + t] = -Float.MAX_VALUE;
        }
      }
    }
    return bias;
  }

  @Override
  public int rows() {
    return prompt.length;
  }

  @Override
  public int[] beginning(int number) {
    int s = prompts.length();
    return Arrays.copyOfRange(prompts.ids(), number * s + prompts.vectors(), (number + 1) * s);
  }

  @Override
  public Var step(Pass pass, int[] tokens) {
    written++;
    Shape shape = Shape.of(rows(), 1);
    Var states = network.states(pass, tokens, shape, position, keyBias(), past);
    for (int r = 0; r < position.length; r++) {
      position[r]++;
    }
    return network.head(pass, states);
  }

  @Override
  public void select(int[] rows) {
    past.forEach(cache -> cache.reorder(rows));
    prompt = Arrays.stream(rows).map(r -> prompt[r]).toArray();
    position = Arrays.stream(rows).map(r -> position[r]).toArray();
  }
}
