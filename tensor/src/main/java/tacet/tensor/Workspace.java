package tacet.tensor;

import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Map;
import java.util.TreeMap;

/**
 * A pool of arrays, so that a steady training step allocates nothing: arrays are taken, written, and
 * given back. A recycled array holds old values; every taker writes before it reads. (Tests make a
 * workspace that fills what it hands out with NaN, so that a stale read shows.)
 *
 * <p>A request is served by the smallest free array that is long enough, if that is at most twice as
 * long; so batches of changing length share their arrays. Batches that get longer and longer leave
 * arrays behind that are just too short: before a new one is made, those that were longest without use
 * are let go, until the pool with it is no larger than one and a half times the most that was in use
 * at one time. Thread-safe.
 */
public final class Workspace {
  private static final double SLACK = 1.5;

  private final Free<float[]> floats = new Free<>();
  private final Free<int[]> ints = new Free<>();
  private final boolean poison;
  private long allocated; // bytes, like all that follow
  private long inUse;
  private long peak;
  private long clock;

  /** A workspace whose recycled arrays hold whatever was in them. */
  public Workspace() {
    this(false);
  }

  /**
   * A workspace for production or for tests.
   *
   * @param poison whether every float array handed out is filled with NaN first
   */
  public Workspace(boolean poison) {
    this.poison = poison;
  }

  /** The free arrays of a kind by their lengths; of one length, the last one given back comes first. */
  private static final class Free<A> {
    private record Entry<A>(A array, long since) {}

    private final TreeMap<Integer, ArrayDeque<Entry<A>>> byLength = new TreeMap<>();
    private long bytes;

    void add(A array, int length, long now) {
      byLength.computeIfAbsent(length, n -> new ArrayDeque<>()).addLast(new Entry<>(array, now));
      bytes += 4L * length;
    }

    /** An array of that length or up to twice as long; null if there is none. */
    A take(int length) {
      Map.Entry<Integer, ArrayDeque<Entry<A>>> fit = byLength.ceilingEntry(length);
      return fit == null || fit.getKey() > 2L * length
          ? null
          : remove(fit.getKey(), fit.getValue(), false);
    }

    private A remove(int length, ArrayDeque<Entry<A>> all, boolean oldest) {
      A a = (oldest ? all.pollFirst() : all.pollLast()).array;
      if (all.isEmpty()) {
        byLength.remove(length);
      }
      bytes -= 4L * length;
      return a;
    }

    /** When the array that was longest without use was given back. */
    long oldest() {
      long oldest = Long.MAX_VALUE;
      for (ArrayDeque<Entry<A>> all : byLength.values()) {
        oldest = Math.min(oldest, all.peekFirst().since);
      }
      return oldest;
    }

    void drop(long since) {
      for (Map.Entry<Integer, ArrayDeque<Entry<A>>> e : byLength.entrySet()) {
        if (e.getValue().peekFirst().since == since) {
          remove(e.getKey(), e.getValue(), true);
          return;
        }
      }
    }
  }

  /** The length of a new array for {@code size} values: a few classes per octave. */
  static int roundUp(int size) {
    if (size <= 64) {
      return 64;
    }
    int step = Math.max(1, Integer.highestOneBit(size - 1) >> 3);
    long rounded = ((long) size + step - 1) / step * step;
    return (int) Math.min(rounded, Integer.MAX_VALUE - 8);
  }

  /** A float array of at least {@code size} values with undefined contents. */
  public float[] take(int size) {
    int length = roundUp(size);
    float[] a = recycled(floats, length);
    if (a == null) {
      a = new float[length];
    }
    used(a.length);
    if (poison) {
      Arrays.fill(a, Float.NaN);
    }
    return a;
  }

  /** An int array of at least {@code size} values with undefined contents. */
  public int[] takeInts(int size) {
    int length = roundUp(size);
    int[] a = recycled(ints, length);
    if (a == null) {
      a = new int[length];
    }
    used(a.length);
    return a;
  }

  private synchronized void used(int length) {
    inUse += 4L * length;
    peak = Math.max(peak, inUse);
  }

  private synchronized <A> A recycled(Free<A> free, int length) {
    A a = free.take(length);
    if (a == null) {
      long bytes = 4L * length;
      allocated += bytes;
      double most = SLACK * Math.max(peak, inUse + bytes);
      while (floats.bytes + ints.bytes > 0 && inUse + bytes + floats.bytes + ints.bytes > most) {
        long f = floats.oldest();
        long i = ints.oldest();
        if (f < i) {
          floats.drop(f);
        } else {
          ints.drop(i);
        }
      }
    }
    return a;
  }

  /** Returns an array that {@link #take} gave; the caller must not touch it afterwards. */
  public synchronized void give(float[] array) {
    inUse -= 4L * array.length;
    floats.add(array, array.length, clock++);
  }

  /** Returns an array that {@link #takeInts} gave; the caller must not touch it afterwards. */
  public synchronized void give(int[] array) {
    inUse -= 4L * array.length;
    ints.add(array, array.length, clock++);
  }

  /** Bytes allocated so far by all takes that found no array to recycle. */
  public synchronized long allocatedBytes() {
    return allocated;
  }

  /** Bytes of all arrays that are in use or free. */
  public synchronized long heldBytes() {
    return inUse + floats.bytes + ints.bytes;
  }

  /** The most bytes that were in use at one time. */
  public synchronized long peakBytes() {
    return peak;
  }
}
