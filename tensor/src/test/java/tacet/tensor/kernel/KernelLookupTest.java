package tacet.tensor.kernel;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class KernelLookupTest {
  @Test
  void choosesWhatTheBuildExpects() {
    String expected = System.getProperty("tacet.expect.kernels", "");
    String bits = System.getProperty("tacet.vector.bits", "");
    assertThat(Kernels.best().name()).startsWith(expected).endsWith(bits);
    assertThat(Kernels.best()).isSameAs(Kernels.best());
  }

  @Test
  void fusedMultiplyAddIsRecognised() {
    assertThat(KernelLookup.FAST_FMA).isTrue(); // every machine that builds this has it
  }
}
