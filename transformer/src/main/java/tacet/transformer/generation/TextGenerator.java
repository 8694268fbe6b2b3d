package tacet.transformer.generation;

import java.util.Arrays;
import tacet.autograd.Pass;
import tacet.tensor.Engine;
import tacet.tensor.RandomStream;
import tacet.tensor.Tensor;
import tacet.transformer.Batch;
import tacet.transformer.Continuation;
import tacet.transformer.GenerativeModel;

/**
 * Writes sequences of tokens.
 *
 * <pre>{@code
 * Limits limits = Limits.of(64, 0, List.of(checkpoint.config()));
 * int[][] ids = new TextGenerator(model, limits).write(engine, prompts, new Strategy.Beams(3));
 * }</pre>
 *
 * @param model what writes
 * @param limits when sequences end
 */
public record TextGenerator(GenerativeModel model, Limits limits) {
  /** Writes for some prompts; see the other method. */
  public int[][] write(Engine engine, Batch prompts, Strategy strategy) {
    return write(engine, prompts, strategy, Listener.NONE);
  }

  /**
   * Writes for some prompts. The result has the ids that Hugging Face's {@code generate} gives.
   *
   * @param prompts sources of a model with an encoder; a decoder's prompts, padded at the beginning
   * @return for each prompt its sequence, filled with padding to the longest: the start token, or the
   *     prompt, and what was written
   * @throws IllegalArgumentException if prompts and new tokens are more than the model has positions
   *     for, or a decoder's prompt ends with padding
   */
  public int[][] write(Engine engine, Batch prompts, Strategy strategy, Listener listener) {
    Continuation run = begin(engine, prompts);
    if (strategy instanceof Strategy.Beams beams && beams.beams() > 1) {
      return new BeamSearch(engine, run, prompts.size(), beams, limits).run(listener);
    }
    return oneByOne(engine, run, strategy, listener);
  }

  private Continuation begin(Engine engine, Batch prompts) {
    if (prompts.size() == 0 || prompts.length() == 0) {
      throw new IllegalArgumentException("there is nothing to go on from: the prompt is empty");
    }
    long all = (long) prompts.length() + limits.maxNewTokens();
    if (all > model.longest()) {
      throw new IllegalArgumentException(
          "a prompt of "
              + prompts.length()
              + " tokens and "
              + limits.maxNewTokens()
              + " new ones are more than the "
              + model.longest()
              + " that the model has positions for");
    }
    return model.begin(engine, prompts);
  }

  /** Greedy, or sampling: each example for itself. Those that have ended are computed no further. */
  private int[][] oneByOne(Engine engine, Continuation run, Strategy strategy, Listener listener) {
    int examples = run.rows();
    int first = run.beginning(0).length;
    int[][] sequences = new int[examples][];
    int[] open = new int[examples]; // the example of each row
    for (int e = 0; e < examples; e++) {
      sequences[e] = Arrays.copyOf(run.beginning(e), first + limits.maxNewTokens());
      Arrays.fill(sequences[e], first, sequences[e].length, limits.padId());
      open[e] = e;
    }
    boolean goOn = true;
    int length = first;
    for (; length < first + limits.maxNewTokens() && open.length > 0 && goOn; length++) {
      int[] tokens = new int[open.length];
      for (int r = 0; r < open.length; r++) {
        tokens[r] = sequences[open[r]][length - 1];
      }
      int[] rows = new int[open.length]; // that go on
      int left = 0;
      try (Pass pass = Pass.inference(engine)) {
        Tensor scores = run.step(pass, tokens).value(); // [R, 1, V]
        int v = scores.shape().last();
        for (int r = 0; r < open.length; r++) {
          limits.apply(scores.data(), r * v, length - first);
          int token = choose(strategy, scores.data(), r * v, v, open[r], length - first);
          sequences[open[r]][length] = token;
          goOn &= listener.wrote(open[r], token);
          if (!limits.isEnd(token)) {
            rows[left++] = r;
          }
        }
      }
      if (left < open.length) {
        int[] goingOn = Arrays.copyOf(rows, left);
        int[] before = open;
        open = Arrays.stream(goingOn).map(r -> before[r]).toArray();
        if (left > 0) {
          run.select(goingOn);
        }
      }
    }
    int end = length;
    return Arrays.stream(sequences).map(s -> Arrays.copyOf(s, end)).toArray(int[][]::new);
  }

  private static int choose(
      Strategy strategy, float[] scores, int from, int v, int example, int step) {
    if (strategy instanceof Strategy.Sampling sampling) {
      double u = RandomStream.of(sampling.seed(), "write example " + example, step).nextDouble();
      return Sampler.choose(sampling, scores, from, v, u);
    }
    int best = 0;
    for (int i = 1; i < v; i++) {
      best = scores[from + i] > scores[from + best] ? i : best;
    }
    return best;
  }
}
