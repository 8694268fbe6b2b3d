package tacet.deft;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.function.IntUnaryOperator;
import tacet.tensor.RandomStream;

/** In which order the examples of an epoch come, and which of them share a batch. */
final class Epoch {
  private static final int BUCKET = 8; // batches whose examples are sorted by length together

  private Epoch() {}

  /**
   * The batches of one training epoch: examples in random order, {@value #BUCKET} batches at a time
   * sorted by length before they are cut, and the batches shuffled again. Determined by (seed,
   * epoch).
   *
   * @param length of an example
   * @return the example numbers of each batch
   */
  static List<int[]> batches(
      int size, IntUnaryOperator length, int batchSize, long seed, long epoch) {
    RandomStream random = RandomStream.of(seed, "shuffle", epoch);
    int[] order = random.permutation(size);
    List<int[]> batches = new ArrayList<>();
    int chunk = batchSize * BUCKET;
    for (int from = 0; from < order.length; from += chunk) {
      int to = Math.min(order.length, from + chunk);
      Integer[] sorted = new Integer[to - from];
      for (int i = from; i < to; i++) {
        sorted[i - from] = order[i];
      }
      Arrays.sort(sorted, Comparator.comparingInt(length::applyAsInt));
      for (int i = 0; i < sorted.length; i += batchSize) {
        int[] numbers = new int[Math.min(batchSize, sorted.length - i)];
        for (int j = 0; j < numbers.length; j++) {
          numbers[j] = sorted[i + j];
        }
        batches.add(numbers);
      }
    }
    List<int[]> shuffled = new ArrayList<>(batches.size());
    for (int i : random.permutation(batches.size())) {
      shuffled.add(batches.get(i));
    }
    return shuffled;
  }
}
