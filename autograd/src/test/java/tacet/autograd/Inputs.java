package tacet.autograd;

import tacet.tensor.RandomStream;
import tacet.tensor.Shape;

/** Inputs of operators under test: random parameters, and values that gradients flow into. */
final class Inputs {
  private Inputs() {}

  /** A trainable parameter with normal values of deviation 0.7, the same for the same seed. */
  static Parameter random(long seed, int... dims) {
    return Parameter.trainable(RandomStream.of(seed, "test", 0).normal(Shape.of(dims), 0.7));
  }

  /** A parameter as a value that gradients flow into: y = x · I. */
  static Var use(Pass pass, Parameter p) {
    return pass.record(p.value())
        .from(p, (dY, dX) -> System.arraycopy(dY.data(), 0, dX.data(), 0, dX.size()))
        .done();
  }
}
