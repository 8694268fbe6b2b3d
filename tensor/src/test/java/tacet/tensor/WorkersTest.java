package tacet.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.lang.ref.WeakReference;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.concurrent.locks.LockSupport;
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

  /** What a participant wrote in one loop it should find in its caches in the next. */
  @Test
  void everyParticipantBeginsWithItsOwnShareAndHelpsWithTheOthers() {
    try (Workers w = new Workers(3)) {
      for (int round = 0; round < 50; round++) {
        int[] first = {-1, -1, -1};
        CountDownLatch began = new CountDownLatch(3);
        AtomicIntegerArray seen = new AtomicIntegerArray(31);
        w.forEach(
            31,
            2,
            (part, from, to) -> {
              if (first[part] < 0) {
                first[part] = from;
                began.countDown();
                await(began); // so that nobody takes from the others before they have begun
              }
              for (int i = from; i < to; i++) {
                seen.incrementAndGet(i);
              }
              if (part == 1) { // the others do most of its share
                LockSupport.parkNanos(200_000);
              }
            });
        assertThat(first).containsExactly(0, 10, 20); // 16 chunks, from the 0th, 5th and 10th on
        for (int i = 0; i < 31; i++) {
          assertThat(seen.get(i)).isEqualTo(1);
        }
      }
    }
  }

  private static void await(CountDownLatch latch) {
    try {
      assertThat(latch.await(20, TimeUnit.SECONDS)).isTrue();
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
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

  /** Other languages throw checked exceptions undeclared; on a thread of ours one would end it. */
  @Test
  void undeclaredErrorsReachTheCallerToo() {
    try (Workers w = new Workers(2)) {
      for (int round = 0; round < 3; round++) {
        CountDownLatch both = new CountDownLatch(2);
        assertThatThrownBy(
                () ->
                    w.forEach(
                        2,
                        1,
                        (part, from, to) -> {
                          both.countDown();
                          await(both);
                          if (part == 1) {
                            WorkersTest.<RuntimeException>undeclared(new IOException("unreadable"));
                          }
                        }))
            .isInstanceOf(IOException.class)
            .hasMessage("unreadable");
      }
    }
  }

  @SuppressWarnings("unchecked")
  private static <E extends Throwable> void undeclared(Throwable e) throws E {
    throw (E) e;
  }

  @Test
  void loopsMayBeAsLongAsAnIntCounts() {
    int n = Integer.MAX_VALUE;
    for (int threads = 1; threads <= 2; threads++) {
      try (Workers w = new Workers(threads)) {
        Set<List<Integer>> chunks = ConcurrentHashMap.newKeySet();
        w.forEach(n, 1 << 30, (part, from, to) -> chunks.add(List.of(from, to)));
        assertThat(chunks).containsExactlyInAnyOrder(List.of(0, 1 << 30), List.of(1 << 30, n));
        for (int grain : new int[] {0, -1}) {
          assertThatThrownBy(() -> w.forEach(5, grain, (part, from, to) -> {}))
              .isInstanceOf(IllegalArgumentException.class)
              .hasMessageContaining("chunks of " + grain);
        }
      }
    }
  }

  /** An executor that has failed once, for want of a thread for example, is asked again. */
  @Test
  void anExecutorMayFailForOnce() {
    AtomicInteger asked = new AtomicInteger();
    Executor failing =
        task -> {
          if (asked.incrementAndGet() == 1) {
            throw new OutOfMemoryError("unable to create native thread");
          }
        };
    try (Workers w = new Workers(2, failing)) {
      assertThatThrownBy(() -> w.forEach(5, 1, (part, from, to) -> {}))
          .isInstanceOf(OutOfMemoryError.class);
      AtomicInteger done = new AtomicInteger();
      w.forEach(5, 1, (part, from, to) -> done.addAndGet(to - from));
      assertThat(done).hasValue(5);
      assertThat(asked).hasValue(2);
    }
  }

  @Test
  void refusesNoThreads() {
    assertThatThrownBy(() -> new Workers(0)).isInstanceOf(IllegalArgumentException.class);
  }

  // ------------------------------------------------------------------ other people's threads

  private static final int CHUNKS = 64;

  /** Runs loops whose chunks need a moment, so that others have time to take part. */
  private static Set<Thread> participants(Workers w, int loops) {
    Set<Thread> threads = ConcurrentHashMap.newKeySet();
    for (int i = 0; i < loops; i++) {
      AtomicIntegerArray seen = new AtomicIntegerArray(CHUNKS);
      AtomicIntegerArray inside = new AtomicIntegerArray(w.size());
      w.forEach(
          CHUNKS,
          1,
          (part, from, to) -> {
            assertThat(inside.incrementAndGet(part)).isEqualTo(1); // a part is one thread's
            threads.add(Thread.currentThread());
            seen.incrementAndGet(from);
            Thread.yield();
            inside.decrementAndGet(part);
          });
      for (int c = 0; c < CHUNKS; c++) {
        assertThat(seen.get(c)).isEqualTo(1);
      }
    }
    return threads;
  }

  @Test
  void anExecutorLendsItsThreads() throws InterruptedException {
    ExecutorService executor = Executors.newFixedThreadPool(3);
    try (Workers w = new Workers(4, executor)) {
      Set<Thread> threads = participants(w, 200);
      while (threads.size() < 2) { // the machine may be busy: go on until one came
        threads = participants(w, 50);
      }
      assertThat(threads).hasSizeLessThanOrEqualTo(4).contains(Thread.currentThread());
    }
    assertThat(executor.isShutdown()).isFalse();
    executor.shutdown();
    assertThat(executor.awaitTermination(60, TimeUnit.SECONDS)).isTrue(); // no task stays
  }

  @Test
  void anExecutorOfVirtualThreadsServesManyCallers() throws InterruptedException {
    try (ExecutorService executor = Executors.newVirtualThreadPerTaskExecutor();
        Workers w = new Workers(3, executor)) {
      Thread[] callers = new Thread[3];
      AtomicInteger done = new AtomicInteger();
      for (int i = 0; i < callers.length; i++) {
        callers[i] =
            Thread.ofVirtual()
                .start(
                    () -> {
                      participants(w, 100);
                      done.incrementAndGet();
                    });
      }
      for (Thread t : callers) {
        t.join();
      }
      assertThat(done).hasValue(callers.length);
    }
  }

  @Test
  void anExecutorThatNeverRunsItsTasksBlocksNothingAndGetsNoMore() {
    List<Runnable> queue = new ArrayList<>();
    Workers w = new Workers(3, queue::add);
    assertThat(participants(w, 100)).containsExactly(Thread.currentThread());
    assertThat(queue).hasSize(2);
    w.close();
    for (Runnable late : queue) {
      late.run(); // finds nothing to do
    }
  }

  @Test
  void aTaskThatStartsLateTakesPartInLaterLoops() {
    List<Runnable> queue = new ArrayList<>();
    try (Workers w = new Workers(2, queue::add)) {
      participants(w, 3);
      queue.remove(0).run(); // lingers, finds no loop, ends
      participants(w, 3);
      assertThat(queue).hasSize(1); // asked for again
    }
  }

  @Test
  void aQueuedTaskHoldsNothing() throws InterruptedException {
    List<Runnable> queue = new ArrayList<>();
    try (Workers w = new Workers(2, queue::add)) {
      WeakReference<Object> gone = loopOver(w);
      for (int i = 0; i < 200 && gone.get() != null; i++) {
        System.gc();
        Thread.sleep(10);
      }
      assertThat(gone.get()).isNull();
      assertThat(queue).hasSize(1);
    }
  }

  private static WeakReference<Object> loopOver(Workers w) {
    AtomicInteger captured = new AtomicInteger();
    w.forEach(4, 1, (part, from, to) -> captured.addAndGet(to - from));
    assertThat(captured).hasValue(4);
    return new WeakReference<>(captured);
  }

  @Test
  void anExecutorMayRefuseOrRunTasksOnTheCaller() {
    Executor refuses =
        r -> {
          throw new RejectedExecutionException();
        };
    for (Executor executor : List.<Executor>of(refuses, Runnable::run)) {
      try (Workers w = new Workers(4, executor)) {
        assertThat(participants(w, 20)).containsExactly(Thread.currentThread());
      }
    }
  }

  @Test
  void errorsOnBorrowedThreadsReachTheCaller() {
    try (ExecutorService executor = Executors.newFixedThreadPool(2);
        Workers w = new Workers(3, executor)) {
      for (int round = 0; round < 20; round++) {
        assertThatThrownBy(
                () ->
                    w.forEach(
                        100,
                        1,
                        (part, from, to) -> {
                          if (from >= 20) {
                            throw new IllegalStateException("no");
                          }
                        }))
            .hasMessage("no");
        participants(w, 1);
      }
    }
  }

  @Test
  void aClosedPoolGoesOnAlone() {
    Workers w = new Workers(3);
    w.close();
    assertThat(participants(w, 3)).containsExactly(Thread.currentThread());
  }

  // ------------------------------------------------------------------ idleness

  private static Thread[] ours() {
    return Thread.getAllStackTraces().keySet().stream()
        .filter(t -> t.getName().startsWith("tacet-"))
        .toArray(Thread[]::new);
  }

  @Test
  void idleThreadsPark() throws InterruptedException {
    try (Workers w = new Workers(3)) {
      for (int round = 0; round < 3; round++) {
        participants(w, 5);
        assertThat(ours()).hasSizeGreaterThanOrEqualTo(2);
        for (Thread t : ours()) {
          while (t.getState() != Thread.State.WAITING && t.isAlive()) {
            Thread.sleep(1); // the build's time limit is the only one
          }
        }
      }
    }
  }

  @Test
  void closedThreadsEnd() throws InterruptedException {
    Thread[] threads;
    try (Workers w = new Workers(4)) {
      participants(w, 2);
      threads = ours();
    }
    for (Thread t : threads) {
      t.join();
    }
  }
}
