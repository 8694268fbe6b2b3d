package tacet.cli;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import tacet.autograd.Pass;
import tacet.autograd.Var;
import tacet.deft.DensityLoss;
import tacet.deft.Padding;
import tacet.deft.Tokens;
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
  private final List<Side> sides;
  private final DensityLoss.Terms terms;

  private ForwardDensity(DensityLoss density, List<Side> sides, DensityLoss.Terms terms) {
    this.density = density;
    this.sides = sides;
    this.terms = terms;
  }

  /**
   * Begins to observe a pass.
   *
   * @param target tokens of the decoder; null for a model without one
   */
  static ForwardDensity observe(DensityLoss density, Pass pass, Batch source, Batch target) {
    Tokens tokens = new Tokens(source, target);
    Side first = new Side(target == null ? "" : ".encoder", source);
    Side second = target == null ? null : new Side(".decoder", target);
    DensityLoss.Terms terms =
        density.observe(
            pass,
            tokens,
            Map.of(),
            (name, v) -> {
              Side side = tokens.of(name) == source ? first : second;
              side.shares.add(shares(pass, side.tokens, v));
            });
    return new ForwardDensity(
        density, second == null ? List.of(first) : List.of(first, second), terms);
  }

  /** Writes what was seen; the density loss of each side. */
  List<Var> write(Pass pass, SafeTensorsWriter writer) {
    List<Var> losses = new ArrayList<>();
    for (int i = 0; i < sides.size(); i++) {
      Side side = sides.get(i);
      Var d = i == 0 ? terms.encoderLoss(pass) : terms.decoderLoss(pass);
      writer.add("density_loss" + side.suffix, d.value().copy());
      writer.add("density" + side.suffix, exact(side, density.padding()));
      losses.add(d);
    }
    return losses;
  }

  /** Writes what was seen; the task loss and λ · each side's density loss. */
  Var addTo(Pass pass, Var taskLoss, SafeTensorsWriter writer) {
    Var loss = taskLoss;
    for (Var d : write(pass, writer)) {
      loss = terms.addTo(pass, loss, d);
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
