package tacet.transformer;

import java.util.Locale;
import tacet.autograd.Nonlinearity;
import tacet.autograd.Ops;
import tacet.autograd.Pass;
import tacet.autograd.Var;

/**
 * The non-linearity between the two matrices of an MLP: where neurons speak or stay silent.
 *
 * @param kind which function
 */
public record Activation(Nonlinearity kind) implements Layer {
  /**
   * The activation of a configuration's {@code hidden_act} or {@code activation_function}.
   *
   * @throws IllegalArgumentException if the name is not known
   */
  public static Activation of(String name) {
    return switch (name) {
      case "relu" -> new Activation(Nonlinearity.RELU);
      case "gelu", "gelu_python" -> new Activation(Nonlinearity.GELU);
      case "gelu_new", "gelu_pytorch_tanh", "gelu_fast" -> new Activation(Nonlinearity.GELU_NEW);
      case "silu", "swish" -> new Activation(Nonlinearity.SILU);
      default ->
          throw new IllegalArgumentException(
              "activation \"" + name + "\" is not supported; choose relu, gelu, gelu_new or silu");
    };
  }

  @Override
  public Var forward(Pass pass, Var x) {
    return Ops.activation(pass, x, kind);
  }

  @Override
  public Var after(Pass pass, Layer first, Var x) {
    return first instanceof Projection p
        ? p.forward(pass, x, kind)
        : forward(pass, first.forward(pass, x));
  }

  /** The name in configurations. */
  @Override
  public String toString() {
    return kind.name().toLowerCase(Locale.ROOT);
  }

  @Override
  public Activation rebuild(Surgery s) {
    return this;
  }
}
