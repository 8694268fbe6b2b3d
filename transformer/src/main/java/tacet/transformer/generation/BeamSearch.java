package tacet.transformer.generation;

import java.util.Arrays;
import java.util.stream.IntStream;
import tacet.autograd.Pass;
import tacet.tensor.Engine;
import tacet.tensor.Tensor;
import tacet.transformer.Continuation;

/**
 * Beam search as Hugging Face transformers has it ({@code GenerationMixin._beam_search}, version 5):
 * each example keeps its best running sequences and its best ended ones. Sums of log-probabilities are
 * floats there, and so they are here.
 *
 * <p>Letters: N beams, V vocabulary.
 */
final class BeamSearch {
  private static final float NEVER = -1e9f; // the score of what must not be chosen

  /** One sequence: what was written, and its score. */
  private record Beam(int[] tokens, float score, boolean ended) {}

  /** One example of the batch, its running and its ended sequences, best first. */
  private static final class Example {
    Beam[] running;
    Beam[] ended;
    boolean improvable = true;
  }

  /** A running sequence with one token more: row of its beginning, the token, and the score. */
  private record Candidate(int beam, int token, float score) {}

  private final Engine engine;
  private final Continuation run;
  private final Strategy.Beams how;
  private final Limits limits;
  private final int n;
  private final Example[] examples;
  private final int[][] beginnings;

  BeamSearch(Engine engine, Continuation run, int size, Strategy.Beams how, Limits limits) {
    this.engine = engine;
    this.run = run;
    this.how = how;
    this.limits = limits;
    n = how.beams();
    examples = new Example[size];
    beginnings = new int[size][];
    for (int e = 0; e < size; e++) {
      beginnings[e] = run.beginning(e);
      examples[e] = new Example();
      examples[e].running = beams(0);
      examples[e].ended = beams(NEVER);
    }
    run.select(IntStream.range(0, size * n).map(r -> r / n).toArray());
  }

  /** All alike at first: but for one they never win, or each token would be chosen N times. */
  private Beam[] beams(float first) {
    Beam[] all = new Beam[n];
    Arrays.fill(all, new Beam(new int[0], NEVER, false));
    all[0] = new Beam(new int[0], first, false);
    return all;
  }

  int[][] run(Listener listener) {
    for (int length = 0; length < limits.maxNewTokens(); length++) {
      int[] parents = step(length);
      boolean last = length + 1 == limits.maxNewTokens();
      boolean goOn = true;
      for (int e = 0; e < examples.length; e++) {
        goOn &= listener.wrote(e, examples[e].running[0].tokens[length]);
      }
      if (last || !goOn || !unfinished()) {
        break;
      }
      run.select(parents);
    }
    return results();
  }

  /** Can any example improve, and is any (with early stopping) not full? */
  private boolean unfinished() {
    boolean full =
        how.stopping() == Strategy.EarlyStopping.FIRST
            && Arrays.stream(examples).allMatch(BeamSearch::full);
    return !full && Arrays.stream(examples).anyMatch(e -> e.improvable);
  }

  private static boolean full(Example e) {
    return Arrays.stream(e.ended).allMatch(Beam::ended);
  }

  /** One token more; returns the row that each row goes on from. */
  private int[] step(int length) {
    int[] tokens = new int[examples.length * n];
    for (int r = 0; r < tokens.length; r++) {
      int[] written = examples[r / n].running[r % n].tokens;
      int[] beginning = beginnings[r / n];
      tokens[r] = length == 0 ? beginning[beginning.length - 1] : written[length - 1];
    }
    int[] parents = new int[tokens.length];
    try (Pass pass = Pass.inference(engine)) {
      Tensor scores = run.step(pass, tokens).value(); // [B · N, 1, V]
      int v = scores.shape().last();
      engine
          .workers()
          .forEach(
              tokens.length,
              1,
              (part, from, to) -> {
                for (int r = from; r < to; r++) {
                  logProbabilities(scores.data(), r * v, v);
                  limits.apply(scores.data(), r * v, length);
                }
              });
      for (int e = 0; e < examples.length; e++) {
        choose(examples[e], best(scores.data(), e * n * v, v, examples[e]), length, parents, e * n);
      }
    }
    return parents;
  }

  private static void logProbabilities(float[] x, int from, int v) {
    float max = Float.NEGATIVE_INFINITY;
    for (int i = from; i < from + v; i++) {
      max = Math.max(max, x[i]);
    }
    double sum = 0;
    for (int i = from; i < from + v; i++) {
      sum += StrictMath.exp(x[i] - max);
    }
    double log = StrictMath.log(sum);
    for (int i = from; i < from + v; i++) {
      x[i] = (float) (x[i] - max - log);
    }
  }

  /** The best continuations of all beams: enough for N that do not end. */
  private Candidate[] best(float[] x, int from, int v, Example example) {
    int wanted = Math.min(n * v, Math.max(2, 1 + limits.ends().size()) * n);
    Candidate[] best = new Candidate[wanted];
    int found = 0;
    for (int i = 0; i < n * v; i++) {
      float score = x[from + i] + example.running[i / v].score;
      if (found == wanted && !(score > best[found - 1].score)) {
        continue;
      }
      int at = found < wanted ? found++ : found - 1;
      for (; at > 0 && score > best[at - 1].score; at--) {
        best[at] = best[at - 1];
      }
      best[at] = new Candidate(i / v, i % v, score);
    }
    return best;
  }

  private void choose(Example e, Candidate[] best, int length, int[] parents, int row) {
    boolean last = length + 1 == limits.maxNewTokens();
    Beam[] before = e.running;
    Beam[] next = new Beam[best.length];
    float[] going = new float[best.length];
    for (int i = 0; i < best.length; i++) {
      int[] tokens = Arrays.copyOf(before[best[i].beam].tokens, length + 1);
      tokens[length] = best[i].token;
      boolean ends = last || limits.isEnd(best[i].token);
      going[i] = best[i].score + (ends ? NEVER : 0);
      next[i] = new Beam(tokens, best[i].score, ends);
    }
    Beam[] running = new Beam[n];
    int[] order = descending(going, n);
    for (int i = 0; i < n; i++) {
      running[i] = new Beam(next[order[i]].tokens, going[order[i]], false);
      parents[row + i] = row + best[order[i]].beam;
    }
    e.ended = ended(e, next, length + 1);
    e.running = running;
    e.improvable &= improvable(e, length + 1);
  }

  /** The best N of those that have ended before, and of the best N that end now. */
  private Beam[] ended(Example e, Beam[] next, int length) {
    boolean closed = how.stopping() == Strategy.EarlyStopping.FIRST && full(e);
    Beam[] all = Arrays.copyOf(e.ended, n + next.length);
    float[] scores = new float[all.length];
    for (int i = 0; i < all.length; i++) {
      if (i >= n) {
        Beam b = next[i - n];
        boolean counts = b.ended && i - n < n;
        float score = b.score / (float) Math.pow(length, how.lengthPenalty());
        score += closed ? NEVER : 0;
        score += e.improvable ? 0 : NEVER;
        score += counts ? 0 : NEVER;
        all[i] = new Beam(b.tokens, score, counts);
      }
      scores[i] = all[i].score;
    }
    return Arrays.stream(descending(scores, n)).mapToObj(i -> all[i]).toArray(Beam[]::new);
  }

  /** Whether the best running sequence may become better than the worst that has ended. */
  private boolean improvable(Example e, int length) {
    boolean patient = how.stopping() == Strategy.EarlyStopping.NEVER && how.lengthPenalty() > 0;
    int reached = patient ? limits.maxNewTokens() : length;
    float possible = e.running[0].score / (float) Math.pow(reached, how.lengthPenalty());
    return !full(e) ? possible > NEVER : possible > e.ended[n - 1].score;
  }

  /** Places of the k greatest values, the greatest first; of equal ones the first. */
  private static int[] descending(float[] x, int k) {
    return IntStream.range(0, x.length)
        .boxed()
        .sorted((i, j) -> Float.compare(x[j], x[i]))
        .limit(k)
        .mapToInt(Integer::intValue)
        .toArray();
  }

  /** The best of each example: ended, or where the search was broken off, running. */
  private int[][] results() {
    int[][] best =
        Arrays.stream(examples)
            .map(e -> e.ended[0].ended ? e.ended[0].tokens : e.running[0].tokens)
            .toArray(int[][]::new);
    int longest = Arrays.stream(best).mapToInt(b -> b.length).max().orElse(0);
    // A padding token with the number 0 is taken for none there.
    int fill =
        limits.ends().isEmpty() || limits.padId() != 0 ? limits.padId() : limits.ends().get(0);
    int[][] out = new int[best.length][];
    for (int e = 0; e < best.length; e++) {
      int first = beginnings[e].length;
      out[e] = Arrays.copyOf(beginnings[e], first + longest);
      Arrays.fill(out[e], first, out[e].length, fill);
      System.arraycopy(best[e], 0, out[e], first, best[e].length);
    }
    return out;
  }
}
