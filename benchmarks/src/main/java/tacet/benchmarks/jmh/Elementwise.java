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
import tacet.tensor.kernel.Kernels;
import tacet.tensor.kernel.Surrogate;

/** Functions of single values. */
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Fork(value = 1, jvmArgsAppend = "--add-modules=jdk.incubator.vector")
@Warmup(iterations = 4, time = 1)
@Measurement(iterations = 9, time = 1)
@State(Scope.Benchmark)
public class Elementwise {
  /** Values: a batch of 128 tokens in the MLPs of MiniLM and RoBERTa-large. */
  @Param({"196608", "524288"})
  public int n;

  private float[] x;
  private float[] g;
  private float[] y;
  private float[] m;
  private float[] v;
  private float[] value;
  private int[] index;
  private int[] start;

  /** For JMH. */
  public Elementwise() {}

  /** Makes the operands. */
  @Setup
  public void operands() {
    x = Samples.normal(n, 2, 1);
    g = Samples.normal(n, 1, 2);
    y = new float[n];
    m = new float[n];
    v = new float[n];
    value = new float[n + Kernels.LANES];
    index = new int[n + Kernels.LANES];
    start = new int[n / Kernels.BLOCK + 2];
  }

  /** y = max(x, 0). */
  @Benchmark
  public float[] relu(KernelState s) {
    s.engine.kernels().relu(x, 0, n, y, 0);
    return y;
  }

  /** Gradient of ReLU. */
  @Benchmark
  public float[] reluBackward(KernelState s) {
    s.engine.kernels().reluBackward(g, 0, x, 0, n, y, 0);
    return y;
  }

  /** y = x Φ(x). */
  @Benchmark
  public float[] gelu(KernelState s) {
    s.engine.kernels().gelu(x, 0, n, y, 0);
    return y;
  }

  /** Gradient of GELU. */
  @Benchmark
  public float[] geluBackward(KernelState s) {
    s.engine.kernels().geluBackward(g, 0, x, 0, n, y, 0);
    return y;
  }

  /** y = tanh(x). */
  @Benchmark
  public float[] tanh(KernelState s) {
    s.engine.kernels().tanh(x, 0, n, y, 0);
    return y;
  }

  /** y = exp(x). */
  @Benchmark
  public float[] exp(KernelState s) {
    s.engine.kernels().exp(x, 0, n, y, 0);
    return y;
  }

  /** y = erf(x). */
  @Benchmark
  public float[] erf(KernelState s) {
    s.engine.kernels().erf(x, 0, n, y, 0);
    return y;
  }

  /** z = x + y. */
  @Benchmark
  public float[] add(KernelState s) {
    s.engine.kernels().add(x, 0, g, 0, n, y, 0);
    return y;
  }

  /** Dropout with a hashed mask. */
  @Benchmark
  public float[] dropout(KernelState s) {
    s.engine.kernels().dropout(x, 0, n, 7, 0, 1 << 20, 1.1f, y, 0);
    return y;
  }

  /** The smooth count of values that are not zero. */
  @Benchmark
  public float[] density(KernelState s) {
    y[0] = s.engine.kernels().densityRow(Surrogate.TANH, 20, x, 0, n);
    return y;
  }

  /** Gradient of the smooth count. */
  @Benchmark
  public float[] densityBackward(KernelState s) {
    s.engine.kernels().densityBackward(Surrogate.TANH, 20, 1, x, 0, n, y, 0);
    return y;
  }

  /** The exact count. */
  @Benchmark
  public float[] countAbove(KernelState s) {
    y[0] = s.engine.kernels().countAbove(x, 0, n, 0);
    return y;
  }

  /** Values that are not zero, and their places. */
  @Benchmark
  public float[] compress(KernelState s) {
    y[0] = s.engine.kernels().compress(x, 0, n, index, value, 0, start, 0);
    return y;
  }

  /** A step of the optimizer. */
  @Benchmark
  public float[] adamW(KernelState s) {
    s.engine.kernels().adamW(y, g, m, v, 0, n, 1, .9f, .999f, 1e-6f, 1, 1e-8f);
    return y;
  }
}
