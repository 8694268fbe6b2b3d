package tacet.deft;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tacet.autograd.Parameter;
import tacet.autograd.Pass;
import tacet.tensor.Engine;
import tacet.tensor.Tensor;
import tacet.transformer.Batch;
import tacet.transformer.Conv1D;
import tacet.transformer.Layer;
import tacet.transformer.Linear;
import tacet.transformer.Part;
import tacet.transformer.Projection;
import tacet.transformer.Surgery;

/**
 * WANDA (Sun et al. 2023) as DEFT uses it (arXiv 2402.01911, eq. 11): weights of the first dense layer
 * of every MLP are scored by S[i, j] = |W[i, j]| · ‖X[j]‖₂, X being the layer's inputs over the tokens
 * of a few examples, and the lowest of each output's row are set to zero. Nothing is trained.
 */
public final class Wanda {
  private Wanda() {}

  /**
   * ‖X[j]‖₂ over all tokens that are not padding, per input of each MLP's first layer.
   *
   * @param model with merged adapters
   * @param examples batches of calibration
   * @return norms by the layer's path, summed in double in the order of the tokens
   */
  public static <M extends Part> Map<String, double[]> inputNorms(
      Engine engine, M model, List<Problem.Load<M>> examples) {
    Map<String, double[]> squares = new LinkedHashMap<>();
    List<String> layers = new ArrayList<>();
    for (Mlp mlp : Mlp.of(model)) {
      layers.add(mlp.first().get(0));
    }
    M tapped =
        Surgery.replace(
            model,
            (path, part) ->
                layers.contains(path) && part instanceof Projection p
                    ? new InputTap(path, p)
                    : part);
    for (Problem.Load<M> load : examples) {
      try (Pass pass = Pass.inference(engine)) {
        pass.setObserver(
            (name, value) -> {
              Batch batch = load.tokens(model).of(name);
              int d = value.shape().last();
              double[] sums = squares.computeIfAbsent(name, n -> new double[d]);
              float[] x = value.value().data();
              for (int t = 0; t < batch.mask().length; t++) {
                for (int j = 0; batch.mask()[t] != 0 && j < d; j++) {
                  sums[j] += (double) x[t * d + j] * x[t * d + j];
                }
              }
            });
        load.loss(pass, tapped);
      }
    }
    squares.values().forEach(s -> Arrays.setAll(s, j -> Math.sqrt(s[j])));
    return squares;
  }

  /**
   * The model with a share of those weights set to zero, the same number in every row.
   *
   * @param norms of {@link #inputNorms}
   * @param sparsity share of zeros, from 0 to 1
   * @throws IllegalArgumentException if the share is none, or there is nothing to prune
   */
  public static <P extends Part> P prune(P model, Map<String, double[]> norms, double sparsity) {
    if (!(sparsity >= 0 && sparsity <= 1)) {
      throw new IllegalArgumentException("sparsity must be from 0 to 1, got " + sparsity);
    }
    if (norms.isEmpty()) {
      throw new IllegalArgumentException("the model has no MLP block to prune");
    }
    return Surgery.replace(
        model,
        (path, part) -> norms.containsKey(path) ? pruned(part, norms.get(path), sparsity) : part);
  }

  private static Part pruned(Part part, double[] norms, double sparsity) {
    return switch (part) {
      case Linear l -> new Linear(pruned(l.weight(), norms, sparsity, false), l.bias());
      case Conv1D c -> new Conv1D(pruned(c.weight(), norms, sparsity, true), c.bias());
      case Layer other -> other;
      default -> part;
    };
  }

  /**
   * The weight with the lowest scores of each output zeroed; of equal scores, the first.
   *
   * @param inFirst whether it lies as [in, out]
   */
  private static Parameter pruned(
      Parameter weight, double[] norms, double sparsity, boolean inFirst) {
    Tensor w = weight.value().copy();
    int in = norms.length;
    int out = w.size() / in;
    int zeros = (int) (sparsity * in);
    int between = inFirst ? out : 1; // from one input's weight to the next
    for (int o = 0; o < out; o++) {
      int start = inFirst ? o : o * in;
      double[] scores = new double[in];
      Integer[] order = new Integer[in];
      for (int j = 0; j < in; j++) {
        scores[j] = Math.abs(w.data()[start + j * between]) * norms[j];
        order[j] = j;
      }
      Arrays.sort(order, (a, b) -> Double.compare(scores[a], scores[b]));
      for (int j = 0; j < zeros; j++) {
        w.data()[start + order[j] * between] = 0;
      }
    }
    return Parameter.frozen(w);
  }
}
