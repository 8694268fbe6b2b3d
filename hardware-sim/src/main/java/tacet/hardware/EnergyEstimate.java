package tacet.hardware;

import java.util.List;

/**
 * What the energy model says, with everything needed to see why.
 *
 * @param ratio E_opt / E_unopt, aggregated as asked
 * @param unoptimised E_unopt in picojoule, all batches
 * @param optimised E_opt in picojoule, all batches
 * @param total the counters, all batches
 * @param modules the counted modules, batches summed, in order of first call
 * @param savings where 1 - ratio comes from
 */
public record EnergyEstimate(
    double ratio,
    double unoptimised,
    double optimised,
    Counters total,
    List<LeafCall> modules,
    Savings savings) {

  /**
   * 1 - ratio, split by the reason for the zeros. Traffic splits exactly. The compute term is a product of weight and
   * input density; its saving is shared between the two symmetrically (Shapley), the input's part by its zeros.
   *
   * @param padding zeros at padding positions outside the MLP, chiefly masked attention columns
   * @param mlp zeros in MLP activations, at padding positions too
   * @param weights zeros in parameters
   * @param other the rest, such as token id 0
   */
  public record Savings(double padding, double mlp, double weights, double other) {

    static final Savings NONE = new Savings(0, 0, 0, 0);

    /** 1 - ratio. */
    public double sum() {
      return padding + mlp + weights + other;
    }

    private Savings plus(Savings s) {
      return new Savings(padding + s.padding, mlp + s.mlp, weights + s.weights, other + s.other);
    }

    private Savings times(double factor) {
      return new Savings(padding * factor, mlp * factor, weights * factor, other * factor);
    }
  }

  /** The estimate for calls taken as one batch. */
  static EnergyEstimate of(List<LeafCall> calls, EnergyMeter.Options options) {
    boolean unpadded = options.scope() == EnergyScope.UNPADDED;
    EnergyModel model = options.model();
    Counters total = Counters.ZERO;
    Savings traffic = Savings.NONE;
    Savings inputZeros = Savings.NONE;
    double remaining = 0;
    Savings compute = Savings.NONE;
    for (LeafCall call : calls) {
      Counters c = unpadded ? call.valid() : call.all();
      total = total.plus(c);
      Savings in = zeros(call, c, c.inputs() - c.inputsNonZero(), paddedInputZeros(call, unpadded));
      Savings out =
          zeros(call, c, c.outputs() - c.outputsNonZero(), paddedOutputZeros(call, unpadded));
      inputZeros = inputZeros.plus(in);
      traffic = traffic.plus(in).plus(out).plus(weights(c.parameters() - c.parametersNonZero()));
      if (c.computations() > 0) {
        double left =
            options.fraction() == EnergyModel.ComputeFraction.EFFECTUAL
                ? c.effectual() / c.computations()
                : c.parameterDensity() * c.inputDensity();
        remaining += left * c.computations();
        compute = compute.plus(computeSavings(c, left, in).times(c.computations()));
      }
    }
    if (options.fraction() == EnergyModel.ComputeFraction.GLOBAL) {
      double left = total.parameterDensity() * total.inputDensity();
      remaining = left * total.computations();
      compute = computeSavings(total, left, inputZeros).times(total.computations());
    }
    double whole = model.unoptimised(total);
    double rest = model.optimised(total, remaining);
    Savings savings =
        whole == 0
            ? Savings.NONE
            : traffic.times(model.dram() / whole).plus(compute.times(model.mac() / whole));
    return new EnergyEstimate(
        whole == 0 ? 1 : rest / whole, whole, rest, total, List.copyOf(calls), savings);
  }

  /** The same totals; ratio and savings are the unweighted mean over batches. */
  EnergyEstimate withMeanOf(List<EnergyEstimate> batches) {
    double sum = 0;
    double opt = 0;
    double unopt = 0;
    Savings savings = Savings.NONE;
    for (EnergyEstimate batch : batches) {
      sum += batch.ratio;
      opt += batch.optimised;
      unopt += batch.unoptimised;
      savings = savings.plus(batch.savings);
    }
    int n = batches.size();
    return new EnergyEstimate(sum / n, unopt, opt, total, modules, savings.times(1.0 / n));
  }

  private static double paddedInputZeros(LeafCall call, boolean unpadded) {
    if (unpadded) {
      return 0;
    }
    Counters a = call.all();
    Counters v = call.valid();
    return (a.inputs() - a.inputsNonZero()) - (v.inputs() - v.inputsNonZero());
  }

  private static double paddedOutputZeros(LeafCall call, boolean unpadded) {
    if (unpadded) {
      return 0;
    }
    Counters a = call.all();
    Counters v = call.valid();
    return (a.outputs() - a.outputsNonZero()) - (v.outputs() - v.outputsNonZero());
  }

  private static Savings zeros(LeafCall call, Counters c, double zeros, double padded) {
    return call.site().holdsMlpZeros()
        ? new Savings(0, zeros, 0, 0)
        : new Savings(padded, 0, 0, zeros - padded);
  }

  private static Savings weights(double zeros) {
    return new Savings(0, 0, zeros, 0);
  }

  /** Splits 1 - left between weights and inputs; the inputs' part in proportion to their kinds of zeros. */
  private static Savings computeSavings(Counters c, double left, Savings inputZeros) {
    double p = c.parameterDensity();
    double i = c.inputDensity();
    // (1-p)(1+i)/2 + (1-i)(1+p)/2 = 1 - p i
    double scale = p * i == 1 ? 0 : (1 - left) / (1 - p * i);
    double byWeights = scale * (1 - p) * (1 + i) / 2;
    double byInputs = scale * (1 - i) * (1 + p) / 2;
    double zeros = inputZeros.sum();
    Savings split = zeros == 0 ? Savings.NONE : inputZeros.times(byInputs / zeros);
    return split.plus(weights(byWeights));
  }
}
