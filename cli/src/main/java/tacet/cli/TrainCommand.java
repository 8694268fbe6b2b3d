package tacet.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import tacet.autograd.Parameter;
import tacet.deft.Ada;
import tacet.deft.DensityLoss;
import tacet.deft.Evaluator;
import tacet.deft.Ramp;
import tacet.deft.Trainer;
import tacet.deft.report.LogEntry;
import tacet.deft.report.RunLog;
import tacet.deft.report.RunMetrics;
import tacet.peft.AdapterFile;
import tacet.peft.PeftMethod;
import tacet.tensor.Engine;
import tacet.tensor.measure.Host;
import tacet.transformer.Part;
import tacet.transformer.Surgery;
import tacet.transformer.checkpoint.AtomicFile;
import tacet.transformer.checkpoint.Json;
import tacet.transformer.model.TextModels;

/** {@code tacet train}: fine-tunes a model on a task, with or without the density loss. */
@Command(
    name = "train",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    description = "Fine-tunes a model and writes the adapter, metrics.json and log.jsonl.")
final class TrainCommand implements Callable<Integer> {
  static final int INTERRUPTED = 130; // what a shell gives for Ctrl-C

  /** Options that may be others after an interruption: where files lie, and what changes no step. */
  private static final Set<String> MAY_CHANGE =
      Set.of("model", "epochs", "steps", "recompute", "patience", "keep");

  @Mixin private ModelOptions model;
  @Mixin private TaskOptions data;

  @Mixin private MethodOptions methodOptions;

  @Mixin private DensityOptions density;

  @Option(
      names = "--lambda-ramp",
      paramLabel = "START,END",
      description = "Let lambda grow from 0 to full between these shares of the steps (0,0).")
  private String lambdaRamp = "0,0";

  @Option(
      names = "--train-samples",
      paramLabel = "N",
      description = "Use the first N examples; a built-in task makes as many as that.")
  private int trainSamples = Integer.MAX_VALUE;

  @Option(
      names = "--hold-out",
      paramLabel = "N",
      description =
          "Judge by the last N training examples, which are then not learnt from, and not by the dev"
              + " set: for choosing lambda and the like (0).")
  private int holdOut = 0;

  @Option(
      names = "--adaptive",
      description = "ADA: train a weight in [0, 1] per MLP block; blocks that reach 0 are skipped.")
  private boolean adaptive;

  @Option(
      names = "--ada-rate",
      paramLabel = "X",
      description = "Learning rate of ADA's weights of blocks over that of all else (1).")
  private double adaRate = 1;

  @Mixin private TrainerOptions trainer;

  @Option(names = "--seed", paramLabel = "N", description = "Of every random choice (1).")
  private long seed = 1;

  @Option(names = "--out", paramLabel = "DIR", description = "Where to write.")
  private Path out;

  @Option(
      names = "--adapter",
      paramLabel = "DIR",
      description = "Start from this adapter; what is trained is then what it is.")
  private Path adapter;

  @Option(
      names = "--dry-run",
      description = {
        "Print how many parameters would be trained, and do nothing. The model's config.json is enough."
      })
  private boolean dryRun;

  @Option(names = "--resume", description = "Go on from the last checkpoint in --out.")
  private boolean resume;

  @Mixin private Common common;

  private TrainCommand() {}

  @Override
  public Integer call() throws IOException {
    if (dryRun) {
      return countOnly();
    }
    if (out == null) {
      throw common.usage("Missing required option: '--out=DIR'");
    }
    Trainer.Settings settings = trainer.settings(seed, density.loss(), ramp(), adaRate);
    try (Engine engine = common.engine();
        ModelSource source = methodOptions.isQlora() ? model.openQuantised() : model.open()) {
      return train(engine, source, Work.of(model, source, data, seed, share()), settings);
    }
  }

  /** How λ grows. */
  private Ramp ramp() {
    String[] parts = lambdaRamp.split(",");
    try {
      if (parts.length == 2) {
        return new Ramp(Double.parseDouble(parts[0]), Double.parseDouble(parts[1]));
      }
    } catch (NumberFormatException e) {
      // told below
    }
    throw new UserException("--lambda-ramp needs two shares such as 0.3,0.8, got " + lambdaRamp);
  }

  private Work.Share share() {
    if (trainSamples < 1 || holdOut < 0) {
      throw new UserException("--train-samples must be at least 1, --hold-out at least 0");
    }
    return new Work.Share(trainSamples, holdOut);
  }

  private <M extends Part> int train(
      Engine engine, ModelSource source, Work<M> work, Trainer.Settings settings)
      throws IOException {
    AdapterFile.Loaded<M> first = start(source, work);
    PeftMethod method = first.method();
    M trained = adaptive ? Ada.install(first.model(), seed) : first.model();
    Files.createDirectories(out);
    Path moments = methodOptions.isQlora() ? out.resolve("moments.paged") : null;
    try (Trainer<M> run = new Trainer<>(engine, trained, work.problem(), moments, settings)) {
      return train(source, work, method, trained, run);
    }
  }

  private <M extends Part> int train(
      ModelSource source, Work<M> work, PeftMethod method, M trained, Trainer<M> run)
      throws IOException {
    Path checkpoint = out.resolve(Trainer.LAST);
    Json configuration = configuration(source, method);
    Path options = out.resolve("options.json");
    boolean goesOn = resume && Files.exists(checkpoint);
    if (goesOn) {
      requireSame(options, configuration);
    }
    long from = goesOn ? run.restore(checkpoint) : 0;
    if (from == 0) { // what an earlier run has left is not of this one
      Files.deleteIfExists(out.resolve(Trainer.BEST));
      Files.deleteIfExists(checkpoint);
      AtomicFile.write(options, configuration.pretty());
    }
    Path logFile = out.resolve("log.jsonl");
    long start = System.nanoTime();
    Trainer.Outcome outcome;
    Evaluator.Result result;
    try (StopSignal stop = StopSignal.install();
        RunLog log = from > 0 ? RunLog.resume(logFile, from) : RunLog.create(logFile)) {
      outcome =
          run.run(
              out,
              new TrainingProgress(common.progress(), "training", run.totalSteps(), log),
              stop::asked);
      if (outcome.ending() == Trainer.Ending.STOPPED) {
        common
            .progress()
            .say("stopped and saved at step " + outcome.steps() + "; --resume goes on");
        return INTERRUPTED;
      }
      Evaluator.Result best = trainer.keepsBest() ? run.restoreBest(out) : null;
      result = best == null ? outcome.last() : best;
    }
    RunMetrics metrics =
        metrics(
            work, trained, run, result, (System.nanoTime() - start) * 1e-9, configuration, method);
    if (method != null) {
      Path adapter = out.resolve("adapter");
      AdapterFile.save(adapter, trained, method, work.taskType(), source.name());
      Ada.save(adapter, trained);
    } else {
      work.writer().write(out.resolve("model"), Ada.finish(trained));
    }
    metrics.write(out.resolve("metrics.json"));
    Summary.print(common, metrics);
    return 0;
  }

  /**
   * Refuses to go on with a run of other options. A checkpoint knows what its steps depend on; what the
   * model is made of, and how long its texts are, only the command line says.
   *
   * @param file what the first run was told; need not exist
   */
  private static void requireSame(Path file, Json now) throws IOException {
    if (!Files.exists(file)) {
      return;
    }
    Map<String, Json> first = Json.read(file).members();
    Set<String> names = new LinkedHashSet<>(first.keySet());
    names.addAll(now.members().keySet());
    names.removeAll(MAY_CHANGE);
    for (String name : names) {
      String before = String.valueOf(first.get(name));
      String after = String.valueOf(now.members().get(name));
      if (!after.equals(before)) {
        throw new UserException(
            file
                + ": the run began with "
                + name
                + " "
                + before
                + ", not "
                + after
                + "; repeat the options of the first run, or leave out --resume");
      }
    }
  }

  /** The model with what is trained; without a method where that is all of it. */
  private <M extends Part> AdapterFile.Loaded<M> start(ModelSource source, Work<M> work)
      throws IOException {
    if (adapter != null) {
      return AdapterFile.load(adapter, work.model());
    }
    PeftMethod method = methodOptions.choose(source, work.model(), work.modulesToSave());
    return new AdapterFile.Loaded<>(MethodOptions.apply(method, work.model(), seed), method);
  }

  /** What would be trained, from the shapes alone where there are no weights. */
  private int countOnly() throws IOException {
    try (ModelSource source = model.openShapes()) {
      Part base;
      List<String> modules = List.of();
      if (source.isImageModel()) {
        base = source.imageModel();
        modules = List.of("classifier");
      } else if (source.isSeq2Seq()) {
        base = source.seq2seq();
      } else {
        TextModels.Classifier loaded = source.classifier(data.outputs(), seed);
        base = loaded.model();
        modules = modulesToSave(loaded);
      }
      PeftMethod method = methodOptions.choose(source, base, modules);
      Part adapted = MethodOptions.apply(method, base, seed);
      Map<String, Parameter> trainable = Surgery.trainable(adapted);
      List<String> saved = methodOptions.modulesToSave(modules);
      long count = Surgery.count(trainable);
      trainable
          .keySet()
          .removeIf(name -> saved.stream().noneMatch(m -> ("." + name).contains("." + m + ".")));
      ParameterCount.print(
          common,
          methodOptions.name(),
          count,
          Surgery.count(trainable),
          Surgery.parameters(adapted));
    }
    return 0;
  }

  /** The head is always trained, and so is everything else that the checkpoint lacks. */
  static List<String> modulesToSave(TextModels.Classifier loaded) {
    List<String> modules = new ArrayList<>(List.of(loaded.head()));
    loaded.newModules().stream()
        .filter(m -> !m.equals(loaded.head()) && !m.startsWith(loaded.head() + "."))
        .forEach(modules::add);
    return modules;
  }

  private <M extends Part> RunMetrics metrics(
      Work<M> work,
      M trained,
      Trainer<M> run,
      Evaluator.Result result,
      double seconds,
      Json configuration,
      PeftMethod method) {
    Map<String, Parameter> trainable = run.trainable();
    long all = Surgery.count(Surgery.parameters(trained));
    Map<String, Double> times = new LinkedHashMap<>();
    times.put("train", seconds);
    times.put("evaluate", result.seconds());
    return new RunMetrics(
        work.problem().name(),
        methodOptions.name(method),
        result.score(),
        result.metrics(),
        result.density(),
        result.decoder(),
        Surgery.count(trainable),
        100.0 * Surgery.count(trainable) / all,
        times,
        Host.peakMemoryMb(),
        configuration);
  }

  private Json configuration(ModelSource source, PeftMethod method) {
    Map<String, Object> c = new LinkedHashMap<>();
    c.put("model", source.name());
    c.put("activation", model.activation());
    methodOptions.describe(method, c);
    c.put("weights", methodOptions.isQlora() ? "nf4" : model.weights());
    DensityLoss loss = density.loss();
    c.put("surrogate", loss == null ? "none" : loss.surrogate().name().toLowerCase(Locale.ROOT));
    if (loss != null) {
      c.put("surrogate_parameter", loss.parameter());
      c.put("lambda", loss.lambda());
      c.put("form", loss.form().name().toLowerCase(Locale.ROOT));
      c.put("lambda_ramp", new double[] {ramp().start(), ramp().end()});
      c.put("padding", loss.padding().name().toLowerCase(Locale.ROOT));
    }
    if (trainSamples != Integer.MAX_VALUE) {
      c.put("train_samples", trainSamples);
    }
    if (holdOut > 0) {
      c.put("hold_out", holdOut);
    }
    c.put("max_length", data.maxLength());
    trainer.describe(c);
    if (adaptive) {
      c.put("adaptive", true);
    }
    if (adaRate != 1) {
      c.put("ada_rate", adaRate);
    }
    c.put("seed", seed);
    return Json.of(c);
  }

  /** Shows training on the terminal and writes it to the log. */
  static final class TrainingProgress implements Trainer.Listener {
    private final Progress progress;
    private final String what;
    private final long total;
    private final RunLog log;
    private final List<LogEntry> entries = new ArrayList<>();
    private final long start = System.nanoTime();
    private long first = -1;
    private String last = "";

    TrainingProgress(Progress progress, String what, long total, RunLog log) {
      this.progress = progress;
      this.what = what;
      this.total = total;
      this.log = log;
    }

    @Override
    public void step(LogEntry.Step e) throws IOException {
      first = first < 0 ? e.step() - 1 : first;
      entries.add(e);
      if (log != null) {
        log.add(e);
      }
      double perStep = (System.nanoTime() - start) * 1e-9 / (e.step() - first);
      progress.update(
          what,
          e.step(),
          total,
          perStep * (total - e.step()),
          String.format(Locale.ROOT, "loss %.3f", e.taskLoss()) + last);
    }

    @Override
    public void evaluated(LogEntry.Evaluation e) throws IOException {
      entries.add(e);
      if (log != null) {
        log.add(e);
      }
      last = String.format(Locale.ROOT, ", score %.1f, density %.1f %%", e.score(), e.density());
    }

    /** Everything so far, in order. */
    List<LogEntry> entries() {
      return List.copyOf(entries);
    }
  }
}
