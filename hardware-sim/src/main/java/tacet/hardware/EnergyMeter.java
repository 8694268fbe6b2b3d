package tacet.hardware;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tacet.hardware.EnergyModel.ComputeFraction;
import tacet.hardware.LeafCall.Kind;
import tacet.hardware.LeafCall.Site;

/**
 * Collects leaf calls of forward passes and turns them into an energy ratio: the hooks of the original, as data. The
 * caller reports element counts, so any tensor library will do. One meter, one thread.
 *
 * <pre>{@code
 * var meter = new EnergyMeter(EnergyMeter.Dialect.CINOFIX);
 * meter.linear("layer.0.output.dense", Site.MLP_OUT, in, 4096, out, weight, bias);
 * meter.endBatch();
 * double ratio = meter.estimate(EnergyMeter.Options.of(EnergyScope.LEAF_HF)).ratio();
 * }</pre>
 */
public final class EnergyMeter {

  /** The two public programs differ where noted. */
  public enum Dialect {
    /** Sponge examples: rows that an embedding fetches count as parameters besides the whole table. */
    SPONGE,
    /** The port used on data sets: no such rows, and batch-norm statistics counted ten times by a broadcast. */
    CINOFIX
  }

  /** How several batches become one number. */
  public enum Aggregation {
    /** Unweighted mean of the batches' ratios, as published. */
    BATCH_MEAN,
    /** The ratio of counters summed over all batches. */
    POOLED
  }

  /**
   * How to read the collected calls.
   *
   * @param scope which leaves count; {@link EnergyScope#PAPER_TABLE2} must be resolved
   * @param model prices
   * @param fraction how remaining computations are found
   * @param aggregation over batches
   * @param attentionDropout whether the dropout of attention probabilities is a module (eager attention)
   */
  public record Options(
      EnergyScope scope,
      EnergyModel model,
      ComputeFraction fraction,
      Aggregation aggregation,
      boolean attentionDropout) {

    /** The published way: sponge prices, global fraction, mean over batches, eager attention. */
    public static Options of(EnergyScope scope) {
      return new Options(
          scope, EnergyModel.SPONGE, ComputeFraction.GLOBAL, Aggregation.BATCH_MEAN, true);
    }

    /** The same with another compute fraction. */
    public Options with(ComputeFraction fraction) {
      return new Options(scope, model, fraction, aggregation, attentionDropout);
    }

    /** The same with another aggregation. */
    public Options with(Aggregation aggregation) {
      return new Options(scope, model, fraction, aggregation, attentionDropout);
    }

    /** The same with other prices. */
    public Options with(EnergyModel model) {
      return new Options(scope, model, fraction, aggregation, attentionDropout);
    }

    /** The same, as if attention were fused: its dropout is no module. */
    public Options withoutAttentionDropout() {
      return new Options(scope, model, fraction, aggregation, false);
    }
  }

  private static final int CINOFIX_SLOTS = 10;

  private final Dialect dialect;
  private final List<List<LeafCall>> batches = new ArrayList<>();
  private List<LeafCall> current = new ArrayList<>();

  /** A meter that has seen nothing. */
  public EnergyMeter(Dialect dialect) {
    this.dialect = dialect;
  }

  /**
   * A linear module: weight elements × tokens computations; additions of the bias are not counted.
   *
   * @param inFeatures the input's last dimension
   * @param weight the matrix; its elements are out × in
   * @param bias {@link Count#NONE} if there is none
   */
  public void linear(
      String name, Site site, Count input, int inFeatures, Count output, Count weight, Count bias) {
    linear(name, site, input, inFeatures, output, weight, bias, Double.NaN);
  }

  /**
   * A linear module whose effectual multiply-accumulates the caller has counted exactly. Without that number they are
   * taken as computations × input density × weight density, which is exact for dense weights.
   *
   * @param effectual multiply-accumulates with two non-zero operands, padding included; NaN if not counted
   */
  public void linear(
      String name,
      Site site,
      Count input,
      int inFeatures,
      Count output,
      Count weight,
      Count bias,
      double effectual) {
    double macsPerElement = weight.elements() / inFeatures;
    double expected =
        weight.elements() == 0
            ? 0
            : macsPerElement * input.nonZero() * weight.nonZero() / weight.elements();
    double all = Double.isNaN(effectual) ? expected : effectual;
    // The unpadded share of an exact count is not known here: scale it by the share of non-zero
    // inputs.
    Count valid = input.unpadded();
    double share = input.nonZero() == 0 ? 0 : valid.nonZero() / input.nonZero();
    Count parameters = weight.plus(bias);
    record(
        name,
        Kind.LINEAR,
        site,
        counters(input, output, parameters, macsPerElement * input.elements(), all),
        counters(
            valid, output.unpadded(), parameters, macsPerElement * valid.elements(), all * share));
  }

  /**
   * An embedding: no computations; the whole table is charged once per call, in the sponge dialect also the rows
   * fetched (output elements, and the non-zeros among them).
   */
  public void embedding(String name, Count ids, Count output, Count table) {
    boolean rows = dialect == Dialect.SPONGE;
    Count valid = output.unpadded();
    record(
        name,
        Kind.EMBEDDING,
        Site.OTHER,
        counters(
            ids,
            output,
            rows ? table.plus(Count.of(output.elements(), output.nonZero())) : table,
            0,
            0),
        counters(ids.unpadded(), valid, rows ? table.plus(valid) : table, 0, 0));
  }

  /** A layer normalisation (also T5's): memory only. */
  public void norm(String name, Count input, Count output, Count parameters) {
    leaf(name, Kind.NORM, Site.OTHER, input, output, parameters, 0);
  }

  /** An activation function: memory only. */
  public void activation(String name, Site site, Count input, Count output) {
    leaf(name, Kind.ACTIVATION, site, input, output, Count.NONE, 0);
  }

  /** A dropout module, called in inference too: memory only. */
  public void dropout(String name, Site site, Count input, Count output) {
    leaf(name, Kind.DROPOUT, site, input, output, Count.NONE, 0);
  }

  /**
   * A two-dimensional batch norm: four computations per element, and its running statistics counted once more than
   * the buffers already are (ten times more in the port).
   *
   * @param affine weight and bias
   * @param running running mean and variance
   * @param batchesTracked value of the buffer that counts batches: one element, zero or not
   */
  public void batchNorm(
      String name, Count input, Count output, Count affine, Count running, long batchesTracked) {
    int extra = dialect == Dialect.CINOFIX ? CINOFIX_SLOTS : 1;
    Count parameters =
        affine
            .plus(Count.of((1 + extra) * running.elements(), (1 + extra) * running.nonZero()))
            .plus(Count.of(1, batchesTracked == 0 ? 0 : 1));
    leaf(name, Kind.BATCH_NORM, Site.OTHER, input, output, parameters, 4 * input.elements());
  }

  /**
   * Any other leaf.
   *
   * @param computations of the whole call, for instance output elements × kernel height × width × input channels for
   *     a convolution
   */
  public void leaf(
      String name,
      Kind kind,
      Site site,
      Count input,
      Count output,
      Count parameters,
      double computations) {
    Count valid = input.unpadded();
    double share = input.elements() == 0 ? 1 : valid.elements() / input.elements();
    Counters all = counters(input, output, parameters, computations, computations * density(input));
    Counters unpadded =
        counters(
            valid,
            output.unpadded(),
            parameters,
            computations * share,
            computations * share * density(valid));
    record(name, kind, site, all, unpadded);
  }

  /** Ends a forward pass. The next call belongs to a new batch. An empty batch is ignored. */
  public void endBatch() {
    if (!current.isEmpty()) {
      batches.add(List.copyOf(current));
      current = new ArrayList<>();
    }
  }

  /** Batches ended so far. */
  public int batches() {
    return batches.size();
  }

  /**
   * The estimate over all ended batches.
   *
   * @throws IllegalStateException if no batch was ended, calls are pending, or the scope sees nothing
   */
  public EnergyEstimate estimate(Options options) {
    if (!current.isEmpty()) {
      throw new IllegalStateException(
          "call endBatch() first: " + current.size() + " calls pending");
    }
    List<EnergyEstimate> parts = new ArrayList<>();
    List<LeafCall> pooled = new ArrayList<>();
    for (List<LeafCall> batch : batches) {
      List<LeafCall> seen = batch.stream().filter(c -> counts(c, options)).toList();
      pooled.addAll(seen);
      if (!seen.isEmpty()) {
        parts.add(EnergyEstimate.of(seen, options));
      }
    }
    if (parts.isEmpty()) {
      throw new IllegalStateException("no module counted in scope " + options.scope());
    }
    EnergyEstimate whole = EnergyEstimate.of(merge(pooled), options);
    return options.aggregation() == Aggregation.POOLED ? whole : whole.withMeanOf(parts);
  }

  private static boolean counts(LeafCall call, Options options) {
    return options.scope().includes(call)
        && (options.attentionDropout() || call.site() != Site.ATTENTION_PROBABILITIES);
  }

  /** Sums the calls of equal name, kind and site, in order of first appearance. */
  private static List<LeafCall> merge(List<LeafCall> calls) {
    Map<List<Object>, LeafCall> merged = new LinkedHashMap<>();
    for (LeafCall c : calls) {
      merged.merge(
          List.of(c.name(), c.kind(), c.site()),
          c,
          (a, b) ->
              new LeafCall(
                  a.name(), a.kind(), a.site(), a.all().plus(b.all()), a.valid().plus(b.valid())));
    }
    return List.copyOf(merged.values());
  }

  private static double density(Count count) {
    return count.elements() == 0 ? 1 : count.nonZero() / count.elements();
  }

  private static Counters counters(
      Count input, Count output, Count parameters, double computations, double effectual) {
    return new Counters(
        input.elements(),
        input.nonZero(),
        output.elements(),
        output.nonZero(),
        parameters.elements(),
        parameters.nonZero(),
        computations,
        effectual);
  }

  private void record(String name, Kind kind, Site site, Counters all, Counters valid) {
    current.add(new LeafCall(name, kind, site, all, valid));
  }
}
