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
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;
import tacet.benchmarks.Peer;
import tacet.benchmarks.Peers;
import tacet.benchmarks.Samples;

/** The dense product of other libraries, on one thread; beside {@link Dense}. */
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Fork(value = 1, jvmArgsAppend = "--add-modules=jdk.incubator.vector")
@Warmup(iterations = 4, time = 1)
@Measurement(iterations = 9, time = 1)
@State(Scope.Benchmark)
public class Libraries {
  /** M x N x K. */
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

  /** With native code, in a build with the profile peers: MKL, OpenBLAS, libtorch. */
  @Param({"EJML", "netlib"})
  public String library;

  private Peer.Operation operation;

  /** For JMH. */
  public Libraries() {}

  /** Makes the operands. */
  @Setup
  public void operands() {
    Peer peer = Peers.named(library, 1);
    if (peer == null) {
      throw new IllegalStateException(library + " is not in this build; build with -P peers");
    }
    int[] s = Samples.shape(shape);
    float[] a = Samples.uniform(s[0] * s[2], 1);
    float[] b = Samples.uniform(s[2] * s[1], 2);
    operation = peer.product(new Peer.Product(s[0], s[1], s[2], a, b));
  }

  /** Frees them. */
  @TearDown
  public void free() {
    operation.close();
  }

  /** C = A · B. */
  @Benchmark
  public void product() {
    operation.run();
  }
}
