package tacet.deft;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import tacet.autograd.Losses;
import tacet.autograd.Pass;
import tacet.autograd.Var;
import tacet.tensor.Engine;
import tacet.tensor.Tensor;
import tacet.transformer.Batch;
import tacet.transformer.Seq2SeqModel;

/**
 * Pairs of token sequences for a model that reads one and writes the other, and the ways to cut them
 * into batches.
 *
 * @param items source and target tokens, the end token included
 * @param padId what fills the end of short sequences
 */
public record Sequences(List<Item> items, int padId) {
  /** One pair. */
  public record Item(int[] source, int[] target) {}

  /**
   * Pairs of a batch, padded to the longest.
   *
   * @param numbers of the items
   * @param source [B, S]
   * @param length St, tokens of the longest target
   * @param labels [B, St], {@link Losses#IGNORED} past the end of a target
   */
  public record Cut(int[] numbers, Batch source, int length, int[] labels) {
    /** What the decoder sees. */
    Batch target(Seq2SeqModel model) {
      return model.target(numbers.length, length, labels);
    }

    /** Cross entropy over all tokens of the targets. */
    Var loss(Pass pass, Seq2SeqModel model) {
      return Losses.crossEntropy(pass, model.forward(pass, source, target(model)).logits(), labels);
    }
  }

  /** A batch as the trainer sees it. */
  record Load(Cut cut, Batch decoder) implements Problem.Load<Seq2SeqModel> {
    @Override
    public Tokens tokens(Seq2SeqModel model) {
      return new Tokens(model.seen(cut.source), decoder);
    }

    @Override
    public double weight() {
      return Arrays.stream(cut.labels).filter(l -> l != Losses.IGNORED).count();
    }

    @Override
    public Var loss(Pass pass, Seq2SeqModel model) {
      return cut.loss(pass, model);
    }
  }

  /** Copies the list. */
  public Sequences {
    items = List.copyOf(items);
  }

  /** A batch of the given pairs. */
  public Cut cut(int[] numbers) {
    int s = 1;
    int t = 1;
    for (int n : numbers) {
      s = Math.max(s, items.get(n).source.length);
      t = Math.max(t, items.get(n).target.length);
    }
    int[] ids = new int[numbers.length * s];
    int[] mask = new int[ids.length];
    int[] labels = new int[numbers.length * t];
    Arrays.fill(ids, padId);
    Arrays.fill(labels, Losses.IGNORED);
    for (int b = 0; b < numbers.length; b++) {
      Item item = items.get(numbers[b]);
      System.arraycopy(item.source, 0, ids, b * s, item.source.length);
      Arrays.fill(mask, b * s, b * s + item.source.length, 1);
      System.arraycopy(item.target, 0, labels, b * t, item.target.length);
    }
    return new Cut(
        numbers, new Batch(numbers.length, s, ids, new int[ids.length], mask), t, labels);
  }

  /** A batch for training. */
  Load load(int[] numbers) {
    Cut cut = cut(numbers);
    int[] mask = Arrays.stream(cut.labels).map(l -> l == Losses.IGNORED ? 0 : 1).toArray();
    Batch decoder = // which tokens count; their ids are the model's business
        new Batch(numbers.length, cut.length, new int[mask.length], new int[mask.length], mask);
    return new Load(cut, decoder);
  }

  /** Batches for evaluation: sorted by length, so that little is padded. */
  public List<Cut> sortedBatches(int batchSize) {
    Integer[] order = new Integer[items.size()];
    Arrays.setAll(order, i -> i);
    Arrays.sort(order, Comparator.comparingInt(i -> items.get(i).source.length)); // stable
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
   * What a model writes for each source of a batch, always taking the most probable token.
   *
   * @param end the token after which nothing follows
   * @param longest tokens to write at most
   * @return the tokens without the end token
   */
  static int[][] greedy(Engine engine, Seq2SeqModel model, Batch source, int end, int longest) {
    int b = source.size();
    int[][] written = new int[b][longest];
    int[] lengths = new int[b];
    boolean[] done = new boolean[b];
    for (int n = 0; n < longest; n++) {
      int[] labels = new int[b * (n + 1)];
      for (int i = 0; i < b; i++) {
        System.arraycopy(written[i], 0, labels, i * (n + 1), n);
      }
      try (Pass pass = Pass.inference(engine)) {
        Batch target = model.target(b, n + 1, labels);
        Tensor logits = model.forward(pass, source, target).logits().value(); // [B, n + 1, V]
        boolean all = true;
        for (int i = 0; i < b; i++) {
          int token = Evaluator.largest(logits, i * (n + 1) + n);
          written[i][n] = token;
          done[i] |= token == end;
          lengths[i] += done[i] ? 0 : 1;
          all &= done[i];
        }
        if (all) {
          break;
        }
      }
    }
    for (int i = 0; i < b; i++) {
      written[i] = Arrays.copyOf(written[i], lengths[i]);
    }
    return written;
  }
}
