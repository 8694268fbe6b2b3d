package tacet.tensor;

import java.util.Objects;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicIntegerArray;
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
 * any number of threads, and whoever owns them. Any thread may call {@link #forEach}; a call that
 * finds the pool busy runs on its own thread alone.
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
  private static final int GUEST_SPINS = 2_000; // less on threads that are not ours
  private static final int CLOSED = 1 << 30;

  private final Helper[] helpers;
  private final Executor executor; // null where the threads are our own
  private final ReentrantLock busy = new ReentrantLock();
  private volatile Loop current;
  private volatile boolean closed;

  /**
   * Starts the threads (daemons).
   *
   * @param size number of participants, the caller included; 1 starts no thread
   */
  public Workers(int size) {
    this(null, size);
    for (Helper h : helpers) {
      h.thread = Thread.ofPlatform().daemon().name("tacet-" + h.part).start(h::serve);
    }
  }

  /**
   * Borrows the threads of an application instead of starting any. A loop submits up to {@code size}
   * − 1 tasks, which take part in the loops of the moment and end some 50 µs after the last. No loop
   * waits for a task to start: where the executor is busy, refuses, or runs tasks on the calling
   * thread, the caller does all the work. At most {@code size} − 1 tasks are submitted and not yet
   * ended at any time, and a task that starts late holds on to nothing.
   *
   * @param size number of participants, the caller included
   * @param executor runs the others; not shut down by {@link #close}
   */
  public Workers(int size, Executor executor) {
    this(Objects.requireNonNull(executor, "executor"), size);
  }

  private Workers(Executor executor, int size) {
    if (size < 1) {
      throw new IllegalArgumentException("at least one thread is needed, got " + size);
    }
    this.executor = executor;
    helpers = new Helper[size - 1];
    for (int i = 0; i < helpers.length; i++) {
      helpers[i] = new Helper(i + 1);
    }
  }

  /** Number of participants, the caller included. */
  public int size() {
    return helpers.length + 1;
  }

  /**
   * Runs {@code task} over 0 to {@code count} - 1 in chunks of {@code grain}, returns when all is
   * done, and rethrows what a task threw; chunks that had not begun by then are left out.
   *
   * @param grain iterations of a chunk, at least 1
   */
  public void forEach(int count, int grain, Task task) {
    if (count <= 0) {
      return;
    }
    if (grain < 1) {
      throw new IllegalArgumentException("chunks of " + grain + " iterations");
    }
    if (helpers.length == 0
        || count <= grain
        || closed
        || busy.isHeldByCurrentThread()
        || !busy.tryLock()) {
      int last = (count - 1) / grain;
      for (int c = 0; c <= last; c++) {
        task.run(0, c * grain, end(c, grain, count));
      }
      return;
    }
    try {
      Loop loop = new Loop(count, grain, task, size());
      current = loop;
      try {
        for (Helper h : helpers) {
          h.call();
        }
        loop.work(0);
      } finally {
        loop.finish();
        current = null;
      }
      loop.rethrow();
    } finally {
      busy.unlock();
    }
  }

  /** One past the last iteration of a chunk. */
  private static int end(int chunk, int grain, int count) {
    return (int) Math.min(count, (chunk + 1L) * grain);
  }

  /** A participant other than the caller: a thread of ours, or a task on the executor. */
  private final class Helper implements Runnable {
    private final int part;
    private final AtomicBoolean submitted = new AtomicBoolean(); // and not yet ended
    private Thread thread;
    private Loop seen;

    Helper(int part) {
      this.part = part;
    }

    /** Says that there is a loop. */
    void call() {
      if (executor == null) {
        LockSupport.unpark(thread); // cheap when the thread is not parked
      } else if (submitted.compareAndSet(false, true)) {
        try {
          executor.execute(this);
        } catch (RejectedExecutionException e) {
          submitted.set(false);
        } catch (Throwable e) {
          submitted.set(false); // or it would never take part again
          throw e;
        }
      }
    }

    /** The life of a thread of ours: spin, then park. */
    void serve() {
      while (!closed) {
        takePart(SPINS);
        if (!closed) {
          LockSupport.park(Workers.this);
        }
      }
    }

    /** A task on the executor. */
    @Override
    public void run() {
      if (busy.isHeldByCurrentThread()) { // the executor has no thread to spare
        submitted.set(false);
        return;
      }
      Loop missed;
      do {
        takePart(GUEST_SPINS);
        Loop last = seen;
        submitted.set(false);
        missed = current == last ? null : current; // began while this was still submitted
      } while (missed != null && !closed && submitted.compareAndSet(false, true));
    }

    /** Takes part in loops until none came for a number of spins. */
    private void takePart(int spins) {
      for (int i = 0; i < spins && !closed; i++) {
        Loop loop = current;
        if (loop != null && loop != seen) {
          seen = loop;
          loop.join(part);
          i = 0;
        } else {
          Thread.onSpinWait();
        }
      }
    }
  }

  /**
   * Ends the threads; a loop that is running finishes first. Loops that begin later run on their
   * caller's thread.
   */
  @Override
  public void close() {
    busy.lock();
    try {
      closed = true;
      for (Helper h : helpers) {
        LockSupport.unpark(h.thread); // does nothing for null
      }
    } finally {
      busy.unlock();
    }
  }

  /**
   * One call of forEach. Each participant begins with a share of the chunks of its own, so that what it
   * wrote in one loop it finds in its caches in the next; when that is done, it takes from the others'
   * shares. Late wakers find the loop closed.
   */
  private static final class Loop {
    private final int count;
    private final int grain;
    private final int chunks;
    private Task task;
    private final AtomicIntegerArray next; // chunk of each share
    private final AtomicInteger active = new AtomicInteger();
    private volatile Throwable error;

    Loop(int count, int grain, Task task, int shares) {
      this.count = count;
      this.grain = grain;
      this.task = task;
      chunks = (count - 1) / grain + 1;
      next = new AtomicIntegerArray(shares);
      for (int i = 0; i < shares; i++) {
        next.setPlain(i, first(i));
      }
    }

    private int first(int share) {
      return (int) ((long) chunks * share / next.length());
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
      int shares = next.length();
      for (int s = 0; s < shares; s++) {
        work(part, (part + s) % shares);
      }
    }

    private void work(int part, int share) {
      int end = first(share + 1);
      for (int c = next.getAndIncrement(share); c < end && error == null; ) {
        try {
          task.run(part, c * grain, end(c, grain, count));
        } catch (Throwable e) { // checked ones too, which other languages throw undeclared
          error = e;
          return;
        }
        c = next.getAndIncrement(share);
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
      task = null; // what it refers to must not live as long as an idle thread remembers the loop
    }

    void rethrow() {
      if (error != null) {
        Loop.<RuntimeException>unchecked(error);
      }
    }

    /** Throws what a task threw, whatever it is. */
    @SuppressWarnings("unchecked")
    private static <E extends Throwable> void unchecked(Throwable e) throws E {
      throw (E) e;
    }
  }
}
