package tacet.cli;

import java.util.Locale;
import picocli.CommandLine.Option;
import tacet.deft.DensityLoss;
import tacet.deft.Padding;
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
      description = "Density loss: ${COMPLETION-CANDIDATES} (default: none).")
  private Choice surrogate;

  @Option(names = "--lambda", paramLabel = "X", description = "Weight of the density loss (1).")
  private Double lambda;

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
      names = "--density-form",
      paramLabel = "FORM",
      description =
          "What the surrogate is applied to: elementwise, or feature_map, each neuron's mean"
              + " (elementwise).")
  private DensityLoss.Form form = DensityLoss.Form.ELEMENTWISE;

  private DensityOptions() {}

  /** What was chosen; null for no density loss. */
  DensityLoss loss() {
    if (surrogate == null && (lambda != null || epsilon != null || beta != null)) {
      String option = lambda != null ? "--lambda" : epsilon != null ? "--epsilon" : "--beta";
      throw new UserException(
          option + " is of the density loss, and there is none: name one with --surrogate");
    }
    if (surrogate == null || surrogate == Choice.none) {
      return null;
    }
    Surrogate s = Surrogate.valueOf(surrogate.name().toUpperCase(Locale.ROOT));
    Double given = s == Surrogate.L0 ? epsilon : beta;
    double parameter = given == null ? DensityLoss.standardParameter(s) : given;
    return new DensityLoss(s, parameter, lambda == null ? 1 : lambda, padding, form);
  }
}
