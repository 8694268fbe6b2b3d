package tacet.benchmarks;

import com.sun.management.ThreadMXBean;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import tacet.deft.DensityLoss;
import tacet.deft.Padding;
import tacet.deft.SilentModel;
import tacet.tensor.Engine;
import tacet.tensor.kernel.Surrogate;
import tacet.tensor.measure.Host;
import tacet.tensor.measure.Interleaved;
import tacet.transformer.Batch;
import tacet.transformer.TextModel;
import tacet.transformer.WarmUp;

/**
 * MiniLM on Tacet alone in its process, for {@link MiniLmBars}: prints milliseconds.
 *
 * <pre>java … tacet.benchmarks.MiniLmOnce --part inference|training|memory|first|warm --threads N [--quick]
 *   [--adapter DIR]</pre>
 */
public final class MiniLmOnce {
  private static final double SILENCE = 0.04; // the density that DEFT reaches

  private final Options options;
  private final Engine engine;
  private TextModel model; // of the first passes

  private MiniLmOnce(Options options, Engine engine) {
    this.options = options;
    this.engine = engine;
  }

  /** Runs one part. */
  public static void main(String[] args) throws IOException {
    Options options = Options.of(args, "part", "threads", "adapter");
    try (Engine engine = Engine.ofThreads(options.number("threads", 2))) {
      MiniLmOnce once = new MiniLmOnce(options, engine);
      switch (options.text("part")) {
        case "inference" -> once.inference();
        case "training" -> once.training();
        case "memory" -> once.memory();
        case "first" -> once.first();
        case "warm" -> {
          WarmUp warmUp = WarmUp.start(); // as the commands do while they load a model
          once.load();
          warmUp.close();
          once.passes();
        }
        default -> throw new IllegalArgumentException("no part " + options.text("part"));
      }
    }
  }

  /** The real model, the random one, and a silent one with and without use of its zeros. */
  private void inference() throws IOException {
    TextModel real = MiniLm.real();
    TextModel random = MiniLm.random();
    Batch large = MiniLm.batch(8, 128);
    TextModel silent = silent(large);
    Engine dense = engine.alwaysDense();
    List<Runnable> jobs = new ArrayList<>();
    for (int[] shape : MiniLm.INFERENCE) {
      Batch batch = MiniLm.batch(shape[0], shape[1]);
      jobs.add(() -> MiniLm.infer(engine, real, batch));
      jobs.add(() -> MiniLm.infer(engine, random, batch));
    }
    jobs.add(() -> MiniLm.infer(dense, silent, large));
    jobs.add(() -> MiniLm.infer(engine, silent, large));
    Interleaved times = Interleaved.of(options.settings(), jobs);
    int job = 0;
    for (int[] shape : MiniLm.INFERENCE) {
      Child.print("real " + MiniLm.name(shape), times.millis(job++));
      Child.print("random " + MiniLm.name(shape), times.millis(job++));
    }
    Child.print("silent density", MiniLm.density(engine, silent, large));
    Child.print("silent dense", times.millis(job));
    Child.print("silent sparse", times.millis(job + 1));
    Child.print("silent ratio", 1 / times.ratio(job, job + 1));
  }

  /** A model tuned by DEFT where one is given, else the random one with its biases lowered. */
  private TextModel silent(Batch batch) throws IOException {
    Path adapter = options.path("adapter");
    return adapter == null
        ? SilentModel.of(engine, MiniLm.random(), SILENCE, batch)
        : MiniLm.tuned(adapter);
  }

  /** LoRA steps: as PyTorch's program does them, with the density loss, and on a silent model. */
  private void training() throws IOException {
    MiniLm.Training plain = new MiniLm.Training(MiniLm.random());
    Batch large = MiniLm.batch(8, 128);
    TextModel quiet = silent(large);
    Child.print("silent density", MiniLm.density(engine, quiet, large));
    MiniLm.Training silent = new MiniLm.Training(quiet);
    DensityLoss density = new DensityLoss(Surrogate.TANH, 20, 1e-9, Padding.MASKED);
    List<int[]> shapes = List.of(MiniLm.TRAINING);
    for (int[] shape : options.quick() ? shapes.subList(0, 1) : shapes) {
      Batch batch = MiniLm.batch(shape[0], shape[1]);
      Interleaved times =
          Interleaved.of(
              options.settings(),
              List.of(
                  () -> plain.step(engine, batch, null),
                  () -> plain.step(engine, batch, density),
                  () -> silent.step(engine, batch, null),
                  () -> silent.step(engine, batch, density)));
      String name = MiniLm.name(shape);
      Child.print("step " + name, times.millis(0));
      Child.print("step with density loss " + name, times.millis(1));
      Child.print("silent step " + name, times.millis(2));
      Child.print("silent step with density loss " + name, times.millis(3));
    }
    Batch batch = MiniLm.batch(32, 64);
    ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    int steps = 5;
    for (int i = 0; i < steps; i++) { // the workspace's buffers for this length
      plain.step(engine, batch, density);
    }
    long before = threads.getTotalThreadAllocatedBytes();
    for (int i = 0; i < steps; i++) {
      plain.step(engine, batch, density);
    }
    long after = threads.getTotalThreadAllocatedBytes();
    Child.print("allocated MB", (after - before) / 1e6 / steps);
    Child.print("peak memory MB", Host.peakMemoryMb());
  }

  /** Training on 32 x 128 tokens, for the largest resident memory. */
  private void memory() throws IOException {
    MiniLm.Training plain = new MiniLm.Training(MiniLm.random());
    Batch batch = MiniLm.batch(32, 128);
    for (int i = 0; i < 4; i++) {
      plain.step(engine, batch, null);
    }
    Child.print("peak memory MB", Host.peakMemoryMb());
  }

  /** The first passes of a fresh JVM. */
  private void first() throws IOException {
    load();
    passes();
  }

  private void load() throws IOException {
    long start = System.nanoTime();
    model = MiniLm.real();
    Child.print("load", (System.nanoTime() - start) * 1e-6);
  }

  private void passes() {
    Batch batch = MiniLm.batch(1, 128);
    for (int i = 1; i <= 10; i++) {
      long start = System.nanoTime();
      MiniLm.infer(engine, model, batch);
      Child.print("forward " + i, (System.nanoTime() - start) * 1e-6);
    }
  }
}
