package tacet.deft.task;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

final class MetricTest {
  private static final double EXACT = 1e-12;

  @Test
  void agreesWithScikitLearnAndScipy() throws IOException {
    int checked = 0;
    for (String line : golden()) {
      String[] cells = line.split("; ");
      double[] predicted = numbers(cells[1]);
      double[] labels = numbers(cells[2]);
      List<Metric> metrics =
          cells.length == 6
              ? List.of(Metric.ACCURACY, Metric.F1, Metric.MATTHEWS)
              : List.of(Metric.PEARSON, Metric.SPEARMAN);
      for (int i = 0; i < metrics.size(); i++) {
        double expected = Double.parseDouble(cells[3 + i].replace("nan", "NaN"));
        if (!Double.isNaN(expected)) {
          assertThat(metrics.get(i).of(predicted, labels))
              .as("%s of \"%s\"", metrics.get(i), cells[0])
              .isCloseTo(expected, within(EXACT));
          checked++;
        }
      }
    }
    assertThat(checked).isEqualTo(7 * 3 - 1 + 5 * 2); // F1 has no value for three classes
  }

  @Test
  void undefinedMetricsAreZero() {
    double[] flat = {2, 2, 2};
    double[] rising = {1, 2, 3};
    assertThat(Metric.PEARSON.of(flat, rising)).isZero();
    assertThat(Metric.SPEARMAN.of(rising, flat)).isZero();
    assertThat(Metric.MATTHEWS.of(flat, flat)).isZero();
    assertThat(Metric.F1.of(new double[] {0}, new double[] {0})).isZero();
  }

  @Test
  void refusesDifferentLengthsAndNothing() {
    for (Metric m : Metric.values()) {
      assertThatThrownBy(() -> m.of(new double[2], new double[3]))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessage("2 predictions for 3 labels");
      assertThatThrownBy(() -> m.of(new double[0], new double[0]))
          .isInstanceOf(IllegalArgumentException.class);
    }
  }

  @Test
  void correlationsIgnoreScaleAndOrderAndStayInRange() {
    for (long seed = 0; seed < 200; seed++) {
      SplittableRandom random = new SplittableRandom(seed);
      int n = random.nextInt(2, 30);
      double[] a = random.doubles(n, -3, 3).map(Math::rint).toArray();
      double[] b = random.doubles(n, -3, 3).map(Math::rint).toArray();
      double[] scaled = Arrays.stream(a).map(x -> 7 * x - 2).toArray();
      double[] cubed = Arrays.stream(a).map(x -> x * x * x).toArray();
      double[] negated = Arrays.stream(a).map(x -> -x).toArray();
      double pearson = Metric.PEARSON.of(a, b);
      double spearman = Metric.SPEARMAN.of(a, b);
      assertThat(pearson).as("seed %d", seed).isBetween(-1.0, 1.0);
      assertThat(Metric.PEARSON.of(scaled, b)).as("seed %d", seed).isCloseTo(pearson, within(1e-9));
      assertThat(Metric.SPEARMAN.of(cubed, b))
          .as("seed %d", seed)
          .isCloseTo(spearman, within(EXACT));
      assertThat(Metric.SPEARMAN.of(negated, b))
          .as("seed %d", seed)
          .isCloseTo(-spearman, within(EXACT));
    }
  }

  @Test
  void taskGivesPercentWithThePrimaryMetricFirst() {
    Task.Split none = List::of;
    Task task =
        new Task("t", List.of("no", "yes"), List.of(Metric.F1, Metric.ACCURACY), none, none);
    Map<String, Double> scores = task.scores(new double[] {1, 1, 0, 0}, new double[] {1, 0, 0, 0});
    assertThat(scores.keySet()).containsExactly("f1", "accuracy");
    assertThat(scores.get("accuracy")).isEqualTo(75);
    assertThat(scores.get("f1")).isCloseTo(200.0 / 3, within(1e-9));
    assertThat(task.primary()).isEqualTo(Metric.F1);
    assertThat(task.outputs()).isEqualTo(2);
  }

  private static List<String> golden() throws IOException {
    try (InputStream in = MetricTest.class.getResourceAsStream("metrics.txt")) {
      return new String(in.readAllBytes(), StandardCharsets.UTF_8).lines().toList();
    }
  }

  private static double[] numbers(String list) {
    return Arrays.stream(list.substring(1, list.length() - 1).split(", "))
        .mapToDouble(Double::parseDouble)
        .toArray();
  }
}
