package tacet.autograd;

import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;
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
    /**
     * Called with a value that the model names; it need not live longer than the call. Operators over
     * it are recorded by {@link Pass#aside}.
     */
    void see(String name, Var value);
  }

  private final Engine engine;
  private final Mode mode;
  private final long key;
  private final Tape tape;
  private final List<float[]> held = new ArrayList<>();
  private final List<Var> compressed = new ArrayList<>(); // their rows are held too
  private Observer observer;
  private long randomConsumers;
  private boolean recomputing;
  private boolean observing;
  private Segment segment; // that is being computed; null outside of segments
  private boolean closed;

  private Pass(Engine engine, Mode mode, long key) {
    this.engine = engine;
    this.mode = mode;
    this.key = key;
    tape = new Tape(this);
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
    return mode != Mode.INFERENCE && (segment == null || segment.repeated != null);
  }

  /**
   * Saves memory for time: of each {@link #segment} only the input is kept, and the segment is
   * computed again when its gradient is (Chen et al. 2016, "Training Deep Nets with Sublinear Memory
   * Cost"). Gradients have the same bits.
   */
  public void recompute() {
    recomputing = true;
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
    if (segment != null && segment.repeated != null) {
      segment.repeatAsides(value); // it has seen the value
    } else if (observer != null) {
      observing = true;
      try {
        observer.see(name, value);
      } finally {
        observing = false;
      }
    }
    if (segment != null) {
      segment.shown++;
    }
  }

  /**
   * What an observer makes of the value that it is being shown, for a loss: the gradient flows back
   * into the model, through {@link #segment segments} too.
   *
   * @param value what {@link Observer#see} was given
   * @param operator records operators over the value that it is given; their result is small, such as
   *     a scalar. Called again if the value is computed again
   */
  public Var aside(Var value, UnaryOperator<Var> operator) {
    boolean was = observing;
    observing = false;
    Var y;
    try {
      y = operator.apply(value);
    } finally {
      observing = was;
    }
    return segment == null ? y : segment.aside(operator, y);
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
   * @throws IllegalArgumentException if it does not
   */
  public Var view(Var x, int batch) {
    Shape s = x.shape();
    if (batch < 1 || s.rows() % batch != 0) {
      throw new IllegalArgumentException(
          "view: " + s + " does not fall into " + batch + " examples");
    }
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
    if (!taping()) {
      releaseRows(rowsMark);
      release(mark, result.value().data());
    }
    return result;
  }

  /** Gives back what was taken since a mark, but one array. */
  private void release(int mark, float[] but) {
    float[] keep = null;
    for (int i = held.size() - 1; i >= mark; i--) {
      float[] a = held.remove(i);
      if (a == but) {
        keep = a;
      } else {
        engine.workspace().give(a);
      }
    }
    if (keep != null) {
      held.add(keep);
    }
  }

  // ------------------------------------------------------------------ segments

  /** What {@link #aside} made of the n-th value that a segment showed. */
  private record Aside(int shown, UnaryOperator<Var> operator, Var out) {}

  /** A part of a model that is computed without a tape, and again with one for its gradient. */
  private static final class Segment {
    final Var[] inputs;
    final Function<Var[], Var> part;
    final long consumers; // of randomness before it
    final List<Aside> asides = new ArrayList<>();
    boolean spent; // an input is
    boolean reached; // a gradient flows through what it has computed so far
    List<Var> repeated; // the asides, the second time; null the first
    int shown; // values so far

    Segment(Var[] inputs, Function<Var[], Var> part, long consumers) {
      this.inputs = inputs;
      this.part = part;
      this.consumers = consumers;
      for (Var x : inputs) {
        reached |= x != null && x.tracked();
        spent |= x != null && x.spent;
      }
    }

    /** The inputs' values without what is behind them; one that is there twice gets one stand-in. */
    Var[] standIns(boolean tracked) {
      Map<Var, Var> known = new IdentityHashMap<>();
      Var[] all = new Var[inputs.length];
      for (int i = 0; i < all.length; i++) {
        Var x = inputs[i];
        if (x != null) {
          all[i] =
              known.computeIfAbsent(
                  x, v -> new Var(v.value(), tracked && v.tracked(), v.active(), v.masked()));
        }
      }
      return all;
    }

    Var aside(UnaryOperator<Var> operator, Var y) {
      Var out = new Var(y.value().copy(), reached, y.active(), y.masked()); // outlives the segment
      out.spent = spent;
      asides.add(new Aside(shown, operator, out));
      return out;
    }

    void repeatAsides(Var value) {
      for (Aside a : asides) {
        if (a.shown == shown) {
          repeated.add(a.operator.apply(value));
        }
      }
    }

    boolean hasGradient() {
      return asides.stream().anyMatch(a -> a.out.hasGradient());
    }
  }

  /**
   * Runs a block of a model as {@link #scope} does; if the pass is to {@link #recompute}, what the
   * block computes on the way is not kept. The observer is shown values once. A segment within a
   * segment is a part of it.
   *
   * @param inputs all that the block uses and a gradient flows through; some may be null
   * @param part gets the inputs, or stand-ins for them, in the same order
   */
  public Var segment(Var[] inputs, Function<Var[], Var> part) {
    if (!recomputing || !taping() || segment != null) {
      return scope(() -> part.apply(inputs));
    }
    Segment s = new Segment(inputs.clone(), part, randomConsumers);
    Var y = run(s, () -> scope(() -> part.apply(s.standIns(false))));
    if (!s.reached) {
      return y; // all of it is frozen
    }
    Var out = new Var(y.value(), true, y.active(), y.masked());
    out.spent = s.spent;
    tape.add(out, () -> again(s, out));
    return out;
  }

  /** The same for a block that uses one value. */
  public Var segment(Var input, UnaryOperator<Var> part) {
    return segment(new Var[] {input}, v -> part.apply(v[0]));
  }

  private Var run(Segment s, Supplier<Var> part) {
    segment = s;
    s.shown = 0;
    try {
      return part.get();
    } finally {
      segment = null;
    }
  }

  /** A trainable parameter was used while there is no tape. */
  void reach() {
    if (segment != null) {
      segment.reached = true;
    }
  }

  /** Computes a segment again with a tape, and goes back over that. */
  private void again(Segment s, Var out) {
    s.asides.forEach(a -> a.out.spent = true);
    if (!out.hasGradient() && !s.hasGradient()) {
      return; // not on the way to the loss
    }
    int mark = held.size();
    int rowsMark = compressed.size();
    int base = tape.size();
    long consumers = randomConsumers;
    randomConsumers = s.consumers;
    Var[] leaves = s.standIns(true);
    moveGradients(s.inputs, leaves); // sums go on in the order that they have without segments
    s.repeated = new ArrayList<>();
    Var y = run(s, () -> s.part.apply(leaves));
    randomConsumers = consumers;
    tape.moveGradient(out, y);
    for (int i = 0; i < s.asides.size(); i++) {
      tape.moveGradient(s.asides.get(i).out, s.repeated.get(i));
    }
    tape.unwind(base);
    moveGradients(leaves, s.inputs);
    releaseRows(rowsMark);
    release(mark, null);
  }

  private void moveGradients(Var[] from, Var[] to) {
    for (int i = 0; i < from.length; i++) {
      if (from[i] != null) {
        tape.moveGradient(from[i], to[i]);
      }
    }
  }

  // ------------------------------------------------------------------ tape

  /** Begins to record an operator with the given result. */
  Tape.Recorder record(Tensor y) {
    if (observing && segment != null) {
      throw new IllegalStateException(
          "an observer's operator would have no gradient where blocks are computed again; record it"
              + " by Pass.aside");
    }
    return tape.record(y);
  }

  /**
   * Adds the gradient of {@code loss} to the gradients of all trainable parameters behind it, and
   * empties the tape. The order of recording is a topological order, so one walk back suffices.
   *
   * <p>What was on the tape cannot be gone back over again: of several losses, take the sum ({@link
   * Ops#add}).
   *
   * @param loss a scalar; of anything else, the sum of its elements is differentiated
   * @throws IllegalStateException if nothing trainable is behind the loss, or if it, or a part of what
   *     it is made of, was on the tape of an earlier call; no gradient is changed then
   */
  public void backward(Var loss) {
    if (!loss.tracked()) {
      throw new IllegalStateException(
          "nothing to differentiate: no trainable parameter is behind the loss, or the pass is for"
              + " inference");
    }
    if (loss.spent) {
      throw new IllegalStateException(
          "backward has emptied the tape on which this loss, or a part of it, was: call it once, with"
              + " the sum of all losses, or compute them in passes of their own");
    }
    tape.backward(loss);
  }

  /** Gives all buffers back; values of this pass must not be read any more. */
  @Override
  public void close() {
    if (!closed) {
      closed = true;
      tape.forget(); // if backward failed half way
      releaseRows(0);
      held.forEach(engine.workspace()::give);
      held.clear();
    }
  }
}
