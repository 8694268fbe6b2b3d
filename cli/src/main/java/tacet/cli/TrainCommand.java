package tacet.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import tacet.autograd.Parameter;
import tacet.deft.Dataset;
import tacet.deft.DensityLoss;
import tacet.deft.Evaluator;
import tacet.deft.Trainer;
import tacet.deft.report.LogEntry;
import tacet.deft.report.RunLog;
import tacet.deft.report.RunMetrics;
import tacet.deft.task.Example;
import tacet.deft.task.Task;
import tacet.peft.AdapterFile;
import tacet.peft.PeftMethod;
import tacet.tensor.Engine;
import tacet.tensor.measure.Host;
import tacet.transformer.Part;
import tacet.transformer.Surgery;
import tacet.transformer.TextModel;
import tacet.transformer.checkpoint.Json;
import tacet.transformer.model.TextModels;

/** {@code tacet train}: fine-tunes a model on a task, with or without the density loss. */
@Command(
    name = "train",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    description = "Fine-tunes a model and writes the adapter, metrics.json and log.jsonl.")
final class TrainCommand implements Callable<Integer> {
  @Mixin private ModelOptions model;
  @Mixin private TaskOptions data;

  @Mixin private MethodOptions methodOptions;

  @Mixin private DensityOptions density;

  @Option(names = "--train-samples", paramLabel = "N", description = "Use the first N examples.")
  private int trainSamples = Integer.MAX_VALUE;

  @Option(names = "--epochs", paramLabel = "N", description = "Passes over the data (3).")
  private int epochs = 3;

  @Option(names = "--batch", paramLabel = "N", description = "Examples per step (32).")
  private int batch = 32;

  @Option(names = "--lr", paramLabel = "X", description = "Peak learning rate (1e-3).")
  private double learningRate = 1e-3;

  @Option(names = "--warmup", paramLabel = "X", description = "Share of steps to warm up (0.06).")
  private double warmUp = 0.06;

  @Option(names = "--weight-decay", paramLabel = "X", description = "Of AdamW (0.01).")
  private double weightDecay = 0.01;

  @Option(names = "--clip", paramLabel = "X", description = "Largest gradient norm (0: no limit).")
  private double clip = 0;

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
    Task task = data.task(seed);
    DensityLoss loss = density.loss();
    Progress progress = common.progress();
    try (Engine engine = common.engine();
        ModelSource source = methodOptions.isQlora() ? model.openQuantised() : model.open()) {
      List<Example> examples = task.train().read();
      examples = examples.subList(0, Math.min(trainSamples, examples.size()));
      Dataset train = source.dataset(examples, data.maxLength());
      Dataset dev = source.dataset(task.dev().read(), data.maxLength());
      TextModels.Classifier loaded = model.classifier(source, task.outputs(), seed);
      AdapterFile.Loaded<TextModel> first = start(source, loaded);
      PeftMethod method = first.method();
      TextModel trained = first.model();
      Files.createDirectories(out);
      Trainer trainer =
          new Trainer(
              engine,
              trained,
              task,
              methodOptions.isQlora() ? out.resolve("moments.paged") : null,
              new Trainer.Settings(
                  epochs,
                  batch,
                  learningRate,
                  warmUp,
                  weightDecay,
                  clip,
                  seed,
                  loss,
                  density.ramp()));
      Path checkpoint = out.resolve("checkpoint.safetensors");
      long from = resume && Files.exists(checkpoint) ? trainer.restore(checkpoint) : 0;
      Path logFile = out.resolve("log.jsonl");
      long start = System.nanoTime();
      Evaluator.Result result;
      try (RunLog log = from > 0 ? RunLog.resume(logFile, from) : RunLog.create(logFile)) {
        result =
            trainer.run(
                train,
                dev,
                checkpoint,
                new TrainingProgress(progress, "training", trainer.totalSteps(train), log));
      }
      trainer.close();
      RunMetrics metrics =
          metrics(
              task,
              trained,
              trainer,
              result,
              (System.nanoTime() - start) * 1e-9,
              configuration(source, method),
              method);
      if (method != null) {
        AdapterFile.save(out.resolve("adapter"), trained, method, "SEQ_CLS", source.name());
      } else {
        source.save(out.resolve("model"), trained, task.outputs(), model.chosen());
      }
      metrics.write(out.resolve("metrics.json"));
      Summary.print(common, metrics);
    }
    return 0;
  }

  /** The model with what is trained; without a method where that is all of it. */
  private AdapterFile.Loaded<TextModel> start(ModelSource source, TextModels.Classifier loaded)
      throws IOException {
    if (adapter != null) {
      return AdapterFile.load(adapter, loaded.model());
    }
    PeftMethod method = methodOptions.choose(source, loaded.model(), modulesToSave(loaded));
    return new AdapterFile.Loaded<>(MethodOptions.apply(method, loaded.model(), seed), method);
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
        base = source.seq2seq(); // writes words: has no head to train
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

  private RunMetrics metrics(
      Task task,
      TextModel trained,
      Trainer trainer,
      Evaluator.Result result,
      double seconds,
      Json configuration,
      PeftMethod method) {
    Map<String, Parameter> trainable = trainer.trainable();
    long all = Surgery.count(Surgery.parameters(trained));
    Map<String, Double> times = new LinkedHashMap<>();
    times.put("train", seconds);
    times.put("evaluate", result.seconds());
    return new RunMetrics(
        task.name(),
        methodOptions.name(method),
        result.score(),
        result.metrics(),
        result.density(),
        null,
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
      c.put("lambda_ramp", new double[] {density.ramp().start(), density.ramp().end()});
      c.put("padding", loss.padding().name().toLowerCase(Locale.ROOT));
    }
    if (trainSamples != Integer.MAX_VALUE) {
      c.put("train_samples", trainSamples);
    }
    c.put("max_length", data.maxLength());
    c.put("epochs", epochs);
    c.put("batch", batch);
    c.put("lr", learningRate);
    c.put("warmup", warmUp);
    c.put("weight_decay", weightDecay);
    c.put("clip", clip);
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
