package tacet.deft;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import tacet.autograd.DensityOps;
import tacet.autograd.Ops;
import tacet.autograd.Pass;
import tacet.autograd.Var;
import tacet.tensor.kernel.Surrogate;
import tacet.transformer.Batch;

/**
 * The density loss (DEFT, arXiv 2402.01911, eq. 4 to 6), elementwise as the authors' scripts have
 * it: a surrogate of "speaks" is applied to every MLP activation and averaged over neurons, tokens
 * of an example, examples, layers. Total loss = task loss + λ · density loss.
 *
 * <p>The model must carry taps on its activations ({@link tacet.transformer.Tap}):
 *
 * <pre>{@code
 * DensityLoss.Terms terms = density.observe(pass, batch);   // before the forward pass
 * Var logits = model.forward(pass, batch).logits();
 * Var total = terms.addTo(pass, taskLoss);
 * }</pre>
 *
 * @param surrogate the smooth stand-in for "is not zero"
 * @param parameter ε of l0 (paper: 1e-7), β of tanh and sigmoid (paper: 20)
 * @param lambda λ, weight of the density loss (paper: 1)
 * @param padding which tokens count
 */
public record DensityLoss(Surrogate surrogate, double parameter, double lambda, Padding padding) {
  /** Checks the numbers. */
  public DensityLoss {
    if (!(lambda >= 0) || Double.isInfinite(lambda)) {
      throw new IllegalArgumentException("lambda must be 0 or more, got " + lambda);
    }
    if (surrogate != Surrogate.L1 && !(parameter > 0)) {
      throw new IllegalArgumentException(
          (surrogate == Surrogate.L0 ? "epsilon" : "beta") + " must be positive, got " + parameter);
    }
  }

  /** The paper's constant for a surrogate: ε = 1e-7, β = 20. */
  public static double standardParameter(Surrogate surrogate) {
    return surrogate == Surrogate.L0 ? 1e-7 : 20;
  }

  /** Begins to collect the loss of one forward pass. */
  public Terms observe(Pass pass, Batch batch) {
    return observe(pass, batch, activation -> {});
  }

  /** Same, and shows each layer's activations to somebody else too. */
  public Terms observe(Pass pass, Batch batch, Consumer<Var> also) {
    Terms terms = new Terms(padding.tokenWeights(batch));
    pass.setObserver(
        (name, activation) -> {
          terms.see(pass, activation);
          also.accept(activation);
        });
    return terms;
  }

  /**
   * The terms of a model with an encoder and a decoder, each averaged by itself; both density losses
   * are added to the task loss.
   */
  public record Sides(Terms encoder, Terms decoder) {}

  /**
   * Begins to collect the losses of one forward pass of a model whose layers' paths begin with
   * {@code encoder.} or {@code decoder.}, and shows each layer's activations to somebody else too.
   *
   * @param source tokens of the encoder
   * @param target tokens of the decoder; those count whose mask is 1
   */
  public Sides observe(Pass pass, Batch source, Batch target, Pass.Observer also) {
    Sides sides =
        new Sides(new Terms(padding.tokenWeights(source)), new Terms(padding.tokenWeights(target)));
    pass.setObserver(
        (name, activation) -> {
          (name.startsWith("decoder.") ? sides.decoder : sides.encoder).see(pass, activation);
          also.see(name, activation);
        });
    return sides;
  }

  /** The terms of one forward pass, one per tapped layer. */
  public final class Terms {
    private final float[] weights;
    private final List<Var> layers = new ArrayList<>();

    private Terms(float[] weights) {
      this.weights = weights;
    }

    private void see(Pass pass, Var activation) {
      layers.add(DensityOps.density(pass, activation, surrogate, (float) parameter, weights));
    }

    /** The mean over the layers seen so far, without λ: a scalar. */
    public Var loss(Pass pass) {
      if (layers.isEmpty()) {
        throw new IllegalStateException("the model has no tapped activations");
      }
      Var sum = layers.get(0);
      for (int i = 1; i < layers.size(); i++) {
        sum = Ops.add(pass, sum, layers.get(i));
      }
      return Ops.scale(pass, sum, 1f / layers.size());
    }

    /** Task loss + λ · density loss. */
    public Var addTo(Pass pass, Var taskLoss, Var densityLoss) {
      return addTo(pass, taskLoss, densityLoss, 1);
    }

    /** Task loss + share · λ · density loss. */
    public Var addTo(Pass pass, Var taskLoss, Var densityLoss, double share) {
      return Ops.add(pass, taskLoss, Ops.scale(pass, densityLoss, (float) (share * lambda)));
    }
  }
}
