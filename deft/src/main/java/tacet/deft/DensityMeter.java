package tacet.deft;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;
import tacet.autograd.Pass;
import tacet.autograd.Var;
import tacet.deft.report.Density;
import tacet.tensor.kernel.Kernels;
import tacet.transformer.Batch;

/**
 * Counts how many MLP activations are not zero, over any number of batches, and averages as the
 * paper does: over neurons, counted tokens of an example, examples, layers. A value counts when it
 * is exactly not zero; besides, values above thresholds are counted.
 *
 * <p>The model must carry taps on its activations; see {@link DensityLoss}. Not thread-safe.
 */
public final class DensityMeter {
  private static final float[] THRESHOLDS = {1e-3f, 1e-2f};
  private static final String[] THRESHOLD_NAMES = {"1e-3", "1e-2"};

  /** Sums over examples of the mean share per example. */
  private static final class Layer {
    private long examples;
    private double masked;
    private double included;
    private final double[] above = new double[THRESHOLDS.length];
  }

  private final Map<String, Layer> layers = new LinkedHashMap<>();

  /** A meter that has seen nothing. */
  public DensityMeter() {}

  /** Measures the activations of the forward pass that follows. */
  public void observe(Pass pass, Batch batch) {
    observe(pass, Tokens.of(batch));
  }

  /** Measures the activations of the forward pass that follows. */
  public void observe(Pass pass, Tokens tokens) {
    pass.setObserver((name, activation) -> see(pass, tokens.of(name), name, activation));
  }

  private void see(Pass pass, Batch batch, String name, Var activation) {
    Layer layer = layers.computeIfAbsent(name, n -> new Layer());
    layer.examples += batch.size();
    Kernels kernels = pass.kernels();
    float[] data = activation.value().data();
    int f = activation.shape().last();
    int tokens = batch.size() * batch.length();
    int kinds = 1 + THRESHOLDS.length;
    int[] counts = new int[tokens * kinds];
    pass.engine()
        .workers()
        .forEach(
            tokens,
            32,
            (part, from, to) -> {
              for (int t = from; t < to; t++) {
                counts[t * kinds] = kernels.countAbove(data, t * f, f, 0);
                for (int k = 1; k < kinds; k++) {
                  counts[t * kinds + k] = kernels.countAbove(data, t * f, f, THRESHOLDS[k - 1]);
                }
              }
            });
    int[] lengths = batch.lengths();
    for (int b = 0; b < batch.size(); b++) {
      long all = 0;
      long[] real = new long[kinds];
      for (int s = 0; s < batch.length(); s++) {
        int t = b * batch.length() + s;
        all += counts[t * kinds];
        if (batch.mask()[t] != 0) {
          for (int k = 0; k < kinds; k++) {
            real[k] += counts[t * kinds + k];
          }
        }
      }
      double values = (double) f * Math.max(1, lengths[b]);
      layer.included += all / ((double) f * batch.length());
      layer.masked += real[0] / values;
      for (int k = 1; k < kinds; k++) {
        layer.above[k - 1] += real[k] / values;
      }
    }
  }

  /** The layers' names, in the order of the model. */
  public List<String> layerNames() {
    return List.copyOf(layers.keySet());
  }

  /** What was measured over all layers, in percent. */
  public Density density() {
    return density(name -> true);
  }

  /** What was measured over the chosen layers, in percent; null if none was seen. */
  public Density density(Predicate<String> chosen) {
    List<Layer> seen =
        layers.entrySet().stream()
            .filter(e -> chosen.test(e.getKey()))
            .map(Map.Entry::getValue)
            .toList();
    if (seen.isEmpty() && !layers.isEmpty()) {
      return null;
    }
    double masked = 0;
    double included = 0;
    double[] above = new double[THRESHOLDS.length];
    List<Double> perLayer = new ArrayList<>();
    for (Layer l : seen) {
      double percent = 100.0 / Math.max(1, l.examples);
      perLayer.add(percent * l.masked);
      masked += percent * l.masked / seen.size();
      included += percent * l.included / seen.size();
      for (int k = 0; k < above.length; k++) {
        above[k] += percent * l.above[k] / seen.size();
      }
    }
    Map<String, Double> thresholds = new LinkedHashMap<>();
    for (int k = 0; k < above.length; k++) {
      thresholds.put(THRESHOLD_NAMES[k], above[k]);
    }
    return new Density(masked, included, thresholds, perLayer);
  }
}
