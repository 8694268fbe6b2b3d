package tacet.deft;

import java.util.Map;
import tacet.autograd.Pass;
import tacet.deft.report.Density;
import tacet.deft.task.Task;
import tacet.tensor.Engine;
import tacet.tensor.Tensor;
import tacet.transformer.Tap;
import tacet.transformer.TextModel;

/** Runs a model over a data set: predictions, metrics, density, time. */
public final class Evaluator {
  /**
   * What was found.
   *
   * @param metrics of the task in percent, the primary one first
   * @param density of the MLP activations (of an encoder-decoder: the encoder's)
   * @param decoder density of the decoder; null where there is none
   * @param seconds wall time of the forward passes
   */
  public record Result(
      Map<String, Double> metrics, Density density, Density decoder, double seconds) {
    /** The primary metric. */
    public double score() {
      return metrics.values().iterator().next();
    }
  }

  private static final int BATCH = 64;

  private Evaluator() {}

  /** Evaluates a model on a task's data. */
  public static Result evaluate(Engine engine, TextModel model, Dataset data, Task task) {
    TextModel tapped = Tap.onActivations(model);
    DensityMeter meter = new DensityMeter();
    double[] predictions = new double[data.size()];
    double[] labels = new double[data.size()];
    long start = System.nanoTime();
    for (Dataset.Cut cut : data.sortedBatches(BATCH)) {
      try (Pass pass = Pass.inference(engine)) {
        meter.observe(pass, tapped.seen(cut.batch()));
        Tensor logits = tapped.forward(pass, cut.batch()).logits().value();
        for (int b = 0; b < cut.numbers().length; b++) {
          predictions[cut.numbers()[b]] = prediction(logits, b, task);
          labels[cut.numbers()[b]] = cut.labels()[b];
        }
      }
    }
    double seconds = (System.nanoTime() - start) * 1e-9;
    return new Result(task.scores(predictions, labels), meter.density(), null, seconds);
  }

  private static double prediction(Tensor logits, int row, Task task) {
    int c = logits.shape().last();
    float[] x = logits.data();
    if (task.isRegression()) {
      return x[row * c];
    }
    return largest(logits, row);
  }

  /** The class with the largest logit of a row; the first of equals. */
  static int largest(Tensor logits, int row) {
    int c = logits.shape().last();
    float[] x = logits.data();
    int best = 0;
    for (int j = 1; j < c; j++) {
      best = x[row * c + j] > x[row * c + best] ? j : best;
    }
    return best;
  }

  /**
   * Milliseconds per sentence of plain inference: the median over {@code rounds} of whole passes
   * over the data, after two that warm up.
   */
  public static double millisecondsPerSentence(
      Engine engine, TextModel model, Dataset data, int batchSize, int rounds) {
    var batches = data.sortedBatches(batchSize);
    double[] times = new double[rounds];
    for (int round = -2; round < rounds; round++) {
      long start = System.nanoTime();
      for (Dataset.Cut cut : batches) {
        try (Pass pass = Pass.inference(engine)) {
          model.forward(pass, cut.batch());
        }
      }
      if (round >= 0) {
        times[round] = (System.nanoTime() - start) * 1e-6 / data.size();
      }
    }
    java.util.Arrays.sort(times);
    return times[rounds / 2];
  }
}
