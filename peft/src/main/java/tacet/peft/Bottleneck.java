package tacet.peft;

import java.util.List;
import tacet.autograd.Parameter;
import tacet.tensor.RandomStream;
import tacet.tensor.Shape;
import tacet.tensor.Tensor;
import tacet.transformer.Activation;
import tacet.transformer.Join;
import tacet.transformer.Linear;
import tacet.transformer.Part;
import tacet.transformer.Surgery;

/**
 * Bottleneck adapters: where a branch joins the stream again, h + up(f(down(h))) takes the place of
 * the branch h (arXiv 2402.01911, eq. 12).
 *
 * <p>{@link #pfeiffer} (Pfeiffer et al. 2020, {@code seq_bn} in AdapterHub's library) is one adapter
 * per block, after the MLP; the norm of a post-norm block is applied twice with the same weights,
 * before the adapter and after. {@link #houlsby} (Houlsby et al. 2019, {@code double_seq_bn}) is one
 * after attention and one after the MLP.
 *
 * @param afterAttention whether there is one after self-attention
 * @param afterMlp whether there is one after the MLP
 * @param normFirst whether the adapter reads norm(h + x), x being the stream, instead of h
 * @param reduction width of the stream over width of the bottleneck
 * @param activation f
 * @param scaling factor of the adapter's output
 * @param dropout on the adapter's output, in training
 * @param adapter the adapter's name, part of the names in its file
 * @param modulesToSave parts trained whole and saved with the adapter, by name: a new head
 */
public record Bottleneck(
    boolean afterAttention,
    boolean afterMlp,
    boolean normFirst,
    double reduction,
    Activation activation,
    float scaling,
    double dropout,
    String adapter,
    List<String> modulesToSave)
    implements PeftMethod {
  private static final double INITIAL_RANGE = 0.02; // as BERT's weights

  /** Checks the numbers. */
  public Bottleneck {
    if (!afterAttention && !afterMlp) {
      throw new IllegalArgumentException("a bottleneck adapter needs a place: attention or MLP");
    }
    if (!(reduction > 0) || Double.isInfinite(reduction)) {
      throw new IllegalArgumentException("the reduction factor must be positive, got " + reduction);
    }
    if (!(dropout >= 0 && dropout < 1)) {
      throw new IllegalArgumentException("adapter dropout must be in [0, 1), got " + dropout);
    }
    if (adapter.isEmpty() || adapter.contains(".")) {
      throw new IllegalArgumentException(
          "the name of an adapter must be a word without dots, got \"" + adapter + "\"");
    }
    modulesToSave = List.copyOf(modulesToSave);
  }

  /** The placement of Pfeiffer et al. with ReLU. */
  public static Bottleneck pfeiffer(double reduction, List<String> modulesToSave) {
    return new Bottleneck(
        false, true, true, reduction, Activation.of("relu"), 1, 0, "default", modulesToSave);
  }

  /** The placement of Houlsby et al. with SiLU, which is called swish there. */
  public static Bottleneck houlsby(double reduction, List<String> modulesToSave) {
    return new Bottleneck(
        true, true, false, reduction, Activation.of("swish"), 1, 0, "default", modulesToSave);
  }

  /** The same with another non-linearity. */
  public Bottleneck with(Activation other) {
    return new Bottleneck(
        afterAttention,
        afterMlp,
        normFirst,
        reduction,
        other,
        scaling,
        dropout,
        adapter,
        modulesToSave);
  }

  @Override
  public String name() {
    return "adapter";
  }

  /** Width of the bottleneck beside a stream of a width. */
  public int bottleneck(int width) {
    return Math.max(1, (int) (width / reduction));
  }

  /** The frozen model with adapters: weights are normal with deviation .02, biases zero. */
  @Override
  public <P extends Part> P applyTo(P model, long seed) {
    return install(
        model,
        (path, width) -> {
          int b = bottleneck(width);
          return new Tensor[] {
            RandomStream.of(seed, "adapter down " + path, 0)
                .normal(Shape.of(b, width), INITIAL_RANGE),
            Tensor.zeros(b),
            RandomStream.of(seed, "adapter up " + path, 0)
                .normal(Shape.of(width, b), INITIAL_RANGE),
            Tensor.zeros(width)
          };
        });
  }

  /** Where the weights of an adapter come from. */
  @FunctionalInterface
  interface Source {
    /** Weight and bias of down [b, D], [b] and of up [D, b], [D]. */
    Tensor[] of(String path, int width);
  }

  <P extends Part> P install(P model, Source source) {
    boolean[] found = new boolean[1];
    P result =
        Surgery.replace(
            Adapted.frozen(model, modulesToSave),
            (path, part) -> {
              if (!(part instanceof Join join) || !isPlace(join.branch())) {
                return part;
              }
              found[0] = true;
              Tensor[] t = source.of(path, join.width());
              return new BottleneckJoin(
                  join, linear(t[0], t[1]), activation, linear(t[2], t[3]), this);
            });
    if (!found[0]) {
      throw new IllegalArgumentException("the model has no place for bottleneck adapters");
    }
    return result;
  }

  private boolean isPlace(Join.Branch branch) {
    return switch (branch) {
      case ATTENTION -> afterAttention;
      case CROSS_ATTENTION -> false; // AdapterHub's cross_adapter, which is off in both placements
      case MLP -> afterMlp;
    };
  }

  private static Linear linear(Tensor weight, Tensor bias) {
    return new Linear(Parameter.trainable(weight), Parameter.trainable(bias));
  }
}
