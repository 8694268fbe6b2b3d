package tacet.cli;

import java.util.ArrayList;
import java.util.List;
import tacet.autograd.Pass;
import tacet.autograd.Var;
import tacet.deft.DensityLoss;
import tacet.deft.Padding;
import tacet.tensor.Tensor;
import tacet.tensor.kernel.Kernels;
import tacet.transformer.Batch;
import tacet.transformer.checkpoint.SafeTensorsWriter;

/**
 * What {@code tacet forward} writes about density: the density loss, and the exact share of non-zeros
 * of each layer; for a model with a decoder, both for each side.
 */
final class ForwardDensity {
  /** One stack of layers: its tokens, and per layer the share of non-zeros of each token. */
  private record Side(String suffix, Batch tokens, List<double[]> shares) {
    Side(String suffix, Batch tokens) {
      this(suffix, tokens, new ArrayList<>());
    }
  }

  private final DensityLoss density;
  private final List<Side> sides = new ArrayList<>();
  private final List<DensityLoss.Terms> terms = new ArrayList<>();

  private ForwardDensity(DensityLoss density) {
    this.density = density;
  }

  /**
   * Begins to observe a pass.
   *
   * @param target tokens of the decoder; null for a model without one
   */
  static ForwardDensity observe(DensityLoss density, Pass pass, Batch source, Batch target) {
    ForwardDensity d = new ForwardDensity(density);
    if (target == null) {
      Side all = new Side("", source);
      d.sides.add(all);
      d.terms.add(density.observe(pass, source, v -> all.shares.add(shares(pass, source, v))));
      return d;
    }
    Side encoder = new Side(".encoder", source);
    Side decoder = new Side(".decoder", target);
    d.sides.addAll(List.of(encoder, decoder));
    DensityLoss.Sides both =
        density.observe(
            pass,
            source,
            target,
            (name, v) -> {
              Side side = name.startsWith("decoder.") ? decoder : encoder;
              side.shares.add(shares(pass, side.tokens, v));
            });
    d.terms.addAll(List.of(both.encoder(), both.decoder()));
    return d;
  }

  /** Writes what was seen; the task loss and λ · each side's density loss. */
  Var addTo(Pass pass, Var taskLoss, SafeTensorsWriter writer) {
    Var loss = taskLoss;
    for (int i = 0; i < sides.size(); i++) {
      Side side = sides.get(i);
      Var d = terms.get(i).loss(pass);
      writer.add("density_loss" + side.suffix, d.value().copy());
      writer.add("density" + side.suffix, exact(side, density.padding()));
      loss = terms.get(i).addTo(pass, loss, d);
    }
    return loss;
  }

  /** Share of non-zeros per token. */
  private static double[] shares(Pass pass, Batch batch, Var activation) {
    Kernels kernels = pass.kernels();
    int f = activation.shape().last();
    double[] shares = new double[batch.size() * batch.length()];
    for (int t = 0; t < shares.length; t++) {
      shares[t] = kernels.countAbove(activation.value().data(), t * f, f, 0) / (double) f;
    }
    return shares;
  }

  private static Tensor exact(Side side, Padding padding) {
    float[] weights = padding.tokenWeights(side.tokens);
    Tensor t = Tensor.zeros(side.shares.size());
    for (int l = 0; l < t.size(); l++) {
      double sum = 0;
      for (int i = 0; i < weights.length; i++) {
        sum += weights[i] * side.shares.get(l)[i];
      }
      t.data()[l] = (float) sum;
    }
    return t;
  }
}
