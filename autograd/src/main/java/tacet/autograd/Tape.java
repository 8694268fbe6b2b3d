package tacet.autograd;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import tacet.tensor.Engine;
import tacet.tensor.Shape;
import tacet.tensor.Tensor;
import tacet.tensor.kernel.SparseRows;

/**
 * What a {@link Pass} computed, in its order, and the way back over it: reverse-mode differentiation.
 * Gradients that matter in few places, or are zero in most, are held and passed on without the rest.
 */
final class Tape {
  /** Writes the gradient by one input: a vector-Jacobian product. */
  @FunctionalInterface
  interface Vjp {
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
  interface SampledVjp {
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
  interface SkippingVjp {
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
  interface AlikeVjp {
    /**
     * Writes every value of {@code dX}.
     *
     * @param dY gradient by the operator's result; not modified
     * @param dX the same places; its values are overwritten
     */
    void write(SparseRows dY, SparseRows dX);
  }

  /** Writes the gradients by several inputs that share most of their work. */
  @FunctionalInterface
  interface JointVjp {
    /**
     * Writes every element of each {@code dX} that is not null.
     *
     * @param dY gradient by the operator's result; not modified
     * @param dX gradients by the inputs, null where none is needed; overwritten
     */
    void write(Tensor dY, Tensor[] dX);
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

  private record Joint(Var[] vars, JointVjp vjp) {}

  /**
   * An operator's place on the tape.
   *
   * @param again computes a part of a model again and goes back over that; null for an operator
   */
  private record Node(Var out, List<Edge> edges, Joint joint, Runnable again) {}

  private final Pass pass;
  private final Engine engine;
  private final List<Node> nodes = new ArrayList<>();

  Tape(Pass pass) {
    this.pass = pass;
    engine = pass.engine();
  }

  int size() {
    return nodes.size();
  }

  // ------------------------------------------------------------------ recording

  Recorder record(Tensor y) {
    return new Recorder(y);
  }

  /** A part of a model that is computed again for its gradient. */
  void add(Var out, Runnable again) {
    nodes.add(new Node(out, List.of(), null, again));
  }

  /** Collects the inputs of an operator that need a gradient; most need none and cost nothing. */
  final class Recorder {
    private final Tensor y;
    private long active = -1;
    private boolean masked;
    private List<Edge> edges;
    private Edge last;
    private Joint joint;
    private boolean spent;

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
        spent |= x.spent;
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
      from(x, (dY, dX) -> Ops.copy(pass, dY, dX));
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
      if (p != null && p.trainable()) {
        if (pass.taping()) {
          add(new Edge(null, p, vjp));
        } else {
          pass.reach();
        }
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
          spent |= inputs[i].spent;
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
      out.spent = spent;
      if (out.tracked()) {
        nodes.add(new Node(out, edges == null ? List.of() : edges, joint, null));
      }
      return out;
    }
  }

  // ------------------------------------------------------------------ the way back

  /** Goes back over all of the tape; see {@link Pass#backward}. */
  void backward(Var loss) {
    loss.gradient = grab(loss.shape());
    Arrays.fill(loss.gradient.data(), 0, loss.gradient.size(), 1f);
    unwind(0);
    if (loss.hasGradient()) {
      forgetGradient(loss);
      throw new IllegalStateException("the loss is not on the tape of this pass");
    }
  }

  /** Goes back over the tape to a place on it. */
  void unwind(int base) {
    for (int i = nodes.size() - 1; i >= base; i--) {
      Node node = nodes.remove(i);
      Var out = node.out;
      out.spent = true;
      if (!out.hasGradient() && node.again == null) {
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
      if (node.again != null) {
        node.again.run();
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
      if (e.sampled != null) {
        Tensor dY = full(out);
        e.sampled.write(dY, sparse);
        giveFull(out, dY);
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
      engine.kernels().add(sum, 0, sparse.value(), 0, sparse.entries(), sum, 0);
      sparse.release(engine.workspace());
    } else {
      expandGradient(x);
      Tensor dense = grab(x.shape());
      sparse.expand(engine, dense.data());
      sparse.release(engine.workspace());
      addAndGive(dense, x.gradient);
    }
  }

  /**
   * The gradient by an edge's input in full. What can be sampled has its sums by lanes, and what skips
   * has not: so that bits do not depend on what is skipped, only one of them is used.
   */
  private void write(Var out, Edge e, Tensor dX) {
    if (out.sparseGradient != null && e.skipping != null && e.sampled == null) {
      e.skipping.write(out.sparseGradient, dX);
    } else {
      Tensor dY = full(out);
      e.vjp.write(dY, dX);
      giveFull(out, dY);
    }
  }

  /** The gradient by a result with its zeros; {@link #giveFull} gives back what that took. */
  private Tensor full(Var out) {
    if (out.sparseGradient == null) {
      return out.gradient;
    }
    Tensor dY = grab(out.shape());
    out.sparseGradient.expand(engine, dY.data());
    return dY;
  }

  private void giveFull(Var out, Tensor dY) {
    if (dY != out.gradient) {
      engine.workspace().give(dY.data());
    }
  }

  /** Writes a gradient with zeros left out in full. */
  void expandGradient(Var x) {
    if (x.sparseGradient == null) {
      return;
    }
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
    expandGradient(out);
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

  void addDense(Var x, Tensor dense) {
    expandGradient(x);
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
        pass,
        sum.size(),
        (from, n) ->
            engine.kernels().add(sum.data(), from, more.data(), from, n, sum.data(), from));
  }

  private Tensor grab(Shape shape) {
    return new Tensor(shape, engine.workspace().take(shape.size()));
  }

  /** Adds a gradient to that of another value, if one flows through that, and forgets it. */
  void moveGradient(Var from, Var to) {
    expandGradient(from);
    if (from.gradient != null && to.tracked()) {
      addDense(to, from.gradient);
      from.gradient = null;
    }
    forgetGradient(from);
  }

  /** Gives back what a way that was not gone to its end left behind. */
  void forget() {
    for (Node node : nodes) {
      forgetGradient(node.out);
    }
    nodes.clear();
  }
}
