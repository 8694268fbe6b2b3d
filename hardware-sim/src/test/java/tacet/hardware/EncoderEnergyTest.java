package tacet.hardware;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tacet.hardware.EncoderEnergy.Batch;
import tacet.hardware.EncoderEnergy.Method;

class EncoderEnergyTest {

  /** RoBERTa-large on SST-2, densities of Table 1, 64 sentences padded to 128, 20 or 25 tokens valid. */
  @ParameterizedTest
  @CsvSource({
    "ADAPTER, 64, .9383, .854, .860", "ADAPTER, 64, .4150, .777, .783",
    "LORA,     0, .9387, .842, .849", "LORA,     0, .4586, .764, .771",
    "PREFIX,  60, .9420, .907, .911", "PREFIX,  60, .5191, .825, .829",
    "PROMPT,  60, .9364, .905, .909", "PROMPT,  60, .9290, .904, .907"
  })
  void reproducesTable2(Method method, int extra, double density, double at20, double at25) {
    assertThat(ratio(method, extra, 64, 20, density)).isCloseTo(at20, within(.005));
    assertThat(ratio(method, extra, 64, 25, density)).isCloseTo(at25, within(.005));
  }

  /** What does not explain the table: every linear module hooked, or one sentence at a time. */
  @Test
  void otherHypothesesDoNotMatch() {
    assertThat(everyLeaf(.9383)).isCloseTo(.909, within(.005));
    assertThat(everyLeaf(.4150)).isCloseTo(.809, within(.005));
    assertThat(ratio(Method.ADAPTER, 64, 1, 22, .9383)).isCloseTo(.927, within(.005));
    assertThat(ratio(Method.ADAPTER, 64, 1, 22, .4150)).isCloseTo(.887, within(.005));
  }

  private static double everyLeaf(double density) {
    var batch = new Batch(Method.ADAPTER, 64, 64, 128, 22, density);
    return EncoderEnergy.ROBERTA_LARGE
        .meter(batch)
        .estimate(EnergyMeter.Options.of(EnergyScope.LEAF_HF))
        .ratio();
  }

  /** Padding and silent neurons explain the whole saving; the split adds up. */
  @Test
  void savingsAreExplained() {
    var batch = new Batch(Method.ADAPTER, 64, 64, 128, 20, .415);
    EnergyEstimate e = EncoderEnergy.ROBERTA_LARGE.paperTable2(batch);
    assertThat(e.savings().sum()).isCloseTo(1 - e.ratio(), within(1e-12));
    assertThat(e.savings().padding()).isBetween(.12, .15);
    assertThat(e.savings().mlp()).isBetween(.07, .10);
    assertThat(e.savings().weights()).isZero();
    assertThat(e.savings().other()).isLessThan(1e-3);
  }

  @Test
  void refusesImpossibleBatches() {
    assertThatThrownBy(() -> new Batch(Method.FULL, 0, 1, 128, 129, 1))
        .hasMessageContaining("129.0 of 128");
    // A bottleneck of no width would divide nothing by nothing.
    assertThatThrownBy(() -> new Batch(Method.ADAPTER, 0, 1, 128, 20, 1))
        .hasMessageContaining("ADAPTER")
        .hasMessageContaining("0");
    assertThatThrownBy(() -> new Batch(Method.PREFIX, -1, 1, 128, 20, 1))
        .hasMessageContaining("-1");
    assertThatThrownBy(() -> new Batch(Method.FULL, 0, 1, 128, 20, 41.5))
        .hasMessageContaining("fraction");
  }

  private static double ratio(Method method, int extra, int batch, double valid, double density) {
    var estimate =
        EncoderEnergy.ROBERTA_LARGE.paperTable2(
            new Batch(method, extra, batch, 128, valid, density));
    return estimate.ratio();
  }
}
