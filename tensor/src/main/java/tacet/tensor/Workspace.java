package tacet.tensor;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

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
  private static final int SHORTEST = 64;
  private static final int PER_OCTAVE = 8; // lengths

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

    private final List<ArrayDeque<Entry<A>>> byClass = new ArrayList<>();
    private long bytes;

    Free() {
      for (int i = 0; i <= sizeClass(Integer.MAX_VALUE); i++) {
        byClass.add(new ArrayDeque<>());
      }
    }

    void add(A array, int length, long now) {
      byClass.get(sizeClass(length)).addLast(new Entry<>(array, now));
      bytes += 4L * length;
    }

    /** An array of that length or up to twice as long; null if there is none. */
    A take(int length) {
      int least = sizeClass(length);
      int most = Math.min(least + PER_OCTAVE, byClass.size() - 1);
      for (int i = least; i <= most; i++) {
        Entry<A> e = byClass.get(i).pollLast();
        if (e != null) {
          bytes -= 4L * length(i);
          return e.array;
        }
      }
      return null;
    }

    /** When the array that was longest without use was given back. */
    long oldest() {
      long oldest = Long.MAX_VALUE;
      for (ArrayDeque<Entry<A>> all : byClass) {
        oldest = all.isEmpty() ? oldest : Math.min(oldest, all.peekFirst().since);
      }
      return oldest;
    }

    void drop(long since) {
      for (int i = 0; i < byClass.size(); i++) {
        Entry<A> e = byClass.get(i).peekFirst();
        if (e != null && e.since == since) {
          byClass.get(i).pollFirst();
          bytes -= 4L * length(i);
          return;
        }
      }
    }
  }

  /** Number of the class of arrays for {@code size} values. */
  private static int sizeClass(int size) {
    if (size <= SHORTEST) {
      return 0;
    }
    int octave = 31 - Integer.numberOfLeadingZeros(size - 1);
    return (octave - 6) * PER_OCTAVE + (size - 1 >> octave - 3) - PER_OCTAVE + 1;
  }

  /** The length of the arrays of a class: 64, and {@value #PER_OCTAVE} lengths between it and 128, … */
  private static int length(int sizeClass) {
    if (sizeClass == 0) {
      return SHORTEST;
    }
    int octave = 6 + (sizeClass - 1) / PER_OCTAVE;
    long length = (PER_OCTAVE + 1L + (sizeClass - 1) % PER_OCTAVE) << octave - 3;
    return (int) Math.min(length, Integer.MAX_VALUE - 8);
  }

  /** The length of a new array for {@code size} values. */
  static int roundUp(int size) {
    return length(sizeClass(size));
  }

  /** A float array of at least {@code size} values with undefined contents. */
  public float[] take(int size) {
    int length = roundUp(size);
    float[] a = recycled(floats, length);
    if (a == null) {
      a = new float[length];
    }
    if (poison) {
      Arrays.fill(a, Float.NaN);
    }
    return a;
  }

  /** An int array of at least {@code size} values with undefined contents. */
  public int[] takeInts(int size) {
    int length = roundUp(size);
    int[] a = recycled(ints, length);
    return a == null ? new int[length] : a;
  }

  /** An array of at least that length; null if the caller has to make one of that length. */
  private synchronized <A> A recycled(Free<A> free, int length) {
    long before = free.bytes;
    A a = free.take(length);
    long bytes = a == null ? 4L * length : before - free.bytes;
    if (a == null) {
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
    inUse += bytes;
    peak = Math.max(peak, inUse);
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
