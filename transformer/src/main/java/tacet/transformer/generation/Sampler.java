package tacet.transformer.generation;

import java.util.Arrays;
import java.util.Comparator;
import java.util.stream.IntStream;

/** Draws tokens; what is put aside follows Hugging Face's logits warpers, in their order. */
final class Sampler {
  private Sampler() {}

  /**
   * The token whose share of the unit interval u lies in.
   *
   * @param scores v scores from {@code from}; not modified
   * @param u uniform in [0, 1)
   */
  static int choose(Strategy.Sampling how, float[] scores, int from, int v, double u) {
    double[] p = probabilities(how, scores, from, v);
    double left = u;
    int last = -1;
    for (int i = 0; i < v; i++) {
      if (p[i] > 0) {
        last = i;
        left -= p[i];
        if (left < 0) {
          return i;
        }
      }
    }
    return last; // the probabilities add up to a little less than one
  }

  /** The probability of each token, 0 for what is put aside. */
  static double[] probabilities(Strategy.Sampling how, float[] scores, int from, int v) {
    double[] x = new double[v];
    for (int i = 0; i < v; i++) {
      x[i] = (float) (scores[from + i] / how.temperature());
    }
    if (how.topK() > 0 && how.topK() < v) {
      double[] sorted = x.clone();
      Arrays.sort(sorted);
      double least = sorted[v - how.topK()];
      Arrays.setAll(x, i -> x[i] < least ? Double.NEGATIVE_INFINITY : x[i]);
    }
    double[] p = softmax(x);
    if (how.topP() < 1) {
      int[] ascending =
          IntStream.range(0, v)
              .boxed()
              .sorted(Comparator.comparingDouble(i -> x[i]))
              .mapToInt(Integer::intValue)
              .toArray();
      double sum = 0;
      for (int i = 0; i < v - 1; i++) { // the most probable stays
        sum += p[ascending[i]];
        if (sum <= 1 - how.topP()) {
          x[ascending[i]] = Double.NEGATIVE_INFINITY;
        }
      }
      p = softmax(x);
    }
    return p;
  }

  private static double[] softmax(double[] x) {
    double max = Arrays.stream(x).max().orElse(0);
    double[] p = Arrays.stream(x).map(v -> StrictMath.exp(v - max)).toArray();
    double sum = Arrays.stream(p).sum();
    Arrays.setAll(p, i -> p[i] / sum);
    return p;
  }
}
