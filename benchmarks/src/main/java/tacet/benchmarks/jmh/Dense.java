package tacet.benchmarks.jmh;

import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;
import tacet.benchmarks.Samples;
import tacet.tensor.kernel.MatMul;
import tacet.tensor.kernel.PackedMatrix;

/** Dense products: packed weights, weights packed in the call, and the products of gradients. */
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Fork(value = 1, jvmArgsAppend = "--add-modules=jdk.incubator.vector")
@Warmup(iterations = 4, time = 1)
@Measurement(iterations = 9, time = 1)
@State(Scope.Benchmark)
public class Dense {
  /** M x N x K; the default covers RoBERTa-large, MiniLM and T5-base, and decoding. */
  @Param({
    "128x1024x1024",
    "128x4096x1024",
    "128x1024x4096",
    "32x384x1536",
    "128x3072x768",
    "8x1024x4096",
    "1x1024x4096"
  })
  public String shape;

  private int m;
  private int n;
  private int k;
  private float[] x;
  private float[] w;
  private float[] y;
  private float[] dW;
  private PackedMatrix b;

  /** For JMH. */
  public Dense() {}

  /** Makes the operands. */
  @Setup
  public void operands() {
    int[] s = Samples.shape(shape);
    m = s[0];
    n = s[1];
    k = s[2];
    x = Samples.uniform(m * k, 1);
    w = Samples.uniform(k * n, 2);
    y = new float[m * n];
    dW = new float[n * k];
    b = PackedMatrix.of(w, k, n);
  }

  /** Y = X · B. */
  @Benchmark
  public float[] product(KernelState s) {
    MatMul.dense(s.engine, x, m, b, null, y);
    return y;
  }

  /** Y = X · B, B packed in the call. */
  @Benchmark
  public float[] packingProduct(KernelState s) {
    MatMul.denseUnpacked(s.engine, x, m, k, w, n, null, y);
    return y;
  }

  /** dW = dYᵀ · X, the gradient of a weight [N, K]. */
  @Benchmark
  public float[] weightGradient(KernelState s) {
    MatMul.transposedProduct(s.engine, y, m, n, x, k, dW);
    return dW;
  }
}
