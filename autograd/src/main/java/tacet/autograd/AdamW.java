package tacet.autograd;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tacet.tensor.Engine;
import tacet.tensor.Tensor;

/**
 * Adam with decoupled weight decay (Loshchilov and Hutter, ICLR 2019), as PyTorch orders the
 * operations: w ← w(1 − lr·decay) − lr · m̂ / (√v̂ + ε).
 *
 * <p>Steps have the same bits for any number of threads.
 */
public final class AdamW {
  /**
   * The constants.
   *
   * @param beta1 decay of the first moment
   * @param beta2 decay of the second moment
   * @param eps added to the root of the second moment
   * @param weightDecay fraction of the weight that a step of learning rate 1 removes
   */
  public record Settings(double beta1, double beta2, double eps, double weightDecay) {
    /** PyTorch's defaults: 0.9, 0.999, 1e-8, and a weight decay of 0.01. */
    public static Settings standard() {
      return new Settings(0.9, 0.999, 1e-8, 0.01);
    }
  }

  private record Slot(String name, Parameter parameter, float[] m, float[] v) {}

  private final Engine engine;
  private final Settings settings;
  private final List<Slot> slots;
  private long steps;

  /**
   * An optimizer of the given parameters; frozen ones are left out.
   *
   * @param parameters by name, for saving and restoring the moments
   */
  public AdamW(Engine engine, Map<String, Parameter> parameters, Settings settings) {
    this.engine = engine;
    this.settings = settings;
    this.slots =
        parameters.entrySet().stream()
            .filter(e -> e.getValue().trainable())
            .map(
                e -> {
                  int n = e.getValue().value().size();
                  return new Slot(e.getKey(), e.getValue(), new float[n], new float[n]);
                })
            .toList();
  }

  /** Applies and clears the gradients; parameters without one are left alone. */
  public void step(double learningRate) {
    steps++;
    float keep = (float) (1 - learningRate * settings.weightDecay);
    float step = (float) (learningRate / (1 - Math.pow(settings.beta1, steps)));
    float correction = (float) Math.sqrt(1 - Math.pow(settings.beta2, steps));
    for (Slot s : slots) {
      Tensor g = s.parameter.gradient();
      if (g == null) {
        continue;
      }
      engine
          .workers()
          .forEach(
              g.size(),
              8192,
              (part, from, to) ->
                  engine
                      .kernels()
                      .adamW(
                          s.parameter.value().data(),
                          g.data(),
                          s.m,
                          s.v,
                          from,
                          to,
                          keep,
                          (float) settings.beta1,
                          (float) settings.beta2,
                          step,
                          correction,
                          (float) settings.eps));
      s.parameter.changed();
      s.parameter.clearGradient();
    }
  }

  /**
   * Scales all gradients so that their joint Euclidean norm is at most {@code maxNorm}; summed in
   * double in a fixed order.
   *
   * @return the norm before clipping
   */
  public double clipGradients(double maxNorm) {
    double sum = 0;
    for (Slot s : slots) {
      Tensor g = s.parameter.gradient();
      for (int i = 0; g != null && i < g.size(); i++) {
        sum += (double) g.data()[i] * g.data()[i];
      }
    }
    double norm = Math.sqrt(sum);
    if (norm > maxNorm) {
      float scale = (float) (maxNorm / (norm + 1e-6));
      for (Slot s : slots) {
        Tensor g = s.parameter.gradient();
        if (g != null) {
          engine.kernels().scale(g.data(), 0, g.size(), scale, g.data(), 0);
        }
      }
    }
    return norm;
  }

  /** Number of steps taken. */
  public long steps() {
    return steps;
  }

  /** The moments by name, {@code NAME.m} and {@code NAME.v}: shared arrays, for a checkpoint. */
  public Map<String, Tensor> state() {
    Map<String, Tensor> state = new LinkedHashMap<>();
    for (Slot s : slots) {
      state.put(s.name + ".m", new Tensor(s.parameter.value().shape(), s.m));
      state.put(s.name + ".v", new Tensor(s.parameter.value().shape(), s.v));
    }
    return state;
  }

  /**
   * Restores what {@link #state()} gave.
   *
   * @throws IllegalArgumentException if a moment is missing or has another shape; nothing is changed
   */
  public void restore(Map<String, Tensor> state, long stepsTaken) {
    for (Map.Entry<String, Tensor> own : state().entrySet()) {
      Tensor t = state.get(own.getKey());
      if (t == null || !t.shape().equals(own.getValue().shape())) {
        throw new IllegalArgumentException(
            "optimizer state "
                + own.getKey()
                + " is missing or not of shape "
                + own.getValue().shape());
      }
    }
    for (Map.Entry<String, Tensor> own : state().entrySet()) {
      Tensor to = own.getValue();
      System.arraycopy(state.get(own.getKey()).data(), 0, to.data(), 0, to.size());
    }
    steps = stepsTaken;
  }
}
