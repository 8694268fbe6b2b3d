package tacet.cli;

import java.util.Locale;
import picocli.CommandLine.Option;
import tacet.deft.DensityLoss;
import tacet.deft.Padding;
import tacet.deft.Ramp;
import tacet.tensor.kernel.Surrogate;

/** The density loss on the command line. */
final class DensityOptions {
  /** The surrogates, and none. */
  enum Choice {
    none,
    l0,
    tanh,
    sigmoid,
    l1
  }

  @Option(
      names = "--surrogate",
      paramLabel = "NAME",
      description = "Density loss: ${COMPLETION-CANDIDATES} (default: ${DEFAULT-VALUE}).")
  private Choice surrogate = Choice.none;

  @Option(names = "--lambda", paramLabel = "X", description = "Weight of the density loss.")
  private double lambda = 1;

  @Option(names = "--epsilon", paramLabel = "E", description = "Of the l0 surrogate (1e-7).")
  private Double epsilon;

  @Option(names = "--beta", paramLabel = "B", description = "Of tanh and sigmoid (20).")
  private Double beta;

  @Option(
      names = "--padding",
      paramLabel = "WHICH",
      description = "Padding tokens in the density: masked or included (default: masked).")
  private Padding padding = Padding.MASKED;

  @Option(
      names = "--lambda-ramp",
      paramLabel = "START,END",
      description = "Let lambda grow from 0 to full between these shares of the steps (0,0).")
  private String ramp = "0,0";

  @Option(
      names = "--density-form",
      paramLabel = "FORM",
      description =
          "What the surrogate is applied to: elementwise, or feature_map, each neuron's mean"
              + " (elementwise).")
  private DensityLoss.Form form = DensityLoss.Form.ELEMENTWISE;

  private DensityOptions() {}

  /** How λ grows. */
  Ramp ramp() {
    String[] parts = ramp.split(",");
    try {
      if (parts.length == 2) {
        return new Ramp(Double.parseDouble(parts[0]), Double.parseDouble(parts[1]));
      }
    } catch (NumberFormatException e) {
      // told below
    }
    throw new UserException("--lambda-ramp needs two shares such as 0.3,0.8, got " + ramp);
  }

  /** What was chosen; null for no density loss. */
  DensityLoss loss() {
    if (surrogate == Choice.none) {
      return null;
    }
    Surrogate s = Surrogate.valueOf(surrogate.name().toUpperCase(Locale.ROOT));
    Double given = s == Surrogate.L0 ? epsilon : beta;
    double parameter = given == null ? DensityLoss.standardParameter(s) : given;
    return new DensityLoss(s, parameter, lambda, padding, form);
  }
}
