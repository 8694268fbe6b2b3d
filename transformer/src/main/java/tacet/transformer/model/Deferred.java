package tacet.transformer.model;

import java.util.function.Supplier;
import tacet.tensor.Shape;
import tacet.tensor.Tensor;
import tacet.tensor.TensorSource;

/**
 * A tensor that is made when it is first read: what a configuration asks for takes no memory before
 * it has been compared with the weights.
 */
final class Deferred implements TensorSource {
  private final Shape shape;
  private final Supplier<Tensor> maker;
  private Tensor tensor;

  Deferred(Shape shape, Supplier<Tensor> maker) {
    this.shape = shape;
    this.maker = maker;
  }

  @Override
  public Shape shape() {
    return shape;
  }

  @Override
  public void read(int from, float[] to, int at, int n) {
    tensor().read(from, to, at, n);
  }

  private synchronized Tensor tensor() {
    if (tensor == null) {
      tensor = maker.get();
    }
    return tensor;
  }
}
