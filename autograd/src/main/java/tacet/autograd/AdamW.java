package tacet.autograd;

import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.ToDoubleFunction;
import tacet.tensor.Engine;
import tacet.tensor.Tensor;

/**
 * Adam with decoupled weight decay (Loshchilov and Hutter, ICLR 2019), as PyTorch orders the
 * operations: w ← w(1 − lr·decay) − lr · m̂ / (√v̂ + ε).
 *
 * <p>Steps have the same bits for any number of threads, and whether moments lie in memory or in a
 * file ("paged", Dettmers et al. 2023, section 3).
 */
public final class AdamW implements AutoCloseable {
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

  /**
   * A parameter and its moments.
   *
   * @param rate its learning rate over that of a step
   * @param place values of the parameters before it
   * @param m first moments, null if paged
   * @param v second moments, null if paged
   */
  private record Slot(
      String name, Parameter parameter, double rate, long place, float[] m, float[] v) {
    int size() {
      return parameter.shape().size();
    }
  }

  private final Engine engine;
  private final Settings settings;
  private final List<Slot> slots = new ArrayList<>();
  private final PagedMoments paged; // or null
  private long steps;

  /**
   * An optimizer of the given parameters; frozen ones are left out.
   *
   * @param parameters by name, for saving and restoring the moments
   */
  public AdamW(Engine engine, Map<String, Parameter> parameters, Settings settings) {
    this(engine, parameters, settings, null);
  }

  /**
   * An optimizer with its moments in a file, eight bytes for each trained value, so that they take
   * no more memory than a window. It must be closed.
   *
   * @param file a temporary file: overwritten, and deleted at the end; null for memory
   * @throws UncheckedIOException if the file cannot be made
   */
  public AdamW(Engine engine, Map<String, Parameter> parameters, Settings settings, Path file) {
    this(engine, parameters, settings, file, p -> 1);
  }

  /**
   * An optimizer that moves some parameters faster or slower than the others.
   *
   * @param rate a parameter's learning rate over that of a step
   */
  public AdamW(
      Engine engine,
      Map<String, Parameter> parameters,
      Settings settings,
      Path file,
      ToDoubleFunction<Parameter> rate) {
    this.engine = engine;
    this.settings = settings;
    long place = 0;
    int largest = 0;
    for (Map.Entry<String, Parameter> e : parameters.entrySet()) {
      Parameter p = e.getValue();
      if (p.trainable()) {
        int n = p.shape().size();
        float[] m = file == null ? new float[n] : null;
        float[] v = file == null ? new float[n] : null;
        slots.add(new Slot(e.getKey(), p, rate.applyAsDouble(p), place, m, v));
        place += n;
        largest = Math.max(largest, n);
      }
    }
    this.paged = file == null ? null : new PagedMoments(file, place, largest);
  }

  /** Applies and clears the gradients; parameters without one are left alone. */
  public void step(double learningRate) {
    steps++;
    double first = 1 - Math.pow(settings.beta1, steps);
    float correction = (float) Math.sqrt(1 - Math.pow(settings.beta2, steps));
    for (Slot s : slots) {
      Tensor g = s.parameter.gradient();
      if (g == null) {
        continue;
      }
      double own = s.rate * learningRate;
      float keep = (float) (1 - own * settings.weightDecay);
      float step = (float) (own / first);
      Update update = new Update(keep, step, correction);
      float[] w = s.parameter.value().data();
      if (paged == null) {
        update.apply(w, g.data(), s.m, s.v, g.size());
      } else {
        paged.update(s.place, w, g.data(), g.size(), update::apply);
      }
      s.parameter.changed();
      s.parameter.clearGradient();
    }
  }

  /** One step's numbers. */
  private final class Update {
    private final float keep;
    private final float step;
    private final float correction;

    Update(float keep, float step, float correction) {
      this.keep = keep;
      this.step = step;
      this.correction = correction;
    }

    /** The first n values of each array, over all threads. */
    void apply(float[] w, float[] g, float[] m, float[] v, int n) {
      float beta1 = (float) settings.beta1;
      float beta2 = (float) settings.beta2;
      float eps = (float) settings.eps;
      engine
          .workers()
          .forEach(
              n,
              8192,
              (part, from, to) ->
                  engine
                      .kernels()
                      .adamW(w, g, m, v, from, to, keep, beta1, beta2, step, correction, eps));
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

  /**
   * The moments by name, {@code NAME.m} and {@code NAME.v}, for a checkpoint: shared arrays, or
   * copies of what is paged.
   */
  public Map<String, Tensor> state() {
    Map<String, Tensor> state = new LinkedHashMap<>();
    for (Slot s : slots) {
      float[] m = paged == null ? s.m : paged.read(s.place, s.size(), false);
      float[] v = paged == null ? s.v : paged.read(s.place, s.size(), true);
      state.put(s.name + ".m", new Tensor(s.parameter.shape(), m));
      state.put(s.name + ".v", new Tensor(s.parameter.shape(), v));
    }
    return state;
  }

  /**
   * Restores what {@link #state()} gave.
   *
   * @throws IllegalArgumentException if a moment is missing or has another shape; nothing is changed
   */
  public void restore(Map<String, Tensor> state, long stepsTaken) {
    for (Slot s : slots) {
      require(state, s.name + ".m", s);
      require(state, s.name + ".v", s);
    }
    for (Slot s : slots) {
      float[] m = state.get(s.name + ".m").data();
      float[] v = state.get(s.name + ".v").data();
      if (paged == null) {
        System.arraycopy(m, 0, s.m, 0, s.size());
        System.arraycopy(v, 0, s.v, 0, s.size());
      } else {
        paged.write(s.place, m, s.size(), false);
        paged.write(s.place, v, s.size(), true);
      }
    }
    steps = stepsTaken;
  }

  private static void require(Map<String, Tensor> state, String name, Slot slot) {
    Tensor t = state.get(name);
    if (t == null || !t.shape().equals(slot.parameter.shape())) {
      throw new IllegalArgumentException(
          "optimizer state " + name + " is missing or not of shape " + slot.parameter.shape());
    }
  }

  /** Deletes the file of the moments, if they are in one. */
  @Override
  public void close() {
    if (paged != null) {
      paged.close();
    }
  }
}
