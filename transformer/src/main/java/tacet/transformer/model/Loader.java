package tacet.transformer.model;

import java.io.IOException;
import java.util.Arrays;
import tacet.autograd.Parameter;
import tacet.tensor.RandomStream;
import tacet.tensor.Shape;
import tacet.tensor.Tensor;
import tacet.tensor.TensorSource;
import tacet.tensor.kernel.CompactMatrix;
import tacet.transformer.Activation;
import tacet.transformer.Conv1D;
import tacet.transformer.Embedding;
import tacet.transformer.LayerNorm;
import tacet.transformer.Linear;
import tacet.transformer.Projection;
import tacet.transformer.checkpoint.Json;
import tacet.transformer.checkpoint.Weights;

/**
 * Makes the leaves of a model from a checkpoint, frozen. What is missing or of another shape, {@link
 * Weights#finish} reports.
 *
 * @param weights where names are looked up
 */
record Loader(Weights weights) {
  private static final int MAX_LAYERS = 10_000;
  private static final int MAX_LABELS = 1 << 20; // more than anybody has classes
  private static final int PIECE = 1 << 16;

  // ------------------------------------------------------------------ leaves

  /** The loader one or more levels down. */
  Loader at(String name) {
    return new Loader(weights.at(name));
  }

  /** A parameter of the given extents; matrices stay in their file, vectors are read. */
  Parameter parameter(String name, int... dims) throws IOException {
    Shape shape = shape(name, dims);
    if (weights.checkpoint().isHollow()) {
      return Parameter.hollow(shape);
    }
    return dims.length < 2
        ? Parameter.frozen(weights.tensor(name, shape))
        : Parameter.stored(weights.source(name, shape));
  }

  /** The file's tensor, whatever its shape (finish will report it); null if there is none. */
  private TensorSource sourceOrNull(String name, int... dims) throws IOException {
    Shape shape = shape(name, dims);
    return weights.has(name) ? weights.source(name, shape) : weights.tensorOrNull(name, shape);
  }

  /** Extents from a configuration, which may ask for what no array can hold. */
  private Shape shape(String name, int... dims) throws IOException {
    try {
      return Shape.of(dims);
    } catch (IllegalArgumentException e) {
      throw weights.checkpoint().config().error(weights.path(name) + ": " + e.getMessage());
    }
  }

  /** A table of vectors [rows, width]. */
  Embedding embedding(String name, int rows, int width) throws IOException {
    return embedding(name, rows, width, -1);
  }

  /**
   * A table of vectors [rows, width].
   *
   * @param padding a row that is not learnt; -1 for none
   */
  Embedding embedding(String name, int rows, int width, int padding) throws IOException {
    return new Embedding(parameter(name + ".weight", rows, width), padding);
  }

  /** A linear layer, weight [out, in]. */
  Linear linear(String name, int in, int out, boolean bias) throws IOException {
    CompactMatrix compact = compactOrNull(name + ".weight", in, out, false);
    return new Linear(
        compact == null ? parameter(name + ".weight", out, in) : Parameter.compact(compact),
        bias ? parameter(name + ".bias", out) : null);
  }

  private CompactMatrix compactOrNull(String name, int in, int out, boolean inFirst)
      throws IOException {
    shape(name, out, in); // or an error
    return weights.checkpoint().isHollow() ? null : weights.compactOrNull(name, out, in, inFirst);
  }

  /** A linear layer with a bias. */
  Linear linear(String name, int in, int out) throws IOException {
    return linear(name, in, out, true);
  }

  /** A linear layer whose weight is [in, out], with a bias; in fewer bits it is a [out, in]. */
  Projection conv1d(String name, int in, int out) throws IOException {
    CompactMatrix compact = compactOrNull(name + ".weight", in, out, true);
    if (compact != null) {
      return new Linear(Parameter.compact(compact), parameter(name + ".bias", out));
    }
    return new Conv1D(parameter(name + ".weight", in, out), parameter(name + ".bias", out));
  }

  /** A layer norm over {@code width} values. */
  LayerNorm norm(String name, int width, double eps) throws IOException {
    return new LayerNorm(parameter(name + ".weight", width), parameter(name + ".bias", width), eps);
  }

  /**
   * A linear layer of a head: the file's, or a new one with normal weights drawn from the seed and a
   * bias of zero.
   *
   * @param range standard deviation of new weights
   */
  Linear head(String name, int in, int out, boolean bias, double range, long seed)
      throws IOException {
    if (weights.checkpoint().isHollow() && name.startsWith("pooler.")) {
      return linear(name, in, out, bias); // part of the pre-trained model
    }
    Shape shape = shape(name, out, in);
    TensorSource weight = sourceOrNull(name + ".weight", out, in);
    if (weights.checkpoint().isHollow()) {
      return linear(name, in, out, bias);
    }
    if (weight == null) { // drawn when the model has been found to fit, and is used
      weight =
          new Deferred(shape, () -> RandomStream.of(seed, "new " + name, 0).normal(shape, range));
    }
    if (!bias) {
      return new Linear(Parameter.stored(weight), null);
    }
    TensorSource b = sourceOrNull(name + ".bias", out);
    return new Linear(
        Parameter.stored(weight), Parameter.stored(b == null ? Tensor.zeros(out) : b));
  }

  /**
   * The head of a model whose head should be its table of tokens, if the file has another one there:
   * it is the file's then, as in Hugging Face's models, whatever the configuration says. Null where
   * the file has none or, as some do, repeats the table.
   *
   * @param table [V, E]
   */
  Linear untiedHead(String name, Parameter table) throws IOException {
    if (!weights.has(name + ".weight")) {
      return null;
    }
    Shape shape = table.shape();
    Linear head = linear(name, shape.dim(1), shape.dim(0), false);
    boolean fits = weights.has(name + ".weight", shape);
    return fits && same(head.weight(), table) ? null : head;
  }

  /** Whether two parameters of the same shape have the same values. */
  private static boolean same(Parameter a, Parameter b) {
    float[] x = new float[PIECE];
    float[] y = new float[PIECE];
    int size = a.shape().size();
    for (int at = 0; at < size; at += PIECE) {
      int n = Math.min(PIECE, size - at);
      a.source().read(at, x, 0, n);
      b.source().read(at, y, 0, n);
      if (!Arrays.equals(x, 0, n, y, 0, n)) {
        return false;
      }
    }
    return true;
  }

  // ------------------------------------------------------------------ what configurations say

  /** A number of things: at least one. */
  static int count(Json config, String name) throws IOException {
    return positive(config, name, config.get(name).asInt());
  }

  /** A number of things: at least one; {@code other} where the configuration says nothing. */
  static int count(Json config, String name, int other) throws IOException {
    return positive(config, name, config.intOr(name, other));
  }

  private static int positive(Json config, String name, int value) throws IOException {
    if (value < 1) {
      throw config.error(name + " must be positive, it is " + value);
    }
    return value;
  }

  /** A number of blocks: not so many that listing what is missing fills the memory. */
  static int layers(Json config, String name, int other) throws IOException {
    int layers = count(config, name, other);
    if (layers > MAX_LAYERS) {
      throw config.error(name + " " + layers + " is more than " + MAX_LAYERS);
    }
    return layers;
  }

  /** The name of an activation that there is. */
  static String activation(Json config, String name, String other) throws IOException {
    String activation = config.stringOr(name, other);
    try {
      Activation.of(activation);
    } catch (IllegalArgumentException e) {
      throw config.error(e.getMessage());
    }
    return activation;
  }

  /** The probability of dropping a value: from 0 to below 1. */
  static double probability(Json config, String name, double other) throws IOException {
    double p = config.doubleOr(name, other);
    if (!(p >= 0 && p < 1)) {
      throw config.error(name + " must be from 0 to below 1, it is " + p);
    }
    return p;
  }

  /** What is added to a variance: not negative. */
  static double epsilon(Json config, String name, double other) throws IOException {
    double eps = config.doubleOr(name, other);
    if (!(eps >= 0 && eps < 1)) {
      throw config.error(name + " must be from 0 to below 1, it is " + eps);
    }
    return eps;
  }

  /** The id of the padding token: -1 for none, or one that the table of embeddings has. */
  static int padId(Json config, int other, int vocabulary) throws IOException {
    int id = config.intOr("pad_token_id", other);
    if (id < -1 || id >= vocabulary) {
      throw config.error("pad_token_id " + id + " is not in a vocabulary of " + vocabulary);
    }
    return id;
  }

  /** A width that heads divide. */
  static void requireHeads(Json config, String name, int width, int heads) throws IOException {
    if (width % heads != 0) {
      throw config.error(name + " " + width + " is not a multiple of " + heads + " heads");
    }
  }

  /** Outputs of the head that a configuration describes: 2 where it says nothing. */
  static int labels(Json config) throws IOException {
    int labels =
        config.has("id2label")
            ? config.get("id2label").members().size()
            : config.intOr("num_labels", 2);
    if (labels > MAX_LABELS) {
      throw config.error("the number of labels, " + labels + ", is more than " + MAX_LABELS);
    }
    return positive(config, "the number of labels", labels);
  }
}
