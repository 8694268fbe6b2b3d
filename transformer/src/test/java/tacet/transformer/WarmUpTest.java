package tacet.transformer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;

import org.junit.jupiter.api.Test;

class WarmUpTest {
  @Test
  void endsByItself() throws InterruptedException {
    WarmUp w = WarmUp.start();
    w.await();
    assertThat(threads()).isZero();
    w.close();
  }

  @Test
  void endsWhenClosed() throws InterruptedException {
    WarmUp w = WarmUp.start();
    w.close();
    w.await();
    assertThat(threads()).isZero();
    assertThatCode(w::close).doesNotThrowAnyException();
  }

  private static long threads() {
    return Thread.getAllStackTraces().keySet().stream()
        .filter(t -> t.getName().equals("tacet-warm-up"))
        .count();
  }
}
