package tacet.transformer;

import java.io.IOException;
import java.util.Arrays;
import tacet.autograd.Pass;
import tacet.tensor.Engine;
import tacet.tensor.Workers;
import tacet.tensor.Workspace;
import tacet.tensor.kernel.Kernels;
import tacet.tensor.kernel.MatMul;
import tacet.tensor.kernel.PackedMatrix;
import tacet.transformer.checkpoint.Checkpoint;
import tacet.transformer.checkpoint.Json;
import tacet.transformer.model.Bert;
import tacet.transformer.model.TextModels;

/**
 * Gets the kernels compiled while an application does something else, usually load its model. A
 * fresh JVM interprets them, which is a thousand times slower than running them compiled, and most
 * of a first forward pass is spent waiting for the compiler.
 *
 * <pre>{@code
 * try (WarmUp warmUp = WarmUp.start()) {
 *   model = load();
 * }
 * }</pre>
 *
 * <p>A thread of its own runs forward passes of a tiny untrained model until they are fast, which
 * takes about a second of one processor and a few megabytes, and ends. Nothing waits for it, and
 * closing it leaves the processors to the first real pass. It is never started unasked; a service
 * that lives long may do without.
 */
public final class WarmUp implements AutoCloseable {
  private static final String MODEL =
      """
      {"model_type": "bert", "vocab_size": 16, "hidden_size": 64, "num_hidden_layers": 1,
       "num_attention_heads": 2, "intermediate_size": 160, "max_position_embeddings": 64}
      """;

  /** Lengths that pass through all heights of the register tiles. */
  private static final int[] LENGTHS = {63, 32, 5};

  /** A product with a matrix that is too large to be near: it begins with tiles of its own. */
  private static final int LARGE_ROWS = 6;

  private static final int LARGE_K = 64;
  private static final int LARGE_N = 4096;

  private static final long FAST = 300_000; // nanoseconds for a pass of each length
  private static final int ROUNDS = 300;

  private final Thread thread;
  private volatile boolean stopped;

  private WarmUp() {
    thread = Thread.ofPlatform().daemon().name("tacet-warm-up").unstarted(this::run);
  }

  /** Begins, and returns at once. */
  public static WarmUp start() {
    WarmUp w = new WarmUp();
    w.thread.start();
    return w;
  }

  /** Waits until the kernels are fast, or until another thread closed this. */
  public void await() throws InterruptedException {
    thread.join();
  }

  private void run() {
    try (Engine engine = new Engine(Kernels.best(), new Workers(1), new Workspace())) {
      Json config = Json.parse(MODEL, "warm-up");
      Checkpoint weights =
          Checkpoint.of("warm-up", config, Bert.initialWeights(Bert.Config.of(config), 1));
      TextModel model = TextModels.classifier(weights, 2, 1).model();
      float[] x = new float[LARGE_ROWS * LARGE_K];
      PackedMatrix large = PackedMatrix.empty(LARGE_K, LARGE_N);
      float[] y = new float[LARGE_ROWS * LARGE_N];
      for (int round = 0; round < ROUNDS && !stopped; round++) {
        long start = System.nanoTime();
        for (int length : LENGTHS) {
          int[] mask = new int[length];
          Arrays.fill(mask, 1);
          mask[length - 1] = round & 1; // with a padding mask and without
          Batch batch = new Batch(1, length, new int[length], new int[length], mask);
          try (Pass pass = Pass.inference(engine)) {
            model.forward(pass, batch);
          }
        }
        MatMul.dense(engine, x, LARGE_ROWS, large, null, y);
        if (System.nanoTime() - start < FAST) {
          break;
        }
      }
    } catch (IOException e) {
      throw new IllegalStateException("the warm-up's own model is refused", e);
    }
  }

  /** Asks it to end after the pass that it is in. */
  @Override
  public void close() {
    stopped = true;
  }
}
