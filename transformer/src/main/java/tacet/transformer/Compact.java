package tacet.transformer;

import java.util.IdentityHashMap;
import java.util.Map;
import java.util.function.Predicate;
import tacet.autograd.Parameter;
import tacet.tensor.WeightFormat;
import tacet.tensor.kernel.CompactMatrix;

/** Surgery that keeps the weights of linear layers in fewer bits. */
public final class Compact {
  private Compact() {}

  /**
   * The model with the frozen weights of the chosen linear layers in a format; a weight that several
   * layers share stays shared. Weights that are trained or compact already, embeddings, biases and
   * normalisations stay as they are.
   *
   * <pre>{@code
   * Model small = Compact.linears(model, WeightFormat.NF4, path -> !path.startsWith("classifier"));
   * }</pre>
   *
   * @param format F32 changes nothing
   * @param layers by path
   * @throws IllegalArgumentException if the format cannot hold a value, naming the layer
   */
  public static <P extends Part> P linears(P model, WeightFormat format, Predicate<String> layers) {
    if (format == WeightFormat.F32) {
      return model;
    }
    Map<Parameter, Parameter> done = new IdentityHashMap<>();
    return Surgery.replace(
        model,
        (path, part) -> {
          if (!(part instanceof Linear linear) || !layers.test(path)) {
            return part;
          }
          Parameter w = linear.weight();
          if (w.trainable() || w.compact() != null || w.shape().rank() != 2) {
            return part;
          }
          Parameter small = done.get(w);
          if (small == null) {
            small = compact(path, w, format);
            done.put(w, small);
          }
          return new Linear(small, linear.bias());
        });
  }

  private static Parameter compact(String path, Parameter w, WeightFormat format) {
    try {
      int out = w.shape().dim(0);
      return Parameter.compact(
          CompactMatrix.of(format, w.source().toArray(), out, w.shape().last()));
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException(path + ".weight: " + e.getMessage(), e);
    }
  }
}
