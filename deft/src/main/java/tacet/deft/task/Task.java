package tacet.deft.task;

import java.io.IOException;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A supervised task: what the labels mean, how predictions are judged, and where the examples come
 * from.
 *
 * <pre>{@code
 * Task task = Glue.task("SST-2", Path.of("glue/SST-2"));
 * List<Example> train = task.train().read();
 * Map<String, Double> scores = task.scores(predicted, labels);   // {accuracy=91.2}
 * }</pre>
 *
 * @param name as in metrics.json, for example {@code SST-2}
 * @param labels what class 0, 1, … is called; empty for a regression
 * @param metrics the primary one first
 * @param train the examples to learn from
 * @param dev the examples to judge by
 * @param others more examples to judge by, by the suffix of their metrics: MNLI's {@code mm}
 */
public record Task(
    String name,
    List<String> labels,
    List<Metric> metrics,
    Split train,
    Split dev,
    Map<String, Split> others) {
  /** A part of the data, read anew by every call and always the same. */
  @FunctionalInterface
  public interface Split {
    /**
     * All examples in file order.
     *
     * @throws IOException if a file cannot be read or is not what it should be; the message names
     *     file and line
     */
    List<Example> read() throws IOException;
  }

  /** Copies the lists; a task needs a metric and either no label names or at least two. */
  public Task {
    labels = List.copyOf(labels);
    metrics = List.copyOf(metrics);
    others = Collections.unmodifiableMap(new LinkedHashMap<>(others));
    if (labels.size() == 1 || metrics.isEmpty()) {
      throw new IllegalArgumentException(
          name + ": " + labels.size() + " labels, " + metrics.size() + " metrics");
    }
  }

  /** A task with one split to judge by. */
  public Task(String name, List<String> labels, List<Metric> metrics, Split train, Split dev) {
    this(name, labels, metrics, train, dev, Map.of());
  }

  /** Whether the label is a value to come close to, and not a class. */
  public boolean isRegression() {
    return labels.isEmpty();
  }

  /** How many values the head of a model gives: one per class, or 1 for a regression. */
  public int outputs() {
    return isRegression() ? 1 : labels.size();
  }

  /** The metric that {@code score} in metrics.json stands for. */
  public Metric primary() {
    return metrics.get(0);
  }

  /**
   * All metrics in percent by their keys, the primary one first.
   *
   * @param predicted class indices, or values of a regression
   * @param gold the labels, of the same length
   */
  public Map<String, Double> scores(double[] predicted, double[] gold) {
    Map<String, Double> scores = new LinkedHashMap<>();
    for (Metric m : metrics) {
      scores.put(m.key(), 100 * m.of(predicted, gold));
    }
    return scores;
  }
}
