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
    GELU
  }

  /**
   * The activation of a configuration's {@code hidden_act}.
   *
   * @throws IllegalArgumentException if it is not one of relu and gelu
   */
  public static Activation of(String name) {
    return switch (name) {
      case "relu" -> new Activation(Kind.RELU);
      case "gelu" -> new Activation(Kind.GELU);
      default ->
          throw new IllegalArgumentException(
              "activation \"" + name + "\" is not supported; choose relu or gelu");
    };
  }

  @Override
  public Var forward(Pass pass, Var x) {
    return switch (kind) {
      case RELU -> Ops.relu(pass, x);
      case GELU -> Ops.gelu(pass, x);
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
