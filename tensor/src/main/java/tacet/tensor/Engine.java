package tacet.tensor;

import java.util.concurrent.Executor;
import tacet.tensor.kernel.BreakEven;
import tacet.tensor.kernel.Kernels;

/**
 * What computation runs on: the numeric kernels, the threads, and the pool of buffers. One engine
 * serves any number of models and threads; close it to end its threads.
 *
 * <pre>{@code
 * try (Engine engine = Engine.ofThreads(2)) { … }
 * }</pre>
 */
public final class Engine implements AutoCloseable {
  private final Kernels kernels;
  private final Workers workers;
  private final Workspace workspace;
  private final boolean skipsZeros;

  /** An engine of explicit parts; it takes over the workers and closes them. */
  public Engine(Kernels kernels, Workers workers, Workspace workspace) {
    this(kernels, workers, workspace, true);
  }

  private Engine(Kernels kernels, Workers workers, Workspace workspace, boolean skipsZeros) {
    this.kernels = kernels;
    this.workers = workers;
    this.workspace = workspace;
    this.skipsZeros = skipsZeros;
  }

  /** The best kernels of this machine on the given number of threads. */
  public static Engine ofThreads(int threads) {
    return new Engine(Kernels.best(), new Workers(threads), new Workspace());
  }

  /** The best kernels on as many threads as the machine has processors. */
  public static Engine ofAllProcessors() {
    return ofThreads(Runtime.getRuntime().availableProcessors());
  }

  /**
   * The best kernels on threads of an application; results have the same bits as on our own. Closing
   * the engine does not shut the executor down.
   *
   * @param threads how many take part in a loop, the caller included
   * @param executor where the others come from; see {@link Workers#Workers(int, Executor)}
   */
  public static Engine of(int threads, Executor executor) {
    return new Engine(Kernels.best(), new Workers(threads, executor), new Workspace());
  }

  /** The numeric kernels. */
  public Kernels kernels() {
    return kernels;
  }

  /** The threads. */
  public Workers workers() {
    return workers;
  }

  /** The pool of buffers. */
  public Workspace workspace() {
    return workspace;
  }

  /** Where sparse products begin to be faster than dense ones. */
  public BreakEven breakEven() {
    return BreakEven.DEFAULT;
  }

  /** Whether products may skip zeros where that is faster; the results are the same. */
  public boolean skipsZeros() {
    return skipsZeros;
  }

  /** This engine, threads and buffers shared, with all products dense: for comparisons. */
  public Engine alwaysDense() {
    return new Engine(kernels, workers, workspace, false);
  }

  @Override
  public void close() {
    workers.close();
  }
}
