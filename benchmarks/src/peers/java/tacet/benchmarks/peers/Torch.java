package tacet.benchmarks.peers;

import ai.djl.engine.Engine;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.pytorch.engine.PtNDArray;
import ai.djl.pytorch.jni.JniUtils;
import java.util.function.Supplier;
import tacet.benchmarks.Peer;

/** libtorch by DJL's binding, called below DJL's layers. A call makes its result anew, as in PyTorch. */
public final class Torch implements Peer {
  private final NDManager manager;

  /** For the service loader. */
  public Torch() {
    System.setProperty("ai.djl.offline", "true"); // the natives are on the class path
    manager = NDManager.newBaseManager("PyTorch");
  }

  @Override
  public String name() {
    return "libtorch";
  }

  @Override
  public String version() {
    return Engine.getEngine("PyTorch").getVersion();
  }

  @Override
  public void threads(int n) {
    JniUtils.setNumThreads(n);
  }

  @Override
  public Operation product(Product p) {
    PtNDArray a = array(p.a(), p.m(), p.k());
    float[] transposed = new float[p.b().length]; // a linear layer's weight is [out, in]
    for (int i = 0; i < p.k(); i++) {
      for (int j = 0; j < p.n(); j++) {
        transposed[j * p.k() + i] = p.b()[i * p.n() + j];
      }
    }
    PtNDArray weight = array(transposed, p.n(), p.k());
    PtNDArray bias = array(new float[p.n()], p.n());
    return new Call(() -> JniUtils.linear(a, weight, bias), a, weight, bias);
  }

  @Override
  public Operation gelu(float[] x) {
    PtNDArray a = array(x, x.length);
    return new Call(() -> JniUtils.gelu(a), a);
  }

  @Override
  public Operation softmax(float[] x, int n) {
    PtNDArray a = array(x, x.length / n, n);
    return new Call(() -> JniUtils.softmax(a, 1, DataType.FLOAT32), a);
  }

  @Override
  public Operation layerNorm(float[] x, int n, float eps) {
    PtNDArray a = array(x, x.length / n, n);
    PtNDArray gamma = (PtNDArray) manager.ones(new Shape(n));
    PtNDArray beta = (PtNDArray) manager.zeros(new Shape(n));
    Shape normalised = new Shape(n);
    return new Call(() -> JniUtils.layerNorm(a, normalised, gamma, beta, eps), a, gamma, beta);
  }

  private PtNDArray array(float[] x, long... dims) {
    return (PtNDArray) manager.create(x, new Shape(dims));
  }

  private static final class Call implements Operation {
    private final Supplier<PtNDArray> call;
    private final NDArray[] inputs;
    private float[] result;

    Call(Supplier<PtNDArray> call, NDArray... inputs) {
      this.call = call;
      this.inputs = inputs;
    }

    @Override
    public void run() {
      call.get().close();
    }

    @Override
    public float[] result() {
      if (result == null) {
        try (PtNDArray y = call.get()) {
          result = y.toFloatArray();
        }
      }
      return result;
    }

    @Override
    public void close() {
      for (NDArray a : inputs) {
        a.close();
      }
    }
  }
}
