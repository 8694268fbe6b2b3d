package tacet.transformer;

import java.util.Locale;
import tacet.autograd.Ops;
import tacet.autograd.Pass;
import tacet.autograd.Var;

/**
 * The non-linearity between the two matrices of an MLP: where neurons speak or stay silent.
 *
 * @param kind which function
 */
public record Activation(Kind kind) implements Layer {
  /** The functions, under the names that Hugging Face configurations use. */
  public enum Kind {
    /** max(x, 0): exact zeros, which cost nothing. */
    RELU,
    /** x Φ(x), with erf. */
    GELU,
    /** The GELU with tanh in the place of erf. */
    GELU_NEW,
    /** x σ(x). */
    SILU
  }

  /**
   * The activation of a configuration's {@code hidden_act} or {@code activation_function}.
   *
   * @throws IllegalArgumentException if the name is not known
   */
  public static Activation of(String name) {
    return switch (name) {
      case "relu" -> new Activation(Kind.RELU);
      case "gelu", "gelu_python" -> new Activation(Kind.GELU);
      case "gelu_new", "gelu_pytorch_tanh", "gelu_fast" -> new Activation(Kind.GELU_NEW);
      case "silu", "swish" -> new Activation(Kind.SILU);
      default ->
          throw new IllegalArgumentException(
              "activation \"" + name + "\" is not supported; choose relu, gelu, gelu_new or silu");
    };
  }

  @Override
  public Var forward(Pass pass, Var x) {
    return switch (kind) {
      case RELU -> Ops.relu(pass, x);
      case GELU -> Ops.gelu(pass, x);
      case GELU_NEW -> Ops.geluTanh(pass, x);
      case SILU -> Ops.silu(pass, x);
    };
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
