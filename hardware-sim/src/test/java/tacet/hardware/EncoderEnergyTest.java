package tacet.hardware;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

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

  private static double ratio(Method method, int extra, int batch, double valid, double density) {
    var estimate =
        EncoderEnergy.ROBERTA_LARGE.paperTable2(
            new Batch(method, extra, batch, 128, valid, density));
    return estimate.ratio();
  }
}
