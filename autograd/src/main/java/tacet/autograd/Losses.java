package tacet.autograd;

import java.util.Arrays;
import tacet.tensor.Tensor;

/** What training makes small: scalars from predictions and labels, computed in double. */
public final class Losses {
  /** The label of what does not count, as in PyTorch. */
  public static final int IGNORED = -100;

  private Losses() {}

  // ------------------------------------------------------------------ classification

  /**
   * Mean over the labelled rows of −log softmax(x)[label]; dX = (softmax(x) − onehot) / rows, 0
   * where the label is {@link #IGNORED}. Summed in double.
   *
   * @param x logits [.., C]: [B, C] of a classifier, [B, S, C] of a language model
   * @param labels class of each row
   * @return a scalar
   * @throws IndexOutOfBoundsException if a label is neither a class nor {@link #IGNORED}
   * @throws IllegalArgumentException if all are ignored: there is nothing to average
   */
  public static Var crossEntropy(Pass pass, Var x, int[] labels) {
    int c = x.shape().last();
    requireLabels("cross entropy", x.shape().rows(), labels.length);
    return crossEntropy(pass, x, new Choices(c, c, 1, 1), labels, means(labels));
  }

  /**
   * The loss of next-token prediction: cross entropy of x[b, s] with labels[b, s + 1], averaged over
   * the labels that are not {@link #IGNORED}.
   *
   * @param x logits [B, S, C]
   * @param labels [B, S]; the first of each example is never predicted
   * @return a scalar
   * @throws IllegalArgumentException if the shapes do not fit, or if there is nothing to average
   */
  public static Var nextToken(Pass pass, Var x, int[] labels) {
    requireThree("next-token loss", x, x.shape().last());
    int s = x.shape().dim(1);
    requireLabels("next-token loss", x.shape().rows(), labels.length);
    int[] next = new int[labels.length];
    for (int i = 0; i < next.length; i++) {
      next[i] = (i + 1) % s == 0 ? IGNORED : labels[i + 1];
    }
    return crossEntropy(pass, x, next);
  }

  /**
   * The loss of extractive question answering: cross entropy over the S positions for where the
   * answer starts and for where it ends, each averaged over the examples, then over the two.
   * Positions past the end of the sequence are ignored, negative ones count as 0, as Hugging Face
   * has it.
   *
   * @param x logits [B, S, 2]: start and end
   * @param starts B positions
   * @param ends B positions
   * @return a scalar
   * @throws IllegalArgumentException if the shapes do not fit, or if there is nothing to average
   */
  public static Var span(Pass pass, Var x, int[] starts, int[] ends) {
    requireThree("span loss", x, 2);
    int b = x.shape().dim(0);
    int s = x.shape().dim(1);
    requireLabels("span loss", b, starts.length);
    requireLabels("span loss", b, ends.length);
    int[] labels = new int[2 * b]; // of example i: its start at 2i, its end at 2i + 1
    for (int i = 0; i < b; i++) {
      labels[2 * i] = starts[i] >= s ? IGNORED : Math.max(0, starts[i]);
      labels[2 * i + 1] = ends[i] >= s ? IGNORED : Math.max(0, ends[i]);
    }
    double[] weights = new double[2 * b];
    for (int end = 0; end < 2; end++) {
      int[] half = new int[b];
      for (int i = 0; i < b; i++) {
        half[i] = labels[2 * i + end];
      }
      double[] means = means(half);
      for (int i = 0; i < b; i++) {
        weights[2 * i + end] = means[i] / 2;
      }
    }
    return crossEntropy(pass, x, new Choices(s, 2 * s, 2, 2), labels, weights);
  }

  /**
   * Where the classes of a choice lie: class j of choice i at (i / perBlock) · block + i % perBlock +
   * j · stride.
   */
  private record Choices(int classes, int block, int perBlock, int stride) {
    int at(int i) {
      return i / perBlock * block + i % perBlock;
    }
  }

  /** 1 / (number of labels) for what is labelled, 0 for what is ignored. */
  private static double[] means(int[] labels) {
    long counted = Arrays.stream(labels).filter(l -> l != IGNORED).count();
    if (counted == 0) {
      throw new IllegalArgumentException("all " + labels.length + " labels are to be ignored");
    }
    return Arrays.stream(labels).mapToDouble(l -> l == IGNORED ? 0 : 1.0 / counted).toArray();
  }

  /** Σ_i weights[i] · −log softmax(x[i])[label]; dX = weight · (softmax(x) − onehot). */
  private static Var crossEntropy(
      Pass pass, Var x, Choices choices, int[] labels, double[] weights) {
    int n = labels.length;
    int c = choices.classes;
    float[] data = x.value().data();
    double[] max = new double[n];
    double[] sum = new double[n];
    for (int i = 0; i < n; i++) {
      if (labels[i] != IGNORED && (labels[i] < 0 || labels[i] >= c)) {
        throw new IndexOutOfBoundsException(
            "label " + labels[i] + " at " + i + " is not one of " + c + " classes");
      }
    }
    Rows.forEachRow(
        pass,
        n,
        c,
        (first, count) -> {
          for (int i = first; i < first + count; i++) {
            int at = choices.at(i);
            max[i] = Double.NEGATIVE_INFINITY;
            for (int j = 0; labels[i] != IGNORED && j < c; j++) {
              max[i] = Math.max(max[i], data[at + j * choices.stride]);
            }
            for (int j = 0; labels[i] != IGNORED && j < c; j++) {
              sum[i] += StrictMath.exp(data[at + j * choices.stride] - max[i]);
            }
          }
        });
    double loss = 0;
    for (int i = 0; i < n; i++) {
      if (labels[i] != IGNORED) {
        double of = data[choices.at(i) + labels[i] * choices.stride];
        loss += weights[i] * (max[i] + StrictMath.log(sum[i]) - of);
      }
    }
    return pass.record(Tensor.scalar((float) loss))
        .from(
            x,
            (dY, dX) ->
                Rows.forEachRow(
                    pass,
                    n,
                    c,
                    (first, count) -> {
                      for (int i = first; i < first + count; i++) {
                        double factor = dY.data()[0] * weights[i];
                        for (int j = 0; j < c; j++) {
                          int at = choices.at(i) + j * choices.stride;
                          double p =
                              labels[i] == IGNORED ? 0 : StrictMath.exp(data[at] - max[i]) / sum[i];
                          dX.data()[at] = (float) (factor * (p - (j == labels[i] ? 1 : 0)));
                        }
                      }
                    }))
        .done();
  }

  /**
   * Mean over all elements of −t log σ(x) − (1 − t) log(1 − σ(x)), for labels that do not exclude
   * each other; dX = (σ(x) − t) / n.
   *
   * @param x logits [B, C]
   * @param target B·C values, 0 or 1 or between
   * @return a scalar
   * @throws IllegalArgumentException if their number is another, or 0
   */
  public static Var binaryCrossEntropy(Pass pass, Var x, float[] target) {
    int n = x.value().size();
    requireTargets("binary cross entropy", n, target.length);
    double sum = 0;
    for (int i = 0; i < n; i++) {
      double v = x.value().data()[i];
      sum += Math.max(v, 0) - v * target[i] + StrictMath.log1p(StrictMath.exp(-Math.abs(v)));
    }
    return pass.record(Tensor.scalar((float) (sum / n)))
        .from(
            x,
            (dY, dX) -> {
              for (int i = 0; i < n; i++) {
                double sigma = 1 / (1 + StrictMath.exp(-x.value().data()[i]));
                dX.data()[i] = (float) (dY.data()[0] * (sigma - target[i]) / n);
              }
            })
        .done();
  }

  // ------------------------------------------------------------------ regression

  /**
   * Mean of (x − target)² over all elements; dX = 2 (x − target) / n.
   *
   * @return a scalar
   * @throws IllegalArgumentException if the targets are more or fewer, or none
   */
  public static Var meanSquaredError(Pass pass, Var x, float[] target) {
    int n = x.value().size();
    requireTargets("mean squared error", n, target.length);
    double sum = 0;
    for (int i = 0; i < n; i++) {
      double e = (double) x.value().data()[i] - target[i];
      sum += e * e;
    }
    return pass.record(Tensor.scalar((float) (sum / n)))
        .from(
            x,
            (dY, dX) -> {
              for (int i = 0; i < n; i++) {
                double e = (double) x.value().data()[i] - target[i];
                dX.data()[i] = (float) (dY.data()[0] * 2 * e / n);
              }
            })
        .done();
  }

  /** Logits [B, S, classes]. */
  private static void requireThree(String loss, Var x, int classes) {
    if (x.shape().rank() != 3 || x.shape().last() != classes) {
      throw new IllegalArgumentException(
          loss + ": logits " + x.shape() + " are not [B, S, " + classes + "]");
    }
  }

  /** A mean over nothing would be NaN, and so would all that is trained by it. */
  private static void requireTargets(String loss, int predictions, int targets) {
    requireLabels(loss, predictions, targets);
    if (targets == 0) {
      throw new IllegalArgumentException(loss + ": there is nothing to average");
    }
  }

  private static void requireLabels(String loss, int predictions, int labels) {
    if (predictions != labels) {
      throw new IllegalArgumentException(
          loss + ": " + predictions + " predictions, " + labels + " labels");
    }
  }
}
