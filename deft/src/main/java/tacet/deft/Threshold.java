package tacet.deft;

import java.util.ArrayList;
import java.util.List;
import tacet.autograd.Pass;
import tacet.autograd.Var;
import tacet.tensor.Engine;
import tacet.tensor.Tensor;
import tacet.transformer.Activation;
import tacet.transformer.Layer;
import tacet.transformer.Part;
import tacet.transformer.Surgery;

/**
 * Activations with small values dropped: |a| ≤ τ becomes 0. Unlike the skipping of exact zeros this
 * changes results; {@link #sweep} says by how much.
 */
public final class Threshold {
  private static final int COMPARED = 64; // examples whose outputs are compared

  private Threshold() {}

  /** An activation whose small values are dropped; it shows what is left to the pass's observer. */
  private record Dropping(String path, Activation function, float tau) implements Layer {
    @Override
    public Var forward(Pass pass, Var x) {
      Tensor a = function.forward(pass, x).value();
      Tensor y = pass.take(a.shape());
      for (int i = 0; i < a.size(); i++) {
        float v = a.data()[i];
        y.data()[i] = Math.abs(v) <= tau ? 0 : v;
      }
      Var left = pass.constant(y);
      pass.observe(path, left);
      return left;
    }

    @Override
    public Dropping rebuild(Surgery s) {
      return this;
    }
  }

  /**
   * What a threshold does.
   *
   * @param tau the threshold
   * @param density what is left of the activations, in percent
   * @param decoder the same of the decoder; NaN where there is none
   * @param score the task's primary metric in percent
   * @param error ‖y − y₀‖₂ / ‖y₀‖₂ of the model's outputs with and without the threshold
   */
  public record Point(double tau, double density, double decoder, double score, double error) {}

  /** The model, for inference only, with a threshold on all MLP activations. */
  public static <P extends Part> P on(P model, double tau) {
    return Surgery.replace(
        model,
        (path, part) -> part instanceof Activation a ? new Dropping(path, a, (float) tau) : part);
  }

  /**
   * Judges a model at several thresholds.
   *
   * @param model with merged adapters
   */
  public static <M extends Part> List<Point> sweep(
      Engine engine, M model, Problem<M> problem, List<Double> thresholds) {
    float[] exact = problem.outputs(engine, model, COMPARED);
    List<Point> points = new ArrayList<>();
    for (double tau : thresholds) {
      if (!(tau >= 0)) {
        throw new IllegalArgumentException("a threshold must be 0 or more, got " + tau);
      }
      M cut = on(model, tau);
      Evaluator.Result r = problem.evaluate(engine, cut);
      points.add(
          new Point(
              tau,
              r.density().exact(),
              r.decoder() == null ? Double.NaN : r.decoder().exact(),
              r.score(),
              error(exact, problem.outputs(engine, cut, COMPARED))));
    }
    return points;
  }

  private static double error(float[] exact, float[] found) {
    double difference = 0;
    double norm = 0;
    for (int i = 0; i < exact.length; i++) {
      double d = (double) found[i] - exact[i];
      difference += d * d;
      norm += (double) exact[i] * exact[i];
    }
    return norm == 0 ? 0 : Math.sqrt(difference / norm);
  }
}
