package tacet.hardware;

/**
 * The seven numbers of the energy model of Shumailov et al., "Sponge Examples" (2021), and an eighth of our own.
 *
 * @param inputs TI, input elements of all counted modules
 * @param inputsNonZero NI, the non-zeros among them
 * @param outputs TO, output elements
 * @param outputsNonZero NO, the non-zeros among them
 * @param parameters TP, parameter and buffer elements
 * @param parametersNonZero NP, the non-zeros among them
 * @param computations C; one multiply-accumulate counts once
 * @param effectual computations of which both operands are non-zero; not part of the original model
 */
public record Counters(
    double inputs,
    double inputsNonZero,
    double outputs,
    double outputsNonZero,
    double parameters,
    double parametersNonZero,
    double computations,
    double effectual) {

  /** Nothing counted. */
  public static final Counters ZERO = new Counters(0, 0, 0, 0, 0, 0, 0, 0);

  /** The sum, number by number. */
  public Counters plus(Counters other) {
    return new Counters(
        inputs + other.inputs,
        inputsNonZero + other.inputsNonZero,
        outputs + other.outputs,
        outputsNonZero + other.outputsNonZero,
        parameters + other.parameters,
        parametersNonZero + other.parametersNonZero,
        computations + other.computations,
        effectual + other.effectual);
  }

  /** NP / TP; 1 if there are no parameters. */
  public double parameterDensity() {
    return parameters == 0 ? 1 : parametersNonZero / parameters;
  }

  /** NI / TI; 1 if there are no inputs. */
  public double inputDensity() {
    return inputs == 0 ? 1 : inputsNonZero / inputs;
  }
}
