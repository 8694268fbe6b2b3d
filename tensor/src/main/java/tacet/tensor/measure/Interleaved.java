package tacet.tensor.measure;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;

/**
 * Times jobs beside each other: in every round each job runs for a moment, one after the other, so
 * that what disturbs the machine disturbs all of them alike. Figures are medians over rounds; a ratio
 * is the median of the rounds' ratios, not the ratio of two medians.
 *
 * <pre>{@code
 * Interleaved times = Interleaved.of(Interleaved.Settings.STANDARD, List.of(() -> a(), () -> b()));
 * times.ratio(0, 1); // how many times faster b is than a
 * }</pre>
 */
public final class Interleaved {
  /**
   * How long to measure.
   *
   * @param rounds odd, so that the median is one of them
   * @param warmUpMillis before the first round, per job, more if it still becomes faster
   * @param roundMillis of one job in one round, or one call if that takes longer
   */
  public record Settings(int rounds, int warmUpMillis, int roundMillis) {
    /** For figures that are reported. */
    public static final Settings STANDARD = new Settings(11, 1000, 20);

    /** For a look. */
    public static final Settings QUICK = new Settings(9, 300, 4);
  }

  private static final int ORDER = 1; // seed of the orders
  private static final int LEAST_TURNS = 4;
  private static final int MOST_TURNS = 12;
  private static final double FASTER = 0.9; // of the time before: the compiler is still at work
  private static final double MUCH_FASTER = 0.75; // more than noise

  private final double[][] nanos; // [job][round]

  private Interleaved(double[][] nanos) {
    this.nanos = nanos;
  }

  /**
   * Warms all jobs up, then times them in rounds, each in another order: a job finds in the caches
   * what the one before it has left, and no job shall always have the same before it. Rounds in which
   * a job still became faster are thrown away, at most twice.
   */
  public static Interleaved of(Settings settings, List<Runnable> jobs) {
    int[] calls = warmUp(settings, jobs);
    double[][] nanos = rounds(settings.rounds, jobs, calls);
    for (int again = 0; again < 2 && stillFaster(nanos); again++) {
      nanos = rounds(settings.rounds, jobs, calls);
    }
    return new Interleaved(nanos);
  }

  private static double[][] rounds(int rounds, List<Runnable> jobs, int[] calls) {
    double[][] nanos = new double[jobs.size()][rounds];
    List<Integer> order = new ArrayList<>(IntStream.range(0, jobs.size()).boxed().toList());
    Random random = new Random(ORDER);
    for (int round = 0; round < rounds; round++) {
      Collections.shuffle(order, random);
      for (int job : order) {
        Runnable run = jobs.get(job);
        int count = calls[job];
        if (count > 1) {
          run.run(); // not counted: it finds the caches as another job left them
        }
        long start = System.nanoTime();
        for (int c = 0; c < count; c++) {
          run.run();
        }
        nanos[job][round] = (System.nanoTime() - start) / (double) count;
      }
    }
    return nanos;
  }

  /** Whether a job's second half was much faster than its first: compiled code has replaced other. */
  private static boolean stillFaster(double[][] nanos) {
    for (double[] t : nanos) {
      int half = t.length / 2;
      if (half > 1
          && median(Arrays.copyOfRange(t, half, t.length))
              < MUCH_FASTER * median(Arrays.copyOf(t, half))) {
        return true;
      }
    }
    return false;
  }

  /**
   * Runs every job in turns until all have had their time and none has become faster in the last
   * turn; returns how many calls of each fill a round.
   */
  private static int[] warmUp(Settings settings, List<Runnable> jobs) {
    int[] calls = new int[jobs.size()];
    double[] before = new double[calls.length];
    Arrays.fill(before, Double.POSITIVE_INFINITY);
    boolean settled = false;
    for (int turn = 0; turn < LEAST_TURNS || !settled && turn < MOST_TURNS; turn++) {
      settled = true;
      for (int job = 0; job < calls.length; job++) {
        long limit = settings.warmUpMillis * 1_000_000L / LEAST_TURNS;
        long start = System.nanoTime();
        long taken;
        int count = 0;
        do {
          jobs.get(job).run();
          count++;
          taken = System.nanoTime() - start;
        } while (taken < limit);
        double nanos = (double) taken / count;
        settled &= nanos > FASTER * before[job];
        before[job] = Math.min(nanos, before[job]);
        calls[job] = (int) Math.max(1, settings.roundMillis * 1_000_000L / nanos);
      }
    }
    return calls;
  }

  /** Nanoseconds of one call of a job: the median over rounds. */
  public double nanos(int job) {
    return median(nanos[job]);
  }

  /** Nanoseconds of one call of a job in its best round. */
  public double leastNanos(int job) {
    return Arrays.stream(nanos[job]).min().orElseThrow();
  }

  /** Milliseconds of one call of a job: the median over rounds. */
  public double millis(int job) {
    return nanos(job) * 1e-6;
  }

  /** How many times longer {@code slow} takes than {@code fast}: the median of the rounds' ratios. */
  public double ratio(int slow, int fast) {
    double[] ratios = new double[nanos[slow].length];
    for (int i = 0; i < ratios.length; i++) {
      ratios[i] = nanos[slow][i] / nanos[fast][i];
    }
    return median(ratios);
  }

  /** The middle value; of an even number the upper one of the two. */
  public static double median(double... values) {
    double[] sorted = values.clone();
    Arrays.sort(sorted);
    return sorted[sorted.length / 2];
  }
}
