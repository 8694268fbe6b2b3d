package tacet.autograd;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.function.Supplier;
import tacet.tensor.Engine;
import tacet.tensor.RandomStream;
import tacet.tensor.Shape;
import tacet.tensor.Tensor;
import tacet.tensor.kernel.Kernels;
import tacet.tensor.kernel.SparseRows;

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

  /** Writes the gradient by one input at some places only. */
  @FunctionalInterface
  public interface SampledVjp {
    /**
     * Writes every value of {@code dX}.
     *
     * @param dY gradient by the operator's result; not modified
     * @param dX where the input is not zero; its values are overwritten
     */
    void write(Tensor dY, SparseRows dX);
  }

  /** Writes the gradient by one input from a gradient that is zero in most places. */
  @FunctionalInterface
  public interface SkippingVjp {
    /**
     * Writes every element of {@code dX}.
     *
     * @param dY gradient by the operator's result; not modified
     * @param dX gradient by the input; overwritten
     */
    void write(SparseRows dY, Tensor dX);
  }

  /** The same where the gradient by the input is zero in the same places. */
  @FunctionalInterface
  public interface AlikeVjp {
    /**
     * Writes every value of {@code dX}.
     *
     * @param dY gradient by the operator's result; not modified
     * @param dX the same places; its values are overwritten
     */
    void write(SparseRows dY, SparseRows dX);
  }

  private static final class Edge {
    final Var var;
    final Parameter parameter;
    final Vjp vjp;
    SampledVjp sampled;
    SkippingVjp skipping;
    AlikeVjp alike;
    Vjp adding;
    boolean same; // the gradient by the input is the one by the result

    Edge(Var var, Parameter parameter, Vjp vjp) {
      this.var = var;
      this.parameter = parameter;
      this.vjp = vjp;
    }
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

  private record Joint(Var[] vars, JointVjp vjp) {}

  private record Node(Var out, List<Edge> edges, Joint joint) {}

  private final Engine engine;
  private final Mode mode;
  private final long key;
  private final List<Node> tape = new ArrayList<>();
  private final List<float[]> held = new ArrayList<>();
  private final List<Var> compressed = new ArrayList<>(); // their rows are held too
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
    return new Var(value, false, -1, false);
  }

  /**
   * The same values as [batch, .., D]: examples put together or taken apart; no gradient flows.
   *
   * @param x [B, S, D]
   * @param batch divides B · S
   */
  public Var view(Var x, int batch) {
    Shape s = x.shape();
    return constant(new Tensor(Shape.of(batch, s.rows() / batch, s.last()), x.value().data()));
  }

  /**
   * The value without its zeros, for products that skip them: compressed when first asked for, and
   * kept for the gradients.
   *
   * @param x a value whose zeros were counted
   */
  SparseRows rows(Var x) {
    if (x.rows == null) {
      Shape s = x.shape();
      x.rows = SparseRows.of(engine, x.value().data(), s.rows(), s.last(), x.active());
      compressed.add(x);
    }
    return x.rows;
  }

  private void releaseRows(int from) {
    for (int i = compressed.size() - 1; i >= from; i--) {
      Var x = compressed.remove(i);
      x.rows.release(engine.workspace());
      x.rows = null;
    }
  }

  /**
   * Runs a part of a model. In inference its temporary buffers are recycled at once, all but the
   * result's; with a tape they are kept, because the gradients read them.
   */
  public Var scope(Supplier<Var> part) {
    int mark = held.size();
    int rowsMark = compressed.size();
    Var result = part.get();
    if (mode == Mode.INFERENCE) {
      releaseRows(rowsMark);
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
    private boolean masked;
    private List<Edge> edges;
    private Edge last;
    private Joint joint;

    private Recorder(Tensor y) {
      this.y = y;
    }

    /** The number of non-zeros in the result. */
    Recorder active(long n) {
      active = n;
      return this;
    }

    /** The gradient by the result matters only where the result is not zero. */
    Recorder masked(boolean is) {
      masked = is;
      return this;
    }

    /** An input with its vector-Jacobian product, kept only if a gradient flows through it. */
    Recorder from(Var x, Vjp vjp) {
      last = null;
      if (x.tracked()) {
        add(new Edge(x, null, vjp));
      }
      return this;
    }

    /** How the last input's gradient is written where only some places of it matter. */
    Recorder sampled(SampledVjp vjp) {
      if (last != null) {
        last.sampled = vjp;
      }
      return this;
    }

    /** How the last input's gradient is written from one with few non-zeros. */
    Recorder skipping(SkippingVjp vjp) {
      if (last != null) {
        last.skipping = vjp;
      }
      return this;
    }

    /** The gradient by this input is the gradient by the result. */
    Recorder same(Var x) {
      from(x, (dY, dX) -> Ops.copy(Pass.this, dY, dX));
      alike(Ops::copyValues);
      if (last != null) {
        last.same = true;
      }
      return this;
    }

    /** How the last input's gradient is written where it has its zeros in the same places. */
    Recorder alike(AlikeVjp vjp) {
      if (last != null) {
        last.alike = vjp;
      }
      return this;
    }

    /**
     * How the last input's gradient is added to what is there already: for a parameter of which an
     * operator uses a small part, so that the rest costs nothing.
     */
    Recorder adding(Vjp vjp) {
      if (last != null) {
        last.adding = vjp;
      }
      return this;
    }

    /** A parameter with its vector-Jacobian product, kept only if it is trained; may be null. */
    Recorder from(Parameter p, Vjp vjp) {
      last = null;
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
      last = edge;
    }

    /** The result; on the tape if any input needs a gradient. */
    Var done() {
      Var out = new Var(y, edges != null || joint != null, active, masked);
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
      Var out = node.out;
      if (out.gradient == null && out.sparseGradient == null) {
        continue; // not on the way to the loss
      }
      for (Edge e : node.edges) {
        if (e.parameter != null) {
          toParameter(out, e);
        } else if (!e.same) {
          toVar(out, e);
        }
      }
      if (node.joint != null) {
        toVars(out, node.joint);
      }
      passOn(node);
      forgetGradient(out);
    }
  }

  /** The first contribution is written in place, later ones are added. */
  private void toParameter(Var out, Edge e) {
    Tensor fresh = e.parameter.freshGradient();
    Tensor sum = e.parameter.gradient();
    if (fresh == null && e.adding != null && out.sparseGradient == null) {
      e.adding.write(out.gradient, sum);
      return;
    }
    Tensor to = fresh == null ? grab(sum.shape()) : fresh;
    write(out, e, to);
    if (fresh == null) {
      addAndGive(to, sum);
    }
  }

  /** The gradient itself goes to the inputs that get it as it is: to the last one without a copy. */
  private void passOn(Node node) {
    Var out = node.out;
    for (Iterator<Edge> left = node.edges.stream().filter(e -> e.same).iterator();
        left.hasNext(); ) {
      Edge e = left.next();
      Var x = e.var;
      boolean sampled = x.masked() && x.rows != null;
      if (sampled || out.gradient == null || x.sparseGradient != null) {
        toVar(out, e);
      } else if (x.gradient != null) {
        add(out.gradient, x.gradient);
      } else if (left.hasNext()) {
        toVar(out, e);
      } else {
        x.gradient = out.gradient;
        out.gradient = null;
      }
    }
  }

  private void toVar(Var out, Edge e) {
    Var x = e.var;
    SparseRows sparse = null;
    if (out.sparseGradient != null && e.alike != null) {
      sparse = out.sparseGradient.sibling(engine.workspace());
      e.alike.write(out.sparseGradient, sparse);
    } else if (x.masked() && x.rows != null) { // only the places where x is not zero matter
      sparse = x.rows.sibling(engine.workspace());
      if (e.sampled != null && out.sparseGradient == null) {
        e.sampled.write(out.gradient, sparse);
      } else {
        Tensor all = grab(x.shape());
        write(out, e, all);
        sparse.gather(engine, all.data());
        engine.workspace().give(all.data());
      }
    }
    if (sparse == null) {
      Tensor dense = grab(x.shape());
      write(out, e, dense);
      addDense(x, dense);
    } else if (x.gradient == null && x.sparseGradient == null) {
      x.sparseGradient = sparse;
    } else if (x.sparseGradient != null && x.sparseGradient.samePlaces(sparse)) {
      float[] sum = x.sparseGradient.value();
      kernels().add(sum, 0, sparse.value(), 0, sparse.entries(), sum, 0);
      sparse.release(engine.workspace());
    } else {
      if (x.sparseGradient != null) {
        expandGradient(x);
      }
      Tensor dense = grab(x.shape());
      sparse.expand(engine, dense.data());
      sparse.release(engine.workspace());
      addAndGive(dense, x.gradient);
    }
  }

  /** The gradient by an edge's input in full. */
  private void write(Var out, Edge e, Tensor dX) {
    if (out.sparseGradient == null) {
      e.vjp.write(out.gradient, dX);
    } else if (e.skipping != null) {
      e.skipping.write(out.sparseGradient, dX);
    } else {
      Tensor dY = grab(out.shape());
      out.sparseGradient.expand(engine, dY.data());
      e.vjp.write(dY, dX);
      engine.workspace().give(dY.data());
    }
  }

  private void expandGradient(Var x) {
    x.gradient = grab(x.shape());
    x.sparseGradient.expand(engine, x.gradient.data());
    x.sparseGradient.release(engine.workspace());
    x.sparseGradient = null;
  }

  private void forgetGradient(Var x) {
    if (x.gradient != null) {
      engine.workspace().give(x.gradient.data());
      x.gradient = null;
    }
    if (x.sparseGradient != null) {
      x.sparseGradient.release(engine.workspace());
      x.sparseGradient = null;
    }
  }

  private void toVars(Var out, Joint joint) {
    if (out.sparseGradient != null) {
      expandGradient(out);
    }
    Tensor[] dX = new Tensor[joint.vars.length];
    for (int i = 0; i < dX.length; i++) {
      if (joint.vars[i] != null) {
        dX[i] = grab(joint.vars[i].shape());
      }
    }
    joint.vjp.write(out.gradient, dX);
    for (int i = 0; i < dX.length; i++) {
      if (dX[i] != null) {
        addDense(joint.vars[i], dX[i]);
      }
    }
  }

  private void addDense(Var x, Tensor dense) {
    if (x.sparseGradient != null) {
      expandGradient(x);
    }
    if (x.gradient == null) {
      x.gradient = dense;
    } else {
      addAndGive(dense, x.gradient);
    }
  }

  private void addAndGive(Tensor more, Tensor sum) {
    add(more, sum);
    engine.workspace().give(more.data());
  }

  private void add(Tensor more, Tensor sum) {
    Rows.forEach(
        this,
        sum.size(),
        (from, n) -> kernels().add(sum.data(), from, more.data(), from, n, sum.data(), from));
  }

  private Tensor grab(Shape shape) {
    return new Tensor(shape, engine.workspace().take(shape.size()));
  }

  /** Gives all buffers back; values of this pass must not be read any more. */
  @Override
  public void close() {
    if (!closed) {
      closed = true;
      for (Node node : tape) {
        forgetGradient(node.out); // if backward failed half way
      }
      tape.clear();
      releaseRows(0);
      held.forEach(engine.workspace()::give);
      held.clear();
    }
  }
}
