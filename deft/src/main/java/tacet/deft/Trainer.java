package tacet.deft;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tacet.autograd.AdamW;
import tacet.autograd.Losses;
import tacet.autograd.Parameter;
import tacet.autograd.Pass;
import tacet.autograd.Schedule;
import tacet.autograd.Var;
import tacet.deft.report.LogEntry;
import tacet.deft.task.Task;
import tacet.tensor.Engine;
import tacet.tensor.Tensor;
import tacet.transformer.Surgery;
import tacet.transformer.Tap;
import tacet.transformer.TextModel;
import tacet.transformer.checkpoint.SafeTensors;
import tacet.transformer.checkpoint.SafeTensorsWriter;

/**
 * Fine-tunes the trainable parameters of a model on a task, with or without the density loss.
 *
 * <p>Every random choice is drawn from (seed, purpose, step), so a run has the same bits each time,
 * for any number of threads, and when it was interrupted and resumed from its checkpoint.
 */
public final class Trainer implements AutoCloseable {
  /**
   * What is chosen.
   *
   * @param epochs passes over the data
   * @param batchSize examples per step
   * @param learningRate peak of the linear schedule
   * @param warmUp share of the steps that warm up
   * @param weightDecay decoupled, per unit of learning rate
   * @param clip largest gradient norm; 0 for no clipping
   * @param seed of order, dropout and new weights
   * @param density the density loss; null for plain fine-tuning
   * @param ramp how λ grows
   */
  public record Settings(
      int epochs,
      int batchSize,
      double learningRate,
      double warmUp,
      double weightDecay,
      double clip,
      long seed,
      DensityLoss density,
      Ramp ramp) {
    /** Checks the numbers. */
    public Settings {
      if (epochs < 1 || batchSize < 1) {
        throw new IllegalArgumentException("epochs and batch size must be at least 1");
      }
      if (!(learningRate > 0) || !(warmUp >= 0 && warmUp <= 1) || !(clip >= 0)) {
        throw new IllegalArgumentException(
            "learning rate must be positive, warm-up in [0, 1], clip 0 or more");
      }
    }
  }

  /** Is told what happens. */
  public interface Listener {
    /** After every optimizer step. */
    void step(LogEntry.Step entry) throws IOException;

    /** After every evaluation. */
    void evaluated(LogEntry.Evaluation entry) throws IOException;
  }

  private final Engine engine;
  private final TextModel model;
  private final Task task;
  private final Settings settings;
  private final Map<String, Parameter> trainable;
  private final AdamW optimizer;

  /**
   * A trainer; nothing runs yet.
   *
   * @param model its trainable parameters are changed by training, all else stays
   */
  public Trainer(Engine engine, TextModel model, Task task, Settings settings) {
    this(engine, model, task, null, settings);
  }

  /**
   * A trainer whose optimizer keeps its moments in a file; it must be closed.
   *
   * @param moments a temporary file, see {@link AdamW}; null for memory
   */
  public Trainer(Engine engine, TextModel model, Task task, Path moments, Settings settings) {
    this.engine = engine;
    this.model = Tap.onActivations(model);
    this.task = task;
    this.settings = settings;
    this.trainable = Surgery.trainable(model);
    if (trainable.isEmpty()) {
      throw new IllegalArgumentException("the model has no trainable parameters");
    }
    this.optimizer =
        new AdamW(
            engine, trainable, new AdamW.Settings(0.9, 0.999, 1e-8, settings.weightDecay), moments);
  }

  /** The parameters that are trained, by name. */
  public Map<String, Parameter> trainable() {
    return trainable;
  }

  /** Number of optimizer steps of a whole run. */
  public long totalSteps(Dataset train) {
    return (long) stepsPerEpoch(train) * settings.epochs;
  }

  private int stepsPerEpoch(Dataset train) {
    return (train.size() + settings.batchSize - 1) / settings.batchSize;
  }

  /**
   * Trains to the end, from the step that {@link #restore} set or from the first.
   *
   * @param dev evaluated before the first step and after each epoch
   * @param checkpoint where to save after each epoch; null for nowhere
   * @return the last evaluation
   * @throws ArithmeticException if the loss is no longer a number
   */
  public Evaluator.Result run(Dataset train, Dataset dev, Path checkpoint, Listener listener)
      throws IOException {
    int perEpoch = stepsPerEpoch(train);
    long total = totalSteps(train);
    Schedule schedule = Schedule.linear(settings.learningRate, settings.warmUp, total);
    long start = System.nanoTime();
    Evaluator.Result result = null;
    if (optimizer.steps() == 0 || optimizer.steps() == total) {
      result = evaluate(dev, listener);
    }
    for (long epoch = optimizer.steps() / perEpoch; epoch < settings.epochs; epoch++) {
      List<int[]> batches = train.epoch(settings.batchSize, settings.seed, epoch);
      for (int i = (int) (optimizer.steps() - epoch * perEpoch); i < perEpoch; i++) {
        long step = epoch * perEpoch + i;
        double lambda = settings.ramp.at(step, total);
        listener.step(
            step(train.cut(batches.get(i)), step, perEpoch, schedule.at(step), lambda, start));
      }
      result = evaluate(dev, listener);
      if (checkpoint != null) {
        save(checkpoint);
      }
    }
    return result;
  }

  private LogEntry.Step step(
      Dataset.Cut cut,
      long step,
      int perEpoch,
      double learningRate,
      double lambdaShare,
      long start) {
    long began = System.nanoTime();
    double taskLoss;
    double densityLoss = 0;
    double loss;
    try (Pass pass = Pass.training(engine, settings.seed, step)) {
      DensityLoss density = settings.density;
      DensityLoss.Terms terms =
          density == null ? null : density.observe(pass, model.seen(cut.batch()));
      Var logits = model.forward(pass, cut.batch()).logits();
      Var total =
          task.isRegression()
              ? Losses.meanSquaredError(pass, logits, cut.targets())
              : Losses.crossEntropy(pass, logits, cut.classes());
      taskLoss = total.value().item();
      if (terms != null) {
        Var d = terms.loss(pass);
        densityLoss = d.value().item();
        total = terms.addTo(pass, total, d, lambdaShare);
      }
      loss = total.value().item();
      if (!Double.isFinite(loss)) {
        throw new ArithmeticException(
            "the loss is " + loss + " at step " + step + "; try a smaller learning rate");
      }
      pass.backward(total);
    }
    if (settings.clip > 0) {
      optimizer.clipGradients(settings.clip);
    }
    optimizer.step(learningRate);
    long now = System.nanoTime();
    return new LogEntry.Step(
        step + 1,
        (step + 1.0) / perEpoch,
        loss,
        taskLoss,
        densityLoss,
        learningRate,
        (now - start) * 1e-9,
        cut.numbers().length / ((now - began) * 1e-9));
  }

  private Evaluator.Result evaluate(Dataset dev, Listener listener) throws IOException {
    Evaluator.Result r = Evaluator.evaluate(engine, model, dev, task);
    listener.evaluated(
        new LogEntry.Evaluation(
            optimizer.steps(), r.score(), r.density().exact(), r.density().layers()));
    return r;
  }

  // ------------------------------------------------------------------ checkpoints

  private static final String STEPS = "tacet.steps";
  private static final String SETTINGS = "tacet.settings";

  /** Writes parameters, moments and the step, beside and renamed. */
  public void save(Path file) throws IOException {
    if (file.getParent() != null) {
      Files.createDirectories(file.getParent());
    }
    Map<String, Tensor> all = new LinkedHashMap<>();
    trainable.forEach((name, p) -> all.put(name, p.value()));
    all.putAll(optimizer.state());
    Map<String, String> metadata = new LinkedHashMap<>();
    metadata.put("format", "pt");
    metadata.put(STEPS, Long.toString(optimizer.steps()));
    metadata.put(SETTINGS, settings.toString());
    SafeTensorsWriter writer = new SafeTensorsWriter().metadata(metadata);
    all.forEach(writer::add);
    writer.write(file);
  }

  /**
   * Goes on where {@link #save} left off.
   *
   * @return the number of steps done
   * @throws IOException if the file is not a checkpoint of a run with these settings and parameters;
   *     nothing is changed then
   */
  public long restore(Path file) throws IOException {
    try (SafeTensors saved = SafeTensors.open(file)) {
      String steps = saved.metadata().get(STEPS);
      if (steps == null || !settings.toString().equals(saved.metadata().get(SETTINGS))) {
        throw new IOException(
            file
                + ": not a checkpoint of a run with these settings; repeat the options of the"
                + " first run, or leave out --resume");
      }
      Map<String, Tensor> values = new LinkedHashMap<>();
      for (Map.Entry<String, Parameter> e : trainable.entrySet()) {
        Tensor t = saved.names().contains(e.getKey()) ? saved.read(e.getKey()) : null;
        if (t == null || !t.shape().equals(e.getValue().value().shape())) {
          throw new IOException(
              file + ": parameter " + e.getKey() + " is missing or has another shape");
        }
        values.put(e.getKey(), t);
      }
      Map<String, Tensor> moments = new LinkedHashMap<>();
      for (String name : optimizer.state().keySet()) {
        if (saved.names().contains(name)) {
          moments.put(name, saved.read(name));
        }
      }
      try {
        optimizer.restore(moments, Long.parseLong(steps));
      } catch (IllegalArgumentException e) {
        throw new IOException(file + ": " + e.getMessage(), e);
      }
      values.forEach(
          (name, t) -> {
            Parameter p = trainable.get(name);
            System.arraycopy(t.data(), 0, p.value().data(), 0, t.size());
            p.changed();
          });
    }
    return optimizer.steps();
  }

  /** Deletes the file of the optimizer's moments, if there is one. */
  @Override
  public void close() {
    optimizer.close();
  }
}
