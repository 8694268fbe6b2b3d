package tacet.deft;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import tacet.autograd.Pass;
import tacet.autograd.Var;
import tacet.deft.report.Density;
import tacet.tensor.Engine;
import tacet.tensor.Shape;
import tacet.tensor.Tensor;
import tacet.tensor.kernel.Surrogate;
import tacet.transformer.Batch;

/** Averages of the density loss and the meter, by hand; and the cutting of batches. */
class DensityTest {
  /** Two examples of three tokens, the second with one real token; four neurons. */
  private static final Batch BATCH =
      new Batch(2, 3, new int[6], new int[6], new int[] {1, 1, 1, 1, 0, 0});

  // First example: 1/4, 2/4 and 0 speak; second: 3/4, then padding with 4/4 and 3/4.
  private static final float[] ACTIVATIONS = {
    1, 0, 0, 0, 2, 2, 0, 0, 0, 0, 0, 0, 0.0005f, 0.005f, 3, 0, 9, 9, 9, 9, 9, 9, 9, 0
  };

  @Test
  void meterAveragesNeuronsTokensExamplesLayers() {
    DensityMeter meter = new DensityMeter();
    try (Engine engine = Engine.ofThreads(2);
        Pass pass = Pass.inference(engine)) {
      meter.observe(pass, BATCH);
      Var v = pass.constant(new Tensor(Shape.of(2, 3, 4), ACTIVATIONS));
      pass.observe("one", v);
      pass.observe("two", pass.constant(Tensor.zeros(2, 3, 4)));
    }
    Density d = meter.density();
    double first = (1 / 4.0 + 2 / 4.0) / 3;
    assertThat(d.layers()).hasSize(2);
    assertThat(d.layers().get(0)).isCloseTo(100 * (first + 0.75) / 2, within(1e-9));
    assertThat(d.layers().get(1)).isZero();
    assertThat(d.exact()).isCloseTo(100 * (first + 0.75) / 4, within(1e-9));
    assertThat(d.included()).isCloseTo(100 * (first + (0.75 + 1 + 0.75) / 3) / 4, within(1e-9));
    assertThat(d.threshold().get("1e-3")).isCloseTo(100 * (first + 0.5) / 4, within(1e-9));
    assertThat(d.threshold().get("1e-2")).isCloseTo(100 * (first + 0.25) / 4, within(1e-9));
    assertThat(meter.layerNames()).containsExactly("one", "two");
  }

  @Test
  void lossAveragesTheSameWay() {
    DensityLoss masked = new DensityLoss(Surrogate.L1, 0, 2, Padding.MASKED);
    DensityLoss included = new DensityLoss(Surrogate.L1, 0, 2, Padding.INCLUDED);
    double first = (1 + 4) / 4.0 / 3;
    double second = 3.0055 / 4;
    assertThat(loss(masked)).isCloseTo((first + second) / 4, within(1e-6));
    assertThat(loss(included)).isCloseTo((first + (second + 9 + 27 / 4.0) / 3) / 4, within(1e-6));
  }

  private static double loss(DensityLoss density) {
    try (Engine engine = Engine.ofThreads(1);
        Pass pass = Pass.inference(engine)) {
      DensityLoss.Terms terms = density.observe(pass, BATCH);
      pass.observe("one", pass.constant(new Tensor(Shape.of(2, 3, 4), ACTIVATIONS)));
      pass.observe("two", pass.constant(Tensor.zeros(2, 3, 4)));
      Var d = terms.loss(pass);
      Var task = pass.constant(Tensor.scalar(1));
      double value = d.value().item();
      assertThat((double) terms.addTo(pass, task, d).value().item())
          .isCloseTo(1 + 2 * value, within(1e-5));
      assertThat((double) terms.addTo(pass, task, d, 0.25).value().item())
          .isCloseTo(1 + 0.5 * value, within(1e-5));
      return value;
    }
  }

  @Test
  void lossNeedsTapsAndSensibleNumbers() {
    DensityLoss density = new DensityLoss(Surrogate.TANH, 20, 1, Padding.MASKED);
    try (Engine engine = Engine.ofThreads(1);
        Pass pass = Pass.inference(engine)) {
      DensityLoss.Terms terms = density.observe(pass, BATCH);
      assertThatThrownBy(() -> terms.loss(pass)).hasMessageContaining("tapped");
    }
    assertThatThrownBy(() -> new DensityLoss(Surrogate.L0, 0, 1, Padding.MASKED))
        .hasMessageContaining("epsilon");
    assertThatThrownBy(() -> new DensityLoss(Surrogate.TANH, 20, Double.NaN, Padding.MASKED))
        .hasMessageContaining("lambda");
  }

  @Test
  void rampGrowsBetweenItsEnds() {
    Ramp ramp = new Ramp(0.25, 0.75);
    assertThat(ramp.at(0, 100)).isZero();
    assertThat(ramp.at(25, 100)).isZero();
    assertThat(ramp.at(50, 100)).isEqualTo(0.5);
    assertThat(ramp.at(75, 100)).isEqualTo(1);
    assertThat(Ramp.NONE.at(0, 100)).isEqualTo(1);
    assertThatThrownBy(() -> new Ramp(0.5, 0.2)).hasMessageContaining("ramp");
  }

  private static Dataset dataset(int n) {
    List<Dataset.Item> items = new ArrayList<>();
    for (int i = 0; i < n; i++) {
      int length = 1 + (i * 7) % 11;
      int[] ids = new int[length];
      Arrays.fill(ids, 100 + i);
      items.add(new Dataset.Item(ids, new int[length], i % 2));
    }
    return new Dataset(items, 5);
  }

  @Test
  void epochsCoverEveryExampleOnceInAKeyedOrder() {
    for (int n : new int[] {1, 7, 64, 333}) {
      Dataset data = dataset(n);
      List<int[]> a = data.epoch(8, 1, 0);
      assertThat(flat(a)).hasSize(n);
      assertThat(new TreeSet<>(flat(a))).hasSize(n);
      assertThat(flat(data.epoch(8, 1, 0))).isEqualTo(flat(a));
      assertThat(a).hasSize((n + 7) / 8);
      if (n > 8) {
        assertThat(flat(data.epoch(8, 1, 1))).isNotEqualTo(flat(a));
        assertThat(flat(data.epoch(8, 2, 0))).isNotEqualTo(flat(a));
      }
    }
  }

  private static List<Integer> flat(List<int[]> batches) {
    List<Integer> all = new ArrayList<>();
    batches.forEach(b -> Arrays.stream(b).forEach(all::add));
    return all;
  }

  @Test
  void batchesArePaddedToTheirLongest() {
    Dataset.Cut cut = dataset(4).cut(new int[] {0, 2}); // lengths 1 and 4
    assertThat(cut.batch().length()).isEqualTo(4);
    assertThat(cut.batch().ids()).containsExactly(100, 5, 5, 5, 102, 102, 102, 102);
    assertThat(cut.batch().mask()).containsExactly(1, 0, 0, 0, 1, 1, 1, 1);
    assertThat(cut.classes()).containsExactly(0, 0);
    assertThat(cut.targets()).containsExactly(0f, 0f);
    int padded = 0;
    for (Dataset.Cut c : dataset(100).sortedBatches(10)) {
      padded += (int) Arrays.stream(c.batch().mask()).filter(m -> m == 0).count();
    }
    assertThat(padded).isLessThan(60);
    assertThat(dataset(9).first(4).size()).isEqualTo(4);
  }
}
