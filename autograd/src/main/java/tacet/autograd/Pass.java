package tacet.autograd;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Supplier;
import tacet.tensor.Engine;
import tacet.tensor.RandomStream;
import tacet.tensor.Shape;
import tacet.tensor.Tensor;
import tacet.tensor.kernel.Kernels;

/**
 * One trip through a model: which mode, on which engine, with which randomness, and the tape of what
 * was computed. All buffers of the trip go back to the engine when it is closed.
 *
 * <pre>{@code
 * try (Pass pass = Pass.training(engine, seed, step)) {
 *   Var loss = Losses.crossEntropy(pass, model.forward(pass, batch), labels);
 *   pass.backward(loss);               // gradients of the parameters accumulate
 * }
 * optimizer.step(learningRate);
 * }</pre>
 *
 * <p>Used by one thread (the engine's threads work inside the operators). Any number of passes may
 * run at the same time over one model.
 */
public final class Pass implements AutoCloseable {
  private enum Mode {
    INFERENCE,
    GRADIENT,
    TRAINING
  }

  /** Is shown values on their way, under a name; see {@link Pass#observe}. */
  @FunctionalInterface
  public interface Observer {
    /** Called with a value that the model names; may record further operators. */
    void see(String name, Var value);
  }

  /** Writes the gradient by one input: a vector-Jacobian product. */
  @FunctionalInterface
  public interface Vjp {
    /**
     * Writes every element of {@code dX}.
     *
     * @param dY gradient by the operator's result; not modified
     * @param dX gradient by the input; overwritten
     */
    void write(Tensor dY, Tensor dX);
  }

  /** Writes the gradients by several inputs that share most of their work. */
  @FunctionalInterface
  public interface JointVjp {
    /**
     * Writes every element of each {@code dX} that is not null.
     *
     * @param dY gradient by the operator's result; not modified
     * @param dX gradients by the inputs, null where none is needed; overwritten
     */
    void write(Tensor dY, Tensor[] dX);
  }

  private record Edge(Var var, Parameter parameter, Vjp vjp) {}

  private record Joint(Var[] vars, JointVjp vjp) {}

  private record Node(Var out, List<Edge> edges, Joint joint) {}

  private final Engine engine;
  private final Mode mode;
  private final long key;
  private final List<Node> tape = new ArrayList<>();
  private final List<float[]> held = new ArrayList<>();
  private Observer observer;
  private long randomConsumers;
  private boolean closed;

  private Pass(Engine engine, Mode mode, long key) {
    this.engine = engine;
    this.mode = mode;
    this.key = key;
  }

  /** No tape, no dropout. */
  public static Pass inference(Engine engine) {
    return new Pass(engine, Mode.INFERENCE, 0);
  }

  /** A tape but no dropout: gradients of the function that inference computes. */
  public static Pass gradient(Engine engine) {
    return new Pass(engine, Mode.GRADIENT, 0);
  }

  /** A tape, and dropout drawn from (seed, step). */
  public static Pass training(Engine engine, long seed, long step) {
    return new Pass(engine, Mode.TRAINING, RandomStream.key(seed, "pass", step));
  }

  /** The engine it runs on. */
  public Engine engine() {
    return engine;
  }

  /** The numeric kernels. */
  public Kernels kernels() {
    return engine.kernels();
  }

  /** Whether dropout is on. */
  public boolean training() {
    return mode == Mode.TRAINING;
  }

  /** Whether operators over trainable parameters are recorded. */
  public boolean taping() {
    return mode != Mode.INFERENCE;
  }

  /** Number of operators on the tape. */
  public int tapeLength() {
    return tape.size();
  }

  /** A random key for the next consumer of randomness in this pass. */
  long nextRandomKey() {
    return RandomStream.key(key, "dropout", randomConsumers++);
  }

  // ------------------------------------------------------------------ observers

  /** Sets who is shown the values that the model names; null for nobody. */
  public void setObserver(Observer observer) {
    this.observer = observer;
  }

  /** Shows a value to the observer, if there is one. */
  public void observe(String name, Var value) {
    if (observer != null) {
      observer.see(name, value);
    }
  }

  // ------------------------------------------------------------------ buffers

  /** A tensor with undefined contents that lives as long as the pass (or its scope). */
  public Tensor take(Shape shape) {
    float[] a = engine.workspace().take(shape.size());
    held.add(a);
    return new Tensor(shape, a);
  }

  /** A value from outside, with no gradient. */
  public Var constant(Tensor value) {
    return new Var(value, false, -1);
  }

  /**
   * Runs a part of a model. In inference its temporary buffers are recycled at once, all but the
   * result's; with a tape they are kept, because the gradients read them.
   */
  public Var scope(Supplier<Var> part) {
    int mark = held.size();
    Var result = part.get();
    if (mode == Mode.INFERENCE) {
      float[] keep = null;
      for (int i = held.size() - 1; i >= mark; i--) {
        float[] a = held.remove(i);
        if (a == result.value().data()) {
          keep = a;
        } else {
          engine.workspace().give(a);
        }
      }
      if (keep != null) {
        held.add(keep);
      }
    }
    return result;
  }

  // ------------------------------------------------------------------ tape

  /** Begins to record an operator with the given result. */
  Recorder record(Tensor y) {
    return new Recorder(y);
  }

  /** Collects the inputs of an operator that need a gradient; most need none and cost nothing. */
  final class Recorder {
    private final Tensor y;
    private long active = -1;
    private List<Edge> edges;
    private Joint joint;

    private Recorder(Tensor y) {
      this.y = y;
    }

    /** The number of non-zeros in the result. */
    Recorder active(long n) {
      active = n;
      return this;
    }

    /** An input with its vector-Jacobian product, kept only if a gradient flows through it. */
    Recorder from(Var x, Vjp vjp) {
      if (x.tracked()) {
        add(new Edge(x, null, vjp));
      }
      return this;
    }

    /** A parameter with its vector-Jacobian product, kept only if it is trained; may be null. */
    Recorder from(Parameter p, Vjp vjp) {
      if (p != null && p.trainable() && taping()) {
        add(new Edge(null, p, vjp));
      }
      return this;
    }

    /** Inputs whose gradients are computed together; any of them may be null. */
    Recorder from(Var[] inputs, JointVjp vjp) {
      Var[] tracked = new Var[inputs.length];
      for (int i = 0; i < inputs.length; i++) {
        if (inputs[i] != null && inputs[i].tracked()) {
          tracked[i] = inputs[i];
          joint = new Joint(tracked, vjp);
        }
      }
      return this;
    }

    private void add(Edge edge) {
      if (edges == null) {
        edges = new ArrayList<>(3);
      }
      edges.add(edge);
    }

    /** The result; on the tape if any input needs a gradient. */
    Var done() {
      Var out = new Var(y, edges != null || joint != null, active);
      if (out.tracked()) {
        tape.add(new Node(out, edges == null ? List.of() : edges, joint));
      }
      return out;
    }
  }

  /**
   * Adds the gradient of {@code loss} to the gradients of all trainable parameters behind it, and
   * empties the tape. The order of recording is a topological order, so one walk back suffices.
   *
   * @throws IllegalStateException if nothing trainable is behind the loss
   */
  public void backward(Var loss) {
    if (!loss.tracked()) {
      throw new IllegalStateException(
          "nothing to differentiate: no trainable parameter is behind the loss, or the pass is for"
              + " inference");
    }
    loss.gradient = grab(loss.shape());
    Arrays.fill(loss.gradient.data(), 0, loss.gradient.size(), 1f);
    for (int i = tape.size() - 1; i >= 0; i--) {
      Node node = tape.remove(i);
      Tensor dY = node.out.gradient;
      if (dY == null) {
        continue; // not on the way to the loss
      }
      for (Edge e : node.edges) {
        if (e.parameter != null) {
          flow(dY, e.vjp, e.parameter.freshGradient(), e.parameter.gradient());
        } else {
          Tensor fresh = null;
          if (e.var.gradient == null) {
            fresh = grab(e.var.shape());
            e.var.gradient = fresh;
          }
          flow(dY, e.vjp, fresh, e.var.gradient);
        }
      }
      if (node.joint != null) {
        flow(dY, node.joint);
      }
      node.out.gradient = null;
      engine.workspace().give(dY.data());
    }
  }

  /** The first contribution is written in place, later ones are added. */
  private void flow(Tensor dY, Vjp vjp, Tensor fresh, Tensor sum) {
    if (fresh != null) {
      vjp.write(dY, fresh);
      return;
    }
    Tensor more = grab(sum.shape());
    vjp.write(dY, more);
    addAndGive(sum, more);
  }

  private void flow(Tensor dY, Joint joint) {
    Tensor[] dX = new Tensor[joint.vars.length];
    for (int i = 0; i < dX.length; i++) {
      if (joint.vars[i] != null) {
        dX[i] = grab(joint.vars[i].shape());
      }
    }
    joint.vjp.write(dY, dX);
    for (int i = 0; i < dX.length; i++) {
      if (dX[i] != null) {
        if (joint.vars[i].gradient == null) {
          joint.vars[i].gradient = dX[i];
        } else {
          addAndGive(joint.vars[i].gradient, dX[i]);
        }
      }
    }
  }

  private void addAndGive(Tensor sum, Tensor more) {
    Rows.forEach(
        this,
        sum.size(),
        (from, n) -> kernels().add(sum.data(), from, more.data(), from, n, sum.data(), from));
    engine.workspace().give(more.data());
  }

  private Tensor grab(Shape shape) {
    return new Tensor(shape, engine.workspace().take(shape.size()));
  }

  /** Gives all buffers back; values of this pass must not be read any more. */
  @Override
  public void close() {
    if (!closed) {
      closed = true;
      tape.clear();
      held.forEach(engine.workspace()::give);
      held.clear();
    }
  }
}
