package tacet.deft;

import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import tacet.autograd.Parameter;
import tacet.autograd.Pass;
import tacet.tensor.Engine;
import tacet.tensor.Shape;
import tacet.tensor.Tensor;
import tacet.transformer.Activation;
import tacet.transformer.Batch;
import tacet.transformer.Conv1D;
import tacet.transformer.Join;
import tacet.transformer.Linear;
import tacet.transformer.Part;
import tacet.transformer.Projection;
import tacet.transformer.Surgery;

/**
 * Puts another activation in the place of a model's, and refits the second matrix of every MLP so that
 * the stream stays what it was: a GELU model becomes a ReLU model without training.
 *
 * <p>Layer by layer, with all layers before it refitted already: h are the neurons with the new
 * activation and s the stream that they are added to, t the old model's stream behind the same MLP.
 * W₂ and b₂ become the least squares solution of h W₂ + b₂ = t − s over the tokens of some examples,
 * held near the old W₂ by a ridge ({@link LeastSquares}). No labels are needed, and what the layers
 * before got wrong is part of what the next one corrects. The method is Tacet's own; DEFT (arXiv
 * 2402.01911) takes models that were trained with ReLU.
 */
public final class Refit {
  private Refit() {}

  /** μ over the mean of the neurons' squares. */
  private static final double RIDGE = 1e-3;

  /**
   * What became of a layer.
   *
   * @param layer its path
   * @param before share of the stream's variance that the new activation misses with the old matrix
   * @param after the same with the new matrix
   * @param density percent of the values that come into the matrix that are not zero
   */
  public record Fit(String layer, double before, double after, double density) {}

  /**
   * The model with the other activation and new second matrices; all else is shared.
   *
   * @param model without adapters
   * @param activation what comes in the place of its activations
   * @param examples batches to fit on, all together several times as many tokens as an MLP has neurons
   * @param done is told of each layer
   * @throws IllegalArgumentException if the model has no MLP that this class knows, or no examples
   */
  public static <M extends Part> M activation(
      Engine engine,
      M model,
      Activation activation,
      List<Problem.Load<M>> examples,
      Consumer<Fit> done) {
    List<Mlp> mlps = Mlp.of(model);
    List<String> joins = joins(model);
    if (mlps.isEmpty() || joins.size() != mlps.size() || examples.isEmpty()) {
      throw new IllegalArgumentException(
          "nothing to refit: "
              + mlps.size()
              + " MLPs, "
              + joins.size()
              + " places where they end, "
              + examples.size()
              + " batches");
    }
    M student =
        Surgery.replace(model, (path, part) -> part instanceof Activation ? activation : part);
    for (int i = 0; i < mlps.size(); i++) {
      String second = mlps.get(i).second();
      Layer layer =
          new Layer(second, joins.get(i), (Projection) Surgery.parts(student).get(second));
      LeastSquares.Solution found = layer.fit(engine, model, student, examples);
      student =
          Surgery.replace(
              student, (path, part) -> path.equals(second) ? layer.with(found.weights()) : part);
      done.accept(new Fit(second, found.before(), found.after(), layer.density()));
    }
    return student;
  }

  /** Where the MLPs come back to the stream, in the order of the blocks. */
  private static List<String> joins(Part model) {
    return Surgery.parts(model).entrySet().stream()
        .filter(e -> e.getValue() instanceof Join j && j.branch() == Join.Branch.MLP)
        .map(Map.Entry::getKey)
        .toList();
  }

  /** One matrix to be fitted. */
  private static final class Layer {
    private final String second;
    private final String join;
    private final Projection old;
    private long speaking;
    private long values;

    Layer(String second, String join, Projection old) {
      this.second = second;
      this.join = join;
      this.old = old;
    }

    double density() {
      return 100.0 * speaking / values;
    }

    <M extends Part> LeastSquares.Solution fit(
        Engine engine, M teacher, M student, List<Problem.Load<M>> examples) {
      LeastSquares squares = new LeastSquares(old.in(), old.out(), bias() != null);
      M watchedTeacher = tapped(teacher);
      M watchedStudent = tapped(student);
      for (Problem.Load<M> load : examples) {
        Seen t = new Seen();
        watch(engine, load, watchedTeacher, t);
        Seen s = new Seen();
        watch(engine, load, watchedStudent, s);
        // What the MLP has to give: the stream behind the old one, less the stream it is added to.
        float[] target = t.stream;
        for (int i = 0; i < target.length; i++) {
          target[i] += t.branch[i] - s.stream[i];
        }
        Batch batch = load.tokens(student).of(second);
        int rows = keepTokens(batch.mask(), s.neurons, old.in());
        keepTokens(batch.mask(), target, old.out());
        for (int i = 0; i < rows * old.in(); i++) {
          speaking += s.neurons[i] != 0 ? 1 : 0;
        }
        values += (long) rows * old.in();
        squares.add(engine, s.neurons, target, rows);
      }
      return squares.solve(engine, prior(), RIDGE);
    }

    /** What one pass showed of the layer. */
    private static final class Seen {
      private float[] neurons; // [tokens, F]
      private float[] branch; // [tokens, D]
      private float[] stream; // [tokens, D]
    }

    private <M extends Part> M tapped(M model) {
      return Surgery.replace(
          model,
          (path, part) -> {
            if (path.equals(second)) {
              return new InputTap(second, (Projection) part);
            }
            return path.equals(join) ? new JoinTap(join, (Join) part) : part;
          });
    }

    private <M extends Part> void watch(Engine engine, Problem.Load<M> load, M model, Seen seen) {
      try (Pass pass = Pass.inference(engine)) {
        pass.setObserver(
            (name, v) -> {
              float[] copy = Arrays.copyOf(v.value().data(), v.shape().size());
              if (name.equals(second)) {
                seen.neurons = copy;
              } else if (seen.branch == null) {
                seen.branch = copy;
              } else {
                seen.stream = copy;
              }
            });
        load.run(pass, model);
      }
    }

    /** Moves the rows of tokens that are not padding to the front; how many they are. */
    private static int keepTokens(int[] mask, float[] rows, int width) {
      int kept = 0;
      for (int t = 0; t < mask.length; t++) {
        if (mask[t] != 0) {
          System.arraycopy(rows, t * width, rows, kept++ * width, width);
        }
      }
      return kept;
    }

    private Parameter bias() {
      return old instanceof Linear l ? l.bias() : ((Conv1D) old).bias();
    }

    /** The old matrix as [in, out], the old bias below it. */
    private float[] prior() {
      int in = old.in();
      int out = old.out();
      float[] prior = new float[(in + (bias() == null ? 0 : 1)) * out];
      if (old instanceof Linear l) {
        transpose(l.weight().source().toArray(), out, in, prior);
      } else {
        System.arraycopy(((Conv1D) old).weight().source().toArray(), 0, prior, 0, in * out);
      }
      if (bias() != null) {
        System.arraycopy(bias().source().toArray(), 0, prior, in * out, out);
      }
      return prior;
    }

    private Projection with(float[] found) {
      int in = old.in();
      int out = old.out();
      Parameter b = null;
      if (bias() != null) {
        float[] last = Arrays.copyOfRange(found, in * out, in * out + out);
        b = Parameter.frozen(new Tensor(bias().shape(), last));
      }
      if (old instanceof Conv1D) {
        float[] w = Arrays.copyOf(found, in * out);
        return new Conv1D(Parameter.frozen(new Tensor(Shape.of(in, out), w)), b);
      }
      float[] w = new float[in * out];
      transpose(found, in, out, w);
      return new Linear(Parameter.frozen(new Tensor(Shape.of(out, in), w)), b);
    }

    private static void transpose(float[] from, int rows, int columns, float[] to) {
      for (int r = 0; r < rows; r++) {
        for (int c = 0; c < columns; c++) {
          to[c * rows + r] = from[r * columns + c];
        }
      }
    }
  }
}
