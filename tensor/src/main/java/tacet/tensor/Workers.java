package tacet.tensor;

import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;

/**
 * A fixed pool of threads for loops whose iterations write disjoint outputs. The calling thread
 * takes part; the others spin for a moment after a loop, then park, so that nothing runs when idle.
 *
 * <pre>{@code
 * try (Workers workers = new Workers(2)) {
 *   workers.forEach(rows, 64, (part, from, to) -> kernels.relu(x, from * n, (to - from) * n, y, from * n));
 * }
 * }</pre>
 *
 * <p>Which thread runs which chunk is not determined, so a task must compute the same values
 * whatever the split: outputs are divided, never a reduction. Then results have the same bits for
 * any number of threads. Any thread may call {@link #forEach}; a call that finds the pool busy runs
 * on its own thread alone.
 */
public final class Workers implements AutoCloseable {
  /** The body of a loop. */
  @FunctionalInterface
  public interface Task {
    /**
     * Runs iterations {@code from} (inclusive) to {@code to} (exclusive).
     *
     * @param part which participant this is, 0 to {@link Workers#size()} - 1: an index for scratch
     *     memory that no other participant of this loop uses at the same time
     * @param from first iteration
     * @param to one past the last
     */
    void run(int part, int from, int to);
  }

  private static final int SPINS = 20_000; // about half a millisecond
  private static final int CLOSED = 1 << 30;

  private final Thread[] threads;
  private final ReentrantLock busy = new ReentrantLock();
  private volatile Loop current;
  private volatile boolean closed;

  /**
   * Starts the threads (daemons).
   *
   * @param size number of participants, the caller included; 1 starts no thread
   */
  public Workers(int size) {
    if (size < 1) {
      throw new IllegalArgumentException("at least one thread is needed, got " + size);
    }
    threads = new Thread[size - 1];
    for (int i = 0; i < threads.length; i++) {
      int part = i + 1;
      threads[i] = Thread.ofPlatform().daemon().name("tacet-" + part).unstarted(() -> serve(part));
    }
    for (Thread t : threads) {
      t.start();
    }
  }

  /** Number of participants, the caller included. */
  public int size() {
    return threads.length + 1;
  }

  /**
   * Runs {@code task} over 0 to {@code count} - 1 in chunks of {@code grain}, returns when all is
   * done, and rethrows what a task threw.
   */
  public void forEach(int count, int grain, Task task) {
    if (count <= 0) {
      return;
    }
    if (threads.length == 0 || count <= grain || busy.isHeldByCurrentThread() || !busy.tryLock()) {
      for (int from = 0; from < count; from += grain) {
        task.run(0, from, Math.min(count, from + grain));
      }
      return;
    }
    try {
      Loop loop = new Loop(count, grain, task);
      current = loop;
      for (Thread t : threads) {
        LockSupport.unpark(t); // cheap when the thread is not parked
      }
      loop.work(0);
      loop.finish();
      current = null;
      loop.rethrow();
    } finally {
      busy.unlock();
    }
  }

  private void serve(int part) {
    Loop seen = null;
    int spins = 0;
    while (!closed) {
      Loop loop = current;
      if (loop != null && loop != seen) {
        seen = loop;
        spins = 0;
        loop.join(part);
      } else if (++spins < SPINS) {
        Thread.onSpinWait();
      } else {
        LockSupport.park(this);
        spins = 0;
      }
    }
  }

  /** Ends the threads; loops that are running finish first. */
  @Override
  public void close() {
    busy.lock();
    try {
      closed = true;
      for (Thread t : threads) {
        LockSupport.unpark(t);
      }
    } finally {
      busy.unlock();
    }
  }

  /** One call of forEach: chunks are claimed from a counter; late wakers find it closed. */
  private static final class Loop {
    private final int count;
    private final int grain;
    private final Task task;
    private final AtomicInteger next = new AtomicInteger();
    private final AtomicInteger active = new AtomicInteger();
    private volatile Throwable error;

    Loop(int count, int grain, Task task) {
      this.count = count;
      this.grain = grain;
      this.task = task;
    }

    void join(int part) {
      while (true) {
        int n = active.get();
        if ((n & CLOSED) != 0) {
          return;
        }
        if (active.compareAndSet(n, n + 1)) {
          break;
        }
      }
      work(part);
      active.decrementAndGet();
    }

    void work(int part) {
      int chunks = (count + grain - 1) / grain;
      for (int c = next.getAndIncrement(); c < chunks && error == null; ) {
        try {
          task.run(part, c * grain, Math.min(count, (c + 1) * grain));
        } catch (RuntimeException | Error e) {
          error = e;
          return;
        }
        c = next.getAndIncrement();
      }
    }

    void finish() {
      int n = active.get();
      while (!active.compareAndSet(n, n | CLOSED)) {
        n = active.get();
      }
      while (active.get() != CLOSED) {
        Thread.onSpinWait();
      }
    }

    void rethrow() {
      Throwable e = error;
      if (e instanceof RuntimeException r) {
        throw r;
      }
      if (e instanceof Error r) {
        throw r;
      }
    }
  }
}
