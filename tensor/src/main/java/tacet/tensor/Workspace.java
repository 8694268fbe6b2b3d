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
 * long; so batches of changing length share their arrays, and the pool stays below about twice the
 * most that was in use at one time. Thread-safe.
 */
public final class Workspace {
  private final TreeMap<Integer, ArrayDeque<float[]>> floats = new TreeMap<>();
  private final TreeMap<Integer, ArrayDeque<int[]>> ints = new TreeMap<>();
  private final boolean poison;
  private long allocated;

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

  private synchronized <A> A recycled(TreeMap<Integer, ArrayDeque<A>> free, int length) {
    Map.Entry<Integer, ArrayDeque<A>> fit = free.ceilingEntry(length);
    if (fit == null || fit.getKey() > 2L * length) {
      allocated += 4L * length;
      return null;
    }
    A a = fit.getValue().pollLast();
    if (fit.getValue().isEmpty()) {
      free.remove(fit.getKey());
    }
    return a;
  }

  /** Returns an array that {@link #take} gave; the caller must not touch it afterwards. */
  public synchronized void give(float[] array) {
    floats.computeIfAbsent(array.length, n -> new ArrayDeque<>()).addLast(array);
  }

  /** Returns an array that {@link #takeInts} gave; the caller must not touch it afterwards. */
  public synchronized void give(int[] array) {
    ints.computeIfAbsent(array.length, n -> new ArrayDeque<>()).addLast(array);
  }

  /** Bytes allocated so far by all takes that found no array to recycle. */
  public synchronized long allocatedBytes() {
    return allocated;
  }
}
