package tacet.deft;

import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import tacet.autograd.DensityOps;
import tacet.autograd.Ops;
import tacet.autograd.Parameter;
import tacet.autograd.Pass;
import tacet.autograd.Var;
import tacet.tensor.kernel.Surrogate;
import tacet.transformer.Batch;

/**
 * The density loss (DEFT, arXiv 2402.01911, eq. 4 to 6): a surrogate of "speaks" is applied to every
 * MLP activation and averaged over neurons, tokens of an example, examples, layers. Total loss = task
 * loss + λ · density loss. An encoder-decoder has two density losses, which are added.
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
 * @param form what the surrogate is applied to
 */
public record DensityLoss(
    Surrogate surrogate, double parameter, double lambda, Padding padding, Form form) {
  /** What the surrogate is applied to. */
  public enum Form {
    /** Every activation, as in the authors' scripts. */
    ELEMENTWISE,
    /** Every neuron's mean over tokens and examples, as in the paper's text. */
    FEATURE_MAP
  }

  /** The elementwise form. */
  public DensityLoss(Surrogate surrogate, double parameter, double lambda, Padding padding) {
    this(surrogate, parameter, lambda, padding, Form.ELEMENTWISE);
  }

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
    return observe(pass, Tokens.of(batch), Map.of(), (name, activation) -> also.accept(activation));
  }

  /**
   * Begins to collect the loss of one forward pass.
   *
   * @param tokens which tokens the layers see
   * @param layerWeights trainable weights of blocks by the path of their activation ({@link Ada}):
   *     there, the density of weight · activation counts
   * @param also is shown each layer's name and activations too
   */
  public Terms observe(
      Pass pass, Tokens tokens, Map<String, Parameter> layerWeights, BiConsumer<String, Var> also) {
    Terms terms = new Terms(tokens, layerWeights);
    pass.setObserver(
        (name, activation) -> {
          terms.see(pass, name, activation);
          also.accept(name, activation);
        });
    return terms;
  }

  /** The terms of one forward pass, one per tapped layer. */
  public final class Terms {
    private final Tokens tokens;
    private final Map<String, Parameter> layerWeights;
    private final Map<Batch, float[]> weights = new IdentityHashMap<>();
    private final List<Var> encoder = new ArrayList<>();
    private final List<Var> decoder = new ArrayList<>();

    private Terms(Tokens tokens, Map<String, Parameter> layerWeights) {
      this.tokens = tokens;
      this.layerWeights = layerWeights;
    }

    private void see(Pass pass, String name, Var activation) {
      Batch batch = tokens.of(name);
      float[] w = weights.computeIfAbsent(batch, padding::tokenWeights);
      Parameter gate = layerWeights.get(name);
      Var term = pass.aside(activation, x -> density(pass, x, w, gate));
      (batch == tokens.decoder() ? decoder : encoder).add(term);
    }

    private Var density(Pass pass, Var x, float[] w, Parameter gate) {
      float p = (float) parameter;
      if (form == Form.FEATURE_MAP) {
        return DensityOps.featureMapDensity(pass, x, surrogate, p, w, gate);
      }
      return gate != null
          ? DensityOps.density(pass, x, surrogate, p, w, gate)
          : DensityOps.density(pass, x, surrogate, p, w);
    }

    /**
     * The mean over the layers seen so far, without λ: a scalar. Of an encoder-decoder, the sum of
     * both stacks' means.
     */
    public Var loss(Pass pass) {
      if (decoder.isEmpty()) {
        return encoderLoss(pass);
      }
      return encoder.isEmpty()
          ? decoderLoss(pass)
          : Ops.add(pass, encoderLoss(pass), decoderLoss(pass));
    }

    /** The mean over the layers of the encoder, or of the only stack that there is. */
    public Var encoderLoss(Pass pass) {
      return mean(pass, encoder);
    }

    /** The mean over the layers of the decoder. */
    public Var decoderLoss(Pass pass) {
      return mean(pass, decoder);
    }

    private static Var mean(Pass pass, List<Var> layers) {
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
