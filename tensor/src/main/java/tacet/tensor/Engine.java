package tacet.tensor;

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

  /** An engine of explicit parts; it takes over the workers and closes them. */
  public Engine(Kernels kernels, Workers workers, Workspace workspace) {
    this.kernels = kernels;
    this.workers = workers;
    this.workspace = workspace;
  }

  /** The best kernels of this machine on the given number of threads. */
  public static Engine ofThreads(int threads) {
    return new Engine(Kernels.best(), new Workers(threads), new Workspace());
  }

  /** The best kernels on as many threads as the machine has processors. */
  public static Engine ofAllProcessors() {
    return ofThreads(Runtime.getRuntime().availableProcessors());
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

  @Override
  public void close() {
    workers.close();
  }
}
