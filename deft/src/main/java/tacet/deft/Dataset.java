package tacet.deft;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import tacet.deft.task.Example;
import tacet.transformer.Batch;
import tacet.transformer.text.Encoding;
import tacet.transformer.text.Tokenizer;
import tacet.transformer.text.Truncation;

/**
 * Examples as token ids, and the ways to cut them into batches.
 *
 * @param items one per example, in file order
 * @param padId what fills the end of short sequences
 */
public record Dataset(List<Item> items, int padId) {
  /** One example: ids, segments, label. */
  public record Item(int[] ids, int[] typeIds, double label) {}

  /** Items of a batch, by their number, padded to the longest of them. */
  public record Cut(int[] numbers, Batch batch, double[] labels) {
    /** The labels of a classification. */
    public int[] classes() {
      return Arrays.stream(labels).mapToInt(l -> (int) l).toArray();
    }

    /** The targets of a regression. */
    public float[] targets() {
      float[] t = new float[labels.length];
      for (int i = 0; i < t.length; i++) {
        t[i] = (float) labels[i];
      }
      return t;
    }
  }

  /** Copies the list. */
  public Dataset {
    items = List.copyOf(items);
  }

  /** Tokenises examples, cut to a length with special tokens counted; the tokenizer's padding. */
  public static Dataset of(List<Example> examples, Tokenizer tokenizer, int maxLength) {
    Integer pad = tokenizer.padId();
    return of(examples, tokenizer, maxLength, pad == null ? 0 : pad);
  }

  /**
   * Tokenises examples, cut to a length with special tokens counted.
   *
   * @param padId what fills the end of short sequences: the model's padding token
   */
  public static Dataset of(List<Example> examples, Tokenizer tokenizer, int maxLength, int padId) {
    Truncation cut = Truncation.to(maxLength);
    List<Item> items = new ArrayList<>(examples.size());
    for (Example e : examples) {
      Encoding encoding = tokenizer.encode(e.text(), e.pair(), cut);
      items.add(new Item(encoding.ids(), encoding.typeIds(), e.label()));
    }
    return new Dataset(items, padId);
  }

  /** Number of examples. */
  public int size() {
    return items.size();
  }

  /** The first {@code n} examples, or all if there are fewer. */
  public Dataset first(int n) {
    return new Dataset(items.subList(0, Math.min(n, items.size())), padId);
  }

  /** Batches for evaluation: sorted by length, so that little is padded. */
  public List<Cut> sortedBatches(int batchSize) {
    Integer[] order = new Integer[size()];
    Arrays.setAll(order, i -> i);
    Arrays.sort(order, Comparator.comparingInt(i -> items.get(i).ids.length)); // stable
    List<Cut> batches = new ArrayList<>();
    for (int from = 0; from < order.length; from += batchSize) {
      int[] numbers = new int[Math.min(batchSize, order.length - from)];
      for (int i = 0; i < numbers.length; i++) {
        numbers[i] = order[from + i];
      }
      batches.add(cut(numbers));
    }
    return batches;
  }

  /**
   * Batches in file order, all padded to one length, as scripts with {@code --pad_to_max_length} cut them.
   *
   * @throws IllegalArgumentException if an example is longer than {@code length}
   */
  public List<Cut> paddedBatches(int batchSize, int length) {
    List<Cut> batches = new ArrayList<>();
    for (int from = 0; from < size(); from += batchSize) {
      int[] numbers = new int[Math.min(batchSize, size() - from)];
      for (int i = 0; i < numbers.length; i++) {
        numbers[i] = from + i;
        if (items.get(numbers[i]).ids.length > length) {
          throw new IllegalArgumentException(
              "example "
                  + numbers[i]
                  + " has "
                  + items.get(numbers[i]).ids.length
                  + " tokens and cannot be padded to "
                  + length);
        }
      }
      batches.add(cut(numbers, length));
    }
    return batches;
  }

  /**
   * The batches of one training epoch, as {@link Trainer} takes them: in random order, examples of
   * like length together. Determined by (seed, epoch).
   *
   * @return the example numbers of each batch
   */
  public List<int[]> epoch(int batchSize, long seed, long epoch) {
    return Epoch.batches(size(), i -> items.get(i).ids.length, batchSize, seed, epoch);
  }

  /** A batch of the given examples, padded to the longest. */
  public Cut cut(int[] numbers) {
    int length = 1;
    for (int n : numbers) {
      length = Math.max(length, items.get(n).ids.length);
    }
    return cut(numbers, length);
  }

  private Cut cut(int[] numbers, int length) {
    int[] ids = new int[numbers.length * length];
    int[] types = new int[ids.length];
    int[] mask = new int[ids.length];
    double[] labels = new double[numbers.length];
    Arrays.fill(ids, padId);
    for (int b = 0; b < numbers.length; b++) {
      Item item = items.get(numbers[b]);
      System.arraycopy(item.ids, 0, ids, b * length, item.ids.length);
      System.arraycopy(item.typeIds, 0, types, b * length, item.ids.length);
      Arrays.fill(mask, b * length, b * length + item.ids.length, 1);
      labels[b] = item.label;
    }
    return new Cut(numbers, new Batch(numbers.length, length, ids, types, mask), labels);
  }
}
