package tacet.hardware;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;

/**
 * Which neurons fired for which token: one bit matrix per layer, rows are tokens in order of the sequences, columns are
 * neurons. Real forward passes record it, simulators replay it.
 *
 * <pre>{@code
 * var recorder = new ActivationTrace.Recorder(header, true);
 * recorder.batch(tokens, valid);               // a padded batch of valid.length sequences
 * recorder.record(layer, activations, 0);      // (sequences, tokens, neurons), once per layer
 * recorder.finish().write(Path.of("sst2.trace"));
 * }</pre>
 */
public final class ActivationTrace {

  /**
   * What was traced.
   *
   * @param model the model's name
   * @param task the data's name
   * @param method how the model was tuned
   * @param seed of the training run
   * @param threshold a neuron fired if |activation| is strictly greater
   * @param neurons columns of every layer, d_ff
   * @param hidden width of the residual stream: inputs of an MLP's first product, outputs of its second
   * @param layers names, in order; a gated MLP has two, its activation X and {@code X.product}, which is what enters
   *     its last product
   */
  public record Header(
      String model,
      String task,
      String method,
      long seed,
      float threshold,
      int neurons,
      int hidden,
      List<String> layers) {

    /** What the name of a gated MLP's product ends in. */
    public static final String PRODUCT = ".product";

    /** @throws IllegalArgumentException if a text has control characters or a number makes no sense */
    public Header {
      layers = List.copyOf(layers);
      for (String text : List.of(model, task, method, String.join("", layers))) {
        if (text.chars().anyMatch(Character::isISOControl)) {
          throw new IllegalArgumentException("control character in trace header: " + text);
        }
      }
      if (!(threshold >= 0) || neurons < 1 || hidden < 1) {
        throw new IllegalArgumentException(
            "impossible trace: threshold "
                + threshold
                + ", "
                + neurons
                + " neurons, hidden width "
                + hidden);
      }
      for (int l = 0; l < layers.size(); l++) {
        String name = layers.get(l);
        if (name.endsWith(PRODUCT) && (l == 0 || !name.equals(layers.get(l - 1) + PRODUCT))) {
          throw new IllegalArgumentException(
              "layer " + name + " must follow the activation that it is the product of");
        }
      }
    }

    /** Whether a layer's MLP is gated, so that the next layer holds its product. */
    public boolean isGated(int layer) {
      return layer + 1 < layers.size() && layers.get(layer + 1).equals(layers.get(layer) + PRODUCT);
    }

    /**
     * The layers' names without the words that all of them begin or end with, but for the last of the former:
     * {@code layer.0} for {@code bert.encoder.layer.0.intermediate.intermediate_act_fn}.
     */
    public List<String> shortLayers() {
      List<String[]> words =
          layers.stream().filter(n -> !n.endsWith(PRODUCT)).map(n -> n.split("\\.")).toList();
      if (words.size() < 2) {
        return layers;
      }
      int shortest = words.stream().mapToInt(w -> w.length).min().orElseThrow();
      int first = 0;
      while (first < shortest && same(words, first, true)) {
        first++;
      }
      int last = 0;
      while (last < shortest - first && same(words, last, false)) {
        last++;
      }
      int from = Math.max(0, first - 1);
      int behind = last;
      return layers.stream().map(n -> shortened(n, from, behind)).toList();
    }

    private static boolean same(List<String[]> words, int i, boolean fromStart) {
      String[] w0 = words.get(0);
      String expected = w0[fromStart ? i : w0.length - 1 - i];
      return words.stream().allMatch(w -> w[fromStart ? i : w.length - 1 - i].equals(expected));
    }

    private static String shortened(String name, int from, int behind) {
      boolean product = name.endsWith(PRODUCT);
      String bare = product ? name.substring(0, name.length() - PRODUCT.length()) : name;
      String[] words = bare.split("\\.");
      String kept = String.join(".", Arrays.copyOfRange(words, from, words.length - behind));
      return product ? kept + PRODUCT : kept;
    }
  }

  private final Header header;
  private final int[] recorded;
  private final int[] valid;
  private final BitMatrix[] layers;

  /** Takes ownership of its arguments. Rows of every layer are the sum of {@code recorded}. */
  ActivationTrace(Header header, int[] recorded, int[] valid, BitMatrix[] layers) {
    this.header = header;
    this.recorded = recorded;
    this.valid = valid;
    this.layers = layers;
  }

  /** What was traced. */
  public Header header() {
    return header;
  }

  /** Number of sequences. */
  public int sequences() {
    return recorded.length;
  }

  /** Rows that belong to a sequence: its tokens, and its padding if that was kept. */
  public int recordedTokens(int sequence) {
    return recorded[sequence];
  }

  /** Tokens of a sequence without padding; padding follows them. */
  public int validTokens(int sequence) {
    return valid[sequence];
  }

  /** Rows of every layer. */
  public int tokens() {
    return Arrays.stream(recorded).sum();
  }

  /** The bits of one layer, tokens × neurons. Not a copy: do not modify. */
  public BitMatrix layer(int layer) {
    return layers[layer];
  }

  /** Share of neurons that fired, over all layers and recorded tokens. */
  public double density() {
    return Arrays.stream(layers).mapToDouble(BitMatrix::density).average().orElse(1);
  }

  /** Share of neurons of one layer that fired, over all recorded tokens. */
  public double density(int layer) {
    return layers[layer].density();
  }

  /** Per recorded token, the share of the layer's neurons that fired. */
  public double[] tokenDensities(int layer) {
    double[] densities = new double[tokens()];
    Arrays.setAll(densities, t -> layers[layer].count(t) / (double) header.neurons());
    return densities;
  }

  /** Per neuron of a layer, the share of recorded tokens for which it fired. */
  public double[] neuronDensities(int layer) {
    int[] counts = layers[layer].columnCounts();
    double tokens = Math.max(1, tokens());
    return Arrays.stream(counts).mapToDouble(c -> c / tokens).toArray();
  }

  /**
   * Mean share of neurons that fire for at least one token of a group. Tokens that share a weight stream can skip only
   * what all of them skip. Groups are consecutive recorded tokens across sequences; the last may be smaller.
   *
   * @param group tokens per group, at least 1
   */
  public double unionDensity(int layer, int group) {
    return layers[layer].unionDensity(group);
  }

  /** The same trace without the rows of padding tokens. */
  public ActivationTrace withoutPadding() {
    int[] all = new int[sequences()];
    Arrays.setAll(all, i -> i);
    return select(all, true);
  }

  /** A deterministic sample of {@code n} sequences, in their original order. All of them if there are no more. */
  public ActivationTrace sample(int n, long seed) {
    int[] order = new int[sequences()];
    Arrays.setAll(order, i -> i);
    SplittableRandom random = new SplittableRandom(seed);
    int keep = Math.min(n, order.length);
    for (int i = 0; i < keep; i++) {
      int j = i + random.nextInt(order.length - i);
      int swap = order[i];
      order[i] = order[j];
      order[j] = swap;
    }
    int[] chosen = Arrays.copyOf(order, keep);
    Arrays.sort(chosen);
    return select(chosen, false);
  }

  private ActivationTrace select(int[] sequences, boolean validOnly) {
    int[] start = new int[recorded.length + 1];
    for (int s = 0; s < recorded.length; s++) {
      start[s + 1] = start[s] + recorded[s];
    }
    int[] newValid = Arrays.stream(sequences).map(s -> valid[s]).toArray();
    int[] newRecorded =
        validOnly ? newValid : Arrays.stream(sequences).map(s -> recorded[s]).toArray();
    int rows = Arrays.stream(newRecorded).sum();
    BitMatrix[] selected = new BitMatrix[layers.length];
    for (int l = 0; l < layers.length; l++) {
      BitMatrix from = layers[l];
      selected[l] = new BitMatrix(rows, from.columns());
      int stride = from.wordsPerRow();
      int to = 0;
      for (int i = 0; i < sequences.length; i++) {
        int length = newRecorded[i] * stride;
        System.arraycopy(
            from.words(), start[sequences[i]] * stride, selected[l].words(), to, length);
        to += length;
      }
    }
    return new ActivationTrace(header, newRecorded, newValid, selected);
  }

  /**
   * Writes the trace to a sibling of {@code file} and renames it; see {@link TraceFile} for the format.
   *
   * @throws IOException if writing fails; {@code file} is then untouched
   */
  public void write(Path file) throws IOException {
    TraceFile.write(this, file);
  }

  /**
   * Reads a trace.
   *
   * @throws FormatException if the file is truncated, corrupt or no trace
   * @throws IOException if reading fails
   */
  public static ActivationTrace read(Path file) throws IOException {
    return TraceFile.read(file);
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof ActivationTrace t
        && header.equals(t.header)
        && Arrays.equals(recorded, t.recorded)
        && Arrays.equals(valid, t.valid)
        && Arrays.equals(layers, t.layers);
  }

  @Override
  public int hashCode() {
    return Arrays.hashCode(layers);
  }

  @Override
  public String toString() {
    return header + ", " + sequences() + " sequences, " + tokens() + " tokens";
  }

  /** Collects activations batch by batch. One recorder, one thread. */
  public static final class Recorder {
    private final Header header;
    private final boolean keepPadding;
    private final int stride;
    private final long[][] words;
    private final int[] rows;
    private int[] recorded = new int[16];
    private int[] valid = new int[16];
    private int sequences;
    private int batchTokens;
    private int batchStart;
    private int rowsBefore;
    private int rowsAfter;

    /**
     * An empty recorder.
     *
     * @param keepPadding whether rows of padding tokens are kept (and told apart by the lengths)
     */
    public Recorder(Header header, boolean keepPadding) {
      this.header = header;
      this.keepPadding = keepPadding;
      stride = BitMatrix.wordsFor(header.neurons());
      words = new long[header.layers().size()][0];
      rows = new int[words.length];
    }

    /**
     * Starts a batch; every layer must then be recorded once.
     *
     * @param tokens per sequence, padding included
     * @param validTokens of each sequence, without padding
     * @throws IllegalStateException if a layer of the batch before was not recorded
     * @throws IllegalArgumentException if a length exceeds {@code tokens}
     */
    public void batch(int tokens, int... validTokens) {
      requireComplete();
      for (int v : validTokens) {
        if (v < 0 || v > tokens) {
          throw new IllegalArgumentException(v + " valid tokens of " + tokens);
        }
      }
      if (sequences + validTokens.length > valid.length) {
        int capacity = Math.max(2 * valid.length, sequences + validTokens.length);
        valid = Arrays.copyOf(valid, capacity);
        recorded = Arrays.copyOf(recorded, capacity);
      }
      batchTokens = tokens;
      batchStart = sequences;
      rowsBefore = rowsAfter;
      for (int v : validTokens) {
        valid[sequences] = v;
        recorded[sequences] = keepPadding ? tokens : v;
        rowsAfter = Math.addExact(rowsAfter, recorded[sequences++]);
      }
    }

    /**
     * Records one layer of the current batch.
     *
     * @param activations (sequences, tokens, neurons) row-major from {@code offset}; not modified
     * @throws IllegalStateException if the layer was already recorded, or no batch started
     * @throws IllegalArgumentException if a recorded activation is NaN; nothing is recorded then
     */
    public void record(int layer, float[] activations, int offset) {
      if (rows[layer] == rowsAfter && rowsBefore != rowsAfter || sequences == 0) {
        throw new IllegalStateException(
            "layer " + header.layers().get(layer) + " was recorded already; call batch() first");
      }
      long needed = (long) rowsAfter * stride;
      if (needed > words[layer].length) {
        words[layer] = Arrays.copyOf(words[layer], capacity(needed));
      }
      int neurons = header.neurons();
      int row = rowsBefore;
      boolean nan = false;
      for (int s = batchStart; s < sequences; s++) {
        int from = offset + (s - batchStart) * batchTokens * neurons;
        for (int t = 0; t < recorded[s]; t++, row++, from += neurons) {
          nan |=
              BitMatrix.pack(
                  activations, from, neurons, header.threshold(), words[layer], row * stride);
        }
      }
      if (nan) {
        throw new IllegalArgumentException(
            "NaN among the activations of layer " + header.layers().get(layer));
      }
      rows[layer] = rowsAfter;
    }

    /**
     * The trace so far. The recorder must not be used afterwards.
     *
     * @throws IllegalStateException if a layer of the last batch was not recorded
     */
    public ActivationTrace finish() {
      requireComplete();
      BitMatrix[] layers = new BitMatrix[words.length];
      Arrays.setAll(layers, l -> new BitMatrix(rowsAfter, header.neurons(), words[l]));
      return new ActivationTrace(
          header, Arrays.copyOf(recorded, sequences), Arrays.copyOf(valid, sequences), layers);
    }

    private int capacity(long needed) {
      if (needed > Integer.MAX_VALUE - 8) {
        throw new IllegalStateException("trace too large: " + rowsAfter + " tokens in one layer");
      }
      return (int) Math.min(Integer.MAX_VALUE - 8, Math.max(needed, needed + needed / 2));
    }

    private void requireComplete() {
      for (int l = 0; l < rows.length; l++) {
        if (rows[l] != rowsAfter) {
          throw new IllegalStateException(
              "layer " + header.layers().get(l) + " was not recorded for the last batch");
        }
      }
    }
  }
}
