package tacet.deft;

import java.util.Arrays;
import java.util.List;
import java.util.Map;
import tacet.autograd.Parameter;
import tacet.autograd.Pass;
import tacet.tensor.Engine;
import tacet.tensor.Tensor;
import tacet.transformer.Batch;
import tacet.transformer.Linear;
import tacet.transformer.Surgery;
import tacet.transformer.Tap;
import tacet.transformer.TextModel;

/**
 * A model of a given density without any training, to time what silence is worth. What it computes
 * means nothing; the zeros lie where the inputs and weights put them, as in a tuned model.
 */
public final class SilentModel {
  private static final String FIRST_LAYER =
      "intermediate.dense"; // of an MLP, before its activation

  private SilentModel() {}

  /**
   * The model with the biases of its MLPs' first layers lowered, block by block, until the given
   * share of neurons speaks on a batch. Weights are shared with the model, which is not changed.
   *
   * @param model with ReLU
   * @param density share of neurons, 0 to 1
   * @throws IllegalArgumentException if the model has no MLP that this class knows
   */
  public static <M extends TextModel> M of(Engine engine, M model, double density, Batch batch) {
    List<String> layers =
        Surgery.parts(model).entrySet().stream()
            .filter(e -> e.getValue() instanceof Linear l && l.bias() != null)
            .map(Map.Entry::getKey)
            .filter(path -> path.endsWith(FIRST_LAYER))
            .toList();
    if (layers.isEmpty()) {
      throw new IllegalArgumentException("the model has no layer named " + FIRST_LAYER);
    }
    M result = model;
    for (String layer : layers) {
      float shift = quantile(engine, result, layer, 1 - density, batch);
      result =
          Surgery.replaceParameters(
              result, (name, p) -> name.equals(layer + ".bias") ? lowered(p, shift) : p);
    }
    return result;
  }

  private static Parameter lowered(Parameter bias, float by) {
    Tensor b = bias.value().copy();
    for (int i = 0; i < b.size(); i++) {
      b.data()[i] -= by;
    }
    return Parameter.frozen(b);
  }

  /** The value below which the given share of a layer's results lies. */
  private static float quantile(
      Engine engine, TextModel model, String layer, double share, Batch batch) {
    TextModel tapped =
        Surgery.replace(
            model,
            (path, part) ->
                path.equals(layer) && part instanceof Linear l ? new Tap(path, l) : part);
    float[][] seen = new float[1][];
    try (Pass pass = Pass.inference(engine)) {
      pass.setObserver((name, v) -> seen[0] = Arrays.copyOf(v.value().data(), v.value().size()));
      tapped.forward(pass, batch);
    }
    Arrays.sort(seen[0]);
    return seen[0][(int) (share * (seen[0].length - 1))];
  }
}
