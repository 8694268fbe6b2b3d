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
import tacet.tensor.kernel.AttentionKernel;

/** Multi-head attention, forward and backward. */
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Fork(value = 1, jvmArgsAppend = "--add-modules=jdk.incubator.vector")
@Warmup(iterations = 4, time = 1)
@Measurement(iterations = 9, time = 1)
@State(Scope.Benchmark)
public class Attention {
  /** Examples. */
  @Param("8")
  public int batch;

  /** Tokens of an example. */
  @Param({"32", "128", "384"})
  public int length;

  /** Heads x width of a head: MiniLM, BERT-base, RoBERTa-large. */
  @Param({"12x32", "12x64", "16x64"})
  public String heads;

  private AttentionKernel kernel;
  private float[] q;
  private float[] k;
  private float[] v;
  private float[] statistics;
  private float[] y;
  private float[] dOut;
  private float[] dQ;
  private float[] dK;
  private float[] dV;

  /** For JMH. */
  public Attention() {}

  /** Makes the operands. */
  @Setup
  public void operands(KernelState s) {
    int[] h = Samples.shape(heads);
    int n = batch * length * h[0] * h[1];
    kernel =
        new AttentionKernel(
            batch,
            length,
            length,
            h[0],
            h[1],
            (float) (1 / Math.sqrt(h[1])),
            null,
            false,
            null,
            0,
            0,
            1);
    q = Samples.uniform(n, 1);
    k = Samples.uniform(n, 2);
    v = Samples.uniform(n, 3);
    statistics = new float[batch * h[0] * length * 2];
    y = new float[n];
    dOut = Samples.uniform(n, 4);
    dQ = new float[n];
    dK = new float[n];
    dV = new float[n];
    kernel.forward(s.engine, q, k, v, statistics, y);
  }

  /** Inference: nothing is kept for the gradient. */
  @Benchmark
  public float[] inference(KernelState s) {
    kernel.forward(s.engine, q, k, v, null, y);
    return y;
  }

  /** Training: two numbers per row are kept. */
  @Benchmark
  public float[] forward(KernelState s) {
    kernel.forward(s.engine, q, k, v, statistics, y);
    return y;
  }

  /** Gradients by Q, K and V. */
  @Benchmark
  public float[] backward(KernelState s) {
    kernel.backward(s.engine, dOut, q, k, v, y, statistics, dQ, dK, dV, null);
    return dQ;
  }
}
