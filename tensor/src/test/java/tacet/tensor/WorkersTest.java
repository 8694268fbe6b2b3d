package tacet.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicIntegerArray;
import org.junit.jupiter.api.Test;

class WorkersTest {
  @Test
  void everyIterationRunsOnce() {
    for (int threads = 1; threads <= 4; threads++) {
      try (Workers w = new Workers(threads)) {
        for (int count : new int[] {0, 1, 2, 7, 100, 1001}) {
          for (int grain : new int[] {1, 3, 64, 2000}) {
            AtomicIntegerArray seen = new AtomicIntegerArray(count + 1);
            w.forEach(
                count,
                grain,
                (part, from, to) -> {
                  assertThat(part).isBetween(0, w.size() - 1);
                  for (int i = from; i < to; i++) {
                    seen.incrementAndGet(i);
                  }
                });
            for (int i = 0; i < count; i++) {
              assertThat(seen.get(i)).isEqualTo(1);
            }
          }
        }
      }
    }
  }

  @Test
  void errorsReachTheCallerAndThePoolGoesOn() {
    try (Workers w = new Workers(3)) {
      for (int round = 0; round < 20; round++) {
        assertThatThrownBy(
                () ->
                    w.forEach(
                        100,
                        1,
                        (part, from, to) -> {
                          if (from == 57) {
                            throw new IllegalStateException("57");
                          }
                        }))
            .hasMessage("57");
        AtomicInteger n = new AtomicInteger();
        w.forEach(100, 1, (part, from, to) -> n.addAndGet(to - from));
        assertThat(n).hasValue(100);
      }
    }
  }

  @Test
  void manyThreadsMayCallAtOnceAndLoopsMayNest() throws InterruptedException {
    try (Workers w = new Workers(2)) {
      AtomicInteger total = new AtomicInteger();
      Thread[] callers = new Thread[4];
      for (int i = 0; i < callers.length; i++) {
        callers[i] =
            new Thread(
                () -> {
                  for (int round = 0; round < 200; round++) {
                    w.forEach(
                        10,
                        1,
                        (p, from, to) ->
                            w.forEach(5, 1, (q, a, b) -> total.addAndGet((to - from) * (b - a))));
                  }
                });
        callers[i].start();
      }
      for (Thread t : callers) {
        t.join();
      }
      assertThat(total).hasValue(4 * 200 * 50);
    }
  }

  @Test
  void refusesNoThreads() {
    assertThatThrownBy(() -> new Workers(0)).isInstanceOf(IllegalArgumentException.class);
  }
}
