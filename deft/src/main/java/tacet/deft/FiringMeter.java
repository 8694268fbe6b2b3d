package tacet.deft;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tacet.autograd.Pass;
import tacet.autograd.Var;
import tacet.transformer.Batch;

/**
 * How often each MLP neuron speaks, and how many speak for at least one of several tokens in a row:
 * what a processor sees that fetches the weights of a neuron once for a group of tokens. Tokens that
 * are not padding count; a neuron speaks if its activation is not exactly zero. Not thread-safe.
 */
public final class FiringMeter {
  private static final int[] GROUPS = {2, 4, 8, 16, 32};
  private static final double[] BOUNDS = {0, 0.001, 0.01, 0.1, 0.5, 1};

  private static final class Layer {
    long tokens;
    long[] fired; // per neuron
    final long[] unions = new long[GROUPS.length]; // neurons that speak in a group, over groups
    final long[] groups = new long[GROUPS.length];
  }

  /**
   * What was seen in one layer.
   *
   * @param name its path
   * @param rates share of the tokens for which each neuron speaks
   * @param unions share of neurons that speak for at least one of g tokens in a row, by g
   */
  public record Firing(String name, double[] rates, Map<Integer, Double> unions) {
    /** How many neurons never speak. */
    public int dead() {
      return (int) Arrays.stream(rates).filter(r -> r == 0).count();
    }

    /** How many neurons always speak. */
    public int alwaysOn() {
      return (int) Arrays.stream(rates).filter(r -> r == 1).count();
    }

    /**
     * Share of neurons by their rate, under names such as {@code "<=0.01"}: each holds those above the
     * bound before and up to its own.
     */
    public Map<String, Double> histogram() {
      Map<String, Double> shares = new LinkedHashMap<>();
      double below = -1;
      for (double bound : BOUNDS) {
        double from = below;
        long n = Arrays.stream(rates).filter(r -> r > from && r <= bound).count();
        shares.put("<=" + bound, (double) n / rates.length);
        below = bound;
      }
      return shares;
    }
  }

  private final Map<String, Layer> layers = new LinkedHashMap<>();

  /** A meter that has seen nothing. */
  public FiringMeter() {}

  /** Measures the activations of the forward pass that follows; the model must carry taps. */
  public void observe(Pass pass, Tokens tokens) {
    pass.setObserver((name, activation) -> see(tokens.of(name), name, activation));
  }

  private void see(Batch batch, String name, Var activation) {
    float[] a = activation.value().data();
    int f = activation.shape().last();
    Layer layer = layers.computeIfAbsent(name, n -> new Layer());
    if (layer.fired == null) {
      layer.fired = new long[f];
    }
    int[] last =
        new int[f]; // where each neuron last spoke, counted from 1 over the example's tokens
    for (int b = 0; b < batch.size(); b++) {
      Arrays.fill(last, 0);
      int n = 0;
      for (int s = 0; s < batch.length(); s++) {
        int t = b * batch.length() + s;
        if (batch.mask()[t] == 0) {
          continue;
        }
        n++;
        for (int j = 0; j < f; j++) {
          if (a[t * f + j] != 0) {
            layer.fired[j]++;
            last[j] = n;
          }
        }
        for (int g = 0; g < GROUPS.length; g++) {
          if (n % GROUPS[g] == 0) {
            countGroup(layer, g, last, n - GROUPS[g]);
          }
        }
      }
      layer.tokens += n;
    }
  }

  private static void countGroup(Layer layer, int g, int[] last, int before) {
    int speaking = 0;
    for (int l : last) {
      speaking += l > before ? 1 : 0;
    }
    layer.unions[g] += speaking;
    layer.groups[g]++;
  }

  /** What was measured, per layer in the order of the model. */
  public List<Firing> layers() {
    List<Firing> all = new ArrayList<>();
    layers.forEach(
        (name, l) -> {
          int f = l.fired.length;
          double[] rates = new double[f];
          Arrays.setAll(rates, j -> (double) l.fired[j] / Math.max(1, l.tokens));
          Map<Integer, Double> unions = new LinkedHashMap<>();
          for (int g = 0; g < GROUPS.length; g++) {
            if (l.groups[g] > 0) {
              unions.put(GROUPS[g], (double) l.unions[g] / l.groups[g] / f);
            }
          }
          all.add(new Firing(name, rates, unions));
        });
    return all;
  }
}
