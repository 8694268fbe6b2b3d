package tacet.transformer.model;

import java.io.IOException;
import tacet.autograd.Parameter;
import tacet.tensor.RandomStream;
import tacet.tensor.Shape;
import tacet.tensor.Tensor;
import tacet.transformer.Conv1D;
import tacet.transformer.Embedding;
import tacet.transformer.LayerNorm;
import tacet.transformer.Linear;
import tacet.transformer.checkpoint.Json;
import tacet.transformer.checkpoint.Weights;

/**
 * Makes the leaves of a model from a checkpoint, frozen. What is missing or of another shape, {@link
 * Weights#finish} reports.
 *
 * @param weights where names are looked up
 */
record Loader(Weights weights) {
  /** The loader one or more levels down. */
  Loader at(String name) {
    return new Loader(weights.at(name));
  }

  /** A parameter of the given extents. */
  Parameter parameter(String name, int... dims) throws IOException {
    return Parameter.frozen(weights.tensor(name, Shape.of(dims)));
  }

  /** A table of vectors [rows, width]. */
  Embedding embedding(String name, int rows, int width) throws IOException {
    return new Embedding(parameter(name + ".weight", rows, width));
  }

  /** A linear layer, weight [out, in]. */
  Linear linear(String name, int in, int out, boolean bias) throws IOException {
    return new Linear(
        parameter(name + ".weight", out, in), bias ? parameter(name + ".bias", out) : null);
  }

  /** A linear layer with a bias. */
  Linear linear(String name, int in, int out) throws IOException {
    return linear(name, in, out, true);
  }

  /** A linear layer whose weight is [in, out], with a bias. */
  Conv1D conv1d(String name, int in, int out) throws IOException {
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
    Tensor weight = weights.tensorOrNull(name + ".weight", Shape.of(out, in));
    Tensor b = bias ? weights.tensorOrNull(name + ".bias", Shape.of(out)) : null;
    if (weight == null) {
      weight = RandomStream.of(seed, "new " + name, 0).normal(Shape.of(out, in), range);
    }
    if (bias && b == null) {
      b = Tensor.zeros(out);
    }
    return new Linear(Parameter.frozen(weight), b == null ? null : Parameter.frozen(b));
  }

  /** Outputs of the head that a configuration describes: 2 where it says nothing. */
  static int labels(Json config) throws IOException {
    return config.has("id2label")
        ? config.get("id2label").members().size()
        : config.intOr("num_labels", 2);
  }

  /** A width that heads divide. */
  static void requireHeads(Json config, String name, int width, int heads) throws IOException {
    if (heads <= 0 || width <= 0 || width % heads != 0) {
      throw config.error(name + " " + width + " is not a multiple of " + heads + " heads");
    }
  }
}
