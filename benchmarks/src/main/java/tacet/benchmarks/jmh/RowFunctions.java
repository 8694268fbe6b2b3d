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
import tacet.tensor.kernel.Kernels;

/** Softmax and LayerNorm over rows, and their gradients. */
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Fork(value = 1, jvmArgsAppend = "--add-modules=jdk.incubator.vector")
@Warmup(iterations = 4, time = 1)
@Measurement(iterations = 9, time = 1)
@State(Scope.Benchmark)
public class RowFunctions {
  /** Rows x width: scores of MiniLM's attention, hidden states of MiniLM and RoBERTa-large. */
  @Param({"1536x128", "128x384", "128x1024"})
  public String shape;

  private int rows;
  private int n;
  private float[] x;
  private float[] g;
  private float[] y;
  private float[] gamma;
  private float[] beta;
  private float[] statistics;
  private AttentionKernel scores;

  /** For JMH. */
  public RowFunctions() {}

  /** Makes the operands. */
  @Setup
  public void operands(KernelState s) {
    int[] d = Samples.shape(shape);
    rows = d[0];
    n = d[1];
    x = Samples.normal(rows * n, 2, 1);
    g = Samples.normal(rows * n, 1, 2);
    y = new float[rows * n];
    gamma = Samples.uniform(n, 3);
    beta = Samples.uniform(n, 4);
    statistics = new float[2 * rows];
    scores = new AttentionKernel(1, rows, n, 1, 1, 0.2f, null, false, null, 0, 0, 1);
    layerNorm(s);
  }

  /** Softmax; the kernel works in place, so a copy is part of it. */
  @Benchmark
  public float[] softmax(KernelState s) {
    Kernels kernels = s.engine.kernels();
    System.arraycopy(x, 0, y, 0, rows * n);
    kernels.softmaxRows(scores, 0, 0, rows, n, y, 0, n, statistics, 0);
    kernels.scaleRows(rows, n, statistics, 1, 2, y, 0, n);
    return y;
  }

  /** LayerNorm. */
  @Benchmark
  public float[] layerNorm(KernelState s) {
    Kernels kernels = s.engine.kernels();
    for (int i = 0; i < rows; i++) {
      kernels.layerNormRow(x, i * n, n, gamma, beta, 1e-5f, y, i * n, statistics, 2 * i);
    }
    return y;
  }

  /** Gradient of LayerNorm. */
  @Benchmark
  public float[] layerNormBackward(KernelState s) {
    Kernels kernels = s.engine.kernels();
    for (int i = 0; i < rows; i++) {
      kernels.layerNormBackwardRow(g, i * n, x, i * n, n, gamma, statistics, 2 * i, y, i * n);
    }
    return y;
  }
}
