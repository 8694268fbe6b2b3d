package tacet.transformer;

import java.util.IdentityHashMap;
import java.util.Map;
import java.util.function.Predicate;
import tacet.autograd.Parameter;
import tacet.tensor.Tensor;
import tacet.tensor.WeightFormat;
import tacet.tensor.kernel.CompactMatrix;
import tacet.tensor.kernel.Kernels;

/** Surgery that keeps the weights of linear layers in fewer bits. */
public final class Compact {
  private Compact() {}

  /**
   * The model with the frozen weights of the chosen linear layers in a format; a weight that several
   * layers share stays shared. Weights that are trained or compact already, embeddings, biases and
   * normalisations stay as they are. A {@link Conv1D} becomes a {@link Linear}: its weight is turned
   * first, as transformers turns it for bitsandbytes.
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
          Parameter w =
              switch (part) {
                case Linear linear -> linear.weight();
                case Conv1D conv -> conv.weight();
                default -> null;
              };
          if (w == null || w.trainable() || w.compact() != null || w.shape().rank() != 2) {
            return part;
          }
          if (!layers.test(path)) {
            return part;
          }
          Parameter small = done.get(w);
          if (small == null) {
            small = compact(path, w, format, part instanceof Conv1D);
            done.put(w, small);
          }
          return new Linear(small, part instanceof Conv1D c ? c.bias() : ((Linear) part).bias());
        });
  }

  /**
   * The model with its compact weights as floats, for saving.
   *
   * @param inFirst paths of linear layers that files have as {@link Conv1D}, [in, out]: turned back
   */
  public static <P extends Part> P expanded(P model, Predicate<String> inFirst) {
    return Surgery.replace(
        model,
        (path, part) -> {
          if (!(part instanceof Linear linear)) {
            return part;
          }
          boolean turn = inFirst.test(path);
          Parameter w = linear.weight();
          if (w.compact() == null && !turn) {
            return part;
          }
          Tensor floats = w.value();
          return turn
              ? new Conv1D(Parameter.frozen(turned(floats)), linear.bias())
              : new Linear(Parameter.frozen(floats), linear.bias());
        });
  }

  private static Tensor turned(Tensor w) {
    int rows = w.shape().dim(0);
    int columns = w.shape().last();
    Tensor t = Tensor.zeros(columns, rows);
    Kernels.best().transpose(w.data(), 0, columns, rows, columns, t.data(), 0, rows);
    return t;
  }

  private static Parameter compact(String path, Parameter w, WeightFormat format, boolean inFirst) {
    float[] values = w.source().toArray();
    int rows = w.shape().dim(0);
    int columns = w.shape().last();
    try {
      return Parameter.compact(
          inFirst
              ? CompactMatrix.ofTransposed(format, values, columns, rows)
              : CompactMatrix.of(format, values, rows, columns));
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException(path + ".weight: " + e.getMessage(), e);
    }
  }
}
