package tacet.benchmarks;

import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import tacet.autograd.LinearOps;
import tacet.autograd.Ops;
import tacet.autograd.Parameter;
import tacet.autograd.Pass;
import tacet.autograd.Var;
import tacet.tensor.Engine;
import tacet.tensor.Shape;
import tacet.tensor.Tensor;
import tacet.tensor.kernel.MatMul;
import tacet.tensor.kernel.PackedMatrix;
import tacet.tensor.measure.Interleaved;

/**
 * A training step of the feed-forward block, y = W₂ relu(W₁ x + b₁) + b₂, forward and backward with
 * gradients of x and of all weights: with the zeros of the hidden layer used, and without. Weights
 * are packed anew in each step, as after an optimizer.
 *
 * <pre>java … tacet.benchmarks.FeedForwardStep [--quick] [--threads N] [--json FILE]</pre>
 */
public final class FeedForwardStep {
  private static final int TOKENS = 1024;
  private static final double[] DENSITIES = {.5, .25, .1, .05, .02};
  private static final double BAR_DENSITY = .05;

  private FeedForwardStep() {}

  /** Runs it. */
  public static void main(String[] args) throws IOException {
    Options options = Options.of(args, "threads");
    try (Engine engine = Engine.ofThreads(options.number("threads", 1))) {
      Results results = new Results("feed-forward", options, engine);
      Results.Table table =
          results.table(
              "Training step of the feed-forward block, " + TOKENS + " tokens, ms",
              "D → F → D",
              "density",
              "dense",
              "sparse",
              "speed-up",
              "same bits");
      for (int[] size : new int[][] {{384, 1536}, {1024, 4096}}) {
        for (double density : DENSITIES) {
          if (options.quick() && density != BAR_DENSITY) {
            continue;
          }
          Block block = new Block(engine, size[0], size[1], density);
          Engine dense = engine.alwaysDense();
          Interleaved times =
              Interleaved.of(
                  options.settings(), List.of(() -> block.step(dense), () -> block.step(engine)));
          boolean same = block.sameGradients(dense, engine);
          String name = size[0] + " → " + size[1] + " → " + size[0];
          double ratio = times.ratio(0, 1);
          double found = block.density(engine);
          table.row(name, found, times.millis(0), times.millis(1), ratio, same ? "yes" : "no");
          if (density == BAR_DENSITY) {
            results.atLeast(
                3, name + ", density " + Results.show(found) + ": times faster", ratio, 2.5);
            results.isTrue(3, name + ": gradients have the same bits", same);
          }
        }
      }
      results.finish();
    }
  }

  /** The block's weights, its input as a table so that it has a gradient, and what a step does. */
  private static final class Block {
    private final int[] ids = new int[TOKENS];
    private final Parameter x;
    private final Parameter w1;
    private final Parameter b1;
    private final Parameter w2;
    private final Parameter b2;
    private final List<Parameter> parameters;

    /** The bias of all hidden neurons is the quantile that leaves the given share positive. */
    Block(Engine engine, int d, int f, double density) {
      Arrays.setAll(ids, i -> i);
      float[] input = Samples.normal(TOKENS * d, 1, 1);
      float[] first = Samples.normal(f * d, 1 / Math.sqrt(d), 2);
      float[] z = new float[TOKENS * f];
      MatMul.dense(engine, input, TOKENS, PackedMatrix.ofTransposed(first, d, f), null, z);
      Arrays.sort(z);
      float[] bias = new float[f];
      Arrays.fill(bias, -z[(int) ((1 - density) * (z.length - 1))]);
      x = Parameter.trainable(new Tensor(Shape.of(TOKENS, d), input));
      w1 = Parameter.trainable(new Tensor(Shape.of(f, d), first));
      b1 = Parameter.trainable(new Tensor(Shape.of(f), bias));
      float[] second = Samples.normal(d * f, 1 / Math.sqrt(f), 3);
      w2 = Parameter.trainable(new Tensor(Shape.of(d, f), second));
      b2 = Parameter.trainable(Tensor.zeros(d));
      parameters = List.of(x, w1, b1, w2, b2);
    }

    private Var hidden(Pass pass) {
      Var in = Ops.embedding(pass, x, ids, Shape.of(TOKENS)); // [T, D]
      return Ops.relu(pass, LinearOps.linear(pass, in, w1, b1)); // [T, F]
    }

    void step(Engine engine) {
      for (Parameter p : parameters) {
        p.clearGradient();
        p.changed();
      }
      try (Pass pass = Pass.gradient(engine)) {
        pass.backward(LinearOps.linear(pass, hidden(pass), w2, b2));
      }
    }

    double density(Engine engine) {
      try (Pass pass = Pass.inference(engine)) {
        Var h = hidden(pass);
        return (double) h.active() / h.value().size();
      }
    }

    boolean sameGradients(Engine one, Engine other) {
      step(one);
      float[][] copies =
          parameters.stream().map(p -> p.gradient().data().clone()).toArray(float[][]::new);
      step(other);
      boolean same = true;
      for (int i = 0; i < copies.length; i++) {
        same &= Arrays.equals(copies[i], parameters.get(i).gradient().data());
      }
      return same;
    }
  }
}
