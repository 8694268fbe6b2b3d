package tacet.tensor;

import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;

/**
 * A pool of float arrays, so that a steady training step allocates nothing: arrays are taken,
 * written, and given back. A recycled array holds old values; every taker writes before it reads.
 * (Tests make a workspace that fills what it hands out with NaN, so that a stale read shows.)
 *
 * <p>Lengths are rounded up to a few classes per octave, at most 12.5 % more than asked for.
 * Thread-safe.
 */
public final class Workspace {
  private final Map<Integer, ArrayDeque<float[]>> free = new HashMap<>();
  private final Map<Integer, ArrayDeque<int[]>> freeInts = new HashMap<>();
  private final boolean poison;
  private long allocated;

  /** A workspace whose recycled arrays hold whatever was in them. */
  public Workspace() {
    this(false);
  }

  /**
   * A workspace for production or for tests.
   *
   * @param poison whether every array handed out is filled with NaN first
   */
  public Workspace(boolean poison) {
    this.poison = poison;
  }

  /** The length that an array for {@code size} values gets. */
  static int roundUp(int size) {
    if (size <= 64) {
      return 64;
    }
    int step = Math.max(1, Integer.highestOneBit(size - 1) >> 3);
    long rounded = ((long) size + step - 1) / step * step;
    return (int) Math.min(rounded, Integer.MAX_VALUE - 8);
  }

  /** An array of at least {@code size} values with undefined contents. */
  public float[] take(int size) {
    int length = roundUp(size);
    float[] a = null;
    synchronized (free) {
      ArrayDeque<float[]> q = free.get(length);
      if (q != null) {
        a = q.pollLast();
      }
      if (a == null) {
        allocated += 4L * length;
      }
    }
    if (a == null) {
      a = new float[length];
    }
    if (poison) {
      Arrays.fill(a, Float.NaN);
    }
    return a;
  }

  /** Returns an array that {@link #take} gave; the caller must not touch it afterwards. */
  public void give(float[] array) {
    synchronized (free) {
      free.computeIfAbsent(array.length, n -> new ArrayDeque<>()).addLast(array);
    }
  }

  /** An int array of at least {@code size} values with undefined contents. */
  public int[] takeInts(int size) {
    int length = roundUp(size);
    synchronized (free) {
      ArrayDeque<int[]> q = freeInts.get(length);
      int[] a = q == null ? null : q.pollLast();
      if (a != null) {
        return a;
      }
      allocated += 4L * length;
    }
    return new int[length];
  }

  /** Returns an array that {@link #takeInts} gave. */
  public void give(int[] array) {
    synchronized (free) {
      freeInts.computeIfAbsent(array.length, n -> new ArrayDeque<>()).addLast(array);
    }
  }

  /** Bytes allocated so far by all takes that found no array to recycle. */
  public long allocatedBytes() {
    synchronized (free) {
      return allocated;
    }
  }
}
