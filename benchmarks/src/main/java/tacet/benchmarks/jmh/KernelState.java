package tacet.benchmarks.jmh;

import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import tacet.tensor.Engine;
import tacet.tensor.Workers;
import tacet.tensor.Workspace;
import tacet.tensor.kernel.Kernels;
import tacet.tensor.kernel.ScalarKernels;

/** An engine on the twin that the parameter names. */
@State(Scope.Benchmark)
public class KernelState {
  /** Which twin: the vector kernels, or the readable ones. */
  @Param({"vector", "scalar"})
  public String kernels;

  /** Threads of the engine. */
  @Param("1")
  public int threads;

  /** The engine. */
  public Engine engine;

  /** For JMH. */
  public KernelState() {}

  /** Makes the engine. */
  @Setup(Level.Trial)
  public void open() {
    Kernels chosen = kernels.equals("scalar") ? new ScalarKernels() : Kernels.best();
    if (!chosen.name().startsWith(kernels)) {
      throw new IllegalStateException("start it with --add-modules jdk.incubator.vector");
    }
    engine = new Engine(chosen, new Workers(threads), new Workspace());
  }

  /** Ends its threads. */
  @TearDown(Level.Trial)
  public void close() {
    engine.close();
  }
}
