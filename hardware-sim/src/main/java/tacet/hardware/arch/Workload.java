package tacet.hardware.arch;

import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import tacet.hardware.ActivationTrace;
import tacet.hardware.BitMatrix;

/**
 * One layer: M tokens of K inputs times K × N weights.
 *
 * @param name for reports
 * @param tokens M
 * @param outputs N
 * @param inputs K
 * @param activations M × K
 * @param weights N × K, as linear layers store them
 * @param results M × N; {@link Operand#DENSE} means stored uncompressed, anything else goes through the encoder
 */
public record Workload(
    String name,
    int tokens,
    int outputs,
    int inputs,
    Operand activations,
    Operand weights,
    Operand results) {

  /** @throws IllegalArgumentException if a size is not positive or a mask has another shape */
  public Workload {
    if (tokens < 1 || outputs < 1 || inputs < 1) {
      throw new IllegalArgumentException(
          name + ": impossible layer of " + tokens + " x " + outputs + " x " + inputs);
    }
    requireShape(name, "activations", activations, tokens, inputs);
    requireShape(name, "weights", weights, outputs, inputs);
    requireShape(name, "results", results, tokens, outputs);
  }

  /** A layer without zeros. */
  public static Workload dense(String name, int tokens, int outputs, int inputs) {
    return new Workload(name, tokens, outputs, inputs, Operand.DENSE, Operand.DENSE, Operand.DENSE);
  }

  /** A layer with these activations (tokens × inputs) and dense weights. */
  public static Workload sparse(String name, int outputs, BitMatrix activations) {
    return dense(name, activations.rows(), outputs, activations.columns())
        .withActivations(Operand.of(activations));
  }

  /**
   * The products of every traced MLP: {@code NAME.in} reads dense activations and writes the traced ones through the
   * encoder; {@code NAME.out} reads the traced ones. A gated MLP has {@code NAME.gate} between them, which writes the
   * traced product, and {@code NAME.out} reads that. Rows are all recorded tokens; names are the trace's short ones.
   */
  public static List<Workload> mlps(ActivationTrace trace) {
    ActivationTrace.Header header = trace.header();
    List<String> names = header.shortLayers();
    int neurons = header.neurons();
    int hidden = header.hidden();
    List<Workload> layers = new ArrayList<>();
    for (int l = 0; l < names.size(); l++) {
      String name = names.get(l);
      Operand fired = Operand.of(trace.layer(l));
      layers.add(dense(name + ".in", trace.tokens(), neurons, hidden).withResults(fired));
      if (header.isGated(l)) {
        fired = Operand.of(trace.layer(++l));
        layers.add(dense(name + ".gate", trace.tokens(), neurons, hidden).withResults(fired));
      }
      layers.add(dense(name + ".out", trace.tokens(), hidden, neurons).withActivations(fired));
    }
    return layers;
  }

  /** The same with other activations. */
  public Workload withActivations(Operand other) {
    return new Workload(name, tokens, outputs, inputs, other, weights, results);
  }

  /** The same with other weights. */
  public Workload withWeights(Operand other) {
    return new Workload(name, tokens, outputs, inputs, activations, other, results);
  }

  /** The same with other results. */
  public Workload withResults(Operand other) {
    return new Workload(name, tokens, outputs, inputs, activations, weights, other);
  }

  /** The same layer as if nothing were zero: the baseline of a speed-up. */
  public Workload withoutZeros() {
    return dense(name, tokens, outputs, inputs);
  }

  /**
   * An upper bound, not a machine: the layer if it were known beforehand which results will be zero, so that their
   * products need not be computed. Skipping results n is skipping rows of the weights as skipping inputs k is skipping
   * columns, hence the same layer with N and K exchanged. Only operations and compute cycles mean something; use
   * {@link Memory#IDEAL}. Legitimate for the second input product of a gated MLP, whose mask the first has settled.
   */
  public Workload outputSkippingBound() {
    return new Workload(
        name + " (bound: zero results known)",
        tokens,
        inputs,
        outputs,
        results,
        Operand.DENSE,
        Operand.DENSE);
  }

  /**
   * Masks drawn at random where only a density is known. Each operand has a stream of its own, so that zeros of
   * activations and of weights are independent even if they are drawn one after the other with the same seed.
   */
  public Workload sampled(long seed) {
    SplittableRandom others = new SplittableRandom(seed);
    return withActivations(sample(activations, tokens, inputs, new SplittableRandom(seed)))
        .withWeights(sample(weights, outputs, inputs, others.split()))
        .withResults(sample(results, tokens, outputs, others.split()));
  }

  /** Multiply-accumulates of the dense product, M N K. */
  public long macs() {
    return (long) tokens * outputs * inputs;
  }

  /** Non-zero activations of tokens {@code from} to {@code to}, rounded if only the density is known. */
  long nonZeros(int from, int to) {
    return activations.count(new Block(from, to, 0, inputs));
  }

  /** Multiply-accumulates with two non-zero operands; an expectation if a mask is missing. */
  long effectual() {
    if (!activations.isExact() || !weights.isExact()) {
      return Math.round(macs() * activations.density() * weights.density());
    }
    if (weights.isDense()) {
      return nonZeros(0, tokens) * outputs;
    }
    int[] weightsPerInput = weights.mask().columnCounts();
    if (activations.isDense()) {
      return weights.mask().count() * tokens;
    }
    int[] tokensPerInput = activations.mask().columnCounts();
    long sum = 0;
    for (int k = 0; k < inputs; k++) {
      sum += (long) weightsPerInput[k] * tokensPerInput[k];
    }
    return sum;
  }

  /** Results with at least one effectual product, if both zeros count or only those of activations. */
  long touched(boolean weightZerosCount) {
    boolean denseWeights = weights.isDense() || !weightZerosCount;
    if (activations.isDense() && denseWeights) {
      return (long) tokens * outputs;
    }
    if (!activations.isExact() || !denseWeights && !weights.isExact()) {
      double effectual = activations.density() * (denseWeights ? 1 : weights.density());
      return Math.round((double) tokens * outputs * (1 - Math.pow(1 - effectual, inputs)));
    }
    long touched = 0;
    for (int t = 0; t < tokens; t++) {
      if (activations.isDense() || activations.mask().next(t, 0) >= 0) {
        touched += denseWeights ? outputs : touchedBy(t);
      }
    }
    return touched;
  }

  private int touchedBy(int token) {
    BitMatrix w = weights.mask();
    int touched = 0;
    for (int n = 0; n < outputs; n++) {
      for (int i = 0; i < w.wordsPerRow(); i++) {
        long a = activations.isDense() ? -1L : activations.mask().word(token, i);
        if ((a & w.word(n, i)) != 0) {
          touched++;
          break;
        }
      }
    }
    return touched;
  }

  private static Operand sample(Operand operand, int rows, int columns, SplittableRandom random) {
    return operand.isExact()
        ? operand
        : Operand.of(BitMatrix.random(rows, columns, operand.density(), random));
  }

  private static void requireShape(
      String name, String what, Operand operand, int rows, int columns) {
    BitMatrix mask = operand.mask();
    if (mask != null && (mask.rows() != rows || mask.columns() != columns)) {
      throw new IllegalArgumentException(
          name
              + ": mask of "
              + what
              + " is "
              + mask.rows()
              + " x "
              + mask.columns()
              + ", not "
              + rows
              + " x "
              + columns);
    }
  }
}
