package tacet.tensor.measure;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;
import tacet.tensor.Engine;
import tacet.tensor.Workers;
import tacet.tensor.kernel.Roofline;

/** That the measuring code measures; no test asserts a time. */
class InterleavedTest {
  @Test
  void medianIsTheMiddleValue() {
    assertThat(Interleaved.median(5, 1, 9)).isEqualTo(5);
    assertThat(Interleaved.median(7)).isEqualTo(7);
  }

  @Test
  void runsEveryJobAndComparesRoundByRound() {
    int[] calls = new int[2];
    Interleaved times =
        Interleaved.of(
            new Interleaved.Settings(3, 1, 1), List.of(() -> calls[0]++, () -> calls[1]++));
    assertThat(calls[0]).isGreaterThanOrEqualTo(3);
    assertThat(calls[1]).isGreaterThanOrEqualTo(3);
    assertThat(times.nanos(0)).isPositive();
    assertThat(times.millis(0)).isEqualTo(times.nanos(0) * 1e-6);
    assertThat(times.ratio(0, 0)).isEqualTo(1);
    assertThat(times.ratio(0, 1)).isPositive();
  }

  @Test
  void theMachineHasAPeak() {
    for (int threads = 1; threads <= 2; threads++) {
      try (Workers workers = new Workers(threads)) {
        Roofline r = Roofline.measure(workers);
        assertThat(r.gflops()).isPositive().isFinite();
        assertThat(r.gigabytes()).isPositive().isFinite();
      }
    }
  }

  @Test
  void factsName() {
    try (Engine engine = Engine.ofThreads(2)) {
      assertThat(Host.facts(engine))
          .containsEntry("Threads used", "2")
          .containsEntry("Kernels", engine.kernels().name());
      assertThat(Host.peakMemoryMb()).isPositive();
    }
  }
}
