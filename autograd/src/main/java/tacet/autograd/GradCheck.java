package tacet.autograd;

import java.util.List;
import java.util.Locale;
import java.util.function.Function;
import java.util.function.ToDoubleFunction;
import tacet.tensor.Engine;
import tacet.tensor.Tensor;

/**
 * Checks gradients against a double oracle: the same function written plainly in double, whose
 * central differences are exact to nine digits, where float differences would be noise.
 *
 * <pre>{@code
 * GradCheck.of(engine, pass -> Losses.meanSquaredError(pass, LinearOps.linear(pass, x, w, b), target))
 *     .against(in -> { … double loss of in.get(0) (w) and in.get(1) (b) … }, w, b);
 * }</pre>
 */
public final class GradCheck {
  private static final double STEP = 1e-5;

  private final Engine engine;
  private final Function<Pass, Var> program;
  private double tolerance = 1e-4;

  private GradCheck(Engine engine, Function<Pass, Var> program) {
    this.engine = engine;
    this.program = program;
  }

  /** A check of a program that ends in a scalar. */
  public static GradCheck of(Engine engine, Function<Pass, Var> program) {
    return new GradCheck(engine, program);
  }

  /** Largest accepted error, relative to the largest gradient of a parameter; 1e-4 at first. */
  public GradCheck within(double relative) {
    tolerance = relative;
    return this;
  }

  /**
   * Compares the value and every element of every gradient.
   *
   * @param oracle the function in double; gets the parameters' values in the order given
   * @throws AssertionError naming the parameter, the element and both numbers
   */
  public void against(ToDoubleFunction<List<double[]>> oracle, Parameter... parameters) {
    float value;
    for (Parameter p : parameters) {
      p.clearGradient();
    }
    try (Pass pass = Pass.gradient(engine)) {
      Var loss = program.apply(pass);
      value = loss.value().item();
      pass.backward(loss);
    }
    double[][] inputs = new double[parameters.length][];
    for (int i = 0; i < parameters.length; i++) {
      Tensor t = parameters[i].value();
      inputs[i] = new double[t.size()];
      for (int j = 0; j < t.size(); j++) {
        inputs[i][j] = t.data()[j];
      }
    }
    double expected = oracle.applyAsDouble(List.of(inputs));
    require(
        Math.abs(value - expected) <= tolerance * (1 + Math.abs(expected)),
        "value %.9g, oracle %.9g",
        value,
        expected);
    for (int i = 0; i < parameters.length; i++) {
      Tensor gradient = parameters[i].gradient();
      require(gradient != null, "parameter %d has no gradient", i);
      double[] numeric = new double[inputs[i].length];
      double largest = 0;
      for (int j = 0; j < numeric.length; j++) {
        double x = inputs[i][j];
        inputs[i][j] = x + STEP;
        double up = oracle.applyAsDouble(List.of(inputs));
        inputs[i][j] = x - STEP;
        double down = oracle.applyAsDouble(List.of(inputs));
        inputs[i][j] = x;
        numeric[j] = (up - down) / (2 * STEP);
        largest = Math.max(largest, Math.abs(numeric[j]));
      }
      require(largest > 0, "parameter %d: the oracle does not depend on it", i);
      for (int j = 0; j < numeric.length; j++) {
        double error = Math.abs(gradient.data()[j] - numeric[j]);
        require(
            error <= tolerance * largest,
            "parameter %d, element %d of %s: gradient %.9g, oracle %.9g",
            i,
            j,
            gradient.shape(),
            gradient.data()[j],
            numeric[j]);
      }
    }
  }

  private static void require(boolean ok, String format, Object... args) {
    if (!ok) {
      throw new AssertionError(String.format(Locale.ROOT, format, args));
    }
  }
}
