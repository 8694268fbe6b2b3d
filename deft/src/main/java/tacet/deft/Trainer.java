package tacet.deft;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.BooleanSupplier;
import tacet.autograd.AdamW;
import tacet.autograd.Ops;
import tacet.autograd.Parameter;
import tacet.autograd.Pass;
import tacet.autograd.Schedule;
import tacet.autograd.Var;
import tacet.deft.TrainingCheckpoint.Track;
import tacet.deft.report.LogEntry;
import tacet.tensor.Engine;
import tacet.transformer.Part;
import tacet.transformer.Surgery;
import tacet.transformer.Tap;

/**
 * Fine-tunes the trainable parameters of a model, with or without the density loss.
 *
 * <p>Every random choice is drawn from (seed, purpose, step), so a run has the same bits each time,
 * for any number of threads, and when it was interrupted and resumed from its checkpoint.
 *
 * @param <M> the kind of model
 */
public final class Trainer<M extends Part> implements AutoCloseable {
  /**
   * What is chosen.
   *
   * @param length epochs or steps
   * @param batchSize examples per step
   * @param parts in how many passes a step's examples are run, their gradients added up: less memory
   *     for the same step
   * @param recompute whether blocks are computed again for their gradients ({@link Pass#recompute}):
   *     less memory, more time, the same bits
   * @param rate learning rate
   * @param weightDecay decoupled, per unit of learning rate
   * @param clip largest gradient norm; 0 for no clipping
   * @param seed of order, dropout and new weights
   * @param density the density loss; null for plain fine-tuning
   * @param ramp how λ grows
   * @param pace when to evaluate and save
   */
  public record Settings(
      Length length,
      int batchSize,
      int parts,
      boolean recompute,
      Rate rate,
      double weightDecay,
      double clip,
      long seed,
      DensityLoss density,
      Ramp ramp,
      Pace pace) {
    /** Checks the numbers. */
    public Settings {
      if (batchSize < 1 || parts < 1 || parts > batchSize) {
        throw new IllegalArgumentException(
            "batch size must be at least 1, and its parts from 1 to as many, got "
                + batchSize
                + " and "
                + parts);
      }
      if (!(clip >= 0) || !(weightDecay >= 0)) {
        throw new IllegalArgumentException("clip and weight decay must be 0 or more");
      }
    }

    /** The paper's: linear schedule with 6 % warm-up, weight decay 0.01, no clipping. */
    public static Settings of(
        int epochs, int batchSize, double learningRate, long seed, DensityLoss density, Ramp ramp) {
      return new Settings(
          Length.epochs(epochs),
          batchSize,
          1,
          false,
          Rate.linear(learningRate),
          0.01,
          0,
          seed,
          density,
          ramp,
          Pace.EPOCHS);
    }

    /** What a checkpoint has to agree with: all that the bits of a step depend on. */
    private String fingerprint(String problem, int examples) {
      // With a constant rate and λ no step depends on how many will follow: a run may be prolonged.
      boolean open = rate.shape() == Rate.Shape.CONSTANT && ramp.equals(Ramp.NONE);
      return String.join(
          "; ",
          problem + " of " + examples,
          open ? "any length" : length.toString(),
          "batch " + batchSize + "/" + parts,
          rate.toString(),
          "decay " + weightDecay + ", clip " + clip + ", seed " + seed,
          density + ", " + ramp,
          pace.patience() > 0 ? pace.toString() : "");
    }
  }

  /** Is told what happens. */
  public interface Listener {
    /** After every optimizer step. */
    void step(LogEntry.Step entry) throws IOException;

    /** After every evaluation. */
    void evaluated(LogEntry.Evaluation entry) throws IOException;
  }

  /** Why a run came to its end. */
  public enum Ending {
    /** All steps are done. */
    COMPLETE,
    /** The score stopped getting better. */
    EARLY,
    /** Somebody asked to stop; the run can go on from its checkpoint. */
    STOPPED
  }

  /**
   * What a run came to.
   *
   * @param ending why it ended
   * @param steps done in all
   * @param last the last evaluation; null if there was none
   */
  public record Outcome(Ending ending, long steps, Evaluator.Result last) {}

  private final Engine engine;
  private final M model;
  private final Problem<M> problem;
  private final Settings settings;
  private final Map<String, Parameter> trainable;
  private final Map<String, Parameter> layerWeights;
  private final AdamW optimizer;
  private final TrainingCheckpoint checkpoint;
  private final int perEpoch;
  private final long total;
  private Track track = Track.NEW;

  /**
   * A trainer; nothing runs yet.
   *
   * @param model its trainable parameters are changed by training, all else stays; weights of {@link
   *     Ada} are kept in [0, 1]
   */
  public Trainer(Engine engine, M model, Problem<M> problem, Settings settings) {
    this(engine, model, problem, null, settings);
  }

  /**
   * A trainer whose optimizer keeps its moments in a file; it must be closed.
   *
   * @param moments a temporary file, see {@link AdamW}; null for memory
   */
  public Trainer(Engine engine, M model, Problem<M> problem, Path moments, Settings settings) {
    this.engine = engine;
    this.model = Tap.onActivations(model);
    this.problem = problem;
    this.settings = settings;
    this.trainable = Surgery.trainable(model);
    this.layerWeights = Ada.weights(model);
    if (trainable.isEmpty()) {
      throw new IllegalArgumentException("the model has no trainable parameters");
    }
    if (problem.size() == 0) {
      throw new IllegalArgumentException(problem.name() + " has no training example");
    }
    Set<Parameter> blocks = Collections.newSetFromMap(new IdentityHashMap<>());
    blocks.addAll(layerWeights.values());
    this.optimizer =
        new AdamW(
            engine,
            trainable,
            new AdamW.Settings(0.9, 0.999, 1e-8, settings.weightDecay),
            moments,
            p -> blocks.contains(p) ? settings.rate.blocks() : 1);
    this.checkpoint =
        new TrainingCheckpoint(
            trainable, optimizer, settings.fingerprint(problem.name(), problem.size()));
    this.perEpoch = (problem.size() + settings.batchSize - 1) / settings.batchSize;
    this.total = settings.length.total(perEpoch);
  }

  /** The parameters that are trained, by name. */
  public Map<String, Parameter> trainable() {
    return trainable;
  }

  /** Number of optimizer steps of a whole run. */
  public long totalSteps() {
    return total;
  }

  // ------------------------------------------------------------------ the run

  /**
   * Trains to the end, from the step that {@link #restore} set or from the first.
   *
   * @param dir gets checkpoint.safetensors, and best.safetensors whenever an evaluation beats those
   *     before; null for neither
   * @param listener is told what happens
   * @param stop asked after every step: whether to save and end now
   * @throws DivergedException if the loss or a parameter is no longer a number; the last checkpoint is
   *     kept
   */
  public Outcome run(Path dir, Listener listener, BooleanSupplier stop) throws IOException {
    Schedule schedule = settings.rate.over(total);
    Pace pace = settings.pace;
    long start = System.nanoTime();
    Evaluator.Result last = null;
    long done = optimizer.steps();
    if (ended(done)) { // a run that is resumed behind its end, which its listener has heard of
      last = problem.evaluate(engine, model);
    } else if (done == 0 && pace.evaluateEvery() < total) {
      last = evaluate(listener);
    }
    List<int[]> batches = List.of();
    while (!ended(done)) {
      int inEpoch = (int) (done % perEpoch);
      if (batches.isEmpty() || inEpoch == 0) {
        batches =
            Epoch.batches(
                problem.size(),
                problem::length,
                settings.batchSize,
                settings.seed,
                done / perEpoch);
      }
      double lambda = settings.ramp.at(done, total);
      listener.step(step(batches.get(inEpoch), done, schedule.at(done), lambda, start));
      done++;
      if (Pace.due(pace.evaluateEvery(), done, perEpoch, total)) {
        last = evaluate(listener);
        if (track.improvedBy(last.score()) && dir != null) {
          save(dir.resolve(BEST));
        }
        track = track.after(last.score());
      }
      boolean asked = !ended(done) && stop.getAsBoolean();
      if (dir != null
          && (asked || ended(done) || Pace.due(pace.saveEvery(), done, perEpoch, total))) {
        save(dir.resolve(LAST));
      }
      if (asked) {
        return new Outcome(Ending.STOPPED, done, last);
      }
    }
    return new Outcome(done < total ? Ending.EARLY : Ending.COMPLETE, done, last);
  }

  private boolean ended(long done) {
    return done >= total
        || settings.pace.patience() > 0 && track.stale() >= settings.pace.patience();
  }

  /** The losses of a step, or of a part of one: means over its examples. */
  private record Sums(double loss, double task, double density) {
    Sums plus(double share, Sums more) {
      return new Sums(
          loss + share * more.loss, task + share * more.task, density + share * more.density);
    }
  }

  private LogEntry.Step step(
      int[] examples, long step, double learningRate, double lambdaShare, long start) {
    long began = System.nanoTime();
    int parts = Math.min(settings.parts, examples.length);
    Sums sums = new Sums(0, 0, 0);
    if (parts == 1) {
      sums = pass(problem.load(examples, settings.seed, step), step, 0, 1, lambdaShare);
    } else {
      List<Problem.Load<M>> loads =
          java.util.stream.IntStream.range(0, parts)
              .mapToObj(
                  i ->
                      problem.load(
                          Arrays.copyOfRange(
                              examples,
                              i * examples.length / parts,
                              (i + 1) * examples.length / parts),
                          settings.seed,
                          step))
              .toList();
      double weight = loads.stream().mapToDouble(Problem.Load::weight).sum();
      for (int i = 0; i < parts; i++) {
        double share = loads.get(i).weight() / weight;
        sums = sums.plus(share, pass(loads.get(i), step, i, share, lambdaShare));
      }
    }
    if (settings.clip > 0) {
      optimizer.clipGradients(settings.clip);
    }
    optimizer.step(learningRate);
    Ada.clamp(layerWeights.values());
    long now = System.nanoTime();
    return new LogEntry.Step(
        step + 1,
        (step + 1.0) / perEpoch,
        sums.loss,
        sums.task,
        sums.density,
        learningRate,
        (now - start) * 1e-9,
        examples.length / ((now - began) * 1e-9));
  }

  /** Forward and backward over a part of a step. */
  private Sums pass(Problem.Load<M> load, long step, int part, double share, double lambdaShare) {
    // The parts of a step draw from streams of their own; the first from the step's.
    long key = part == 0 ? step : step + (long) part * (1L << 40);
    try (Pass pass = Pass.training(engine, settings.seed, key)) {
      if (settings.recompute) {
        pass.recompute();
      }
      DensityLoss density = settings.density;
      DensityLoss.Terms terms =
          density == null
              ? null
              : density.observe(pass, load.tokens(model), layerWeights, (name, activation) -> {});
      Var loss = load.loss(pass, model);
      double task = loss.value().item();
      double dense = 0;
      if (terms != null) {
        Var d = terms.loss(pass);
        dense = d.value().item();
        loss = terms.addTo(pass, loss, d, lambdaShare);
      }
      double value = loss.value().item();
      if (!Double.isFinite(value)) {
        throw new DivergedException("the loss is not a number", step + 1, value);
      }
      pass.backward(share == 1 ? loss : Ops.scale(pass, loss, (float) share));
      return new Sums(value, task, dense);
    }
  }

  private Evaluator.Result evaluate(Listener listener) throws IOException {
    Evaluator.Result r = problem.evaluate(engine, model);
    listener.evaluated(
        new LogEntry.Evaluation(
            optimizer.steps(), r.score(), r.density().exact(), r.density().layers()));
    return r;
  }

  // ------------------------------------------------------------------ checkpoints

  /** The file of the last state in a run's folder. */
  public static final String LAST = "checkpoint.safetensors";

  /** The file of the state with the best evaluation. */
  public static final String BEST = "best.safetensors";

  /**
   * Writes parameters, moments and the step, beside and renamed.
   *
   * @throws DivergedException if a parameter is not a finite number; the file is not touched
   */
  public void save(Path file) throws IOException {
    if (!checkpoint.isFinite()) {
      throw new DivergedException("a weight is not a number", optimizer.steps(), Double.NaN);
    }
    checkpoint.save(file, track);
  }

  /**
   * Goes on where {@link #save} left off.
   *
   * @return the number of steps done
   * @throws IOException if the file is not a checkpoint of a run with these settings and parameters;
   *     nothing is changed then
   */
  public long restore(Path file) throws IOException {
    track = checkpoint.restore(file);
    return optimizer.steps();
  }

  /** Deletes the file of the optimizer's moments, if there is one. */
  @Override
  public void close() {
    optimizer.close();
  }

  /**
   * Brings the parameters to the best evaluation of this run and evaluates again; for after {@link
   * #run}.
   *
   * @return the evaluation; null if there is no such state
   */
  public Evaluator.Result restoreBest(Path dir) throws IOException {
    if (!Files.exists(dir.resolve(BEST))) {
      return null;
    }
    checkpoint.restore(dir.resolve(BEST));
    return problem.evaluate(engine, model);
  }
}
