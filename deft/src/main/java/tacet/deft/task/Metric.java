package tacet.deft.task;

import java.util.Arrays;
import java.util.Comparator;
import java.util.Locale;
import java.util.stream.IntStream;

/**
 * How predictions are judged. Every metric takes predictions and labels of the same length (class
 * indices, or values for the correlations), modifies neither, and returns a fraction: 1 is perfect.
 *
 * <p>Where a metric is undefined (a constant side of a correlation, a class that neither occurs nor
 * is predicted) it is 0, as scikit-learn has it for F1 and Matthews; scipy's correlations give NaN.
 */
public enum Metric {
  /** Share of predictions that equal their label. */
  ACCURACY {
    @Override
    public double of(double[] predicted, double[] labels) {
      check(predicted, labels);
      long hits = IntStream.range(0, labels.length).filter(i -> predicted[i] == labels[i]).count();
      return (double) hits / labels.length;
    }
  },

  /** F1 of class 1: 2·TP / (2·TP + FP + FN). */
  F1 {
    @Override
    public double of(double[] predicted, double[] labels) {
      check(predicted, labels);
      int hits = 0;
      int positives = 0; // predicted plus labelled: 2·TP + FP + FN
      for (int i = 0; i < labels.length; i++) {
        hits += predicted[i] == 1 && labels[i] == 1 ? 1 : 0;
        positives += (predicted[i] == 1 ? 1 : 0) + (labels[i] == 1 ? 1 : 0);
      }
      return positives == 0 ? 0 : 2.0 * hits / positives;
    }
  },

  /**
   * Matthews correlation, for any number of classes (Gorodkin's R_K): the covariance of prediction
   * and label, each seen as a one-hot vector, over the root of both variances. For two classes it
   * is (TP·TN − FP·FN) / √((TP+FP)(TP+FN)(TN+FP)(TN+FN)).
   */
  MATTHEWS {
    @Override
    public double of(double[] predicted, double[] labels) {
      check(predicted, labels);
      double n = labels.length;
      double both = 0;
      double predictedSquares = 0;
      double labelSquares = 0;
      double correct = ACCURACY.of(predicted, labels) * n;
      for (double k : DoubleArrays.distinct(predicted, labels)) {
        double p = DoubleArrays.count(predicted, k);
        double t = DoubleArrays.count(labels, k);
        both += p * t;
        predictedSquares += p * p;
        labelSquares += t * t;
      }
      double scale = Math.sqrt(n * n - predictedSquares) * Math.sqrt(n * n - labelSquares);
      return scale == 0 ? 0 : (correct * n - both) / scale;
    }
  },

  /** Pearson's linear correlation. */
  PEARSON {
    @Override
    public double of(double[] predicted, double[] labels) {
      check(predicted, labels);
      double meanP = Arrays.stream(predicted).average().orElse(0);
      double meanL = Arrays.stream(labels).average().orElse(0);
      double cross = 0;
      double squaresP = 0;
      double squaresL = 0;
      for (int i = 0; i < labels.length; i++) {
        double p = predicted[i] - meanP;
        double l = labels[i] - meanL;
        cross += p * l;
        squaresP += p * p;
        squaresL += l * l;
      }
      if (squaresP == 0 || squaresL == 0) {
        return 0;
      }
      // Rounding may leave the quotient a hair outside of its range.
      return Math.clamp(cross / (Math.sqrt(squaresP) * Math.sqrt(squaresL)), -1, 1);
    }
  },

  /** Spearman's rank correlation: Pearson's of the ranks, ties sharing their average rank. */
  SPEARMAN {
    @Override
    public double of(double[] predicted, double[] labels) {
      check(predicted, labels);
      return PEARSON.of(DoubleArrays.ranks(predicted), DoubleArrays.ranks(labels));
    }
  };

  /**
   * The metric as a fraction.
   *
   * @param predicted class indices or values, not modified
   * @param labels of the same length, not modified
   * @throws IllegalArgumentException if there is nothing to judge, or the lengths differ
   */
  public abstract double of(double[] predicted, double[] labels);

  /** The name in metrics.json: {@code accuracy}, {@code f1}, {@code matthews}, … */
  public String key() {
    return name().toLowerCase(Locale.ROOT);
  }

  private static void check(double[] predicted, double[] labels) {
    if (predicted.length != labels.length || labels.length == 0) {
      throw new IllegalArgumentException(
          predicted.length + " predictions for " + labels.length + " labels");
    }
  }

  /** Small helpers on arrays of values. */
  private static final class DoubleArrays {
    private DoubleArrays() {}

    static double[] distinct(double[] a, double[] b) {
      return java.util.stream.DoubleStream.concat(Arrays.stream(a), Arrays.stream(b))
          .distinct()
          .toArray();
    }

    static long count(double[] values, double k) {
      return Arrays.stream(values).filter(v -> v == k).count();
    }

    /** Ranks from 1; equal values share the mean of the ranks they span. */
    static double[] ranks(double[] values) {
      Integer[] order = IntStream.range(0, values.length).boxed().toArray(Integer[]::new);
      Arrays.sort(order, Comparator.comparingDouble(i -> values[i]));
      double[] ranks = new double[values.length];
      for (int from = 0; from < order.length; ) {
        int to = from + 1;
        while (to < order.length && values[order[to]] == values[order[from]]) {
          to++;
        }
        for (int i = from; i < to; i++) {
          ranks[order[i]] = (from + 1 + to) / 2.0;
        }
        from = to;
      }
      return ranks;
    }
  }
}
