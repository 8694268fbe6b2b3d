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
import tacet.benchmarks.Own;
import tacet.benchmarks.Samples;
import tacet.tensor.kernel.MatMul;
import tacet.tensor.kernel.RightSide;

/** The activation-sparse product over densities, beside the dense one. */
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Fork(value = 1, jvmArgsAppend = "--add-modules=jdk.incubator.vector")
@Warmup(iterations = 4, time = 1)
@Measurement(iterations = 9, time = 1)
@State(Scope.Benchmark)
public class Sparse {
  /** T x D x F: tokens, width of the model, width of the MLP. */
  @Param({"128x384x1536", "128x1024x4096", "128x768x3072", "1x1024x4096"})
  public String shape;

  /** Share of values that are not zero. */
  @Param({"1", ".5", ".25", ".1", ".05", ".02", ".01"})
  public double density;

  private int t;
  private float[] h;
  private float[] y;
  private RightSide b;
  private long active;

  /** For JMH. */
  public Sparse() {}

  /** Makes the operands. */
  @Setup
  public void operands() {
    int[] s = Samples.shape(shape);
    t = s[0];
    h = Samples.sparse(t * s[2], density, 1);
    active = Samples.active(h);
    b = RightSide.of(Samples.uniform(s[2] * s[1], 2), s[2], s[1]);
    y = new float[t * s[1]];
  }

  /** Every zero multiplied. */
  @Benchmark
  public float[] dense(KernelState s) {
    MatMul.dense(s.engine, h, t, b.packed(), null, y);
    return y;
  }

  /** Every zero skipped. */
  @Benchmark
  public float[] sparse(KernelState s) {
    Own.sparse(s.engine, h, t, active, b, y);
    return y;
  }

  /** What the engine chooses. */
  @Benchmark
  public float[] chosen(KernelState s) {
    MatMul.product(s.engine, h, t, active, b, null, y);
    return y;
  }
}
