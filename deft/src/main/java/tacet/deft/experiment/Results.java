package tacet.deft.experiment;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/**
 * What the runs of an experiment found, as numbers by name, and their means and standard deviations
 * over seeds.
 */
public final class Results {
  /**
   * One run.
   *
   * @param labels task, method, variant, axes, seed
   * @param values numbers by name: {@code score}, {@code density}, {@code train_seconds}, …
   * @param series rows of numbers by name: {@code layers}, {@code ada}, {@code wanda.score}, …
   */
  public record Run(
      Map<String, String> labels, Map<String, Double> values, Map<String, List<Double>> series) {}

  /**
   * Mean and standard deviation over seeds (of the sample: n − 1; 0 for one run).
   *
   * @param n number of runs
   */
  public record Mean(double mean, double deviation, int n) {
    static Mean of(List<Double> values) {
      double sum = 0;
      for (double v : values) {
        sum += v;
      }
      double mean = sum / values.size();
      double squares = 0;
      for (double v : values) {
        squares += (v - mean) * (v - mean);
      }
      int n = values.size();
      return new Mean(mean, n < 2 ? 0 : Math.sqrt(squares / (n - 1)), n);
    }
  }

  /** Runs that differ in their seed only. */
  public record Group(Map<String, String> labels, List<Run> runs) {
    /** Mean and deviation of a value; null if no run has it. */
    public Mean mean(String value) {
      List<Double> all = new ArrayList<>();
      for (Run r : runs) {
        Double v = r.values.get(value);
        if (v != null && !v.isNaN()) {
          all.add(v);
        }
      }
      return all.isEmpty() ? null : Mean.of(all);
    }

    /** Mean of a row of numbers, place by place; empty if no run has it. */
    public List<Double> series(String name) {
      List<List<Double>> all =
          runs.stream()
              .map(r -> r.series.get(name))
              .filter(s -> s != null && !s.isEmpty())
              .toList();
      List<Double> means = new ArrayList<>();
      int n = all.stream().mapToInt(List::size).min().orElse(0);
      for (int i = 0; i < n; i++) {
        int at = i;
        means.add(all.stream().mapToDouble(s -> s.get(at)).average().orElse(Double.NaN));
      }
      return means;
    }

    /** The labels but one. */
    public Map<String, String> without(String label) {
      Map<String, String> rest = new LinkedHashMap<>(labels);
      rest.remove(label);
      return rest;
    }
  }

  private final List<Run> runs;

  /** Results of the given runs, in their order. */
  public Results(List<Run> runs) {
    this.runs = List.copyOf(runs);
  }

  /** All runs. */
  public List<Run> runs() {
    return runs;
  }

  /** Runs of all seeds together, in the order in which they first occur. */
  public List<Group> groups() {
    Map<Map<String, String>, List<Run>> byLabels = new LinkedHashMap<>();
    for (Run r : runs) {
      Map<String, String> labels = new LinkedHashMap<>(r.labels);
      labels.remove("seed");
      byLabels.computeIfAbsent(labels, l -> new ArrayList<>()).add(r);
    }
    List<Group> groups = new ArrayList<>();
    byLabels.forEach((labels, list) -> groups.add(new Group(labels, List.copyOf(list))));
    return groups;
  }

  /** The names of all values, in the order in which they first occur. */
  public List<String> valueNames() {
    Set<String> names = new LinkedHashSet<>();
    runs.forEach(r -> names.addAll(r.values.keySet()));
    return List.copyOf(names);
  }

  /** The names of all labels but the seed. */
  public List<String> labelNames() {
    Set<String> names = new LinkedHashSet<>();
    runs.forEach(r -> names.addAll(r.labels.keySet()));
    names.remove("seed");
    return List.copyOf(names);
  }

  /** The values that a label takes, numbers in their order. */
  public List<String> labelValues(String label) {
    Set<String> values = new LinkedHashSet<>();
    runs.forEach(r -> values.add(r.labels.getOrDefault(label, "")));
    Map<Double, String> numbers = new TreeMap<>();
    for (String v : values) {
      try {
        numbers.put(Double.parseDouble(v), v);
      } catch (NumberFormatException e) {
        return List.copyOf(values);
      }
    }
    return List.copyOf(numbers.values());
  }
}
